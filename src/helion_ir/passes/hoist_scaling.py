"""hoist-scaling: what every term of a sum is multiplied by, the sum is multiplied by once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.traits import Pure

from helion_ir.dialects.knob import BOOLEAN, DeclareOp
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.tile.elementwise_base import ElementwiseOp
from helion_ir.dialects.types import TileType, f32, f64, is_float
from helion_ir.index.expr import knob
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.dce import remove_dead

SCALING = "scaling"
"""The decision's name in a loop's `schedule`."""

VIEWS = (compute.BroadcastOp, compute.ReshapeOp, compute.PermuteOp, compute.FullOp)


@dataclass(frozen=True)
class HoistScaling(Pass):
    """Multiply what a loop sums once behind it, where it multiplies each term, or an operand of its product, alike.

    ```mlir
    %acc = tile.for "k" … iter_args (%a = %zero : t) attributes {schedule = {scaling = #knob.value<1>}} {
      %l = tile.cast (tile.mul %x, (tile.broadcast %scale)) …   %d = tile.dot %l, %y, %a …   tile.yield %d }
    // becomes
    %sum = tile.for "k" … iter_args (%a = %zero : t) { %d = tile.dot %x, %y, %a …   tile.yield %d }
    %acc = tile.mul %sum, (tile.broadcast %scale)
    ```

    What was loaded goes to the matrix unit as it is, rather than through registers, and there is a multiplication an
    element of the result rather than one an element and iteration. Legal where what is carried starts as zeros in float32
    or float64 and has one term added, and the factor is computed from what the loop does not change; of a product's
    operand it must not vary along the dimension that is summed. Sums are of unscaled terms: a 16-bit operand is rounded
    once less, and what is infinite or NaN in one may not be in the other.

    Does not handle: sums of several terms, and factors of integers. Runs before swap-dot-operands and split-k, which
    find a plain product.
    """

    name = "hoist-scaling"
    decision = SCALING

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        for loop in _loops(module):
            if any(_scaled(loop, place) is not None for place in range(len(loop.iter_args))):
                name = f"loop.{loop.label.data}.hoist_scaling"
                made = DeclareOp(
                    name, BOOLEAN, False, owner=self.name,
                    doc=f"whether what loop {loop.label.data} sums is multiplied behind it rather than term by term",
                )  # fmt: skip
                made.location = loop.location
                open_schedule(loop, SCALING, knob(name))
                yield made

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for loop in list(_loops(op)):
            if not take_schedule(loop, SCALING, self.name):
                continue
            for place in range(len(loop.iter_args)):
                while (found := _scaled(loop, place)) is not None:
                    self._hoist(loop, place, found)
            remove_dead(loop.body)

    def _hoist(self, loop: control.ForOp, place: int, found: _Scaled) -> None:
        last, result = loop.body.block.last_op, loop.results[place]
        assert last is not None
        old = last.operands[place].owner
        assert isinstance(old, Operation)
        block = loop.parent_block()
        assert block is not None
        made = found.unscaled(loop.body.block.args[1 + place])
        loop.body.block.insert_op_before(made, old)
        made.results[0].name_hint = old.results[0].name_hint
        last.operands[place] = made.results[0]
        old.detach()
        old.erase()
        # Behind the loop: the factor anew, spread over the result.
        behind: list[Operation] = []
        factor = _copied(found.factor, loop, behind, {})
        assert isinstance(result.type, TileType)
        if factor.type != result.type:
            behind.append(compute.BroadcastOp(factor, result.type.dims))
            factor = behind[-1].results[0]
        scaled = found.kind(result, factor)
        behind.append(scaled)
        block.insert_ops_after(behind, loop)
        self.located(loop, [made, *behind])
        scaled.results[0].name_hint = result.name_hint
        for use in [u for u in result.uses if u.operation is not scaled]:
            use.operation.operands[use.index] = scaled.results[0]


@dataclass(frozen=True)
class _Scaled:
    """The one term of a sum, with what multiplies it."""

    factor: SSAValue
    """As wide as the result, or to be broadcast to it."""
    kind: type[elementwise.MulOp] | type[elementwise.DivOp]
    term: SSAValue | None
    """Without the factor, where the term is multiplied."""
    dot: compute.DotOp | None = None
    operand: int = 0
    """Which operand of the product is multiplied."""
    instead: SSAValue | None = None
    """That operand without the factor."""

    def unscaled(self, argument: SSAValue) -> Operation:
        """What adds the unscaled term to what is carried."""
        if self.dot is not None and self.instead is not None:
            lhs, rhs = (self.instead, self.dot.rhs) if self.operand == 0 else (self.dot.lhs, self.instead)
            return compute.DotOp(lhs, rhs, argument, self.dot.precision.data)
        assert self.term is not None
        dot = self.term.owner
        if isinstance(dot, compute.DotOp) and _is_zero(dot.acc) and dot.acc.type == argument.type:
            return compute.DotOp(dot.lhs, dot.rhs, argument, dot.precision.data)
        return elementwise.AddOp(argument, self.term)


def _scaled(loop: control.ForOp, place: int) -> _Scaled | None:
    """What a loop carries at a place, if it is a sum of terms that are multiplied alike."""
    block = loop.body.block
    argument, last = block.args[1 + place], block.last_op
    assert last is not None
    value = last.operands[place]
    type_ = argument.type
    if not isinstance(type_, TileType) or type_.element_type not in (f32, f64) or not _is_zero(loop.iter_args[place]):
        return None
    if any(op.regions or not (op.has_trait(Pure) or isinstance(op, memory.LoadOp)) for op in block.ops):
        return None
    if value.uses.get_length() != 1 or argument.uses.get_length() != 1:
        return None
    match value.owner:
        case compute.DotOp() as dot if dot.acc is argument:
            return _of_operand(dot, loop)
        case elementwise.AddOp() as add if argument in (add.lhs, add.rhs):
            term = add.rhs if add.lhs is argument else add.lhs
            match term.owner:
                case elementwise.MulOp() as by:
                    for factor, rest in ((by.rhs, by.lhs), (by.lhs, by.rhs)):
                        if _stays(factor, loop):
                            return None if _stays(rest, loop) else _Scaled(factor, elementwise.MulOp, rest)
                case elementwise.DivOp() as by if _stays(by.rhs, loop) and not _stays(by.lhs, loop):
                    return _Scaled(by.rhs, elementwise.DivOp, by.lhs)
                case _:
                    pass
    return None


def _of_operand(dot: compute.DotOp, loop: control.ForOp) -> _Scaled | None:
    """The factor of an operand of a product, alike along the dimension that is summed."""
    for place, (value, summed) in enumerate(((dot.lhs, -1), (dot.rhs, -2))):
        assert isinstance(value.type, TileType)
        source = value
        if isinstance(source.owner, elementwise.CastOp) and is_float(source.owner.operand.type.element_type):  # pyright: ignore
            source = source.owner.operand
        by = source.owner
        if not isinstance(by, elementwise.MulOp):
            continue
        for factor, rest in ((by.rhs, by.lhs), (by.lhs, by.rhs)):
            narrow = _alike_along(factor, summed)
            if narrow is None or not _stays(narrow, loop) or narrow.type.element_type != dot.acc.type.element_type:  # pyright: ignore
                continue
            while rest.type != value.type and isinstance(rest.owner, elementwise.CastOp):
                rest = rest.owner.operand
            if rest.type == value.type and not _stays(rest, loop):
                return _Scaled(narrow, elementwise.MulOp, None, dot, place, rest)
    return None


def _alike_along(factor: SSAValue, dim: int) -> SSAValue | None:
    """The tile that a factor is broadcast from, if it has one element along a dimension counted from the end."""
    owner = factor.owner
    if not isinstance(owner, compute.BroadcastOp):
        return None
    source = owner.operand.type
    assert isinstance(source, TileType)
    return owner.operand if source.rank < -dim or source.dims[dim] == 1 else None


def _is_zero(value: SSAValue) -> bool:
    return isinstance(value.owner, compute.FullOp) and value.owner.value.data == 0


def _stays(value: SSAValue, loop: control.ForOp) -> bool:
    """Whether a value is the same in every iteration of a loop that stores nothing."""
    owner = value.owner
    if not isinstance(owner, Operation):
        return owner is not loop.body.block
    if owner.parent_block() is not loop.body.block:
        return True
    simple = isinstance(owner, (ElementwiseOp, memory.LoadOp, control.BeginOp, control.IndexOp, *VIEWS))
    return simple and all(_stays(v, loop) for v in owner.operands)


def _copied(value: SSAValue, loop: control.ForOp, behind: list[Operation], known: dict[SSAValue, SSAValue]) -> SSAValue:
    """A value that stays, computed behind the loop."""
    owner = value.owner
    if not isinstance(owner, Operation) or owner.parent_block() is not loop.body.block:
        return value
    if value not in known:
        for v in owner.operands:
            known[v] = _copied(v, loop, behind, known)
        made = owner.clone({v: known[v] for v in owner.operands})
        made.location = owner.location
        behind.append(made)
        known[value] = made.results[0]
    return known[value]


def _loops(module: ModuleOp) -> Iterator[control.ForOp]:
    return (op for op in walk(module) if isinstance(op, control.ForOp) and op.iter_args)
