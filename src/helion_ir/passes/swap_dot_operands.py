"""swap-dot-operands: a product of few rows computes its transpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.knob import BOOLEAN, DeclareOp
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import knob
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.scope import bounds_of, range_for

SWAP = "swap"
"""The decision's name in a loop's `schedule`."""

FEW_ROWS = 64
"""What the matrix unit of a warp group takes at least (PTX, wgmma): a product of fewer rows leaves lanes of it idle."""


@dataclass(frozen=True)
class SwapDotOperands(Pass):
    """Accumulate the transposed product `(b^T a^T)` in a loop, and transpose it once behind the loop.

    ```mlir
    %acc = tile.for "k" … iter_args (%a = %zero : [@m, @n]) attributes {schedule = {swap = #knob.value<1>}} {
      %d = tile.dot %x, %y, %a …   tile.yield %d }
    // becomes
    %t = tile.for "k" … iter_args (%a = %zero.t : [@n, @m]) {
      %d = tile.dot (tile.permute [1, 0] %y), (tile.permute [1, 0] %x), %a …   tile.yield %d }
    %acc = tile.permute [1, 0] %t
    ```

    The instructions of Hopper and Blackwell take 64 or 128 rows and as few as 8 columns: where the product has few rows
    and many columns, the columns stand where rows do. Legal where a carried tile is used by one dot alone, as what it adds
    to, and the dot's result is what the loop yields: each element's terms are added in the same order as before.

    Does not handle: products that are not carried, such as attention's, and those whose accumulator is scaled on the way.
    Offered where a product is known to have fewer than 64 rows and more columns than that. Runs before split-k, which
    stores what the loop carries.
    """

    name = "swap-dot-operands"
    decision = SWAP

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        for loop in _loops(module):
            if any(_has_few_rows(dot) for _, dot in products(loop)):
                name = f"loop.{loop.label.data}.swap_dot_operands"
                yield DeclareOp(
                    name, BOOLEAN, False, owner=self.name,
                    doc=f"whether loop {loop.label.data} accumulates the transposes of its products",
                )  # fmt: skip
                open_schedule(loop, SWAP, knob(name))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for loop in list(_loops(op)):
            if take_schedule(loop, SWAP, self.name):
                self._swap(loop)

    def _swap(self, loop: control.ForOp) -> None:
        """Swap the products of a loop in place, but for the op itself, whose types change."""
        block, inits = loop.body.block, list(loop.iter_args)
        swapped = products(loop)
        for place, dot in swapped:
            argument = block.args[1 + place]
            inits[place] = self._transposed(inits[place], loop)
            argument = _retyped(argument, inits[place])
            lhs, rhs = self._transposed(dot.rhs, dot), self._transposed(dot.lhs, dot)
            made = compute.DotOp(lhs, rhs, argument, dot.precision.data)
            made.properties.update({k: v for k, v in dot.properties.items() if k not in made.properties})
            made.result.name_hint = dot.result.name_hint
            self._insert(made, dot)
            last = block.last_op
            assert last is not None
            last.operands[place] = made.result
            dot.detach()
            dot.erase()
        step = None if loop.step is None else loop.step.data
        body = loop.detach_region(loop.body)
        made = control.ForOp(loop.label.data, loop.lower.data, loop.upper.data, inits, body, loop.symbols, step)
        if loop.schedule is not None:
            made.schedule = loop.schedule
        made.location = loop.location
        self._insert(made, loop)
        places = {place for place, _ in swapped}
        for place, (old, new) in enumerate(zip(loop.results, made.results)):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(self._transposed(new, loop) if place in places else new)
        loop.detach()
        loop.erase()

    def _transposed(self, value: SSAValue, at: Operation) -> SSAValue:
        assert isinstance(value.type, TileType)
        rank = value.type.rank
        made = compute.PermuteOp(value, [*range(rank - 2), rank - 1, rank - 2])
        if isinstance(value.owner, compute.FullOp):
            made = compute.FullOp(value.owner.value.data, made.result.type)
        made.result.name_hint = value.name_hint
        self._insert(made, at)
        return made.result

    def _insert(self, new: Operation, before: Operation) -> None:
        block = before.parent_block()
        assert block is not None
        block.insert_op_before(new, before)
        self.located(before, [new])


def products(loop: control.ForOp) -> list[tuple[int, compute.DotOp]]:
    """(place among what is carried, dot) of the products that a loop accumulates and does nothing else with."""
    found: list[tuple[int, compute.DotOp]] = []
    last = loop.body.block.last_op
    assert last is not None
    for place, (argument, value) in enumerate(zip(loop.body.block.args[1:], last.operands)):
        dot = value.owner
        if isinstance(dot, compute.DotOp) and dot.acc is argument and _uses(argument) == _uses(value) == 1:
            found.append((place, dot))
    return found


def _uses(value: SSAValue) -> int:
    return sum(1 for _ in value.uses)


def _retyped(argument: SSAValue, like: SSAValue) -> SSAValue:
    """The argument of a block with the type of another value."""
    from xdsl.rewriter import Rewriter

    return Rewriter.replace_value_with_new_type(argument, like.type)


def _has_few_rows(dot: compute.DotOp) -> bool:
    assert isinstance(dot.acc.type, TileType)
    rows, columns = (_extent(d, dot) for d in dot.acc.type.dims[-2:])
    return rows is not None and columns is not None and rows < FEW_ROWS < columns


def _extent(dim, dot: compute.DotOp) -> int | None:
    """How many indices there are along a dimension in all, where that is known."""
    found = range_for(dim, dot)
    if found is None:
        return None
    bounds = bounds_of(found)
    extent = bounds.upper - bounds.lower
    return int(extent) if extent.is_Integer else None


def _loops(module: ModuleOp) -> Iterator[control.ForOp]:
    return (op for op in walk(module) if isinstance(op, control.ForOp))
