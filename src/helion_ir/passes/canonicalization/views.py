"""Views and conversions: those that do nothing, those of one another, and those of constants."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter

from helion_ir.dialects.tile.compute import BroadcastOp, CatOp, FlipOp, FullOp, PermuteOp, ReshapeOp, SliceOp
from helion_ir.dialects.tile.elementwise import BitcastOp, CastOp
from helion_ir.dialects.triton import compute as triton
from helion_ir.passes.canonicalization.numbers import converted, converts_exactly
from helion_ir.passes.canonicalization.pattern import Canonicalization, constant, forward, tile


class DropNeutralView(Canonicalization):
    """A view or conversion to the type it has already: `tile.broadcast %x : t -> t` → `%x`."""

    ops: ClassVar = (
        BroadcastOp, ReshapeOp, CastOp, BitcastOp, triton.BroadcastToOp, triton.ReshapeOp, triton.CastOp,
        triton.BitcastOp,
    )  # fmt: skip

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        (operand,), (result,) = op.operands, op.results
        if operand.type == result.type:
            forward(rewriter, op, operand)


class MergeViews(Canonicalization):
    """`tile.reshape (tile.reshape %x)` → `tile.reshape %x`; the same for broadcasts and bitcasts."""

    ops: ClassVar = (BroadcastOp, ReshapeOp, BitcastOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        inner = op.operands[0].owner
        if isinstance(inner, Operation) and type(inner) is type(op):
            rewriter.replace(op, type(op).create(operands=inner.operands, result_types=op.result_types))


class FoldViewOfConstant(Canonicalization):
    """A view of `tile.full` is a `tile.full` of another shape."""

    ops: ClassVar = (BroadcastOp, ReshapeOp, PermuteOp, FlipOp, SliceOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if (value := constant(op.operands[0])) is not None:
            rewriter.replace(op, FullOp(value, tile(op.results[0])))


class ComposePermutes(Canonicalization):
    """`permute [1, 0] (permute [1, 0] %x)` → `%x`; in general one permute of the combined order."""

    ops: ClassVar = (PermuteOp, triton.PermuteOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, PermuteOp | triton.PermuteOp)
        order = op.order.data
        if order == tuple(range(len(order))):
            forward(rewriter, op, op.operand)
        elif isinstance(inner := op.operand.owner, type(op)):
            rewriter.replace(op, type(op)(inner.operand, [inner.order.data[i] for i in order]))


class MergeCasts(Canonicalization):
    """`cast (cast %x : bf16 -> f32) : f32 -> bf16` → `%x`: where the first cast loses nothing, and the second is
    the way back, or loses nothing either, or is one between integers.
    """

    ops: ClassVar = (CastOp, triton.CastOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, CastOp | triton.CastOp)
        if not isinstance(inner := op.operand.owner, type(op)):
            return
        first, middle, last = (tile(v).element_type for v in (inner.operand, op.operand, op.result))
        if not converts_exactly(first, middle):
            return
        if first == last:
            forward(rewriter, op, inner.operand)
        elif converts_exactly(middle, last) or all(isinstance(t, IntegerType) for t in (first, middle, last)):
            rewriter.replace(op, type(op)(inner.operand, last))


class FoldCastOfConstant(Canonicalization):
    """`cast (full <2.5> : f32) : f32 -> i32` → `full <2>`."""

    ops: ClassVar = (CastOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, CastOp)
        if (value := constant(op.operand)) is None:
            return
        type_ = tile(op.result)
        if (new := converted(value, type_.element_type)) is not None:
            rewriter.replace(op, FullOp(new, type_))


class DropWholeSlice(Canonicalization):
    """A slice of everything, a flip of nothing, and a concatenation of one are their operand."""

    ops: ClassVar = (SliceOp, FlipOp, CatOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if isinstance(op, SliceOp) and (op.start.data != 0 or op.step.data != 1):
            return
        if isinstance(op, FlipOp) and op.flipped.data:
            return
        if len(op.operands) == 1 and op.operands[0].type == op.results[0].type:
            forward(rewriter, op, op.operands[0])


PATTERNS: list[Canonicalization] = [
    DropNeutralView(), MergeViews(), FoldViewOfConstant(), ComposePermutes(), MergeCasts(), FoldCastOfConstant(),
    DropWholeSlice(),
]  # fmt: skip
