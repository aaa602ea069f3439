"""Subscripts of real tensors by tiles, for kernels that Python runs itself: loads, stores and atomics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from helion_ir import exc
from helion_ir.interpreter.addressing import Elements
from helion_ir.interpreter.atomics import atomic as atomic_on
from helion_ir.interpreter.values import storage_of
from helion_ir.language.tiles import Tile


@dataclass(eq=False)
class EagerTile(Tile):
    """The indices from `first` to `last`, of a loop from `lower` to `upper` in steps of `nominal`."""

    first: int
    last: int
    lower: int
    upper: int
    nominal: int
    device: torch.device
    name: str = ""

    @property
    def length(self) -> int:
        """How many indices there are: what the tile means in a shape."""
        return self.last - self.first

    def __index__(self) -> int:  # pyright: ignore
        return self.length

    __int__ = __index__  # pyright: ignore

    def indices(self) -> torch.Tensor:
        return torch.arange(self.first, self.last, dtype=torch.int32, device=self.device)


def is_tile_subscript(index: Any) -> bool:
    """Whether a subscript is none of PyTorch's own, or means something else to PyTorch."""
    items = index if isinstance(index, tuple) else (index,)
    tensors = [i for i in items if isinstance(i, torch.Tensor) and i.ndim]
    return any(isinstance(i, Tile) for i in items) or len(tensors) > 0


@dataclass(frozen=True)
class Access:
    """Where the elements of a subscript are in a storage, in the shape that the author sees."""

    storage: torch.Tensor
    offsets: torch.Tensor
    scattered: bool
    """Whether index tensors say where, which may name one element twice."""


def resolve(x: torch.Tensor, index: Any) -> Access:
    """The elements that `x[index]` means: each 1-D index has a dimension of its own, larger ones broadcast together."""
    items = list(index) if isinstance(index, tuple | list) else [index]
    used = sum(i is not None and i is not Ellipsis for i in items)
    if used > x.ndim:
        raise exc.RankMismatch(f"{used} subscripts for a tensor that has {x.ndim} dimensions")
    missing: list[Any] = [slice(None)] * (x.ndim - used)
    at = next((n for n, i in enumerate(items) if i is Ellipsis), None)
    items = [*items, *missing] if at is None else [*items[:at], *missing, *items[at + 1 :]]
    parts = [_indices(x, i, axis) for i, axis in zip(items, _axes(items))]
    group = max((p.ndim for p in parts if p is not None), default=0)
    group = group if group >= 2 else 0
    rank = sum(1 if p is None else p.ndim if p.ndim < 2 else 0 for p in parts) + group
    offsets, dim, placed, axis = torch.full([1] * rank, int(x.storage_offset()), device=x.device), 0, -1, 0
    for part in parts:
        if part is None:
            dim += 1
            continue
        if part.ndim >= 2 and placed < 0:
            placed, dim = dim, dim + group
        first = placed + group - part.ndim if part.ndim >= 2 else dim
        shape = [1] * rank
        shape[first : first + part.ndim] = part.shape
        offsets = offsets + part.reshape(shape) * x.stride(axis)
        dim += part.ndim if part.ndim < 2 else 0
        axis += 1
    return Access(storage_of(x), offsets, any(isinstance(i, torch.Tensor) for i in items))


def _axes(items: Sequence[Any]) -> list[int]:
    axes, axis = [], 0
    for i in items:
        axes.append(axis)
        axis += i is not None
    return axes


def _indices(x: torch.Tensor, item: Any, axis: int) -> torch.Tensor | None:
    """The indices of one dimension, None for a new one."""
    if item is None:
        return None
    size = x.size(axis)
    match item:
        case EagerTile():
            along = item.indices().long()
            return torch.zeros_like(along) if size == 1 and item.upper != 1 else along
        case slice():
            return torch.arange(*item.indices(size), device=x.device)
        case torch.Tensor():
            if item.dtype == torch.bool:
                raise exc.DataDependentOutputShapeNotSupported("a bool tensor cannot be a subscript; use extra_mask")
            return item.to(x.device, torch.int64)
        case list() | tuple() if len(item) == 1:
            return _indices(x, item[0], axis)
        case bool() | float() | str():
            raise exc.InvalidIndexingType(f"{item!r} cannot be a subscript")
        case int():
            return torch.tensor(item + size if item < 0 else item, device=x.device)
    raise exc.InvalidIndexingType(f"{type(item).__name__} cannot be a subscript")


def load(x: torch.Tensor, index: Any, mask: torch.Tensor | None) -> torch.Tensor:
    """The elements, 0 where the mask is false; of four-bit floats the bytes."""
    x = x.view(torch.uint8) if x.dtype == torch.float4_e2m1fn_x2 else x
    at = resolve(x, index)
    if mask is None:
        return at.storage[at.offsets]
    shape = torch.broadcast_shapes(at.offsets.shape, mask.shape)
    active, offsets = mask.expand(shape), at.offsets.expand(shape)
    out = torch.zeros(shape, dtype=x.dtype, device=x.device)
    out[active] = at.storage[offsets[active]]
    return out


def store(x: torch.Tensor, index: Any, value: Any, mask: torch.Tensor | None) -> None:
    """Store a tensor or number; raises DuplicateStoreIndicesError where one element is given two values."""
    at = resolve(x, index)
    shape = at.offsets.shape
    value = torch.as_tensor(value, device=x.device).to(x.dtype)
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value.squeeze(0)
    if value.ndim and value.ndim != len(shape):
        raise exc.RankMismatch(f"a value of shape {list(value.shape)} is stored where {list(shape)} is selected")
    active = torch.ones(shape, dtype=torch.bool, device=x.device) if mask is None else mask.expand(shape)
    offsets = at.offsets[active]
    if at.scattered and mask is not None and offsets.unique().numel() < offsets.numel():
        raise exc.DuplicateStoreIndicesError()
    at.storage[offsets] = value.expand(shape)[active]


def atomic(x: torch.Tensor, kind: str, index: Any, values: Sequence[Any]) -> torch.Tensor:
    """Update elements one after another; what they were before."""
    at = resolve(x, index)
    storage = at.storage.cpu()
    arguments = [torch.as_tensor(v).cpu().to(x.dtype) for v in values]
    old = atomic_on(Elements(storage, at.offsets.cpu(), None), kind, arguments, True)
    at.storage.copy_(storage)
    assert old is not None
    return old.to(x.device)
