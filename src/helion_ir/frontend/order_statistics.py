"""Operators about the order of elements, written with sorts and comparisons: medians, ranks, searches."""

from __future__ import annotations

from typing import Any

import torch

from helion_ir.exc import BackendUnsupported
from helion_ir.frontend.decompositions import decomposes
from helion_ir.frontend.primitives.registry import aten, canonical
from helion_ir.frontend.tile_tensor import TileTensor


def _whole(x: TileTensor, dim: int, name: str) -> int:
    """The extent of a whole axis, whose elements can be counted."""
    extent = x.dims[dim]
    if not isinstance(extent, int):
        raise BackendUnsupported(f"torch.{name} along a tiled dimension ({extent}) is not supported; load a whole axis")
    return extent


def _ranked(x: TileTensor, rank: int, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """The element of a rank along a dimension, and where it is; NaN is the largest."""
    last: Any = x.movedim(dim, -1)
    values, indices = torch.sort(last, dim=-1, stable=True)
    pair = values[..., rank], indices[..., rank]
    return tuple(p.unsqueeze(dim) for p in pair) if keepdim else pair  # pyright: ignore


@decomposes(aten.kthvalue.default)
def kthvalue(x: TileTensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    dim = canonical(dim, x.ndim)
    extent = _whole(x, dim, "kthvalue")
    if not 1 <= k <= extent:
        raise RuntimeError(f"kthvalue(): k = {k} is not from 1 to {extent}, the elements along dimension {dim}")
    return _ranked(x, k - 1, dim, keepdim)


@decomposes(aten.median.dim)
def median(x: TileTensor, dim: int, keepdim: bool = False) -> Any:
    """The lower one of two; NaN, and where the first is, if there is any."""
    dim = canonical(dim, x.ndim)
    extent = _whole(x, dim, "median")
    value, index = _ranked(x, (extent - 1) // 2, dim, keepdim)
    if not x.dtype.is_floating_point:
        return value, index
    missing: Any = torch.isnan(x)
    found = missing.any(dim, keepdim=keepdim)
    first = missing.to(torch.int32).argmax(dim, keepdim=keepdim)
    return torch.where(found, float("nan"), value).to(x.dtype), torch.where(found, first, index)


@decomposes(aten.median.default)
def median_all(x: TileTensor) -> Any:
    return torch.median(x.reshape([-1]), 0).values


@decomposes(aten.searchsorted.Tensor)
def searchsorted(
    boundaries: TileTensor,
    x: TileTensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: Any = None,
    sorter: Any = None,
) -> Any:
    """How many boundaries lie below each element; at most as many as there are."""
    if sorter is not None:
        raise BackendUnsupported("torch.searchsorted with a sorter is not supported")
    edges: Any = boundaries if boundaries.ndim == 1 else boundaries.unsqueeze(-2)
    element: Any = x.unsqueeze(-1)  # pyright: ignore
    below = edges <= element if right or side == "right" else edges < element
    # A NaN is after everything.
    below = below | torch.isnan(element) if x.dtype.is_floating_point else below
    return below.sum(-1).to(torch.int32 if out_int32 else torch.int64)


@decomposes(aten.bucketize.Tensor)
def bucketize(x: TileTensor, boundaries: TileTensor, *, out_int32: bool = False, right: bool = False) -> Any:
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


@decomposes(aten.isin.Tensor_Tensor)
def isin(x: Any, among: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element is among some."""
    found = (x.unsqueeze(-1) == among.reshape([-1])).any(-1)
    return ~found if invert else found


@decomposes(aten.nanmedian.dim)
def nanmedian(x: TileTensor, dim: int, keepdim: bool = False) -> Any:
    """The lower one of two of those that are no NaN; NaN where all are."""
    dim = canonical(dim, x.ndim)
    _whole(x, dim, "nanmedian")
    last: Any = x.movedim(dim, -1)
    values, indices = torch.sort(last, dim=-1, stable=True)
    count = torch.isnan(last).logical_not().sum(-1, keepdim=True)
    rank = torch.clamp(torch.div(count - 1, 2, rounding_mode="floor"), min=0)
    pair = values.gather(-1, rank), indices.gather(-1, rank)
    return tuple(p.movedim(-1, dim) if keepdim else p.squeeze(-1) for p in pair)


@decomposes(aten.nanmedian.default)
def nanmedian_all(x: TileTensor) -> Any:
    return torch.nanmedian(x.reshape([-1]), 0).values


@decomposes(aten.bucketize.Scalar)
def bucketize_number(value: Any, boundaries: TileTensor, *, out_int32: bool = False, right: bool = False) -> Any:
    """How many boundaries lie below a number."""
    below: Any = boundaries <= value if right else boundaries < value
    return below.sum().to(torch.int32 if out_int32 else torch.int64)


@decomposes(aten.isin.Scalar_Tensor)
def isin_number(element: Any, test_elements: TileTensor, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether a number is among the elements."""
    found: Any = (test_elements == element).any()  # pyright: ignore
    return torch.logical_not(found) if invert else found
