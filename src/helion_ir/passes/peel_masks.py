"""peel-masks: the iterations of a loop that need no mask run without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriteWalker

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import BOOLEAN, DeclareOp
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import SCALAR_I32, RangeType
from helion_ir.index.expr import And, CeilDiv, FloorDiv, Max, Min, knob, operand
from helion_ir.passes.base import Located, Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.canonicalization import PATTERNS
from helion_ir.passes.canonicalize import ByClass
from helion_ir.passes.dce import remove_dead
from helion_ir.passes.linear_forms import LinearForm, linear_form, number_form
from helion_ir.passes.scope import domains_of, partial

PEEL = "peel"
"""The decision's name in a loop's `schedule`."""


@dataclass(frozen=True)
class PeelMasks(Pass):
    """Split a loop where its masks begin to matter: full tiles run without comparisons, the others after (or before) them.

    ```mlir
    %r = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %zero : t) attributes
        {schedule = {peel = #knob.value<true>}} { %below = tile.compare "ge" %i, %k.index … tile.where %below, %s, %inf … }
    // becomes, with d0 = the first of the rows that %i counts
    %f = tile.for "k" (%k = 0 to (min(d0 + 1, 100) floordiv @k.block_size) * @k.block_size : …) iter_args (%a = %zero : t)
        { … %s … }                                                     // all lanes active, every comparison true
    %r = tile.for "k.rest" (%k = (min(d0 + 1, 100) floordiv @k.block_size) * @k.block_size to 100 : …) iter_args (%b = %f : t)
        { the body as it was }
    ```

    A tile is full if it ends at or before the loop's bound, and before every `limit`: a comparison of the loop's indices
    with linear forms of outer ranges and scalars holds in all lanes up to a limit (of `i >= j` the least i, plus 1), or
    from one on (of `j > i - w`), in which case the tiles before it are peeled too, as loop `k.head`. Legal always: the
    iterations and their order stay. The first loop keeps its name and knobs; the others are of few iterations.

    Does not handle: comparisons with tiles read from memory, comparisons in nested loops, loops over scalars, and tiles
    that a causal mask leaves empty, which the author's bound or clip-loops skips.
    Runs after the passes that make or change loops, before make-masks, which finds the first loop's range full.
    """

    name = "peel-masks"
    decision = PEEL

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        domains = domains_of(module)
        for loop in _loops(module):
            when = partial(loop.body.block.args[0], domains)
            if any(limit_of(op, loop) is not None for op in _comparisons(loop)):
                when = Integer(1)
            if when == 0:
                continue
            label = loop.label.data
            yield DeclareOp(
                f"loop.{label}.peel", BOOLEAN, False, owner=self.name, when=None if when == 1 else expr_attr(when),
                doc=f"whether the iterations of loop {label} that need no mask run without one",
            )  # fmt: skip
            open_schedule(loop, PEEL, And(knob(f"loop.{label}.peel"), when))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for loop in reversed(list(_loops(op))):  # inner ones first, since outer ones are copied
            if take_schedule(loop, PEEL, self.name):
                _Peeler(self, loop).run()


@dataclass(frozen=True)
class Limit:
    """Where a comparison begins or ceases to hold in all lanes of a tile of the loop.

    `form` is least in the tile's other dimensions: all lanes hold if the tile ends at or before it, or, where `after`,
    if the tile begins at or after it.
    """

    form: LinearForm
    after: bool


def limit_of(op: elementwise.CompareOp, loop: control.ForOp) -> Limit | None:
    """The limit that a comparison sets to the tiles of a loop; None where it is not one of indices with what is outside."""
    lhs, rhs = linear_form(op.lhs), linear_form(op.rhs)
    if lhs is None or rhs is None or op.predicate.data not in ("ge", "gt", "le", "lt"):
        return None
    more = lhs.plus(rhs, -1) if op.predicate.data in ("ge", "gt") else rhs.plus(lhs, -1)
    if op.predicate.data in ("gt", "lt"):
        more = more.plus(number_form(-1))
    # The comparison is `more >= 0` now; solved for the loop's index it is j <= rest, or j >= -rest.
    index = loop.body.block.args[0]
    after = more.coefficient(index) == 1
    if abs(more.coefficient(index)) != 1:
        return None
    rest = more.without(index)
    if any(not _is_outside(source, loop) for source, _ in rest.terms):
        return None
    return Limit(number_form(0).plus(rest, -1), True) if after else Limit(rest.plus(number_form(1)), False)


class _Peeler:
    """Splits one loop."""

    def __init__(self, owner: PeelMasks, loop: control.ForOp):
        self.owner, self.loop = owner, loop
        variable = loop.body.block.args[0].type
        assert isinstance(variable, RangeType)
        self.block = variable.block.data
        self.symbols: list[SSAValue] = list(loop.symbols)

    def run(self) -> None:
        loop, lower, upper = self.loop, self.loop.lower.data, self.loop.upper.data
        limits = [(op, found) for op in _comparisons(loop) if (found := limit_of(op, loop)) is not None]
        first = lower
        for _, limit in limits:
            if limit.after:
                first = first + self.block * CeilDiv(_natural(self.bound(limit) - first), self.block)
        last = upper
        for _, limit in limits:
            if not limit.after:
                last = Min(self.bound(limit), last)
        split = first + self.block * FloorDiv(_natural(last - first), self.block)
        inits: Sequence[SSAValue] = loop.iter_args
        if first != lower:
            inits = self.part(".head", lower, Min(first, upper), inits)
        inits = self.part("", first, split, inits, [op for op, _ in limits])
        inits = self.part(".rest", split, upper, inits)
        for old, new in zip(loop.results, inits):
            old.replace_all_uses_with(new)
        loop.detach()
        loop.erase()

    def bound(self, limit: Limit) -> Expr:
        """A limit as an expression over the loop's symbols, of which this makes more: the least over outer lanes.

        Of a limit that tiles must begin after it is the greatest.
        """
        out = limit.form.constant
        for source, coefficient in limit.form.terms:
            if not isinstance(source.type, RangeType):
                out = out + coefficient * self.symbol(source)
                continue
            begin = control.BeginOp(source)
            self.insert(begin)
            first = self.symbol(begin.result)
            least = (coefficient > 0) is not limit.after
            out = out + coefficient * (first if least else first + source.type.block.data - 1)
        return out

    def symbol(self, value: SSAValue) -> Expr:
        if value not in self.symbols:
            self.symbols.append(value)
        return operand(self.symbols.index(value))

    def insert(self, new: Operation) -> None:
        block = self.loop.parent_block()
        assert block is not None
        block.insert_op_before(new, self.loop)
        self.owner.located(self.loop, [new])

    def part(
        self, role: str, lower: Expr, upper: Expr, inits: Sequence[SSAValue], held: Sequence[Operation] = ()
    ) -> Sequence[SSAValue]:
        """A copy of the loop over some of its tiles, in all of which the comparisons `held` hold."""
        loop = self.loop
        body = loop.body.clone()
        for old, new in zip(loop.body.walk(), body.walk()):
            new.location = old.location
            if old in held:
                true = compute.FullOp(1, old.results[0].type)  # pyright: ignore[reportArgumentType]
                true.location = old.location
                block = new.parent_block()
                assert block is not None
                block.insert_op_before(true, new)
                new.results[0].replace_all_uses_with(true.result)
        made = control.ForOp(loop.label.data + role, lower, upper, inits, body, self.symbols)
        made.location = loop.location
        if not role and loop.schedule is not None:
            made.schedule = loop.schedule
        for old, new in zip(loop.results, made.results):
            new.name_hint = old.name_hint
        self.insert(made)
        if held:
            pattern = Located(ByClass(PATTERNS), self.owner)
            PatternRewriteWalker(pattern, post_walk_func=remove_dead).rewrite_region(made.body)
        return made.results


def _natural(e: Expr) -> Expr:
    """The number itself where it is one that is not negative, else 0."""
    return e if e.is_Integer and int(e) >= 0 else Max(e, Integer(0))


def _loops(module: ModuleOp) -> Iterator[control.ForOp]:
    """The loops over tiles."""
    for op in walk(module):
        if isinstance(op, control.ForOp) and isinstance(op.body.block.args[0].type, RangeType):
            yield op


def _comparisons(loop: control.ForOp) -> Iterator[elementwise.CompareOp]:
    return (op for op in loop.body.block.ops if isinstance(op, elementwise.CompareOp))


def _is_outside(source: SSAValue, loop: control.ForOp) -> bool:
    """Whether a range or 32-bit scalar is there before the loop."""
    if not isinstance(source.type, RangeType) and source.type != SCALAR_I32:
        return False
    owner = source.owner
    inside = owner if isinstance(owner, Operation) else owner.parent_op()
    while inside is not None:
        if inside is loop:
            return False
        inside = inside.parent_op()
    return True
