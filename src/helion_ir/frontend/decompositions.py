"""Operators written with other operators: ours where PyTorch's version loses extents, and PyTorch's table."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from helion_ir.exc import BackendUnsupported, UnsupportedIndexRemapping
from helion_ir.frontend.dtypes import compute_dtype
from helion_ir.frontend.primitives.registry import aten, canonical_dims, prims
from helion_ir.frontend.primitives.views import numel
from helion_ir.frontend.tile_tensor import TileTensor

OWN: dict[Any, Callable[..., Any]] = {}
"""Tried before PyTorch's; they run under the Capture and call PyTorch like an author would."""


def decomposes(*operators: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a decomposition of these operators."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        OWN.update(dict.fromkeys(operators, function))
        return function

    return register


@functools.cache
def decomposition_table() -> dict[Any, Callable[..., Any]]:
    """PyTorch's decompositions, references included."""
    from torch._decomp import decomposition_table as table

    return table


def _wide(x: TileTensor) -> TileTensor:
    return x.to(compute_dtype(x.dtype))  # pyright: ignore


def _count(x: TileTensor, dims: Sequence[int], keepdim: bool) -> Any:
    """How many elements are reduced: a number for whole axes; a sum of ones, which masks apply to, for tiles."""
    extents = [x.dims[d] for d in dims]
    if all(isinstance(e, int) for e in extents):
        return numel(extents)
    return torch.ones(x.dims, dtype=compute_dtype(x.dtype)).sum(list(dims), keepdim=keepdim)  # pyright: ignore


@decomposes(aten.mean.dim)
def mean(x: TileTensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """Sum over count, the count being the logical extent: of a partial tile, its active lanes."""
    out = dtype or x.dtype
    if not out.is_floating_point:
        raise RuntimeError(f"mean(): the result would have dtype {out}; pass a floating dtype")
    dims = canonical_dims(dim, x.ndim)
    working = compute_dtype(out)
    wide = x.to(working)
    return (wide.sum(dims, keepdim=keepdim) / _count(wide, dims, keepdim)).to(out)  # pyright: ignore


@decomposes(aten.mean.default)
def mean_all(x: TileTensor, *, dtype: torch.dtype | None = None) -> Any:
    return mean(x, dtype=dtype)


@decomposes(aten.var.correction)
def var(x: TileTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    """Two passes, written with sums so that inactive lanes can be masked out of them."""
    correction = 1 if correction is None else correction
    dims = canonical_dims(dim, x.ndim)
    wide = _wide(x)
    centred = wide - wide.sum(dims, keepdim=True) / _count(wide, dims, True)
    squares = (centred * centred).sum(dims, keepdim=keepdim)
    return (squares / (_count(wide, dims, keepdim) - correction)).to(x.dtype)


@decomposes(aten.var_mean.correction)
def var_mean(x: TileTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    return var(x, dim, correction=correction, keepdim=keepdim), mean(x, dim, keepdim)


@decomposes(prims.var.default)
def prims_var(x: TileTensor, dims: Any, correction: Any = 1, *, output_dtype: torch.dtype | None = None) -> Any:
    out = var(x, dims, correction=correction)
    return out if output_dtype is None else out.to(output_dtype)


@decomposes(aten.std.correction)
def std(x: TileTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    return var(_wide(x), dim, correction=correction, keepdim=keepdim).sqrt().to(x.dtype)


@decomposes(aten.std_mean.correction)
def std_mean(x: TileTensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    return std(x, dim, correction=correction, keepdim=keepdim), mean(x, dim, keepdim)


@decomposes(aten.roll.default)
def roll(x: TileTensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
    """Two slices exchanged; only along a whole axis, since a partial tile would roll its inactive lanes in."""
    if not dims:
        return roll(x.flatten(), shifts, [0]).reshape(x.dims)  # pyright: ignore
    out: Any = x
    for shift, dim in zip(shifts, canonical_dims(list(dims), x.ndim)):
        extent = x.dims[dim]
        if not isinstance(extent, int):
            raise UnsupportedIndexRemapping(
                f"torch.roll along a tiled dimension ({extent}) is not supported; roll a whole axis"
            )
        if extent and (start := -shift % extent):
            head, tail = out.split([start, extent - start], dim)
            out = torch.cat([tail, head], dim)
    return out.clone() if out is x else out


@decomposes(aten.one_hot.default)
def one_hot(index: TileTensor, num_classes: int = -1) -> Any:
    if num_classes < 0:
        raise BackendUnsupported("F.one_hot in a kernel needs num_classes")
    return (index.unsqueeze(-1) == torch.arange(num_classes)).to(torch.int64)


@decomposes(aten.__lshift__.Scalar, aten.__lshift__.Tensor)
def left_shift(x: Any, by: Any) -> Any:
    """`x << by`, which PyTorch has under a name of its own."""
    return torch.bitwise_left_shift(x, by)


@decomposes(aten.__rshift__.Scalar, aten.__rshift__.Tensor)
def right_shift(x: Any, by: Any) -> Any:
    """`x >> by`, keeping the sign."""
    return torch.bitwise_right_shift(x, by)


@decomposes(aten.angle.default)
def angle(x: Any) -> Any:
    """0 or pi; NaN of NaN."""
    real = x if x.dtype.is_floating_point else x.to(torch.float32)
    return torch.where(real < 0, math.pi, torch.where(torch.isnan(real), real, 0.0)).to(real.dtype)


@decomposes(aten.constant_pad_nd.default)
def constant_pad_nd(x: TileTensor, pad: Sequence[int], value: Any = 0) -> Any:
    """Whole axes made longer by what is put beside them, or shorter by a slice."""
    out: Any = x
    for i in range(0, len(pad), 2):
        dim = x.ndim - 1 - i // 2
        before, after = pad[i], pad[i + 1]
        if not before and not after:
            continue
        if not isinstance(out.dims[dim], int):
            raise BackendUnsupported(
                f"F.pad along a tiled dimension ({out.dims[dim]}) is not supported; load with extra_mask, which gives 0"
            )
        out = out.narrow(dim, max(-before, 0), out.dims[dim] - max(-before, 0) - max(-after, 0))

        def beside(count: int, like: Any = out, dim: int = dim) -> Any:
            return torch.full([count if d == dim else n for d, n in enumerate(like.dims)], value, dtype=x.dtype)

        parts = [beside(before)] if before > 0 else []
        parts += [out, beside(after)] if after > 0 else [out]
        out = torch.cat(parts, dim) if len(parts) > 1 else out
    return out.clone() if out is x else out
