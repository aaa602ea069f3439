"""One loop that finds a maximum and the sum of exponentials below it, in the place of two.

For `sum(exp(x - max(x)))` along a rolled axis (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018):

    %m, %l = tile.for "n.max" (%n = …) iter_args (%m0 = -inf, %l0 = 0) {
      %x = tile.load …
      %m1 = maximum %m0, (reduce "max" %x)
      %l1 = %l0 * exp(%m0 - %m1) + reduce "sum" exp(%x - %m1)
    }

Legal where the maximum reaches the sum only through the exponent `c (x - max)`, c > 0, of the tile that it is of; other
factors of what is summed may be anything. While no chunk has had more than -inf, 0 is subtracted in its place, so that
the sum stays 0; rows that end so have the sum NaN, as exp(-inf - -inf) has. What is +inf or NaN makes the sum NaN, as before.
The sum is off by a few more roundings, one for each time that the maximum grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import Pure

from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import TileType
from helion_ir.passes.rolling import Roller, extent_of, reduced, touched

VIEWS = (compute.ReshapeOp, compute.BroadcastOp)


@dataclass(frozen=True)
class Pair:
    """A maximum, and a sum of products with an exponential of how far below it a tile is."""

    maximum: compute.ReduceOp
    sum: compute.ReduceOp
    exponential: elementwise.ExpOp | elementwise.Exp2Op
    inner: float
    """The factor of the tile and of its maximum, before they are subtracted."""
    outer: float
    """The factor of the difference."""


def pairs(axis: control.AxisOp) -> list[Pair]:
    """The reductions along an axis that one loop can do; no maximum is in two of them."""
    block = axis.parent_block()
    assert block is not None
    found: list[Pair] = []
    taken: set[Operation] = set()
    for op in block.ops:
        if isinstance(op, compute.ReduceOp) and op.kind.data == "sum" and reduced(op) == [extent_of(axis)]:
            pair = _pair(op, axis)
            if pair is not None and pair.maximum not in taken:
                taken.add(pair.maximum)
                found.append(pair)
    return found


def _pair(op: compute.ReduceOp, axis: control.AxisOp) -> Pair | None:
    factors: list[SSAValue] = []
    left = [op.operand]
    while left:
        value = left.pop()
        if isinstance(value.owner, elementwise.MulOp):
            left += [value.owner.lhs, value.owner.rhs]
        else:
            factors.append(value)
    for value in factors:
        exponential = value.owner
        if not isinstance(exponential, elementwise.ExpOp | elementwise.Exp2Op):
            continue
        found = _exponent(exponential.operand)
        if found is None:
            continue
        maximum, inner, outer = found
        if reduced(maximum) != [extent_of(axis)] or maximum.dims != op.dims or maximum.result.type != op.result.type:
            continue
        if inner * outer <= 0 or any(_depends(f, maximum.result) for f in factors if f is not value):
            continue
        pair = Pair(maximum, op, exponential, inner, outer)
        return pair if all(o.has_trait(Pure) for o in _unrelated(pair, axis)) else None
    return None


def _unrelated(pair: Pair, axis: control.AxisOp) -> list[Operation]:
    """What lies between the two reductions and has to do with neither the axis nor the maximum."""
    found: list[Operation] = []
    at = pair.maximum.next_op
    while at is not None and at is not pair.sum:
        if not touched(at, axis) and not any(_depends(r, pair.maximum.result) for r in at.results):
            found.append(at)
        at = at.next_op
    return found


def _exponent(value: SSAValue) -> tuple[compute.ReduceOp, float, float] | None:
    """(maximum, inner, outer) of `outer * (inner * x - inner * max(x))`."""
    outer, value = _scaled(value)
    difference = value.owner
    if not isinstance(difference, elementwise.SubOp):
        return None
    whole = (1.0, difference.lhs), (1.0, _below_views(difference.rhs))
    scaled = _scaled(difference.lhs), _scaled(whole[1][1])
    for (inner, tile), (factor, most) in (whole, scaled):
        maximum = _below_views(most).owner
        if not isinstance(maximum, compute.ReduceOp) or maximum.kind.data != "max":
            continue
        if factor == inner and maximum.operand is tile:
            return maximum, inner, outer
    return None


def _below_views(value: SSAValue) -> SSAValue:
    while isinstance(value.owner, VIEWS):
        value = value.owner.operand
    return value


def _scaled(value: SSAValue) -> tuple[float, SSAValue]:
    """A value as a number times another."""
    owner = value.owner
    if isinstance(owner, elementwise.MulOp):
        for number, other in ((owner.rhs, owner.lhs), (owner.lhs, owner.rhs)):
            if isinstance(number.owner, compute.FullOp):
                return float(number.owner.value.data), other
    return 1.0, value


def _depends(value: SSAValue, source: SSAValue) -> bool:
    if value is source:
        return True
    return isinstance(value.owner, Operation) and any(_depends(x, source) for x in value.owner.operands)


def fuse(roller: Roller, pair: Pair) -> None:
    """Put one loop in the place of a pair; the ops are gone afterwards."""
    block = roller.axis.parent_block()
    assert block is not None
    for op in _unrelated(pair, roller.axis):  # the loop may need it
        op.detach()
        block.insert_op_before(op, pair.maximum)
    roller.inside = {
        r for op in block.ops for r in op.results if op is not pair.maximum and _depends(r, pair.maximum.result)
    }
    rows = pair.maximum.result.type
    assert isinstance(rows, TileType)
    low, zero = compute.FullOp(-math.inf, rows), compute.FullOp(0, rows)
    low.result.name_hint, zero.result.name_hint = "most", "total"
    roller.insert(low, pair.maximum)
    roller.insert(zero, pair.maximum)
    fill = _Filler(roller, pair)
    loop = roller.loop("max", pair.maximum, [low.result, zero.result], fill)
    most, total = loop.results
    most.name_hint, total.name_hint = pair.maximum.result.name_hint, pair.sum.result.name_hint
    pair.maximum.result.replace_all_uses_with(most)
    # exp(-inf - -inf), summed over lanes
    none, nan = compute.FullOp(-math.inf, rows), compute.FullOp(math.nan, rows)
    empty = elementwise.CompareOp("eq", most, none.result)
    kept = elementwise.WhereOp(empty.result, nan.result, total)
    for made in (none, nan, empty, kept):
        roller.insert(made, pair.sum)
    pair.sum.result.replace_all_uses_with(kept.result)
    for old in (pair.sum, pair.maximum):
        old.detach()
        old.erase()
    roller.inside = set()


class _Filler:
    """Writes the body of the loop."""

    def __init__(self, roller: Roller, pair: Pair):
        self.roller, self.pair = roller, pair

    def __call__(
        self, body: Block, known: dict[SSAValue, SSAValue], chunk: SSAValue, most: SSAValue, total: SSAValue
    ) -> list[SSAValue]:
        roller, pair = self.roller, self.pair

        def add(op: Operation) -> SSAValue:
            body.add_op(op)
            return op.results[0]

        rows = most.type
        assert isinstance(rows, TileType)
        tile = roller.recompute(pair.maximum.operand, body, known)
        grown = add(
            elementwise.MaximumOp(most, add(compute.ReduceOp("max", tile, pair.maximum.dims, rows.element_type)))
        )
        # -inf - -inf is no number, and the terms are to be 0 while there is nothing else.
        none = add(elementwise.CompareOp("eq", grown, add(compute.FullOp(-math.inf, rows))))
        base = add(elementwise.WhereOp(none, add(compute.FullOp(0, rows)), grown))
        known[pair.maximum.result] = base
        term = roller.recompute(pair.sum.operand, body, known)
        sums = add(compute.ReduceOp("sum", term, pair.sum.dims, rows.element_type))
        behind = add(elementwise.SubOp(self.times(most, pair.inner, body), self.times(base, pair.inner, body)))
        correction = add(type(pair.exponential)(self.times(behind, pair.outer, body)))
        grown.name_hint = most.name_hint
        result = add(elementwise.AddOp(add(elementwise.MulOp(total, correction)), sums))
        result.name_hint = total.name_hint
        return [grown, result]

    def times(self, value: SSAValue, factor: float, body: Block) -> SSAValue:
        if factor == 1:
            return value
        assert isinstance(value.type, TileType)
        number = compute.FullOp(factor, value.type)
        made = elementwise.MulOp(value, number.result)
        body.add_ops([number, made])
        return made.result
