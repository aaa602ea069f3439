"""Loops and branches: values carried for nothing, loops that never run, branches that are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.rewriter import InsertPoint
from xdsl.traits import is_side_effect_free

from helion_ir.dialects.knob import ChooseOp
from helion_ir.dialects.tile import control as tile
from helion_ir.dialects.triton import control as triton
from helion_ir.index.expr import NONE, constant_of, is_string
from helion_ir.passes.canonicalization.pattern import Canonicalization, constant, forward

Loop = tile.ForOp | triton.ForOp
Branch = tile.IfOp | triton.IfOp


def yielded(block: Block) -> list[SSAValue]:
    """The values at the end of a block of a loop or branch."""
    last = block.last_op
    assert isinstance(last, tile.YieldOp | triton.YieldOp)
    return list(last.arguments)


def keep_only(op: Loop, kept: Sequence[int]) -> Loop:
    """A copy of a loop that carries only the values at these positions; takes over its body.

    The block arguments and results of the others must have no uses any more.
    """
    block = op.body.block
    values = yielded(block)
    _yield_only(block, values, kept)
    for i in reversed(range(len(values))):
        if i not in kept:
            block.erase_arg(block.args[1 + i])
    extra = {k: v for k, v in op.properties.items() if k != "operandSegmentSizes"}
    step = None if op.step is None else op.step.data
    body = op.detach_region(op.body)
    inits = [op.iter_args[i] for i in kept]
    if isinstance(op, tile.ForOp):
        new: Loop = tile.ForOp(op.label.data, op.lower.data, op.upper.data, inits, body, op.symbols, step)
    else:
        new = triton.ForOp(op.lower.data, op.upper.data, op.step.data, inits, body, op.symbols, op.options.data)
    new.properties.update(extra)
    new.attributes.update(op.attributes)
    return new


def _yield_only(block: Block, values: Sequence[SSAValue], kept: Sequence[int]) -> None:
    assert block.last_op is not None
    block.last_op.operands = [values[i] for i in kept]


class DropInvariantCarried(Canonicalization):
    """A value that a loop yields as it got it is the one it started with: `iter_args (%a = %x)` … `yield %a` → `%x`."""

    ops: ClassVar = (tile.ForOp, triton.ForOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, Loop)
        block = op.body.block
        values = yielded(block)
        same = [i for i, v in enumerate(values) if v is block.args[1 + i] or v is op.iter_args[i]]
        if not same:
            return
        results: list[SSAValue | None] = list(op.results)
        for i in same:
            block.args[1 + i].replace_all_uses_with(op.iter_args[i])
            results[i] = op.iter_args[i]
        _replace(rewriter, op, same, results)


class DropUnusedCarried(Canonicalization):
    """A carried value whose result is unused and which only serves to compute itself goes, with what computes it."""

    ops: ClassVar = (tile.ForOp, triton.ForOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, Loop)
        block = op.body.block
        dead = {i for i, r in enumerate(op.results) if r.first_use is None}
        while wrong := {i for i in dead if not _serves_only(block, i, dead)}:
            dead -= wrong
        if not dead:
            return
        results: list[SSAValue | None] = list(op.results)
        for i in dead:
            # What computed the value is left without a use, for dce; any value of the type serves until then.
            block.args[1 + i].replace_all_uses_with(op.iter_args[i])
            results[i] = op.iter_args[i]
        _replace(rewriter, op, sorted(dead), results)


def _serves_only(block: Block, position: int, dead: set[int]) -> bool:
    """Whether a carried value reaches nothing but the yields at `dead` positions."""
    seen: set[Operation] = set()
    work: list[SSAValue] = [block.args[1 + position]]
    while work:
        for use in work.pop().uses:
            user = use.operation
            if user is block.last_op:
                if use.index not in dead:
                    return False
            elif user.parent is not block or user.regions or not is_side_effect_free(user):
                return False
            elif user not in seen:
                seen.add(user)
                work += user.results
    return True


def _replace(rewriter: PatternRewriter, op: Loop, dropped: Sequence[int], results: list[SSAValue | None]) -> None:
    kept = [i for i in range(len(op.results)) if i not in dropped]
    new = keep_only(op, kept)
    for i, position in enumerate(kept):
        results[position] = new.results[i]
    rewriter.replace(op, new, results)


class DropEmptyLoop(Canonicalization):
    """A loop from 8 to 8 never runs: its results are the values it started with."""

    ops: ClassVar = (tile.ForOp, triton.ForOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, Loop)
        low, high = op.lower.data, op.upper.data
        step = constant_of(op.step.data) if op.step is not None else 1
        # Of a step that is not known only this is: from a bound to itself there is nothing.
        ahead = step is not None and step > 0 and low.is_Integer and high.is_Integer and int(low) > int(high)
        if low == high or ahead:
            forward(rewriter, op, *op.iter_args)


class TakeDecidedBranch(Canonicalization):
    """`tile.if` of a constant is the branch it takes."""

    ops: ClassVar = (tile.IfOp, triton.IfOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, Branch)
        if (condition := constant(op.condition)) is not None:
            inline(rewriter, op, op.then if condition else op.orelse)


class DropUnusedBranchResults(Canonicalization):
    """Results of a branch that are unused, or the same value on both sides, are not computed by it."""

    ops: ClassVar = (tile.IfOp, triton.IfOp)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, Branch)
        sides = [yielded(op.then.block), yielded(op.orelse.block)]
        same = [i for i, (a, b) in enumerate(zip(*sides)) if a is b or op.results[i].first_use is None]
        if not same:
            return
        kept = [i for i in range(len(op.results)) if i not in same]
        for region, values in zip((op.then, op.orelse), sides):
            _yield_only(region.block, values, kept)
        then, orelse = op.detach_region(op.then), op.detach_region(op.regions[0])
        new = type(op)(op.condition, then, orelse, [op.results[i].type for i in kept])
        new.attributes.update(op.attributes)
        results: list[SSAValue | None] = [None] * len(op.results)
        for i in same:
            # An unused result may come from inside of the branch; nothing asks for it.
            results[i] = sides[0][i] if sides[0][i] is sides[1][i] else None
        for i, position in enumerate(kept):
            results[position] = new.results[i]
        rewriter.replace(op, new, results)


class TakeDecidedAlternative(Canonicalization):
    """`knob.choose <"pointer">` is its alternative of that name."""

    ops: ClassVar = (ChooseOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, ChooseOp)
        e = op.selector.data
        if not (e.is_Integer or is_string(e) or e == NONE):
            return
        value = None if e == NONE else int(e) if e.is_Integer else str(e)[1:-1]
        if any(case.data == value for case in op.cases):
            inline(rewriter, op, op.alternative(value))


def inline(rewriter: PatternRewriter, op: Operation, region: Region) -> None:
    """Put the ops of a region in the place of the op; its results become what the region yields."""
    block = region.block
    last = block.last_op
    assert last is not None
    values = list(last.operands)
    rewriter.erase(last)
    rewriter.inline_block(block, InsertPoint.before(op))
    rewriter.replace(op, [], values)


PATTERNS: list[Canonicalization] = [
    DropEmptyLoop(), DropInvariantCarried(), DropUnusedCarried(), TakeDecidedBranch(), DropUnusedBranchResults(),
    TakeDecidedAlternative(),
]  # fmt: skip
