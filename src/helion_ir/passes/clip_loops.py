"""clip-loops: tiles that a mask leaves empty are not visited."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.traits import MemoryWriteEffect, RecursiveMemoryEffect

from helion_ir.dialects.knob import BOOLEAN, DeclareOp
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, elementwise, unary
from helion_ir.dialects.types import RangeType, TileType, is_float
from helion_ir.index.expr import CeilDiv, Max, Min, knob, operand
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.peel_masks import Limit, limit_of
from helion_ir.passes.scope import bounds_of

CLIP = "clip"
"""The decision's name in a loop's `schedule`."""


@dataclass(frozen=True)
class ClipLoops(Pass):
    """End a loop before the tiles in which a comparison of its indices holds nowhere, where they change nothing.

    ```mlir
    %r = tile.for "k" (%k = 0 to 4096 : !tile.range<@k>) iter_args (%m = %inf : t, …) attributes {schedule = {clip = #knob.value<1>}}
      { %below = tile.compare "ge" %i, %k.index   %s = tile.where %below, %scores, %inf … }
    // becomes, with d0 = the first of the rows that %i counts
    %r = tile.for "k" (%k = 0 to min(max(d0 + @rows, 0) ceildiv @k * @k, 4096) : !tile.range<@k>) with (%d0) … { the body as it was }
    ```

    Of causal attention over all keys half the tiles are left. Legal where with the comparison false everywhere the loop
    yields what it was given: a sum to which zeros are added, a maximum of minus infinity, a product of zeros. Elements
    that are masked are taken to be finite, since 0 times infinity is not 0; and of a running maximum it is shown that the
    first tile has an element for each row, without which exp(-inf - -inf) would be no number.

    Does not handle: tiles empty at the start of a loop (of a sliding window), loops that store, and loops in loops.
    Runs before the passes that rewrite exponents and split or peel loops.
    """

    name = "clip-loops"
    decision = CLIP

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        for loop in _loops(module):
            if not empty_limits(loop):
                continue
            name = f"loop.{loop.label.data}.clip"
            made = DeclareOp(
                name, BOOLEAN, False, owner=self.name,
                doc=f"whether loop {loop.label.data} ends before the tiles that its masks leave empty",
            )  # fmt: skip
            made.location = loop.location
            open_schedule(loop, CLIP, knob(name))
            yield made

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for loop in list(_loops(op)):
            if take_schedule(loop, CLIP, self.name):
                self._clip(loop)

    def _clip(self, loop: control.ForOp) -> None:
        limits = empty_limits(loop)
        if not limits:
            raise ValueError(f"clip-loops: loop {loop.label.data} cannot be clipped any more")
        variable = loop.body.block.args[0].type
        assert isinstance(variable, RangeType)
        symbols = list(loop.symbols)
        block, lower, upper = variable.block.data, loop.lower.data, loop.upper.data
        for limit in limits:
            greatest = limit.form.constant
            for source, coefficient in limit.form.terms:
                greatest = greatest + coefficient * self._extreme(source, coefficient > 0, loop, symbols)
            # Whole tiles, so that the last one needs no mask that it did not need before.
            upper = Min(lower + CeilDiv(Max(greatest - lower, Integer(0)), block) * block, upper)
        body = loop.detach_region(loop.body)
        made = control.ForOp(loop.label.data, lower, upper, list(loop.iter_args), body, symbols)
        if loop.schedule is not None:
            made.schedule = loop.schedule
        made.location = loop.location
        for old, new in zip(loop.results, made.results):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        self._insert(made, loop)
        loop.detach()
        loop.erase()

    def _extreme(self, source: SSAValue, greatest: bool, loop: control.ForOp, symbols: list[SSAValue]) -> Expr:
        """The greatest or least value of a range's indices or of a scalar, over the loop's symbols."""
        value, more = source, Integer(0)
        if isinstance(source.type, RangeType):
            begin = control.BeginOp(source)
            begin.result.name_hint = f"{source.name_hint or 'range'}.begin"
            self._insert(begin, loop)
            value = begin.result
            more = source.type.block.data - 1 if greatest else Integer(0)
        if value not in symbols:
            symbols.append(value)
        return operand(symbols.index(value)) + more

    def _insert(self, new: Operation, loop: control.ForOp) -> None:
        block = loop.parent_block()
        assert block is not None
        block.insert_op_before(new, loop)
        self.located(loop, [new])


def empty_limits(loop: control.ForOp) -> list[Limit]:
    """The limits beyond which tiles of a loop are empty and change nothing."""
    if any(op.has_trait(MemoryWriteEffect) or op.has_trait(RecursiveMemoryEffect) for op in loop.body.block.ops):
        return []
    found: list[Limit] = []
    for op in loop.body.block.ops:
        if not isinstance(op, elementwise.CompareOp) or (limit := limit_of(op, loop)) is None or limit.after:
            continue
        empty = _EmptyTile(loop, op)
        if empty.changes_nothing() and (not empty.needs_maximum or _first_has_one(loop, limit)):
            found.append(limit)
    return found


def _first_has_one(loop: control.ForOp, limit: Limit) -> bool:
    """Whether the loop's first index is below the limit of every row."""
    least = limit.form.constant
    for source, coefficient in limit.form.terms:
        if not isinstance(source.type, RangeType) or coefficient < 0:
            return False
        least = least + coefficient * bounds_of(source).lower
    before = least - loop.lower.data
    return bool(before.is_Integer) and int(before) > 0


KEPT, ZERO, ONE, LOWEST, FALSE = "kept", 0.0, 1.0, -math.inf, "false"
"""What is known of every element of a value: that it is what the loop carried (`KEPT`), a number, or a truth value."""


@dataclass
class _EmptyTile:
    """What a loop's body computes of a tile in which a comparison is false everywhere."""

    loop: control.ForOp
    comparison: elementwise.CompareOp
    needs_maximum: bool = False
    """Whether a carried value was taken not to be minus infinity."""
    known: dict[SSAValue, tuple[object, SSAValue | None]] = field(default_factory=dict)

    def changes_nothing(self) -> bool:
        block = self.loop.body.block
        for argument in block.args[1:]:
            self.known[argument] = (KEPT, argument)
        for op in block.ops:
            if isinstance(op, control.YieldOp):
                return all(self.known.get(v) == (KEPT, a) for v, a in zip(op.arguments, block.args[1:]))
            if len(op.results) == 1 and (found := self._of(op)) is not None:
                self.known[op.results[0]] = found
        return False

    def _number(self, value: SSAValue) -> object:
        what, source = self.known.get(value, (None, None))
        return what if source is None else None

    def _of(self, op: Operation) -> tuple[object, SSAValue | None] | None:
        if op is self.comparison:
            return FALSE, None
        match op:
            case compute.FullOp():
                value = op.value.data
                if isinstance(op.result.type, TileType) and is_float(op.result.type.element_type):
                    return (float(value), None)
            case compute.BroadcastOp() | compute.ReshapeOp() | compute.PermuteOp():
                return self.known.get(op.operand)
            case elementwise.CastOp():
                # A cast may round what was carried; the numbers stay.
                number = self._number(op.operand)
                return None if number is None else (number, None)
            case elementwise.BitwiseAndOp():
                if FALSE in (self._number(op.lhs), self._number(op.rhs)):
                    return FALSE, None
            case elementwise.WhereOp() if self._number(op.condition) == FALSE:
                return self.known.get(op.rhs)
            case compute.ReduceOp():
                number = self._number(op.operand)
                if (op.kind.data, number) in (("max", LOWEST), ("sum", ZERO)):
                    return number, None
            case elementwise.MaximumOp():
                return self._other(op.lhs, op.rhs, LOWEST)
            case elementwise.AddOp():
                return self._other(op.lhs, op.rhs, ZERO)
            case elementwise.SubOp():
                return self._difference(op)
            case elementwise.MulOp():
                numbers = (self._number(op.lhs), self._number(op.rhs))
                if ZERO in numbers:
                    return ZERO, None
                if LOWEST in numbers and any(isinstance(n, float) and n > 0 for n in numbers):
                    return LOWEST, None
                return self._other(op.lhs, op.rhs, ONE)
            case unary.ExpOp() | unary.Exp2Op():
                number = self._number(op.operand)
                return (ZERO, None) if number == LOWEST else (ONE, None) if number == ZERO else None
            case compute.DotOp():
                if ZERO in (self._number(op.lhs), self._number(op.rhs)):
                    return self.known.get(op.acc)
            case _:
                pass
        return None

    def _other(self, lhs: SSAValue, rhs: SSAValue, neutral: float) -> tuple[object, SSAValue | None] | None:
        """The one operand, where the other is neutral."""
        for a, b in ((lhs, rhs), (rhs, lhs)):
            if self._number(a) == neutral:
                return self.known.get(b)
        return None

    def _difference(self, op: elementwise.SubOp) -> tuple[object, SSAValue | None] | None:
        lhs, rhs = self.known.get(op.lhs), self.known.get(op.rhs)
        if rhs is None or rhs[0] != KEPT:
            return lhs if self._number(op.rhs) == ZERO else None
        if lhs is not None and (lhs == rhs or lhs == (LOWEST, None)):
            self.needs_maximum = True
            return (ZERO if lhs == rhs else LOWEST), None
        return None


def _loops(module: ModuleOp) -> Iterator[control.ForOp]:
    """The loops over tiles."""
    for op in walk(module):
        if isinstance(op, control.ForOp) and isinstance(op.body.block.args[0].type, RangeType) and op.step is None:
            yield op
