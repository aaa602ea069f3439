"""Which elements of a tensor the subscripts of a tile access select."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from xdsl.ir import SSAValue

from helion_ir.dialects.tile.memory import AccessOp
from helion_ir.dialects.types import RangeType, TileType
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, as_tensor, lanes, scalar, storage_of


class Elements(NamedTuple):
    """Elements of a storage: offsets of the shape accessed, and which lanes are active (None: all)."""

    storage: torch.Tensor
    offsets: torch.Tensor
    active: torch.Tensor | None


@dataclass(frozen=True)
class Addressing:
    """The subscripts of one access, as far as they are known when the kernel is compiled."""

    shape: tuple[int, ...]
    """The extents of the tile accessed."""
    axes: tuple[tuple[int, ...], ...]
    """For each subscript the dimensions of the result it lies along; none for a scalar."""
    windowed: bool
    """Whether the subscripts are ranges and scalars alone, so that the access is a strided view."""
    explicit: bool
    indexed: tuple[tuple[int, SSAValue], ...]
    """Result dimensions that come from index tiles, with the range that says which of their lanes are active."""

    def window(self, tensor: torch.Tensor, subscripts: Sequence[Any]) -> torch.Tensor | None:
        """A view of the active elements, None where some lane is outside of the tensor."""
        offset, sizes, strides = tensor.storage_offset(), [], []
        for s, size, stride in zip(subscripts, tensor.shape, tensor.stride()):
            if type(s) is Range:
                count = s.block if self.explicit else s.active
                if s.begin < 0 or s.begin + count > size:
                    return None
                offset += s.begin * stride
                sizes.append(count)
                strides.append(stride)
            else:
                at = scalar(s)
                if not 0 <= at < size:
                    return None
                offset += at * stride
        return tensor.as_strided(sizes, strides, offset)

    def elements(
        self, tensor: torch.Tensor, subscripts: Sequence[Any], mask: Any, extra: Sequence[Range], site: str
    ) -> Elements:
        """Every lane's element. Raises where an active lane is outside of the tensor."""
        device = tensor.device
        indices: list[Any] = []
        active: list[torch.Tensor] = [] if mask is None else [as_tensor(mask, torch.bool, device)]
        for s, axes in zip(subscripts, self.axes):
            if type(s) is Range:
                indices.append(self._along(torch.arange(s.begin, s.begin + s.block, device=device), axes))
                if not self.explicit and s.active < s.block:
                    active.append(self._along(lanes(s.block, s.active, device), axes))
            else:
                indices.append(self._along(s.long(), axes) if axes else scalar(s))
        for (axis, _), r in zip(self.indexed, extra):
            if r.active < r.block:
                active.append(self._along(lanes(r.block, r.active, device), (axis,)))
        where = functools.reduce(torch.logical_and, active).expand(self.shape) if active else None
        offsets: Any = tensor.storage_offset()
        for dim, (index, size, stride) in enumerate(zip(indices, tensor.shape, tensor.stride())):
            _check(index, size, where, f"dimension {dim} of {site!r}", self.shape)
            offsets = offsets + index * stride
        if not isinstance(offsets, torch.Tensor):
            offsets = torch.tensor(offsets, device=device)
        return Elements(storage_of(tensor), offsets.expand(self.shape), where)

    def _along(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        """`x` with its dimensions at `axes` of the result."""
        sizes = [1] * len(self.shape)
        for axis, size in zip(axes, x.shape):
            sizes[axis] = size
        return x.reshape(sizes)


def addressing(op: AccessOp, scope: Scope) -> Addressing:
    """The addressing of a tile access."""
    types = [s.type for s in op.subscripts]
    ranks = [1 if isinstance(t, RangeType) else t.rank for t in types]  # pyright: ignore
    group = max((r for r in ranks if r >= 2), default=0)
    axes: list[tuple[int, ...]] = []
    indexed: list[int] = []
    rank, first_of_group = 0, -1
    for type_, own in zip(types, ranks):
        if own >= 2 and first_of_group < 0:
            first_of_group, rank = rank, rank + group
        if own >= 2:
            axes.append(tuple(range(first_of_group + group - own, first_of_group + group)))
        elif own == 1:
            axes.append((rank,))
            rank += 1
        else:
            axes.append(())
        if isinstance(type_, TileType):
            indexed += axes[-1]
    dims = op.dims
    partial = scope.partial_dims(dims, indexed)
    return Addressing(
        shape=tuple(int(scope.value(d)) for d in dims),
        axes=tuple(axes),
        windowed=not indexed,
        explicit=scope.explicit_masks,
        indexed=tuple(partial),
    )


def _check(index: Any, size: int, active: torch.Tensor | None, what: str, shape: tuple[int, ...]) -> None:
    if isinstance(index, int):
        outside = not 0 <= index < size and (active is None or bool(active.any()))
        worst = index
    else:
        low, high = (int(index.min()), int(index.max())) if index.numel() else (0, 0)
        outside = low < 0 or high >= size
        worst = high if high >= size else low
        if outside and active is not None:
            lanes_outside = ((index < 0) | (index >= size)) & active
            outside = bool(lanes_outside.any())
            if outside:
                worst = int(index.expand(shape)[lanes_outside.expand(shape)][0])
    if outside and 0 not in shape:
        raise InterpreterError(f"out of bounds: index {worst} of {what}, whose extent is {size}")
