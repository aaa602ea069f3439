"""Atomic updates of elements of a storage, in the order of the lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from helion_ir.interpreter.addressing import Elements
from helion_ir.interpreter.deadline import check

_COMBINE: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "max": torch.maximum,
    "min": torch.minimum,
    "and": torch.bitwise_and,
    "or": torch.bitwise_or,
    "xor": torch.bitwise_xor,
    "xchg": lambda old, new: new,
    "cas": lambda old, expected, new: torch.where(_bits(old) == _bits(expected), new, old),
}

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _bits(x: torch.Tensor) -> torch.Tensor:
    """What hardware compares: -0.0 is not 0.0, and a NaN is itself."""
    return x.view(_INTEGERS[x.itemsize])


def atomic(at: Elements, kind: str, arguments: Sequence[torch.Tensor], wanted: bool) -> torch.Tensor | None:
    """Update the active elements; the previous contents if `wanted`, 0 in inactive lanes.

    Lanes that meet in one element go one after another.
    """
    shape = at.offsets.shape
    lanes = at.active if at.active is not None else torch.ones(shape, dtype=torch.bool, device=at.storage.device)
    offsets = at.offsets[lanes]
    values = [a.expand(shape)[lanes] for a in arguments]
    old = torch.empty_like(offsets, dtype=at.storage.dtype)
    combine = _COMBINE[kind]
    for turn in _turns(offsets):
        check()
        place = offsets[turn]
        old[turn] = at.storage[place]
        at.storage[place] = combine(old[turn], *[v[turn] for v in values])
    if not wanted:
        return None
    out = torch.zeros(shape, dtype=at.storage.dtype, device=at.storage.device)
    out[lanes] = old
    return out


def _turns(offsets: torch.Tensor) -> list[torch.Tensor]:
    """Positions of lanes grouped so that no group has an element twice, and each element's lanes are in order."""
    order = torch.argsort(offsets, stable=True)
    ordered = offsets[order]
    start = torch.ones_like(ordered, dtype=torch.bool)
    start[1:] = ordered[1:] != ordered[:-1]
    position = torch.arange(len(ordered), device=ordered.device)
    first = torch.cummax(torch.where(start, position, 0), 0).values if len(ordered) else position
    rank = position - first
    return [order[rank == turn] for turn in range(int(rank.max()) + 1)] if len(ordered) else []
