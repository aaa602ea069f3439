"""Values of the triton dialect: constants, arithmetic, calls, shapes, reductions and products.

`shape` properties are what is printed; result types are what is meant. After lift-constexprs the former name the
kernel's constexpr parameters, while the latter stay expressions over knobs until they are bound.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import ArrayAttr, BoolAttr, DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import Pure

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import IntsAttr, NumberAttr, TileType, integer_attr, ints, string_attr, tile_type


@functools.lru_cache(maxsize=4096)
def _keywords(given: tuple[tuple[str, str], ...]) -> DictionaryAttr:
    return DictionaryAttr({k: StringAttr(v) for k, v in given})


class PureOp(Op):
    traits = traits_def(Pure())


def shape_of(type_: Attribute) -> ArrayAttr[ExprAttr]:
    assert isinstance(type_, TileType)
    return type_.shape


@irdl_op_definition
class FullOp(PureOp):
    """`tl.full(shape, value, dtype)`."""

    name = "triton.full"

    shape = prop_def(ArrayAttr[ExprAttr])
    value = prop_def(NumberAttr)
    result = result_def(TileType)
    assembly_format = "$value `shape` $shape attr-dict `->` type($result)"

    def __init__(self, value: NumberAttr, type_: Attribute):
        super().__init__(result_types=[type_], properties={"shape": shape_of(type_), "value": value})


@irdl_op_definition
class ArangeOp(PureOp):
    """`tl.arange(0, size)`, i32."""

    name = "triton.arange"

    size = prop_def(ExprAttr)
    result = result_def(TileType)
    assembly_format = "$size attr-dict `:` type($result)"

    def __init__(self, type_: TileType):
        super().__init__(result_types=[type_], properties={"size": type_.shape.data[0]})


@irdl_op_definition
class UnaryOp(PureOp):
    """A prefix operator, `-` or `~`."""

    name = "triton.unary"

    operator = prop_def(StringAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$operator $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operator: str, operand: SSAValue, result_type: Attribute | None = None):
        super().__init__(
            operands=[operand],
            result_types=[result_type or operand.type],
            properties={"operator": string_attr(operator)},
        )


@irdl_op_definition
class BinaryOp(PureOp):
    """An infix operator: + - * / // % & | ^ << >> < <= > >= == !=. Operands broadcast."""

    name = "triton.binary"

    operator = prop_def(StringAttr)
    lhs = operand_def(TileType)
    rhs = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$operator $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(self, operator: str, lhs: SSAValue, rhs: SSAValue, result_type: Attribute):
        super().__init__(
            operands=[lhs, rhs], result_types=[result_type], properties={"operator": string_attr(operator)}
        )


@irdl_op_definition
class CallOp(PureOp):
    """A call of a pure function, `callee(operands, **keywords)`.

    The callee is `tl.…`, `libdevice.…`, or `plain.…` for a function of backend_triton's own library, which the printed
    module then contains. Keywords are Python text.
    """

    name = "triton.call"

    callee = prop_def(StringAttr)
    keywords = prop_def(DictionaryAttr)
    arguments = var_operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$callee `(` $arguments `)` $keywords attr-dict `:` functional-type($arguments, $result)"

    def __init__(
        self,
        callee: str,
        arguments: Sequence[SSAValue],
        result_type: Attribute,
        keywords: Mapping[str, str] | None = None,
    ):
        super().__init__(
            operands=[list(arguments)],
            result_types=[result_type],
            properties={
                "callee": string_attr(callee),
                "keywords": _keywords(tuple(keywords.items()) if keywords else ()),
            },
        )


@irdl_op_definition
class CastOp(PureOp):
    """`x.to(dtype)`."""

    name = "triton.cast"

    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, element: Attribute):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(operand.type.dims, element)])


@irdl_op_definition
class BitcastOp(PureOp):
    """`x.to(dtype, bitcast=True)`."""

    name = "triton.bitcast"

    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, element: Attribute):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(operand.type.dims, element)])


@irdl_op_definition
class ExpandDimsOp(PureOp):
    """`x[:, None]`: new dimensions of extent 1 at these positions of the result."""

    name = "triton.expand_dims"

    positions = prop_def(IntsAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$positions $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, positions: Sequence[int]):
        assert isinstance(operand.type, TileType)
        dims, places = list(operand.type.dims), sorted(positions)
        for p in places:
            dims.insert(p, expr_attr(1).data)
        super().__init__(
            operands=[operand],
            result_types=[tile_type(tuple(dims), operand.type.element_type)],
            properties={"positions": ints(places)},
        )


class ShapedOp(PureOp):
    """Base of what takes a shape to print."""

    shape = prop_def(ArrayAttr[ExprAttr])
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$operand `shape` $shape attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, dims: Sequence):
        assert isinstance(operand.type, TileType)
        type_ = tile_type(tuple(dims), operand.type.element_type)
        super().__init__(operands=[operand], result_types=[type_], properties={"shape": type_.shape})


@irdl_op_definition
class BroadcastToOp(ShapedOp):
    """`tl.broadcast_to(x, shape)`."""

    name = "triton.broadcast_to"


@irdl_op_definition
class ReshapeOp(ShapedOp):
    """`tl.reshape(x, shape)`, row-major."""

    name = "triton.reshape"


@irdl_op_definition
class PermuteOp(PureOp):
    """`tl.permute(x, order)`."""

    name = "triton.permute"

    order = prop_def(IntsAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$order $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, order: Sequence[int]):
        assert isinstance(operand.type, TileType)
        dims = operand.type.dims
        super().__init__(
            operands=[operand],
            properties={"order": ints(order)},
            result_types=[tile_type(tuple(dims[i] for i in order), operand.type.element_type)],
        )


@irdl_op_definition
class SplitOp(PureOp):
    """`tl.split(x)`: halves of a last dimension of extent 2."""

    name = "triton.split"

    operand = operand_def(TileType)
    first = result_def(TileType)
    second = result_def(TileType)
    assembly_format = "$operand attr-dict `:` type($operand) `->` type($first) `,` type($second)"

    def __init__(self, operand: SSAValue):
        assert isinstance(operand.type, TileType)
        half = tile_type(operand.type.dims[:-1], operand.type.element_type)
        super().__init__(operands=[operand], result_types=[half, half])


@irdl_op_definition
class JoinOp(PureOp):
    """`tl.join(a, b)`: a new last dimension of extent 2."""

    name = "triton.join"

    lhs = operand_def(TileType)
    rhs = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        assert isinstance(lhs.type, TileType)
        type_ = tile_type((*lhs.type.dims, expr_attr(2).data), lhs.type.element_type)
        super().__init__(operands=[lhs, rhs], result_types=[type_])


@irdl_op_definition
class ReduceOp(PureOp):
    """One reduction along one axis, by a spelling: `tl.sum(x, axis)`, or `tl.reduce(x, axis, plain.fmax_nan)`.

    `combine` is "tl.sum", "tl.max", "tl.min", "tl.xor_sum" (called directly), or "plain.…" (given to tl.reduce).
    """

    name = "triton.reduce"

    combine = prop_def(StringAttr)
    axis = prop_def(IntegerAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$combine $axis $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, combine: str, operand: SSAValue, axis: int):
        assert isinstance(operand.type, TileType)
        kept = tuple(d for i, d in enumerate(operand.type.dims) if i != axis)
        super().__init__(
            operands=[operand],
            properties={"combine": string_attr(combine), "axis": integer_attr(axis)},
            result_types=[tile_type(kept, operand.type.element_type)],
        )


@irdl_op_definition
class ArgReduceOp(PureOp):
    """`_, r = tl.reduce((x, index), axis, plain.argmax_nan)`: the index that goes with the extremum, i32."""

    name = "triton.arg_reduce"

    combine = prop_def(StringAttr)
    axis = prop_def(IntegerAttr)
    operand = operand_def(TileType)
    index = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = (
        "$combine $axis $operand `,` $index attr-dict `:` type($operand) `,` type($index) `->` type($result)"
    )

    def __init__(self, combine: str, operand: SSAValue, index: SSAValue, axis: int):
        assert isinstance(operand.type, TileType) and isinstance(index.type, TileType)
        kept = tuple(d for i, d in enumerate(operand.type.dims) if i != axis)
        super().__init__(
            operands=[operand, index],
            properties={"combine": string_attr(combine), "axis": integer_attr(axis)},
            result_types=[tile_type(kept, index.type.element_type)],
        )


@irdl_op_definition
class ScanOp(PureOp):
    """`tl.cumsum(x, axis, reverse=…)`, tl.cumprod, or `tl.associative_scan(x, axis, plain.…, reverse=…)`."""

    name = "triton.scan"

    combine = prop_def(StringAttr)
    axis = prop_def(IntegerAttr)
    reverse = prop_def(BoolAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$combine $axis $operand `reverse` $reverse attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, combine: str, operand: SSAValue, axis: int, reverse: bool):
        super().__init__(
            operands=[operand],
            properties={
                "combine": string_attr(combine),
                "axis": integer_attr(axis),
                "reverse": BoolAttr.from_bool(reverse),
            },
            result_types=[operand.type],
        )


@irdl_op_definition
class CustomReduceOp(PureOp):
    """`tl.reduce((a, b), axis, combine)` by a function of the author's, printed as a `@triton.jit` function."""

    name = "triton.custom_reduce"

    axis = prop_def(IntegerAttr)
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    combine = region_def("single_block")
    assembly_format = "$arguments `axis` $axis $combine attr-dict `:` type($arguments) `->` type($res)"

    def __init__(self, arguments: Sequence[SSAValue], axis: int, combine: Region, types: Sequence[Attribute]):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={"axis": integer_attr(axis)},
            regions=[combine],
        )


@irdl_op_definition
class CustomScanOp(PureOp):
    """`tl.associative_scan((a, b), axis, combine, reverse=…)` by a function of the author's."""

    name = "triton.custom_scan"

    axis = prop_def(IntegerAttr)
    reverse = prop_def(BoolAttr)
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    combine = region_def("single_block")
    assembly_format = (
        "$arguments `axis` $axis `reverse` $reverse $combine attr-dict `:` type($arguments) `->` type($res)"
    )

    def __init__(self, arguments: Sequence[SSAValue], axis: int, reverse: bool, combine: Region):
        super().__init__(
            operands=[list(arguments)],
            result_types=[[a.type for a in arguments]],
            properties={"axis": integer_attr(axis), "reverse": BoolAttr.from_bool(reverse)},
            regions=[combine],
        )


@irdl_op_definition
class DotOp(PureOp):
    """`tl.dot(a, b, acc, input_precision=…, out_dtype=…)`."""

    name = "triton.dot"

    precision = prop_def(StringAttr)
    lhs = operand_def(TileType)
    rhs = operand_def(TileType)
    acc = operand_def(TileType)
    result = result_def(TileType)
    assembly_format = "$lhs `,` $rhs `,` $acc `precision` $precision attr-dict `:` type($lhs) `,` type($rhs) `,` type($acc) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue, acc: SSAValue, precision: str):
        super().__init__(
            operands=[lhs, rhs, acc], result_types=[acc.type], properties={"precision": string_attr(precision)}
        )


COMPUTE = [
    FullOp, ArangeOp, UnaryOp, BinaryOp, CallOp, CastOp, BitcastOp, ExpandDimsOp, BroadcastToOp, ReshapeOp, PermuteOp,
    SplitOp, JoinOp, ReduceOp, ArgReduceOp, ScanOp, CustomReduceOp, CustomScanOp, DotOp,
]  # fmt: skip
