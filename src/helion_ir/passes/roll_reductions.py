"""roll-reductions: a reduction over a whole axis becomes a loop over chunks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import DeclareOp, ValueAttr, one_of
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import RangeType, TileType, i1, range_type, tile_type
from helion_ir.index.expr import NONE, Mod, Ne, constant_of, knob, knobs_of
from helion_ir.passes.base import Pass
from helion_ir.passes.make_masks import holds_zero, neutral
from helion_ir.passes.scope import domains_of, settled

COMBINE: dict[str, type[elementwise.BinaryOp]] = {
    "sum": elementwise.AddOp, "prod": elementwise.MulOp, "max": elementwise.MaximumOp, "min": elementwise.MinimumOp,
    "any": elementwise.BitwiseOrOp, "all": elementwise.BitwiseAndOp,
}  # fmt: skip

ROLLABLE = (
    memory.LoadOp, memory.StoreOp, compute.ReduceOp, compute.BroadcastOp, compute.ReshapeOp, compute.FullOp,
    control.IndexOp, elementwise.ElementwiseOp,
)  # fmt: skip
"""Ops that mean the same on a chunk of the axis as on all of it."""

LARGEST_TILE = 1 << 20
"""Elements of one tile, Triton's limit."""
PERSISTENT_BY_DEFAULT = 16384
"""Axes up to this length stay whole unless a configuration says otherwise."""
CHUNK_OF_ANY_LENGTH = 512
"""An axis whose length only a call fixes is looped over by default, since no tile holds all that it may be."""


@dataclass(frozen=True)
class RollReductions(Pass):
    """Replace an axis scheduled to be looped by loops over chunks: one a reduction, one a store.

    ```mlir
    %n = tile.axis "n" 0 to 1021 attributes {schedule = #knob.value<1>} : !tile.range<1021>
    %v = tile.load "x" %x[%m, %n] : …
    %s = tile.reduce "sum" <1> %v : …
    // becomes
    %a = tile.for "n.sum" (%n = 0 to 1021 : !tile.range<@reduction.n>) iter_args (%acc = %zero : …) { load, fill, add }
    %s = tile.reduce "sum" <1> %a : …
    ```

    What varies along the axis is computed anew in each loop. Does not handle: axes used by a dot, a scan or a gather,
    in a nested region or twice in one type; tensors written between a load and a loop that would load anew; argmax
    and argmin.
    Runs on bound schedules, before map-grid.
    """

    name = "roll-reductions"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        for axis in _axes(module):
            extent = axis.result.type.block.data  # pyright: ignore
            if knobs_of(extent) or axis.lower.data != 0 or not rollable(axis):
                continue
            name, n = f"reduction.{axis.label.data}", constant_of(extent)
            chunks = [c for c in (1 << i for i in range(4, 15)) if n is None or c < n]
            if not chunks:
                continue
            whole = [] if n is not None and 1 << (n - 1).bit_length() > LARGEST_TILE else [None]
            if n is None:
                default = CHUNK_OF_ANY_LENGTH
            else:
                default = None if whole and n <= PERSISTENT_BY_DEFAULT else min(chunks, key=lambda c: abs(c - 4096))
            yield DeclareOp(
                name, one_of(*whole, *chunks), default, owner=self.name, field="reduction_loops",
                doc=f"none to reduce over {axis.label.data} at once, or how many elements of it at a time",
            )  # fmt: skip
            axis.properties["schedule"] = expr_attr(Ne(knob(name), NONE))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for axis in list(_axes(op)):
            schedule = axis.schedule
            if schedule is None:
                continue
            if isinstance(schedule, ExprAttr):
                raise ValueError(
                    f"bind-structure must run before roll-reductions: the schedule of {axis.label.data} is open"
                )
            assert isinstance(schedule, ValueAttr)
            if schedule.data:
                _Roller(self, op, axis).run()
            else:
                del axis.properties["schedule"]


def _axes(module: ModuleOp) -> Iterator[control.AxisOp]:
    return (op for op in module.walk() if isinstance(op, control.AxisOp))


def _extent(axis: control.AxisOp) -> Expr:
    assert isinstance(axis.result.type, RangeType)
    return axis.result.type.block.data


def _varies(value: SSAValue, axis: control.AxisOp) -> bool:
    """A value varies along the axis if its type names the extent: no data-flow analysis is needed."""
    if value is axis.result:
        return True
    return isinstance(value.type, TileType) and _extent(axis) in value.type.dims


def _touched(op: Operation, axis: control.AxisOp) -> bool:
    return any(_varies(v, axis) for v in (*op.operands, *op.results))


def rollable(axis: control.AxisOp) -> bool:
    """Whether loops over chunks of the axis can stand for it; False also where no reduction would gain from it."""
    block = axis.parent_block()
    assert block is not None
    extent = _extent(axis)
    reductions = 0
    for op in block.walk():
        if op is axis or not _touched(op, axis):
            continue
        if op.parent_block() is not block or not isinstance(op, ROLLABLE):
            return False
        if any(isinstance(v.type, TileType) and v.type.dims.count(extent) > 1 for v in (*op.operands, *op.results)):
            return False
        if any(v.type == axis.result.type and v is not axis.result for v in op.operands):
            return False  # another axis of this length, whose tiles look like those of this one
        if isinstance(op, compute.ReshapeOp) and not all(_varies(v, axis) for v in (op.operand, op.result)):
            return False
        if isinstance(op, compute.ReduceOp) and extent in _reduced(op):
            if op.kind.data not in COMBINE:
                return False
            reductions += 1
    return reductions > 0 and _reads_the_same_later(axis, block)


def _reads_the_same_later(axis: control.AxisOp, block: Block) -> bool:
    """Whether no write comes between a load and a loop that will load anew."""
    extent = _extent(axis)
    places = {op: i for i, op in enumerate(block.ops)}
    writes = [
        (i, op) for top, i in places.items() for op in top.walk() if isinstance(op, memory.StoreOp | memory.AtomicOp)
    ]
    for op, end in places.items():
        rolled = isinstance(op, compute.ReduceOp) and _varies(op.operand, axis) and extent in _reduced(op)
        if not rolled and not (isinstance(op, memory.StoreOp) and _touched(op, axis)):
            continue
        for load in _loads(op, axis):
            for i, write in writes:
                # The chunk that is stored is the chunk that was loaded, where both have the same subscripts.
                own = write is op and tuple(write.subscripts) == tuple(load.subscripts)
                if write.ref is load.ref and places[load] < i <= end and not own:
                    return False
    return True


def _loads(op: Operation, axis: control.AxisOp) -> set[memory.LoadOp]:
    """The loads that a loop in the place of `op` makes anew."""
    found: set[memory.LoadOp] = set()
    seen: set[SSAValue] = set()
    left = list(op.operands)
    while left:
        value = left.pop()
        if value in seen or not _varies(value, axis) or not isinstance(value.owner, Operation):
            continue
        seen.add(value)
        if isinstance(value.owner, memory.LoadOp):
            found.add(value.owner)
        left += value.owner.operands
    return found


def _reduced(op: compute.ReduceOp) -> list[Expr]:
    assert isinstance(op.operand.type, TileType)
    return [op.operand.type.dims[i] for i in op.dims]


class _Roller:
    """Rewrites one block: what does not vary along the axis stays, the rest moves into the loops that need it."""

    def __init__(self, owner: RollReductions, module: ModuleOp, axis: control.AxisOp):
        self.owner, self.axis, self.extent = owner, axis, _extent(axis)
        self.chunk = knob(f"reduction.{axis.label.data}")
        self.partial = settled(Ne(Mod(self.extent, self.chunk), 0), domains_of(module))
        self.labels: dict[str, int] = {}

    def run(self) -> None:
        block = self.axis.parent_block()
        assert block is not None
        varying = [op for op in block.ops if op is not self.axis and _touched(op, self.axis)]
        for op in varying:
            if isinstance(op, compute.ReduceOp) and self.extent in _reduced(op):
                self.roll_reduction(op)
            elif isinstance(op, memory.StoreOp):
                self.roll_store(op)
        for op in reversed(varying):  # users first
            op.detach()
            op.erase()
        self.axis.detach()
        self.axis.erase()

    def retype(self, type_: Attribute) -> Attribute:
        if isinstance(type_, TileType):
            return tile_type(tuple(self.chunk if d == self.extent else d for d in type_.dims), type_.element_type)
        return range_type(self.chunk) if isinstance(type_, RangeType) and type_.block.data == self.extent else type_

    def recompute(self, value: SSAValue, block: Block, known: dict[SSAValue, SSAValue]) -> SSAValue:
        """The chunk of a value, computed at the end of `block`; what does not vary is visible from outside."""
        if not _varies(value, self.axis):
            return value
        if value not in known:
            op = value.owner
            assert isinstance(op, Operation)
            operands = [self.recompute(x, block, known) for x in op.operands]
            copy = op.create(
                operands=operands,
                result_types=[self.retype(r.type) for r in op.results],
                properties=dict(op.properties),
            )
            copy.location = op.location
            block.add_op(copy)
            for old, new in zip(op.results, copy.results):
                new.name_hint = old.name_hint
                known[old] = new
        return known[value]

    def loop(
        self, role: str, at: Operation, inits: Sequence[SSAValue], fill: Callable[..., list[SSAValue]]
    ) -> control.ForOp:
        body = Block(arg_types=[range_type(self.chunk), *[i.type for i in inits]])
        body.args[0].name_hint = self.axis.result.name_hint or self.axis.label.data
        for argument, init in zip(body.args[1:], inits):
            argument.name_hint = init.name_hint
        known: dict[SSAValue, SSAValue] = {self.axis.result: body.args[0]}
        body.add_op(control.YieldOp(*fill(body, known, *body.args)))
        # Named by role, so that tuned configurations carry over when the kernel changes elsewhere.
        label = f"{self.axis.label.data}.{role}"
        self.labels[label] = self.labels.get(label, -1) + 1
        label += f".{self.labels[label]}" if self.labels[label] else ""
        made = control.ForOp(label, self.axis.lower.data, self.axis.upper.data, list(inits), Region(body))
        self.insert(made, at)
        return made

    def insert(self, new: Operation, before: Operation) -> None:
        block = before.parent_block()
        assert block is not None
        block.insert_op_before(new, before)
        self.owner.located(before, [new])

    def roll_reduction(self, op: compute.ReduceOp) -> None:
        kind = op.kind.data
        chunked = self.retype(op.operand.type)
        assert isinstance(chunked, TileType)
        identity = neutral(kind, chunked.element_type)
        init = compute.FullOp(identity, chunked)
        init.result.name_hint = "acc"
        self.insert(init, op)

        def fill(body: Block, known: dict[SSAValue, SSAValue], chunk: SSAValue, acc: SSAValue) -> list[SSAValue]:
            value = self.recompute(op.operand, body, known)
            if self.partial != 0 and not holds_zero(op.operand, identity):
                shape = tuple(d if d == self.chunk else expr_attr(1).data for d in chunked.dims)
                mask = control.MaskOp([chunk], self.partial, tile_type(shape, i1))
                filled = compute.FillOp(value, mask.result, identity)
                body.add_ops([mask, filled])
                value = filled.result
            combined = COMBINE[kind](acc, value)
            body.add_op(combined)
            return [combined.result]

        made = self.loop(kind, op, [init.result], fill)
        made.results[0].name_hint = "acc"
        final = compute.ReduceOp(kind, made.results[0], op.dims, op.result.type.element_type)  # pyright: ignore
        final.result.name_hint = op.result.name_hint
        self.insert(final, op)
        op.result.replace_all_uses_with(final.result)

    def roll_store(self, op: memory.StoreOp) -> None:
        def fill(body: Block, known: dict[SSAValue, SSAValue], chunk: SSAValue) -> list[SSAValue]:
            operands = [self.recompute(x, body, known) for x in op.operands]
            copy = memory.StoreOp.create(operands=operands, properties=dict(op.properties))
            copy.location = op.location
            body.add_op(copy)
            return []

        self.loop("store", op, [], fill)
