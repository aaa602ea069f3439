"""Views: the same elements in another shape or order, and parts of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.tile.compute import BroadcastOp, CatOp, FlipOp, PermuteOp, ReshapeOp, SliceOp
from helion_ir.dialects.tile.elementwise import BitcastOp
from helion_ir.dialects.types import bit_width
from helion_ir.exc import BackendUnsupported, InvalidSliceStep, ShapeMismatch, UnsupportedSplitConfiguration
from helion_ir.frontend.dtypes import element_of
from helion_ir.frontend.primitives.registry import EMITTERS, aten, canonical, canonical_dims, emits, prim
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture


def numel(dims: Sequence[Size]) -> Size:
    """The product of extents."""
    out: Size = 1
    for d in dims:
        out = d * out
    return out


def alias(cap: Capture, x: TileTensor) -> TileTensor:
    """The same elements under another Python object."""
    return cap.tile(x.value, x.dims, x.dtype, base=x)


def reshaped(cap: Capture, x: TileTensor, dims: list[Size]) -> TileTensor:
    """A view of the same number of elements, which the caller has checked."""
    if cap.same_dims(x.dims, dims):
        return alias(cap, x)
    return cap.tile(cap.emit(ReshapeOp(x.value, cap.exprs(dims))), dims, x.dtype, base=x)


@emits(
    aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten._reshape_alias.default, prim("reshape"),
    aten._reshape_copy.default, aten.view_copy.default,
)  # fmt: skip
def reshape(cap: Capture, x: TileTensor, shape: Sequence[Size], *_: Any) -> TileTensor:
    """The element counts must agree as expressions; one extent may be -1."""
    dims, total = cap.extents(shape), numel(x.dims)
    if (free := [i for i, d in enumerate(dims) if type(d) is int and d == -1]) and len(free) == 1:
        quotient = cap.sizes.quotient(total, numel([d for i, d in enumerate(dims) if i not in free]))
        dims[free[0]] = -1 if quotient is None else quotient
    if any(type(d) is int and d < 0 for d in dims) or not cap.sizes.equal(numel(dims), total):
        raise ShapeMismatch(f"a tile of shape {list(x.dims)} cannot be viewed as {list(shape)}")
    return reshaped(cap, x, dims)


@emits(aten.unflatten.int)
def unflatten(cap: Capture, x: TileTensor, dim: int, sizes: Sequence[Size]) -> TileTensor:
    dim = canonical(dim, x.ndim)
    dims, free = cap.extents(sizes), [i for i, d in enumerate(sizes) if type(d) is int and d == -1]
    if len(free) == 1:
        quotient = cap.sizes.quotient(x.dims[dim], numel([d for i, d in enumerate(dims) if i not in free]))
        dims[free[0]] = -1 if quotient is None else quotient
    return reshape(cap, x, [*x.dims[:dim], *dims, *x.dims[dim + 1 :]])


@emits(aten.unsqueeze.default)
def unsqueeze(cap: Capture, x: TileTensor, dim: int) -> TileTensor:
    dim = canonical(dim, x.ndim + 1)
    return reshaped(cap, x, [*x.dims[:dim], 1, *x.dims[dim:]])


@emits(aten.squeeze.default, aten.squeeze.dim, aten.squeeze.dims, prim("squeeze"))
def squeeze(cap: Capture, x: TileTensor, dims: int | Sequence[int] | None = None) -> TileTensor:
    gone = set(canonical_dims(dims, x.ndim) if dims is None or isinstance(dims, int) or dims else [])
    return reshaped(cap, x, [d for i, d in enumerate(x.dims) if i not in gone or not (type(d) is int and d == 1)])


@emits(aten.expand.default, aten.broadcast_to.default)
def expand(cap: Capture, x: TileTensor, shape: Sequence[Size], *, implicit: bool = False) -> TileTensor:
    dims = cap.extents(shape)
    pad = len(dims) - x.ndim
    for i, d in enumerate(x.dims, pad):
        if pad >= 0 and type(dims[i]) is int and dims[i] == -1:
            dims[i] = d
        elif pad < 0 or not (type(d) is int and d == 1 or cap.sizes.equal(d, dims[i])):
            raise ShapeMismatch(f"a tile of shape {list(x.dims)} cannot be expanded to {list(shape)}")
    if cap.same_dims(dims, x.dims):
        return alias(cap, x)
    return cap.tile(cap.emit(BroadcastOp(x.value, cap.exprs(dims))), dims, x.dtype, base=x)


@emits(prim("broadcast_in_dim"))
def broadcast_in_dim(cap: Capture, x: TileTensor, shape: Sequence[Size], dims: Sequence[int]) -> TileTensor:
    """Dimension i of the operand becomes dimension dims[i] of the result."""
    placed: list[Size] = [1] * len(shape)
    for i, d in enumerate(dims):
        placed[d] = x.dims[i]
    return expand(cap, reshaped(cap, x, placed), shape)


@emits(aten.permute.default, prim("transpose"))
def permute(cap: Capture, x: TileTensor, order: Sequence[int]) -> TileTensor:
    order = [canonical(d, x.ndim) for d in order]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeMismatch(f"{order} does not order the dimensions of a tile of shape {list(x.dims)}")
    if order == list(range(x.ndim)):
        return alias(cap, x)
    return cap.tile(cap.emit(PermuteOp(x.value, order)), [x.dims[d] for d in order], x.dtype, base=x)


@emits(aten.transpose.int)
def transpose(cap: Capture, x: TileTensor, a: int, b: int) -> TileTensor:
    order = list(range(x.ndim))
    a, b = canonical(a, x.ndim), canonical(b, x.ndim)
    if x.ndim:
        order[a], order[b] = order[b], order[a]
    return permute(cap, x, order)


@emits(aten.t.default)
def t(cap: Capture, x: TileTensor) -> TileTensor:
    return transpose(cap, x, 0, 1) if x.ndim == 2 else alias(cap, x)


def part(cap: Capture, x: TileTensor, dim: int, start: Size, extent: Size, step: int = 1) -> TileTensor:
    """`extent` elements along `dim`, every `step`-th from `start`."""
    dims = list(x.dims)
    dims[dim] = extent
    first, stride = expr_attr(cap.sizes.expr(start)), expr_attr(step)
    return cap.tile(cap.emit(SliceOp(x.value, dim, first, stride, cap.exprs(dims))), dims, x.dtype, base=x)


@emits(aten.slice.Tensor)
def slice_(
    cap: Capture, x: TileTensor, dim: int = 0, start: Size | None = None, end: Size | None = None, step: int = 1
) -> TileTensor:
    """`v[:, None]` arrives as a slice of everything first: nothing to do."""
    dim = canonical(dim, x.ndim)
    extent = x.dims[dim]
    if isinstance(step, SymInt) or step < 1:
        raise InvalidSliceStep(f"the step of a slice of a tile must be a positive number, not {step}")
    first = _bound(cap, 0 if start is None else start, extent)
    last = extent if end is None else _bound(cap, end, extent)
    if step == 1 and first == 0 and cap.sizes.equal(last, extent):
        return alias(cap, x)
    count = cap.extents([cap.sizes.max(cap.sizes.cdiv(last - first, step), 0)])[0]
    return part(cap, x, dim, first, count, step)


def _bound(cap: Capture, bound: Size, extent: Size) -> Size:
    """A bound of a slice within [0, extent]; negative ones count from the end."""
    bound = cap.extents([bound])[0]
    if type(bound) is int and bound < 0:
        return cap.sizes.max(extent + bound, 0)
    if type(bound) is int and bound >= 1 << 62:
        return extent
    return cap.sizes.min(bound, extent)


@emits(aten.select.int)
def select(cap: Capture, x: TileTensor, dim: int, index: Size) -> TileTensor:
    dim = canonical(dim, x.ndim)
    extent = x.dims[dim]
    first = extent + index if type(index) is int and index < 0 else index
    if cap.sizes.at_most(first, -1) or cap.sizes.at_most(extent, first):
        raise IndexError(f"index {index} is out of range for an extent of {extent}")
    return squeeze(cap, part(cap, x, dim, first, 1), dim)


@emits(aten.split_with_sizes.default)
def split_with_sizes(cap: Capture, x: TileTensor, sizes: Sequence[Size], dim: int = 0) -> list[TileTensor]:
    dim, start, parts = canonical(dim, x.ndim), 0, []
    for extent in cap.extents(sizes):
        parts.append(part(cap, x, dim, start, extent))
        start = start + extent
    if not cap.sizes.equal(start, x.dims[dim]):
        raise ShapeMismatch(f"the parts {list(sizes)} do not add up to {x.dims[dim]}")
    return parts


@emits(aten.split.Tensor)
def split(cap: Capture, x: TileTensor, size: Size, dim: int = 0) -> list[TileTensor]:
    dim = canonical(dim, x.ndim)
    extent = x.dims[dim]
    size = cap.extents([size])[0]
    if type(extent) is int and type(size) is int:
        sizes: list[Size] = [min(size, extent - i) for i in range(0, extent, size)]
    elif type(count := cap.sizes.quotient(extent, size)) is int:
        sizes = [size] * count
    else:
        raise UnsupportedSplitConfiguration(f"an extent of {extent} cannot be split into parts of {size}")
    return split_with_sizes(cap, x, sizes, dim)


@emits(aten.chunk.default)
def chunk(cap: Capture, x: TileTensor, chunks: int, dim: int = 0) -> list[TileTensor]:
    extent = x.dims[canonical(dim, x.ndim)]
    if type(extent) is int:
        return split(cap, x, -(-extent // chunks), dim)
    if (size := cap.sizes.quotient(extent, chunks)) is None:
        raise UnsupportedSplitConfiguration(f"an extent of {extent} cannot be split into {chunks} parts")
    return split(cap, x, size, dim)


@emits(aten.unbind.int)
def unbind(cap: Capture, x: TileTensor, dim: int = 0) -> list[TileTensor]:
    extent = x.dims[canonical(dim, x.ndim)]
    if not isinstance(extent, int):
        raise UnsupportedSplitConfiguration(f"the number of parts, {extent}, depends on a block size")
    return [select(cap, x, dim, i) for i in range(extent)]


@emits(aten.cat.default, aten.concat.default, prim("cat"))
def cat(cap: Capture, tiles: Sequence[TileTensor], dim: int = 0) -> TileTensor:
    dtype = tiles[0].dtype
    for x in tiles[1:]:
        dtype = torch.promote_types(dtype, x.dtype)
    dim = canonical(dim, tiles[0].ndim)
    dims = list(tiles[0].dims)
    for x in tiles[1:]:
        if not cap.same_dims(x.dims[:dim] + x.dims[dim + 1 :], dims[:dim] + dims[dim + 1 :]):
            raise ShapeMismatch(f"shapes {' and '.join(str(list(t.dims)) for t in tiles)} cannot be concatenated")
        dims[dim] = cap.sizes.plain(dims[dim] + x.dims[dim])
    if len(tiles) == 1:
        return cap.tile(tiles[0].value, dims, dtype)
    values = [cap.cast(x.value, dtype) for x in tiles]
    return cap.tile(cap.emit(CatOp(values, dim, cap.type_of(dims, dtype))), dims, dtype)


@emits(aten.stack.default)
def stack(cap: Capture, tiles: Sequence[TileTensor], dim: int = 0) -> TileTensor:
    return cat(cap, [unsqueeze(cap, x, dim) for x in tiles], canonical(dim, tiles[0].ndim + 1))


@emits(aten.flip.default, prim("rev"))
def flip(cap: Capture, x: TileTensor, dims: Sequence[int]) -> TileTensor:
    dims = [canonical(d, x.ndim) for d in dims]
    return cap.tile(cap.emit(FlipOp(x.value, dims)), x.dims, x.dtype) if dims else clone(cap, x)


@emits(aten.view.dtype)
def view_dtype(cap: Capture, x: TileTensor, dtype: torch.dtype) -> TileTensor:
    if x.dtype == dtype:
        return alias(cap, x)
    if bit_width(element_of(dtype)) != bit_width(element_of(x.dtype)):
        raise BackendUnsupported(f"a tile of {x.dtype} cannot be viewed as {dtype}, which has another width")
    return cap.tile(cap.emit(BitcastOp(x.value, element_of(dtype))), x.dims, dtype, base=x)


@emits(aten.clone.default)
def clone(cap: Capture, x: TileTensor, **_: Any) -> TileTensor:
    return cap.tile(x.value, x.dims, x.dtype)


@emits(aten.contiguous.default)
def contiguous(cap: Capture, x: TileTensor, **_: Any) -> TileTensor:
    return x


@emits(aten.repeat.default)
def repeat(cap: Capture, x: TileTensor, counts: Sequence[Size]) -> TileTensor:
    """Each dimension d becomes (count, d), then one."""
    dims: list[Size] = [*[1] * (len(counts) - x.ndim), *x.dims]
    spread = reshaped(cap, x, [s for d in dims for s in (1, d)])
    wide = expand(cap, spread, [s for c, d in zip(counts, dims) for s in (c, d)])
    out = reshape(cap, wide, [c * d for c, d in zip(counts, dims)])
    return clone(cap, out)


for _operator in (aten.detach.default, aten.alias.default, aten.lift_fresh.default, prim("view_of")):
    EMITTERS[_operator] = lambda cap, func, args, kwargs: alias(cap, args[0])
