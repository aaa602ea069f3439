"""roll-reductions: a reduction over a whole axis becomes a loop over chunks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import BOOLEAN, DeclareOp, ValueAttr, one_of
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import NONE, And, Ne, constant_of, knob, knobs_of
from helion_ir.passes.base import Pass
from helion_ir.passes.online_reductions import fuse, pairs
from helion_ir.passes.rolling import COMBINE, Roller, extent_of, reduced, touched, varies

ROLLABLE = (
    memory.LoadOp, memory.StoreOp, compute.ReduceOp, compute.BroadcastOp, compute.ReshapeOp, compute.FullOp,
    control.IndexOp, elementwise.ElementwiseOp,
)  # fmt: skip
"""Ops that mean the same on a chunk of the axis as on all of it."""

ONLINE = 2
"""The schedule of an axis of which a maximum and a sum of exponentials share a loop."""
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

    What varies along the axis is computed anew in each loop. Scheduled to be online (2), a maximum and the sum of the
    exponentials of what is below it become one loop: see online_reductions. Does not handle: axes used by a dot, a scan or a gather,
    in a nested region or twice in one type; tensors written between a load and a loop that would load anew; argmax
    and argmin.
    Runs on bound schedules, before map-grid.
    """

    name = "roll-reductions"
    decision = control.AxisOp.name

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
            looped = Ne(knob(name), NONE)
            if pairs(axis):
                yield DeclareOp(
                    f"{name}.online", BOOLEAN, False, owner=self.name, when=expr_attr(looped),
                    doc=f"whether one loop over {axis.label.data} finds a maximum and the sum of exponentials below it",
                )  # fmt: skip
                looped = looped + And(looped, knob(f"{name}.online"))
            axis.properties["schedule"] = expr_attr(looped)

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
            if not schedule.data:
                del axis.properties["schedule"]
                continue
            roller = Roller(self, op, axis)
            if schedule.data == ONLINE:
                for pair in pairs(axis):
                    fuse(roller, pair)
            roller.run()


def _axes(module: ModuleOp) -> Iterator[control.AxisOp]:
    return (op for op in walk(module) if isinstance(op, control.AxisOp))


def rollable(axis: control.AxisOp) -> bool:
    """Whether loops over chunks of the axis can stand for it; False also where no reduction would gain from it."""
    block = axis.parent_block()
    assert block is not None
    extent = extent_of(axis)
    reductions = 0
    for op in block.walk():
        if op is axis or not touched(op, axis):
            continue
        if op.parent_block() is not block or not isinstance(op, ROLLABLE):
            return False
        if any(isinstance(v.type, TileType) and v.type.dims.count(extent) > 1 for v in (*op.operands, *op.results)):
            return False
        if any(v.type == axis.result.type and v is not axis.result for v in op.operands):
            return False  # another axis of this length, whose tiles look like those of this one
        if isinstance(op, compute.ReshapeOp) and not all(varies(v, axis) for v in (op.operand, op.result)):
            return False
        if isinstance(op, compute.ReduceOp) and extent in reduced(op):
            if op.kind.data not in COMBINE:
                return False
            reductions += 1
    return reductions > 0 and _reads_the_same_later(axis, block)


def _reads_the_same_later(axis: control.AxisOp, block: Block) -> bool:
    """Whether no write comes between a load and a loop that will load anew."""
    extent = extent_of(axis)
    places = {op: i for i, op in enumerate(block.ops)}
    writes = [
        (i, op) for top, i in places.items() for op in top.walk() if isinstance(op, memory.StoreOp | memory.AtomicOp)
    ]
    for op, end in places.items():
        rolled = isinstance(op, compute.ReduceOp) and varies(op.operand, axis) and extent in reduced(op)
        if not rolled and not (isinstance(op, memory.StoreOp) and touched(op, axis)):
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
        if value in seen or not varies(value, axis) or not isinstance(value.owner, Operation):
            continue
        seen.add(value)
        if isinstance(value.owner, memory.LoadOp):
            found.add(value.owner)
        left += value.owner.operands
    return found
