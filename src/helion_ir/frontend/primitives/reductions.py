"""Reductions: in f32 for 16-bit floats, each rounded to its result type as PyTorch does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from xdsl.ir import SSAValue

from helion_ir.dialects.tile.compute import ReduceOp
from helion_ir.dialects.types import i64
from helion_ir.exc import InvalidReductionDim
from helion_ir.frontend.dtypes import compute_dtype
from helion_ir.frontend.primitives.registry import aten, canonical_dims, emits, prim
from helion_ir.frontend.primitives.views import reshaped
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture

Dims = int | Sequence[int] | None


def reduced_dims(x: TileTensor, dims: Sequence[int], keepdim: bool) -> list[Size]:
    """The shape after reducing `dims`."""
    return [1 if i in dims else d for i, d in enumerate(x.dims) if keepdim or i not in dims]


def reduce(
    cap: Capture,
    kind: str,
    x: TileTensor,
    dims: Dims,
    keepdim: bool = False,
    *,
    working: torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> TileTensor:
    """One `tile.reduce`.

    Args:
        dims: the dimensions, as PyTorch's `dim=`; none are all.
        working: what is accumulated; by default the operand's dtype, f32 for 16-bit floats.
        dtype: the result's; by default the operand's.
    """
    axes = canonical_dims(dims, x.ndim)
    if len(set(axes)) != len(axes):
        raise InvalidReductionDim(f"a dimension appears twice in {list(axes)}")
    dtype = dtype or x.dtype
    value = cap.cast(x.value, working or compute_dtype(x.dtype))
    kept = reduced_dims(x, axes, False)
    if axes:
        value = cap.emit(ReduceOp(kind, value, sorted(axes)))
    out = cap.tile(cap.cast(value, dtype), kept, dtype)
    return _kept(cap, out, x, axes) if keepdim else out


def _kept(cap: Capture, out: TileTensor, x: TileTensor, axes: Sequence[int]) -> TileTensor:
    """A reduction's result with extents of 1 where dimensions were reduced."""
    view = reshaped(cap, out, reduced_dims(x, axes, True))
    return cap.tile(view.value, view.dims, view.dtype)


def total_dtype(x: TileTensor, dtype: torch.dtype | None) -> torch.dtype:
    """The dtype of a sum or product: int64 for integers and bools."""
    return dtype or (x.dtype if x.dtype.is_floating_point else torch.int64)


@emits(aten.sum.dim_IntList)
def sum_(
    cap: Capture, x: TileTensor, dims: Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> TileTensor:
    dtype = total_dtype(x, dtype)
    return reduce(cap, "sum", x, dims, keepdim, working=compute_dtype(dtype), dtype=dtype)


@emits(aten.sum.default)
def sum_all(cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None) -> TileTensor:
    return sum_(cap, x, dtype=dtype)


@emits(aten.prod.dim_int)
def prod(
    cap: Capture, x: TileTensor, dim: Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> TileTensor:
    dtype = total_dtype(x, dtype)
    return reduce(cap, "prod", x, dim, keepdim, working=compute_dtype(dtype), dtype=dtype)


@emits(aten.prod.default)
def prod_all(cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None) -> TileTensor:
    return prod(cap, x, dtype=dtype)


@emits(prim("sum"))
def prims_sum(cap: Capture, x: TileTensor, dims: Dims = None, *, output_dtype: torch.dtype | None = None) -> TileTensor:
    dtype = output_dtype or x.dtype
    return reduce(cap, "sum", x, dims, working=compute_dtype(dtype), dtype=dtype)


@emits(prim("prod"))
def prims_prod(
    cap: Capture, x: TileTensor, dims: Dims = None, *, output_dtype: torch.dtype | None = None
) -> TileTensor:
    dtype = output_dtype or x.dtype
    return reduce(cap, "prod", x, dims, working=compute_dtype(dtype), dtype=dtype)


def _extremum(cap: Capture, kind: str, x: TileTensor, dims: Dims, keepdim: bool) -> TileTensor:
    if x.dtype == torch.bool:
        kind = {"max": "any", "min": "all"}[kind]
    return reduce(cap, kind, x, dims, keepdim)


@emits(aten.amax.default, prim("amax"))
def amax(cap: Capture, x: TileTensor, dims: Dims = None, keepdim: bool = False, **_: Any) -> TileTensor:
    return _extremum(cap, "max", x, dims, keepdim)


@emits(aten.amin.default, prim("amin"))
def amin(cap: Capture, x: TileTensor, dims: Dims = None, keepdim: bool = False, **_: Any) -> TileTensor:
    return _extremum(cap, "min", x, dims, keepdim)


@emits(aten.max.default)
def max_all(cap: Capture, x: TileTensor) -> TileTensor:
    return amax(cap, x)


@emits(aten.min.default)
def min_all(cap: Capture, x: TileTensor) -> TileTensor:
    return amin(cap, x)


def position(cap: Capture, kind: str, x: TileTensor, dim: int | None, keepdim: bool = False) -> TileTensor:
    """argmax or argmin: int64 positions along one dimension, or in the flattened tile."""
    if dim is None and x.ndim > 1:
        with cap:
            flat = _first(x, x.amax() if kind == "argmax" else x.amin())
        return _kept(cap, flat, x, range(x.ndim)) if keepdim else flat
    dim = 0 if dim is None else dim
    axes = canonical_dims(dim, x.ndim)
    if not axes:
        return cap.tile(cap.full(0, [], torch.int64), [], torch.int64)
    operand: SSAValue = cap.cast(x.value, torch.int32 if x.dtype == torch.bool else compute_dtype(x.dtype))
    out = cap.tile(cap.emit(ReduceOp(kind, operand, axes, i64)), reduced_dims(x, axes, False), torch.int64)
    return _kept(cap, out, x, axes) if keepdim else out


def _first(x: TileTensor, wanted: torch.Tensor) -> Any:
    """The first place in the flattened tile of what is wanted, or NaN: of a merged dimension there may be no tile."""
    place: Any = 0
    for i, extent in enumerate(x.dims):
        along = torch.arange(extent).reshape([extent if k == i else 1 for k in range(x.ndim)])  # pyright: ignore
        place = place * extent + along
    return torch.where((x == wanted) | (x != x), place, torch.iinfo(torch.int64).max).amin()


@emits(aten.argmax.default)
def argmax(cap: Capture, x: TileTensor, dim: int | None = None, keepdim: bool = False) -> TileTensor:
    return position(cap, "argmax", x, dim, keepdim)


@emits(aten.argmin.default)
def argmin(cap: Capture, x: TileTensor, dim: int | None = None, keepdim: bool = False) -> TileTensor:
    return position(cap, "argmin", x, dim, keepdim)


@emits(aten.max.dim)
def max_dim(cap: Capture, x: TileTensor, dim: int, keepdim: bool = False) -> Any:
    return torch.return_types.max((amax(cap, x, dim, keepdim), position(cap, "argmax", x, dim, keepdim)))  # pyright: ignore


@emits(aten.min.dim)
def min_dim(cap: Capture, x: TileTensor, dim: int, keepdim: bool = False) -> Any:
    return torch.return_types.min((amin(cap, x, dim, keepdim), position(cap, "argmin", x, dim, keepdim)))  # pyright: ignore


def _truth(cap: Capture, kind: str, x: TileTensor, dims: Dims, keepdim: bool) -> TileTensor:
    dtype = torch.uint8 if x.dtype == torch.uint8 else torch.bool
    if dims == [] or dims == ():
        return cap.tile(cap.cast(cap.cast(x.value, torch.bool), dtype), x.dims, dtype)
    return reduce(cap, kind, x, dims, keepdim, working=torch.bool, dtype=dtype)


@emits(aten.any.default, aten.any.dim, aten.any.dims)
def any_(cap: Capture, x: TileTensor, dims: Dims = None, keepdim: bool = False) -> TileTensor:
    return _truth(cap, "any", x, dims, keepdim)


@emits(aten.all.default, aten.all.dim, aten.all.dims)
def all_(cap: Capture, x: TileTensor, dims: Dims = None, keepdim: bool = False) -> TileTensor:
    return _truth(cap, "all", x, dims, keepdim)
