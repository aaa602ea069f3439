"""Arithmetic with constants, exactly: of floats nothing is dropped that could change a bit (x + 0.0 turns -0.0 into 0.0)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import ClassVar

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter

from helion_ir.dialects.tile import elementwise as tile_ops
from helion_ir.dialects.tile.compute import FullOp, ReduceOp
from helion_ir.dialects.types import is_float
from helion_ir.passes.canonicalization.numbers import wrap
from helion_ir.passes.canonicalization.pattern import Canonicalization, constant, forward, tile

_RIGHT_IDENTITY: dict[type[Operation], int] = {
    tile_ops.AddOp: 0, tile_ops.SubOp: 0, tile_ops.MulOp: 1, tile_ops.DivOp: 1, tile_ops.BitwiseOrOp: 0,
    tile_ops.BitwiseXorOp: 0, tile_ops.ShiftLeftOp: 0, tile_ops.ShiftRightOp: 0,
}  # fmt: skip
"""`x op c` is x, for integers and, where the op has them, bools."""

_COMMUTATIVE = (tile_ops.AddOp, tile_ops.MulOp, tile_ops.BitwiseAndOp, tile_ops.BitwiseOrOp, tile_ops.BitwiseXorOp)

_FOLD: dict[type[Operation], Callable[[int, int], int]] = {
    tile_ops.AddOp: operator.add, tile_ops.SubOp: operator.sub, tile_ops.MulOp: operator.mul,
    tile_ops.BitwiseAndOp: operator.and_, tile_ops.BitwiseOrOp: operator.or_, tile_ops.BitwiseXorOp: operator.xor,
    tile_ops.MaximumOp: max, tile_ops.MinimumOp: min,
}  # fmt: skip

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip


class DropNeutralOperand(Canonicalization):
    """`add %x, 0` → `%x`, `mul 1, %x` → `%x`, `and %x, true` → `%x`, `mul %x, 0` → `0`; integers and bools only."""

    ops: ClassVar = (*_RIGHT_IDENTITY, tile_ops.BitwiseAndOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, tile_ops.BinaryOp)
        element = tile(op.result).element_type
        if not isinstance(element, IntegerType):
            return
        neutral = (
            1 if isinstance(op, tile_ops.BitwiseAndOp) and element.width.data == 1 else _RIGHT_IDENTITY.get(type(op))
        )
        pairs = [(op.lhs, op.rhs)] + ([(op.rhs, op.lhs)] if isinstance(op, _COMMUTATIVE) else [])
        for kept, other in pairs:
            if (value := constant(other)) is None:
                continue
            if value == neutral:
                forward(rewriter, op, kept)
                return
            if value == 0 and isinstance(op, tile_ops.MulOp | tile_ops.BitwiseAndOp):
                forward(rewriter, op, other)
                return


class FoldIntegers(Canonicalization):
    """`add (full <3>), (full <4>)` → `full <7>`, wrapping as the element type does; a sum of bools is their or."""

    ops: ClassVar = tuple(_FOLD)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, tile_ops.BinaryOp)
        type_ = tile(op.result)
        if not isinstance(type_.element_type, IntegerType):
            return
        a, b = constant(op.lhs), constant(op.rhs)
        if a is None or b is None:
            return
        if type_.element_type.width.data == 1:
            value = int(bool(a or b)) if isinstance(op, tile_ops.AddOp) else _FOLD[type(op)](int(a), int(b)) & 1
        else:
            value = wrap(_FOLD[type(op)](int(a), int(b)), type_.element_type)
        rewriter.replace(op, FullOp(value, type_))


class FoldComparison(Canonicalization):
    """`compare "lt" (full <1>), (full <2>)` → `full <1>`; NaN compares as in IEEE 754."""

    ops: ClassVar = (tile_ops.CompareOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, tile_ops.CompareOp)
        a, b = constant(op.lhs), constant(op.rhs)
        if a is not None and b is not None:
            rewriter.replace(op, FullOp(int(_COMPARE[op.predicate.data](a, b)), tile(op.result)))


class FoldSelection(Canonicalization):
    """`where true, %x, %y` → `%x`; `where %c, %x, %x` → `%x`."""

    ops: ClassVar = (tile_ops.WhereOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, tile_ops.WhereOp)
        condition = constant(op.condition)
        if op.lhs is op.rhs or condition is not None:
            forward(rewriter, op, op.rhs if condition == 0 else op.lhs)


class UndoTwice(Canonicalization):
    """`neg (neg %x)` → `%x`, `bitwise_not (bitwise_not %x)` → `%x`; both are exact for every type they have."""

    ops: ClassVar = (tile_ops.NegOp, tile_ops.BitwiseNotOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        inner = op.operands[0].owner
        if isinstance(inner, Operation) and type(inner) is type(op):
            forward(rewriter, op, inner.operands[0])


class ScaleExtremum(Canonicalization):
    """`reduce "max" (mul %x, full <2.0>)` → `mul (reduce "max" %x), full <2.0>`, for a positive finite factor.

    Exact, since rounding keeps order; and the product may then join whatever else uses it in one instruction.
    """

    ops: ClassVar = (ReduceOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, ReduceOp)
        product = op.operand.owner
        if op.kind.data not in ("max", "min") or not isinstance(product, tile_ops.MulOp):
            return
        for scaled, other in ((product.lhs, product.rhs), (product.rhs, product.lhs)):
            factor = constant(other)
            if factor is None or not 0 < factor < math.inf or not is_float(tile(op.result).element_type):
                continue
            extremum = ReduceOp(op.kind.data, scaled, op.dims)
            by = FullOp(factor, tile(extremum.result))
            rewriter.replace(op, [extremum, by, tile_ops.MulOp(extremum.result, by.result)])
            return


PATTERNS: list[Canonicalization] = [
    DropNeutralOperand(), FoldIntegers(), FoldComparison(), FoldSelection(), UndoTwice(), ScaleExtremum(),
]  # fmt: skip
