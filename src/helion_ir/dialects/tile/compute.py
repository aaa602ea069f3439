"""Constants, views, reductions, scans and products of the tile dialect."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, BoolAttr, IntegerAttr, StringAttr
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
from xdsl.traits import ConstantLike, Pure
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import (
    IntsAttr,
    NumberAttr,
    TileType,
    i64,
    integer_attr,
    ints,
    number,
    string_attr,
    tile_type,
)

# ---- constants ------------------------------------------------------------------------------------------------------


@irdl_op_definition
class FullOp(Op):
    """A tile of one value: `%z = tile.full <0.0> -> !tile.tile<[@bm, 64], f32>`; any shape, scalars included."""

    name = "tile.full"

    value = prop_def(NumberAttr)
    result = result_def(TileType)

    traits = traits_def(Pure(), ConstantLike())
    assembly_format = "$value attr-dict `->` type($result)"

    def __init__(self, value: float | int, type_: TileType):
        super().__init__(result_types=[type_], properties={"value": number(value, type_.element_type)})


@irdl_op_definition
class IotaOp(Op):
    """start + step * i along one dimension: `%i = tile.iota 0 step 1 : !tile.tile<[64], i32>`; both are in elements."""

    name = "tile.iota"

    start = prop_def(ExprAttr)
    step = prop_def(ExprAttr)
    result = result_def(TileType)

    traits = traits_def(Pure())
    assembly_format = "$start `step` $step attr-dict `:` type($result)"

    def __init__(self, start: ExprAttr, step: ExprAttr, type_: Attribute):
        super().__init__(result_types=[type_], properties={"start": start, "step": step})


# ---- views ----------------------------------------------------------------------------------------------------------


class ViewOp(Op):
    """Base of ops that only move elements; the result type says what they become."""

    operand = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"


@irdl_op_definition
class BroadcastOp(ViewOp):
    """Repeat dimensions of extent 1 and add leading ones, as PyTorch's expand."""

    name = "tile.broadcast"

    def __init__(self, operand: SSAValue, dims: Sequence):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(tuple(dims), operand.type.element_type)])


@irdl_op_definition
class ReshapeOp(ViewOp):
    """The same elements in row-major order under another shape; squeeze and unsqueeze are cases of it."""

    name = "tile.reshape"

    def __init__(self, operand: SSAValue, dims: Sequence):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(tuple(dims), operand.type.element_type)])


@irdl_op_definition
class PermuteOp(ViewOp):
    """`%t = tile.permute [1, 0] %x : t -> t1`: dimension i of the result is dimension order[i] of the operand."""

    name = "tile.permute"

    order = prop_def(IntsAttr)
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
class SliceOp(ViewOp):
    """Every `step`-th element from `start` along `dim`; how many, the result type says. Bounds are expressions."""

    name = "tile.slice"

    dim = prop_def(IntegerAttr)
    start = prop_def(ExprAttr)
    step = prop_def(ExprAttr)
    assembly_format = "$operand `dim` $dim `from` $start `step` $step attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, dim: int, start: ExprAttr, step: ExprAttr, dims: Sequence):
        assert isinstance(operand.type, TileType)
        super().__init__(
            operands=[operand],
            properties={"dim": integer_attr(dim), "start": start, "step": step},
            result_types=[tile_type(tuple(dims), operand.type.element_type)],
        )


@irdl_op_definition
class FlipOp(ViewOp):
    """Reverse the dimensions given."""

    name = "tile.flip"

    flipped = prop_def(IntsAttr)
    assembly_format = "$flipped $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, flipped: Sequence[int]):
        super().__init__(operands=[operand], properties={"flipped": ints(flipped)}, result_types=[operand.type])


@irdl_op_definition
class CatOp(Op):
    """Concatenate along `dim`. A stack is a reshape of each operand, then this."""

    name = "tile.cat"

    dim = prop_def(IntegerAttr)
    arguments = var_operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$arguments `dim` $dim attr-dict `:` type($arguments) `->` type($result)"

    def __init__(self, arguments: Sequence[SSAValue], dim: int, result_type: Attribute):
        super().__init__(operands=[list(arguments)], properties={"dim": integer_attr(dim)}, result_types=[result_type])


# ---- lanes mix ------------------------------------------------------------------------------------------------------

REDUCTIONS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
"""Of `tile.reduce`. max and min propagate NaN; argmax and argmin give the first position, NaN first; result i64."""


@irdl_op_definition
class ReduceOp(Op):
    """Reduce dimensions away: `%s = tile.reduce "sum" [1] %x : t -> t1`.

    Accumulates in the operand's element type: the frontend casts 16-bit floats to f32 before and back after. Inactive
    lanes count as absent. argmax and argmin reduce one dimension and give i64.
    """

    name = "tile.reduce"

    kind = prop_def(StringAttr)
    axes = prop_def(IntsAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)

    traits = traits_def(Pure())
    assembly_format = "$kind $axes $operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, kind: str, operand: SSAValue, axes: Sequence[int], element: Attribute | None = None):
        type_ = operand.type
        assert isinstance(type_, TileType)
        kept = tuple(d for i, d in enumerate(type_.dims) if i not in axes)
        super().__init__(
            operands=[operand],
            properties={"kind": string_attr(kind), "axes": ints(axes)},
            result_types=[tile_type(kept, element or type_.element_type)],
        )

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions reduced."""
        return self.axes.data

    def verify_(self) -> None:
        if self.kind.data not in REDUCTIONS:
            raise VerifyException(f"no such reduction: {self.kind.data}")
        assert isinstance(self.operand.type, TileType) and isinstance(self.result.type, TileType)
        kept = tuple(d for i, d in enumerate(self.operand.type.dims) if i not in self.dims)
        if self.result.type.dims != kept:
            raise VerifyException(f"{list(kept)} remain, the result is {self.result.type}")


@irdl_op_definition
class ScanOp(Op):
    """Inclusive scan along `dim`, one of sum, prod, max, min: `%c = tile.scan "sum" 1 %x : t`; `reverse` from the end."""

    name = "tile.scan"

    kind = prop_def(StringAttr)
    dim = prop_def(IntegerAttr)
    reverse = prop_def(BoolAttr)
    operand = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$kind $dim $operand `reverse` $reverse attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, kind: str, operand: SSAValue, dim: int, reverse: bool = False):
        super().__init__(
            operands=[operand],
            properties={
                "kind": string_attr(kind),
                "dim": integer_attr(dim),
                "reverse": BoolAttr.from_bool(reverse),
            },
            result_types=[operand.type],
        )


class CombineOp(Op):
    """Base of reductions and scans by a function of the author's, traced on scalars into `combine`.

    The region takes the left scalars, then the right ones, and yields as many as there are operands.
    """

    dim = prop_def(IntegerAttr)
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    combine = region_def("single_block")
    traits = traits_def(Pure())


@irdl_op_definition
class CustomReduceOp(CombineOp):
    """hl.reduce along one dimension; `other` are the values of inactive lanes."""

    name = "tile.custom_reduce"

    other = prop_def(ArrayAttr)
    assembly_format = "$arguments `dim` $dim `other` $other $combine attr-dict `:` type($arguments) `->` type($res)"

    def __init__(
        self,
        arguments: Sequence[SSAValue],
        dim: int,
        other: Sequence[Attribute],
        combine: Region,
        types: Sequence[Attribute],
    ):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={"dim": integer_attr(dim), "other": ArrayAttr(other)},
            regions=[combine],
        )


@irdl_op_definition
class CustomScanOp(CombineOp):
    """hl.associative_scan along one dimension; an inactive lane never reaches an active one."""

    name = "tile.custom_scan"

    reverse = prop_def(BoolAttr)
    assembly_format = "$arguments `dim` $dim `reverse` $reverse $combine attr-dict `:` type($arguments) `->` type($res)"

    def __init__(self, arguments: Sequence[SSAValue], dim: int, reverse: bool, combine: Region):
        super().__init__(
            operands=[list(arguments)],
            result_types=[[a.type for a in arguments]],
            properties={"dim": integer_attr(dim), "reverse": BoolAttr.from_bool(reverse)},
            regions=[combine],
        )


@irdl_op_definition
class FillOp(Op):
    """Replace inactive lanes: `%f = tile.fill %x where %mask with <0.0> : t, t1 -> t`. Folds away where no lane is inactive.

    The mask broadcasts to the operand. Made by make-masks before every op that mixes lanes.
    """

    name = "tile.fill"

    value = prop_def(NumberAttr)
    operand = operand_def(TileType)
    mask = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = (
        "$operand `where` $mask `with` $value attr-dict `:` type($operand) `,` type($mask) `->` type($result)"
    )

    def __init__(self, operand: SSAValue, mask: SSAValue, value: float | int):
        assert isinstance(operand.type, TileType)
        value_ = number(value, operand.type.element_type)
        super().__init__(operands=[operand, mask], properties={"value": value_}, result_types=[operand.type])


@irdl_op_definition
class DotOp(Op):
    """A matrix product, batched when rank 3: `%r = tile.dot %a, %b, %acc precision "tf32" : ta, tb, tc -> tc`.

    The result is acc + a·b in the accumulator's element type (f32, f16, f64 or i32).
    """

    name = "tile.dot"

    precision = prop_def(StringAttr)
    lhs = operand_def(TileType)
    rhs = operand_def(TileType)
    acc = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs `,` $acc `precision` $precision attr-dict `:` type($lhs) `,` type($rhs) `,` type($acc) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue, acc: SSAValue, precision: str = "tf32"):
        super().__init__(
            operands=[lhs, rhs, acc], result_types=[acc.type], properties={"precision": string_attr(precision)}
        )

    def verify_(self) -> None:
        a, b, c = (v.type for v in (self.lhs, self.rhs, self.acc))
        assert isinstance(a, TileType) and isinstance(b, TileType) and isinstance(c, TileType)
        if a.dims[-1] != b.dims[-2] or c.dims != (*a.dims[:-1], b.dims[-1]):
            raise VerifyException(f"cannot multiply {a} by {b} into {c}")


@irdl_op_definition
class GatherOp(Op):
    """torch.gather on tiles: `%g = tile.gather %x[%index] dim 1 : t, t1 -> t2`."""

    name = "tile.gather"

    dim = prop_def(IntegerAttr)
    operand = operand_def(TileType)
    index = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = (
        "$operand `[` $index `]` `dim` $dim attr-dict `:` type($operand) `,` type($index) `->` type($result)"
    )

    def __init__(self, operand: SSAValue, index: SSAValue, dim: int):
        assert isinstance(operand.type, TileType) and isinstance(index.type, TileType)
        super().__init__(
            operands=[operand, index],
            properties={"dim": integer_attr(dim)},
            result_types=[tile_type(index.type.dims, operand.type.element_type)],
        )


@irdl_op_definition
class SortOp(Op):
    """Values and i64 positions in order along the last dimension, NaN largest: `%v, %i = tile.sort %x descending false`."""

    name = "tile.sort"

    descending = prop_def(BoolAttr)
    operand = operand_def(TileType)
    values = result_def(TileType)
    indices = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = (
        "$operand `descending` $descending attr-dict `:` type($operand) `->` type($values) `,` type($indices)"
    )

    def __init__(self, operand: SSAValue, descending: bool):
        assert isinstance(operand.type, TileType)
        super().__init__(
            operands=[operand],
            properties={"descending": BoolAttr.from_bool(descending)},
            result_types=[operand.type, tile_type(operand.type.dims, i64)],
        )


@irdl_op_definition
class RandomOp(Op):
    """Philox-4x32-10 at each offset: f32 in [0, 1) (`"uniform"`), bit-equal to tl.rand: `%r = tile.random %seed, %offset`."""

    name = "tile.random"

    seed = operand_def(TileType)
    offset = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$seed `,` $offset attr-dict `:` type($seed) `,` type($offset) `->` type($result)"

    def __init__(self, seed: SSAValue, offset: SSAValue, element: Attribute):
        assert isinstance(offset.type, TileType)
        super().__init__(operands=[seed, offset], result_types=[tile_type(offset.type.dims, element)])


COMPUTE = [
    FullOp, IotaOp, BroadcastOp, ReshapeOp, PermuteOp, SliceOp, FlipOp, CatOp, ReduceOp, ScanOp, CustomReduceOp,
    CustomScanOp, FillOp, DotOp, GatherOp, SortOp, RandomOp,
]  # fmt: skip
