"""convert-tile-to-triton: every tile op becomes Triton constructs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, ValueAttr
from helion_ir.dialects.tile import compute
from helion_ir.dialects.tile import control as tile
from helion_ir.dialects.triton import control as triton
from helion_ir.dialects.triton.types import pointer_to
from helion_ir.dialects.types import RangeType, RefType, TileType, tile_type
from helion_ir.index.expr import And, Eq, Le, knob
from helion_ir.index.facts import Domains, decide
from helion_ir.passes.access_order import waits
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.convert_tile_to_triton import (
    arithmetic,
    atomics,
    control,
    inline,
    memory,
    random,
    scaled,
    shapes,
    sorting,
    stack,
    views,
)
from helion_ir.passes.convert_tile_to_triton.lowering import LOWER, Lowering
from helion_ir.passes.launch_knobs import launch_knobs, launch_options, launch_requirements
from helion_ir.passes.loop_knobs import few_iterations, loop_knobs, persistent
from helion_ir.passes.scope import domains_of

__all__ = [
    "LOWER", "ConvertTileToTriton", "Lowering", "arithmetic", "atomics", "control", "inline", "memory", "random",
    "scaled", "shapes", "sorting", "stack", "views",
]  # fmt: skip


@dataclass(frozen=True)
class ConvertTileToTriton(Pass):
    """Lower each `tile.kernel` to a `triton.kernel`: ranges to offsets, accesses to pointers, ops to their spelling.

    ```mlir
    %v = tile.load "x" %x[%m] attributes {indexing = #knob.value<"pointer">} : …
    // becomes
    %o = index.apply <d0>(%m.index) : …
    %p = triton.addptr %x, %o : …
    %v = triton.load %p : …
    ```

    Threads of a program exchange values through global memory only in order: a `triton.barrier` stands before an access
    to what may be the same memory as an earlier one's, or one of the iteration before, where one of the two writes
    (`passes/access_order.py`); also between any access and a later atomic that releases, and after one that acquires.
    Not between atomics that commute, parts of a range, elements that a loop moves on from, and what one thread writes.

    Offsets, addresses and masks that several accesses of a block share are made for the first of them.
    What only some configurations need (a mask, a descriptor) opens a `knob.choose`. Does not handle: sorting of 64-bit
    elements, and reshapes that merge an extent that is no power of two with a block size; these raise
    BackendUnsupported.
    Runs last of the tile passes: after make-masks, since nothing is masked implicitly any more, and choose-indexing.
    """

    name = "convert-tile-to-triton"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        target = target_of(module)
        yield from launch_knobs(module, target, self.name)
        # In the order of a config's lists: each root, which is a loop if its programs persist, before the loops in it.
        for loop in [op for op in module.walk() if isinstance(op, tile.ParallelOp | tile.ForOp)]:
            when = persistent() if isinstance(loop, tile.ParallelOp) else None
            # Only loads and products take roles.
            roles = any(isinstance(o, compute.DotOp) for o in loop.walk())
            unroll = None if isinstance(loop, tile.ParallelOp) else decide(_unrolled(loop), domains_of(module))
            for made in loop_knobs(loop.label.data, target, self.name, when, specialize=roles, unroll=unroll):
                made.location = loop.location
                yield made
        # The loops that roll-reductions may make; named by role there.
        for label, axis, when in rolled_loops(module):
            assert isinstance(axis.result.type, RangeType)
            few = few_iterations(axis.result.type.block.data, knob(f"reduction.{axis.label.data}"))
            unroll = decide(few, domains_of(module))
            yield from loop_knobs(label, target, self.name, when, specialize=None, unroll=unroll)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        domains = domains_of(op)
        first = op.body.block.first_op
        found = kernels(op, tile.KernelOp)
        for made in (*launch_requirements(target_of(op), domains, self.name), *self._one_specialized(domains)):
            assert first is not None
            made.location = found[0].location
            op.body.block.insert_op_before(made, first)
        for kernel in found:
            self._kernel(kernel, op, domains)

    def _one_specialized(self, domains: Domains) -> Iterator[RequireOp]:
        names = [name for name, values in domains.items() if name.endswith(".warp_specialize") and True in values]
        if len(names) > 1:
            together: Expr = Integer(0)
            for name in names:
                together = together + knob(name)
            condition = expr_attr(Le(together, Integer(1)))
            yield RequireOp(condition, "the warps of one loop only take roles", owner=self.name)

    def _kernel(self, kernel: tile.KernelOp, module: ModuleOp, domains: Domains) -> None:
        source = kernel.body.block
        types = [
            tile_type((), pointer_to(a.type.element_type)) if isinstance(a.type, RefType) else a.type
            for a in source.args
        ]
        target = target_of(module)
        lower = Lowering(self, module, kernel, target, domains)
        lower.after_barrier = waits(kernel, kernel)
        body = lower.region(source, types)
        launch = launch_options(target, domains)
        programmatic = kernel.programmatic if target.programmatic_launch else None
        if programmatic is not None and WAIT in programmatic.data:
            launch["launch_pdl"] = ValueAttr(True)
        made = triton.KernelOp(kernel.sym_name.data, [a.data for a in kernel.arg_names], body, {}, launch)
        made.location = kernel.location
        for kept in ("memory", "hints"):
            if kept in kernel.properties:
                made.properties[kept] = kernel.properties[kept]
        made.programmatic = programmatic
        block = kernel.parent_block()
        assert block is not None
        block.insert_op_before(made, kernel)
        kernel.detach()  # and not erased: a plan may still ask for its tiles


WAIT = StringAttr("wait")


def _unrolled(loop: tile.ForOp) -> Expr:
    """The condition over knobs under which a loop has few iterations; 0 where the call or the device says how many.

    Nor may it be split, or divided where masks begin: then each program has bounds of its own.
    """
    variable = loop.body.block.args[0].type
    step = variable.block.data if isinstance(variable, RangeType) else loop.step.data if loop.step else Integer(1)
    condition = few_iterations(loop.upper.data - loop.lower.data, step)
    for decision in loop.schedule.data.values() if loop.schedule is not None else ():
        if isinstance(decision, ExprAttr):
            condition = And(condition, Eq(decision.data, Integer(0)))
    return condition


def rolled_loops(module: ModuleOp) -> Iterator[tuple[str, tile.AxisOp, ExprAttr]]:
    """Labels of the loops that rolling each axis with an open schedule gives, the axis, and when they exist."""
    from helion_ir.dialects.tile.memory import StoreOp

    for axis in [op for op in module.walk() if isinstance(op, tile.AxisOp)]:
        if not isinstance(axis.schedule, ExprAttr):
            continue
        assert isinstance(axis.result.type, RangeType)
        extent, seen = axis.result.type.block.data, {}
        block = axis.parent_block()
        assert block is not None
        for op in block.ops:
            role = _role(op, extent, StoreOp)
            if role is None:
                continue
            label = f"{axis.label.data}.{role}"
            seen[label] = seen.get(label, -1) + 1
            yield label + (f".{seen[label]}" if seen[label] else ""), axis, axis.schedule


def _role(op: Operation, extent: object, store: type[Operation]) -> str | None:
    def named(value: SSAValue) -> bool:
        return isinstance(value.type, TileType) and extent in value.type.dims

    if isinstance(op, compute.ReduceOp) and named(op.operand):
        assert isinstance(op.operand.type, TileType)
        return op.kind.data if extent in [op.operand.type.dims[i] for i in op.dims] else None
    return "store" if isinstance(op, store) and any(named(v) for v in op.operands) else None
