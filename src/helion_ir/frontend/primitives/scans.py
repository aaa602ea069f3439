"""Scans, sorting, and picking elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from xdsl.ir import Block, Region

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.tile.compute import CustomScanOp, GatherOp, IotaOp, ScanOp, SortOp
from helion_ir.dialects.tile.control import YieldOp
from helion_ir.dialects.types import tile_type
from helion_ir.exc import ShapeMismatch
from helion_ir.frontend.dtypes import compute_dtype, element_of
from helion_ir.frontend.primitives.pointwise import broadcast_shapes
from helion_ir.frontend.primitives.reductions import total_dtype
from helion_ir.frontend.primitives.registry import aten, canonical, emits
from helion_ir.frontend.primitives.views import clone, part, permute, reshaped
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture


def scan(
    cap: Capture, kind: str, x: TileTensor, dim: int, dtype: torch.dtype | None = None, *, reverse: bool = False
) -> TileTensor:
    """An inclusive scan of kind sum, prod, max or min; hl.cumsum and hl.cumprod are this too.

    `dtype` is the result's: by default the operand's for max and min, and int64 in place of integers for the others.
    """
    dtype = dtype or (x.dtype if kind in ("max", "min") else total_dtype(x, None))
    if not x.ndim:
        return cap.tile(cap.cast(x.value, dtype), [], dtype)
    operand = cap.cast(x.value, compute_dtype(dtype))
    value = cap.emit(ScanOp(kind, operand, canonical(dim, x.ndim), reverse))
    return cap.tile(cap.cast(value, dtype), x.dims, dtype)


@emits(aten.cumsum.default)
def cumsum(cap: Capture, x: TileTensor, dim: int, *, dtype: torch.dtype | None = None) -> TileTensor:
    return scan(cap, "sum", x, dim, dtype)


@emits(aten.cumprod.default)
def cumprod(cap: Capture, x: TileTensor, dim: int, *, dtype: torch.dtype | None = None) -> TileTensor:
    return scan(cap, "prod", x, dim, dtype)


def combined_scan(
    cap: Capture, tiles: Sequence[TileTensor], dim: int, combine: Any, reverse: bool = False
) -> list[TileTensor]:
    """A scan by `combine(lefts, rights) -> results`, lists of scalar tiles, traced into the op's region."""
    types = [tile_type((), element_of(t.dtype)) for t in tiles]
    body = Block(arg_types=[*types, *types])
    outside, cap.block = cap.block, body
    try:
        scalars = [cap.tile(a, [], t.dtype) for a, t in zip(body.args, [*tiles, *tiles])]
        with cap:
            results = combine(scalars[: len(tiles)], scalars[len(tiles) :])
        cap.add(YieldOp(*[cap.cast(r.value, t.dtype) for r, t in zip(results, tiles)]))
    finally:
        cap.block = outside
    op = cap.add(CustomScanOp([t.value for t in tiles], canonical(dim, tiles[0].ndim), reverse, Region(body)))
    return [cap.tile(r, t.dims, t.dtype) for r, t in zip(op.results, tiles)]


def positions(cap: Capture, x: TileTensor, dim: int) -> TileTensor:
    """The int64 position of each element along `dim`."""
    extent = x.dims[dim]
    row = cap.emit(IotaOp(expr_attr(0), expr_attr(1), cap.type_of([extent], torch.int64)))
    line = reshaped(cap, cap.tile(row, [extent], torch.int64), [extent, *[1] * (x.ndim - dim - 1)])
    return cap.tile(cap.broadcast(line.value, x.dims), x.dims, torch.int64)


def _running_extremum(cap: Capture, x: TileTensor, dim: int, better: Any) -> tuple[TileTensor, TileTensor]:
    """cummax and cummin: the last position among equals; NaN wins from where it stands."""
    if not x.ndim:
        return clone(cap, x), cap.tile(cap.full(0, [], torch.int64), [], torch.int64)
    dim = canonical(dim, x.ndim)
    wide = cap.tile(cap.cast(x.value, compute_dtype(x.dtype)), x.dims, compute_dtype(x.dtype))

    def combine(left: list[TileTensor], right: list[TileTensor]) -> list[torch.Tensor]:
        (a, i), (b, j) = left, right
        take = better(b, a)
        if a.dtype.is_floating_point:
            take = take | (b != b)
            take = take & ((a == a) | (b != b))
        return [torch.where(take, b, a), torch.where(take, j, i)]

    values, indices = combined_scan(cap, [wide, positions(cap, x, dim)], dim, combine)
    return cap.tile(cap.cast(values.value, x.dtype), x.dims, x.dtype), indices


@emits(aten.cummax.default)
def cummax(cap: Capture, x: TileTensor, dim: int) -> tuple[TileTensor, TileTensor]:
    return _running_extremum(cap, x, dim, torch.ge)


@emits(aten.cummin.default)
def cummin(cap: Capture, x: TileTensor, dim: int) -> tuple[TileTensor, TileTensor]:
    return _running_extremum(cap, x, dim, torch.le)


@emits(aten.logcumsumexp.default)
def logcumsumexp(cap: Capture, x: TileTensor, dim: int) -> TileTensor:
    if not x.ndim:
        return clone(cap, x)
    dtype = compute_dtype(x.dtype)
    wide = cap.tile(cap.cast(x.value, dtype), x.dims, dtype)
    (out,) = combined_scan(cap, [wide], dim, lambda left, right: [torch.logaddexp(left[0], right[0])])
    return cap.tile(cap.cast(out.value, x.dtype), x.dims, x.dtype)


def _last(x: TileTensor, dim: int) -> list[int]:
    """The permutation that exchanges `dim` and the last dimension; its own inverse."""
    order = list(range(x.ndim))
    order[dim], order[-1] = order[-1], order[dim]
    return order


@emits(aten.sort.default)
def sort(cap: Capture, x: TileTensor, dim: int = -1, descending: bool = False) -> tuple[TileTensor, TileTensor]:
    """Values and int64 positions. `tile.sort` works on the last dimension and is stable."""
    if not x.ndim:
        return clone(cap, x), cap.tile(cap.full(0, [], torch.int64), [], torch.int64)
    order = _last(x, canonical(dim, x.ndim))
    turned = permute(cap, x, order)
    op = cap.add(SortOp(turned.value, descending))
    values = permute(cap, cap.tile(op.results[0], turned.dims, x.dtype), order)
    indices = permute(cap, cap.tile(op.results[1], turned.dims, torch.int64), order)
    return clone(cap, values), clone(cap, indices)


@emits(aten.sort.stable)
def sort_stable(
    cap: Capture, x: TileTensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[TileTensor, TileTensor]:
    return sort(cap, x, dim, descending)


@emits(aten.argsort.default)
def argsort(cap: Capture, x: TileTensor, dim: int = -1, descending: bool = False) -> TileTensor:
    return sort(cap, x, dim, descending)[1]


@emits(aten.topk.default)
def topk(
    cap: Capture, x: TileTensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[TileTensor, TileTensor]:
    dim = canonical(dim, x.ndim)
    if cap.sizes.at_most(x.dims[dim] + 1, k):
        raise ShapeMismatch(f"the {k} largest of {x.dims[dim]} elements")
    values, indices = sort(cap, x, dim, largest)
    return tuple(clone(cap, part(cap, t, dim, 0, k)) for t in (values, indices))  # pyright: ignore


@emits(aten.gather.default)
def gather(cap: Capture, x: TileTensor, dim: int, index: TileTensor, *, sparse_grad: bool = False) -> TileTensor:
    if not x.ndim:
        return cap.tile(cap.broadcast(x.value, index.dims), index.dims, x.dtype)
    value = cap.emit(GatherOp(x.value, index.value, canonical(dim, x.ndim)))
    return cap.tile(value, index.dims, x.dtype)


@emits(aten.take_along_dim.default)
def take_along_dim(cap: Capture, x: TileTensor, index: TileTensor, dim: int | None = None) -> TileTensor:
    if dim is None or x.ndim != index.ndim:
        raise ShapeMismatch("take_along_dim on tiles needs a dimension, and an index of the tile's rank")
    dim = canonical(dim, x.ndim)
    shape = broadcast_shapes(cap, [[*t.dims[:dim], 1, *t.dims[dim + 1 :]] for t in (x, index)])
    spread = [
        cap.tile(cap.broadcast(t.value, dims), dims, t.dtype)
        for t in (x, index)
        for dims in [[*shape[:dim], t.dims[dim], *shape[dim + 1 :]]]
    ]
    return gather(cap, spread[0], dim, spread[1])


@emits(aten.index_select.default)
def index_select(cap: Capture, x: TileTensor, dim: int, index: TileTensor) -> TileTensor:
    """The rows that a one-dimensional index names."""
    if index.ndim != 1 or not x.ndim:
        raise ShapeMismatch("index_select needs an index of rank 1")
    dim = canonical(dim, x.ndim)
    dims = [*x.dims[:dim], index.dims[0], *x.dims[dim + 1 :]]
    line = reshaped(cap, index, [index.dims[0], *[1] * (x.ndim - dim - 1)])
    return gather(cap, x, dim, cap.tile(cap.broadcast(line.value, dims), dims, index.dtype))
