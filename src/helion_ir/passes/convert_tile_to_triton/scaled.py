"""Products of microscaled operands, which Triton's compilers decompose where the hardware has none."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from helion_ir.dialects.tile.scaled import DotScaledOp
from helion_ir.dialects.triton import scaled as triton
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers


@lowers(DotScaledOp)
def dot_scaled(lower: Lowering, op: DotScaledOp) -> Sequence[SSAValue]:
    from helion_ir.exc import BackendUnsupported

    if not lower.target.backend:
        raise BackendUnsupported("hl.dot_scaled in Triton's interpreter, which has no tl.dot_scaled")
    lhs, lhs_scale, rhs, rhs_scale, acc = (lower.get(v) for v in op.operands)
    made = triton.DotScaledOp(lhs, lhs_scale, op.lhs_format.data, rhs, rhs_scale, op.rhs_format.data, acc)
    return (lower.add(made),)
