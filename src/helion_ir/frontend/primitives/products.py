"""Matrix products: every one ends in `tile.dot`, with an accumulator of its own type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from helion_ir.dialects.tile.compute import DotOp
from helion_ir.exc import BackendUnsupported, DotBatchDimensionMismatch, ShapeMismatch
from helion_ir.frontend.dtypes import result_type
from helion_ir.frontend.primitives.pointwise import apply, broadcast_shapes
from helion_ir.frontend.primitives.registry import aten, emits
from helion_ir.frontend.primitives.views import expand, numel, reshape, t, unsqueeze
from helion_ir.frontend.primitives.views import squeeze as squeezed
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture

_EIGHT_BIT_FLOATS = (torch.float8_e4m3fn, torch.float8_e5m2)


def accumulator_dtype(dtype: torch.dtype) -> torch.dtype:
    """What a product of operands of `dtype` is accumulated in: f64, i32 or f32."""
    if dtype == torch.float64:
        return dtype
    if dtype.is_floating_point:
        return torch.float32
    if dtype in (torch.int8, torch.uint8):
        return torch.int32
    raise BackendUnsupported(f"matrix products of {dtype} are not supported on tiles; convert the operands to a float")


def product_dims(cap: Capture, a: TileTensor, b: TileTensor) -> list[Size]:
    """The shape of a·b. Raises ShapeMismatch, DotBatchDimensionMismatch."""
    if a.ndim != b.ndim or a.ndim not in (2, 3):
        raise ShapeMismatch(
            f"shapes {list(a.dims)} and {list(b.dims)} cannot be multiplied: both must have rank 2, or 3"
        )
    if not cap.sizes.equal(a.dims[-1], b.dims[-2]):
        raise ShapeMismatch(
            f"shapes {list(a.dims)} and {list(b.dims)} cannot be multiplied: {a.dims[-1]} is not {b.dims[-2]}"
        )
    if not cap.same_dims(a.dims[:-2], b.dims[:-2]):
        raise DotBatchDimensionMismatch(f"batch dimensions {list(a.dims[:-2])} and {list(b.dims[:-2])} differ")
    return [*a.dims[:-1], b.dims[-1]]


def dot(
    cap: Capture, a: TileTensor, b: TileTensor, acc: TileTensor | None = None, out_dtype: torch.dtype | None = None
) -> TileTensor:
    """acc + a·b, accumulated in the accumulator's dtype; what `hl.dot` is once its arguments are checked.

    Args:
        a, b: tiles of rank 2, or 3 with equal batch extents; operands of different dtypes are promoted, except for
            8-bit floats, which the hardware mixes.
        acc: of the result's shape (broadcast if not); f32, f16, f64 or i32. Zero by default.
        out_dtype: the result's; by default the accumulator's.
    """
    dims = product_dims(cap, a, b)
    left, right = a.value, b.value
    if a.dtype != b.dtype and not (a.dtype in _EIGHT_BIT_FLOATS and b.dtype in _EIGHT_BIT_FLOATS):
        common = torch.promote_types(a.dtype, b.dtype)
        left, right = cap.cast(left, common), cap.cast(right, common)
        dtype = accumulator_dtype(common)
    else:
        dtype = accumulator_dtype(a.dtype)
    if acc is not None:
        dtype = torch.float32 if acc.dtype == torch.bfloat16 else acc.dtype
        if not cap.same_dims(broadcast_shapes(cap, [acc.dims, dims]), dims):
            raise ShapeMismatch(f"the accumulator has shape {list(acc.dims)}, the product {dims}")
    start = cap.full(0, dims, dtype) if acc is None else cap.operand(acc, dtype, dims)
    value = cap.emit(DotOp(left, right, start, cap.dot_precision))
    out_dtype = out_dtype or (dtype if acc is None else acc.dtype)
    return cap.tile(cap.cast(value, out_dtype), dims, out_dtype)


def _refuse_eight_bits(*tiles: TileTensor) -> None:
    if any(x.dtype in _EIGHT_BIT_FLOATS for x in tiles):
        raise NotImplementedError("PyTorch's matrix products do not take 8-bit floats; use hl.dot")


@emits(aten.mm.default, aten.bmm.default)
def mm(cap: Capture, a: TileTensor, b: TileTensor) -> TileTensor:
    """The result has the operands' promoted dtype; that of 8-bit integers is int32, since int8 would overflow."""
    _refuse_eight_bits(a, b)
    common = torch.promote_types(a.dtype, b.dtype)
    return dot(cap, a, b, out_dtype=common if common.is_floating_point else None)


@emits(*[p.dtype for p in (aten.mm, aten.bmm) if "dtype" in p.overloads()])
def mm_dtype(cap: Capture, a: TileTensor, b: TileTensor, out_dtype: torch.dtype) -> TileTensor:
    return dot(cap, a, b, out_dtype=out_dtype)


@emits(aten.addmm.default, aten.baddbmm.default)
def addmm(cap: Capture, acc: TileTensor, a: TileTensor, b: TileTensor, *, beta: Any = 1, alpha: Any = 1) -> TileTensor:
    """Stays one op: PyTorch's decomposition would convert 16-bit operands to the accumulator's f32 first."""
    _refuse_eight_bits(a, b)
    if alpha == 1:
        if beta == 0:
            return dot(cap, a, b, out_dtype=acc.dtype)
        if beta != 1:
            wide = torch.promote_types(acc.dtype, torch.float32)
            scaled = apply(cap, "mul", [cap.tile(cap.cast(acc.value, wide), acc.dims, wide), beta], wide)
            return dot(cap, a, b, scaled, acc.dtype)
        return dot(cap, a, b, acc)
    product = apply(cap, "mul", [dot(cap, a, b), alpha], accumulator_dtype(torch.promote_types(a.dtype, b.dtype)))
    if beta == 0:
        return cap.tile(cap.cast(product.value, acc.dtype), product.dims, acc.dtype)
    wide = torch.promote_types(acc.dtype, product.dtype)
    start = cap.tile(cap.cast(acc.value, wide), acc.dims, wide)
    out = apply(cap, "add", [start if beta == 1 else apply(cap, "mul", [start, beta], wide), product], wide)
    return cap.tile(cap.cast(out.value, acc.dtype), out.dims, acc.dtype)


@emits(aten.matmul.default)
def matmul(cap: Capture, a: TileTensor, b: TileTensor) -> TileTensor:
    """Vectors become matrices, batch dimensions broadcast and fold into one."""
    if not a.ndim or not b.ndim:
        raise ShapeMismatch("a scalar is no operand of a matrix product")
    if a.ndim == 1 and b.ndim == 1:
        return squeezed(cap, squeezed(cap, mm(cap, unsqueeze(cap, a, 0), unsqueeze(cap, b, 1)), 1), 0)
    if a.ndim == 1:
        return squeezed(cap, matmul(cap, unsqueeze(cap, a, 0), b), -2)
    if b.ndim == 1:
        return squeezed(cap, matmul(cap, a, unsqueeze(cap, b, 1)), -1)
    if a.ndim == 2 and b.ndim == 2:
        return mm(cap, a, b)
    if b.ndim == 2:
        rows = reshape(cap, a, [numel(a.dims[:-1]), a.dims[-1]])
        return reshape(cap, mm(cap, rows, b), [*a.dims[:-1], b.dims[-1]])
    batch = broadcast_shapes(cap, [a.dims[:-2], b.dims[:-2]])
    if len(batch) == 1:
        return mm(cap, expand(cap, a, [*batch, *a.dims[-2:]]), expand(cap, b, [*batch, *b.dims[-2:]]))
    folded = [reshape(cap, expand(cap, x, [*batch, *x.dims[-2:]]), [numel(batch), *x.dims[-2:]]) for x in (a, b)]
    return reshape(cap, mm(cap, *folded), [*batch, a.dims[-2], b.dims[-1]])


@emits(aten.linear.default)
def linear(cap: Capture, x: TileTensor, weight: TileTensor, bias: TileTensor | None = None) -> TileTensor:
    out = matmul(cap, x, t(cap, weight))
    return out if bias is None else apply(cap, "add", [out, bias], result_type([out, bias]))
