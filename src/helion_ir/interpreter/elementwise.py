"""Elementwise ops of the tile dialect, as PyTorch computes them in the element type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from xdsl.ir import SSAValue

from helion_ir.dialects.tile import elementwise as ops
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import as_tensor, dtype_of

UNSIGNED = {torch.uint16, torch.uint32, torch.uint64}
"""Types that PyTorch stores but does not compute in. Arithmetic is done in int64: of uint64, division, shifts to the
right and comparisons are right below 2**63 only."""


def lifted(function: Callable[..., Any], operands: Sequence[SSAValue], scope: Scope) -> Function:
    """`function` of tensors, for operands that may be Python numbers where their type is a scalar."""
    types = [o.type for o in operands]
    if all(isinstance(t, TileType) and t.rank for t in types):
        return function
    dtypes = [dtype_of(t.element_type) for t in types]  # pyright: ignore
    device = scope.device
    if len(dtypes) == 1:
        (only,) = dtypes
        return lambda x: function(as_tensor(x, only, device))
    return lambda *values: function(*[as_tensor(v, d, device) for v, d in zip(values, dtypes)])


def widened(function: Callable[..., torch.Tensor], dtype: torch.dtype, tensors: int | None = None) -> Function:
    """`function` for a type that PyTorch has no arithmetic for: its arguments (or the first `tensors` of them) go
    through int64 and its result comes back, unless it is a bool."""
    if dtype not in UNSIGNED:
        return function

    def wide(*values: Any) -> torch.Tensor:
        count = len(values) if tensors is None else tensors
        out = function(*[_to_int64(v) for v in values[:count]], *values[count:])
        return out if out.dtype == torch.bool else out.to(dtype)

    return wide


def _to_int64(x: torch.Tensor) -> torch.Tensor:
    return x.view(torch.int64) if x.dtype == torch.uint64 else x.to(torch.int64)


def _safe_divisor(b: torch.Tensor) -> torch.Tensor:
    # Dividing by 0 raises, and the least integer divided by -1 traps; neither does on a device.
    return torch.where((b == 0) | (b == -1), 1, b) if b.dtype.is_signed else torch.where(b == 0, 1, b)


def divide(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a / b; of integers rounded toward zero, and a where b is 0."""
    if a.dtype.is_floating_point:
        return torch.div(a, b)
    quotient = torch.div(a, _safe_divisor(b), rounding_mode="trunc")
    return torch.where(b == -1, -a, quotient) if a.dtype.is_signed else quotient


def _of_safe_divisor(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def safe(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return function(a, b if a.dtype.is_floating_point else _safe_divisor(b))

    return safe


def _exact_fmod(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """In f64, which holds every remainder of f32: PyTorch's own gives NaN where a quotient of many elements overflows."""
    if torch.float64 in (a.dtype, b.dtype) or not a.dtype.is_floating_point:
        return torch.fmod(a, b)
    return torch.fmod(a.double(), b.double()).to(torch.result_type(a, b))


fmod = _of_safe_divisor(_exact_fmod)
remainder = _of_safe_divisor(torch.remainder)


UNARY: dict[type[ops.ElementwiseOp], Callable[..., torch.Tensor]] = {
    ops.AbsOp: torch.abs,
    ops.AcosOp: torch.acos,
    ops.AcoshOp: torch.acosh,
    ops.AsinOp: torch.asin,
    ops.AsinhOp: torch.asinh,
    ops.AtanOp: torch.atan,
    ops.AtanhOp: torch.atanh,
    ops.BitwiseNotOp: torch.bitwise_not,
    ops.CeilOp: torch.ceil,
    ops.CosOp: torch.cos,
    ops.CoshOp: torch.cosh,
    ops.DigammaOp: torch.digamma,
    ops.ErfOp: torch.erf,
    ops.ErfcOp: torch.erfc,
    ops.ErfinvOp: torch.erfinv,
    ops.ExpOp: torch.exp,
    ops.Exp2Op: torch.exp2,
    ops.Expm1Op: torch.expm1,
    ops.FloorOp: torch.floor,
    ops.I0Op: torch.i0,
    ops.I1Op: torch.special.i1,
    ops.LgammaOp: torch.lgamma,
    ops.LogOp: torch.log,
    ops.Log10Op: torch.log10,
    ops.Log1pOp: torch.log1p,
    ops.Log2Op: torch.log2,
    ops.NegOp: torch.neg,
    ops.ReciprocalOp: torch.reciprocal,
    ops.RoundOp: torch.round,
    ops.RsqrtOp: torch.rsqrt,
    ops.SignOp: torch.sign,
    ops.SignbitOp: torch.signbit,
    ops.SinOp: torch.sin,
    ops.SinhOp: torch.sinh,
    ops.SqrtOp: torch.sqrt,
    ops.TanOp: torch.tan,
    ops.TanhOp: torch.tanh,
    ops.TruncOp: torch.trunc,
}

BINARY: dict[type[ops.ElementwiseOp], Callable[..., torch.Tensor]] = {
    ops.AddOp: torch.add,
    ops.Atan2Op: torch.atan2,
    ops.BitwiseAndOp: torch.bitwise_and,
    ops.BitwiseOrOp: torch.bitwise_or,
    ops.BitwiseXorOp: torch.bitwise_xor,
    ops.CopysignOp: torch.copysign,
    ops.DivOp: divide,
    ops.FmaxOp: torch.fmax,
    ops.FminOp: torch.fmin,
    ops.FmodOp: fmod,
    ops.GcdOp: torch.gcd,
    ops.HypotOp: torch.hypot,
    ops.MaximumOp: torch.maximum,
    ops.MinimumOp: torch.minimum,
    ops.MulOp: torch.mul,
    ops.NextafterOp: torch.nextafter,
    ops.PowOp: torch.pow,
    ops.RemainderOp: remainder,
    ops.ShiftLeftOp: torch.bitwise_left_shift,
    ops.ShiftRightOp: torch.bitwise_right_shift,
    ops.SubOp: torch.sub,
}

COMPARISONS: dict[str, Callable[..., torch.Tensor]] = {
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
}


def _element(value: SSAValue) -> torch.dtype:
    assert isinstance(value.type, TileType)
    return dtype_of(value.type.element_type)


@implements(*UNARY)
def unary(op: ops.UnaryOp, scope: Scope) -> Function:
    return lifted(widened(UNARY[type(op)], _element(op.operand)), op.operands, scope)


@implements(*BINARY)
def binary(op: ops.BinaryOp, scope: Scope) -> Function:
    return lifted(widened(BINARY[type(op)], _element(op.lhs)), op.operands, scope)


@implements(ops.CompareOp)
def compare(op: ops.CompareOp, scope: Scope) -> Function:
    return lifted(widened(COMPARISONS[op.predicate.data], _element(op.lhs)), op.operands, scope)


@implements(ops.WhereOp)
def where(op: ops.WhereOp, scope: Scope) -> Function:
    return lifted(torch.where, op.operands, scope)


@implements(ops.CastOp)
def cast(op: ops.CastOp, scope: Scope) -> Function:
    dtype = _element(op.result)
    return lifted(lambda x: x.to(dtype), op.operands, scope)


@implements(ops.BitcastOp)
def bitcast(op: ops.BitcastOp, scope: Scope) -> Function:
    dtype = _element(op.result)
    return lifted(lambda x: x.view(dtype), op.operands, scope)
