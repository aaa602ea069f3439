"""relax-precision: functions of which nobody reads the last bits may be approximated."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import TileType, bf16, f8e4m3, f8e5m2, f16, f32, is_float
from helion_ir.passes.base import Pass, kernels

NARROW = (bf16, f16, f8e4m3, f8e5m2)

FAST_MATH = "helion_ir.fast_math"
"""The module's attribute that lets every function be approximated, whoever reads its result."""

RELATIVE = (
    elementwise.MulOp, elementwise.DivOp, elementwise.NegOp, elementwise.AbsOp, elementwise.SqrtOp, elementwise.RsqrtOp,
    elementwise.ReciprocalOp, elementwise.MaximumOp, elementwise.MinimumOp, compute.ViewOp, compute.CatOp,
    compute.FillOp,
)  # fmt: skip
"""Ops whose result is about as far off, relative to its size, as their operands are."""

SAME_SIGN = (
    elementwise.AddOp, elementwise.MulOp, elementwise.DivOp, elementwise.SqrtOp, elementwise.RsqrtOp,
    elementwise.ReciprocalOp, elementwise.MaximumOp, elementwise.MinimumOp, compute.ViewOp, compute.CatOp,
    elementwise.CastOp,
)  # fmt: skip
"""Ops that make nothing negative of operands that are not."""


@dataclass(frozen=True)
class RelaxPrecision(Pass):
    """Mark the functions that are rounded to fewer bits wherever they are used: these may be approximations.

    ```mlir
    %q = tile.div %a, %b : !tile.tile<[@m], f32>
    %r = tile.cast %q : !tile.tile<[@m], f32> -> !tile.tile<[@m], bf16>
    // becomes
    %q = tile.div %a, %b {approximate} : !tile.tile<[@m], f32>
    ```

    An approximation is off by a few units in the last place of f32, at most 64 (an exponential whose argument is near
    the end of its range); one unit of f16 is 8192 of those, of bf16 65536. Errors are followed backwards from where a
    value is rounded, through ops that keep them in proportion: products, quotients, roots, extrema, views, and sums of
    what is not negative. Any other use, such as a store in f32, a difference or another function, asks for every bit,
    and so does what a loop carries, where errors may grow; unless the author said `fast_math=True`. Does not handle: f64.
    Runs on the tile module, after canonicalize and dce, so that only uses that matter count.
    """

    name = "relax-precision"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        everywhere = FAST_MATH in op.attributes
        for kernel in kernels(op, control.KernelOp):
            positive = _not_negative(kernel)
            exact: set[SSAValue] = set()
            for inner in kernel.walk(reverse=True):
                exact.update(_asked_exactly(inner, exact, positive))
            for inner in kernel.walk():
                if (
                    isinstance(inner, elementwise.ApproximableOp)
                    and _is_single(inner)
                    and (everywhere or inner.results[0] not in exact)
                ):
                    inner.properties["approximate"] = UnitAttr()


def _is_single(op: elementwise.ApproximableOp) -> bool:
    type_ = op.results[0].type
    return isinstance(type_, TileType) and type_.element_type == f32


def _asked_exactly(op: Operation, exact: set[SSAValue], positive: set[SSAValue]) -> list[SSAValue]:
    """The operands of which an op needs every bit, given which of its results somebody needs so."""
    wanted = any(r in exact for r in op.results)
    if isinstance(op, elementwise.CastOp):
        target = op.result.type
        assert isinstance(target, TileType)
        rounds = target.element_type in NARROW
        return [] if rounds or (is_float(target.element_type) and not wanted) else [op.operand]
    if isinstance(op, elementwise.WhereOp):
        return [op.condition, *((op.lhs, op.rhs) if wanted else ())]
    proportional = isinstance(op, RELATIVE)
    if isinstance(op, elementwise.AddOp) or (isinstance(op, compute.ReduceOp) and op.kind.data == "sum"):
        proportional = all(o in positive for o in op.operands)
    if isinstance(op, compute.ReduceOp) and op.kind.data in ("max", "min"):
        proportional = True
    return [] if proportional and not wanted else list(op.operands)


def _not_negative(kernel: control.KernelOp) -> set[SSAValue]:
    """Values of which no element is negative, NaN aside."""
    found: set[SSAValue] = set()
    for op in kernel.walk():
        if isinstance(op, elementwise.ExpOp | elementwise.Exp2Op | elementwise.AbsOp):
            known = True
        elif isinstance(op, compute.FullOp):
            known = op.value.data >= 0
        elif isinstance(op, elementwise.WhereOp):
            known = op.lhs in found and op.rhs in found
        elif isinstance(op, compute.ReduceOp):
            known = op.kind.data in ("sum", "max", "min", "prod") and op.operand in found
        elif isinstance(op, elementwise.MulOp) and op.lhs is op.rhs:
            known = True
        elif isinstance(op, elementwise.MaximumOp):
            known = op.lhs in found or op.rhs in found
        else:
            known = isinstance(op, SAME_SIGN) and all(o in found for o in op.operands)
        if known:
            found.update(op.results)
    return found
