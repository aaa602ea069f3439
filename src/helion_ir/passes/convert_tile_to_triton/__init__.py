"""convert-tile-to-triton: every tile op becomes Triton constructs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, declarations, integers, pow2
from helion_ir.dialects.tile import compute
from helion_ir.dialects.tile import control as tile
from helion_ir.dialects.triton import control as triton
from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import RangeType, RefType, TileType, tile_type
from helion_ir.index.expr import And, Le, Not, Or, knob
from helion_ir.passes.base import Pass, target_of
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
from helion_ir.passes.loop_knobs import loop_knobs, persistent
from helion_ir.passes.scope import physical

LAUNCH = ("num_warps", "num_stages")

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

    What only some configurations need (a mask, a descriptor) opens a `knob.choose`. Does not handle: sorting of 64-bit
    elements, and reshapes that merge an extent that is no power of two with a block size; these raise
    BackendUnsupported.
    Runs last of the tile passes: after make-masks, since nothing is masked implicitly any more, and choose-indexing.
    """

    name = "convert-tile-to-triton"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        target = target_of(module)
        dots = any(isinstance(op, compute.DotOp) for op in module.walk())
        most = min(32, target.max_warps)
        yield DeclareOp("num_warps", pow2(1, most), 4, owner=self.name, doc="warps of one program")
        yield DeclareOp(
            "num_stages", integers(1, 6), 2 if dots else 1, owner=self.name, doc="depth of software pipelines"
        )
        # In the order of a config's lists: each root, which is a loop if its programs persist, before the loops in it.
        for loop in [op for op in module.walk() if isinstance(op, tile.ParallelOp | tile.ForOp)]:
            when = persistent() if isinstance(loop, tile.ParallelOp) else None
            # Only loads and products take roles, and in an inner loop: Triton 3.7 fails on persistent ones.
            roles = when is None and any(isinstance(o, compute.DotOp) for o in loop.walk())
            yield from loop_knobs(loop.label.data, target, self.name, when, specialize=roles)
        # The loops that roll-reductions may make; named by role there.
        for label, when in rolled_loops(module):
            yield from loop_knobs(label, target, self.name, when, specialize=None)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        declared = {d.sym_name.data for d in declarations(op)}
        self._require_warps(op)
        for kernel in [k for k in op.walk() if isinstance(k, tile.KernelOp)]:
            self._kernel(kernel, op, declared)

    def _require_warps(self, module: ModuleOp) -> None:
        """What Triton's pass for it takes: one or two groups of four warps, one loop, and products of tensor memory."""
        names = [
            d.sym_name.data
            for d in declarations(module)
            if d.sym_name.data.endswith(".warp_specialize") and True in d.domain.data
        ]
        least, most = target_of(module).specialized_warps
        warps = knob("num_warps")
        rules: list[tuple[Expr, str]] = []
        for name in names:
            off = Not(knob(name))
            enough = And(Le(Integer(least), warps), Le(warps, Integer(most)))
            rules.append((Or(off, enough), f"warp specialization needs {least} to {most} warps"))
            for rows in {o.lhs.type.dims[-2] for o in module.walk() if isinstance(o, compute.DotOp)}:  # pyright: ignore
                tall = Le(Integer(target_of(module).specialized_rows), physical(rows))
                if tall != 1:
                    reason = f"warp specialization needs products of at least {target_of(module).specialized_rows} rows"
                    rules.append((Or(off, tall), reason))
        if len(names) > 1:
            together: Expr = Integer(0)
            for name in names:
                together = together + knob(name)
            rules.append((Le(together, Integer(1)), "the warps of one loop only take roles"))
        for condition, reason in rules:
            made = RequireOp(expr_attr(condition), reason, owner=self.name)
            first = module.body.block.first_op
            assert first is not None
            module.body.block.insert_op_before(made, first)

    def _kernel(self, kernel: tile.KernelOp, module: ModuleOp, declared: set[str]) -> None:
        source = kernel.body.block
        types = [
            tile_type((), PointerType(a.type.element_type)) if isinstance(a.type, RefType) else a.type
            for a in source.args
        ]
        lower = Lowering(self, module, target_of(module))
        body = lower.region(source, types)
        launch = {name: expr_attr(knob(name)) for name in LAUNCH if name in declared}
        made = triton.KernelOp(kernel.sym_name.data, [a.data for a in kernel.arg_names], body, {}, launch)
        made.location = kernel.location
        for kept in ("memory", "hints"):
            if kept in kernel.properties:
                made.properties[kept] = kernel.properties[kept]
        block = kernel.parent_block()
        assert block is not None
        block.insert_op_before(made, kernel)
        kernel.detach()
        kernel.erase(safe_erase=False)


def rolled_loops(module: ModuleOp) -> Iterator[tuple[str, ExprAttr]]:
    """Labels of the loops that rolling each axis with an open schedule gives, and when they exist."""
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
            yield label + (f".{seen[label]}" if seen[label] else ""), axis.schedule


def _role(op: Operation, extent: object, store: type[Operation]) -> str | None:
    def named(value: SSAValue) -> bool:
        return isinstance(value.type, TileType) and extent in value.type.dims

    if isinstance(op, compute.ReduceOp) and named(op.operand):
        assert isinstance(op.operand.type, TileType)
        return op.kind.data if extent in [op.operand.type.dims[i] for i in op.dims] else None
    return "store" if isinstance(op, store) and any(named(v) for v in op.operands) else None
