"""Source and assembly of the author's, and output for debugging."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from helion_ir.dialects.tile import inline as tile
from helion_ir.dialects.triton import inline as triton
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers


@lowers(tile.InlineTritonOp)
def inline_triton(lower: Lowering, op: tile.InlineTritonOp) -> Sequence[SSAValue]:
    made = triton.InlineOp(op.source.data, [lower.get(a) for a in op.arguments], [lower.type(r.type) for r in op.res])
    lower.add(made)
    return list(made.results)


@lowers(tile.TritonCallOp)
def triton_call(lower: Lowering, op: tile.TritonCallOp) -> Sequence[SSAValue]:
    arguments, types = [lower.get(a) for a in op.arguments], [lower.type(r.type) for r in op.res]
    made = triton.FunctionOp(op.function.data, [s.data for s in op.source], arguments, types)
    lower.add(made)
    return list(made.results)


@lowers(tile.InlineAssemblyOp)
def inline_assembly(lower: Lowering, op: tile.InlineAssemblyOp) -> Sequence[SSAValue]:
    made = triton.AssemblyOp(
        op.text.data, op.constraints.data, [lower.get(a) for a in op.arguments], [lower.type(r.type) for r in op.res],
        pack=op.pack.value.data, pure=bool(op.pure.value.data),
    )  # fmt: skip
    lower.add(made)
    return list(made.results)


@lowers(tile.PrintOp)
def print_(lower: Lowering, op: tile.PrintOp) -> Sequence[SSAValue]:
    lower.add(triton.PrintOp(op.prefix.data, [lower.get(a) for a in op.arguments]))
    return ()


@lowers(tile.BreakpointOp)
def breakpoint_(lower: Lowering, op: tile.BreakpointOp) -> Sequence[SSAValue]:
    from helion_ir.exc import BreakpointInDeviceLoopRequiresInterpret

    if lower.target.backend:
        raise BreakpointInDeviceLoopRequiresInterpret()
    lower.add(triton.BreakpointOp())
    return ()
