"""Loads, stores and atomics of the tile dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from helion_ir.dialects.tile.memory import AccessOp, AtomicOp, LoadOp, StoreOp
from helion_ir.dialects.types import RefType
from helion_ir.interpreter.addressing import Addressing, Elements, addressing
from helion_ir.interpreter.atomics import atomic
from helion_ir.interpreter.registry import Reading, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import as_tensor, dtype_of


class _Access:
    """Takes apart the operands of an access: tensor, subscripts, mask, then ranges of index tiles."""

    def __init__(self, op: AccessOp, scope: Scope):
        assert isinstance(op.ref.type, RefType)
        self.addressing: Addressing = addressing(op, scope)
        self.site = op.site.data
        self.count = len(op.subscripts)
        self.masked = op.mask is not None
        self.dtype = dtype_of(op.ref.type.element_type)
        self.extra = [value for _, value in self.addressing.indexed]

    def parts(self, values: Sequence[Any]) -> tuple[torch.Tensor, Sequence[Any], Any, Sequence[Any]]:
        subscripts = values[1 : 1 + self.count]
        rest = values[1 + self.count :]
        return (values[0], subscripts, rest[0], rest[1:]) if self.masked else (values[0], subscripts, None, rest)


@implements(LoadOp)
def load(op: LoadOp, scope: Scope) -> Reading:
    access = _Access(op, scope)
    at, shape = access.addressing, access.addressing.shape
    zero = torch.zeros((), dtype=access.dtype, device=scope.device)

    def run(*values: Any) -> torch.Tensor:
        tensor, subscripts, mask, extra = access.parts(values)
        window = at.window(tensor, subscripts) if at.windowed else None
        if window is None:
            return read(at.elements(tensor, subscripts, mask, extra, access.site))
        if window.shape == shape:
            out = window.clone(memory_format=torch.contiguous_format)
        else:
            out = torch.zeros(shape, dtype=access.dtype, device=tensor.device)
            out.as_strided(window.shape, out.stride()).copy_(window)
        return out if mask is None else _selected(as_tensor(mask, torch.bool, out.device), out, zero)

    return Reading(run, access.extra)


_MOVED_AS = {
    torch.uint16: torch.int16,
    torch.uint32: torch.int32,
    torch.uint64: torch.int64,
    torch.float8_e4m3fn: torch.uint8,
    torch.float8_e5m2: torch.uint8,
}
"""Dtypes that PyTorch stores and does not index or select on every device, and those of the same bits that it does."""


def _selected(mask: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if (moved := _MOVED_AS.get(a.dtype)) is not None:
        return torch.where(mask, a.view(moved), b.view(moved)).view(a.dtype)
    return torch.where(mask, a, b)


def read(at: Elements) -> torch.Tensor:
    """The elements, 0 in inactive lanes."""
    if (moved := _MOVED_AS.get(at.storage.dtype)) is not None:
        return read(at._replace(storage=at.storage.view(moved))).view(at.storage.dtype)
    if at.active is None:
        return at.storage[at.offsets]
    out = torch.zeros(at.offsets.shape, dtype=at.storage.dtype, device=at.storage.device)
    out[at.active] = at.storage[at.offsets[at.active]]
    return out


@implements(StoreOp)
def store(op: StoreOp, scope: Scope) -> Reading:
    access = _Access(op, scope)
    at, shape = access.addressing, access.addressing.shape

    def run(value: Any, *values: Any) -> None:
        tensor, subscripts, mask, extra = access.parts(values)
        value = as_tensor(value, access.dtype, scope.device)
        window = at.window(tensor, subscripts) if at.windowed else None
        if window is None:
            write(at.elements(tensor, subscripts, mask, extra, access.site), value)
            return
        if mask is not None:
            mask = as_tensor(mask, torch.bool, scope.device).expand(shape)
        if window.shape != shape:
            corner = tuple(slice(n) for n in window.shape)
            value, mask = value[corner], None if mask is None else mask[corner]
        window.copy_(value if mask is None else _selected(mask, value, window))

    return Reading(run, access.extra)


def write(at: Elements, value: torch.Tensor) -> None:
    """Store the active lanes."""
    if (moved := _MOVED_AS.get(at.storage.dtype)) is not None:
        return write(at._replace(storage=at.storage.view(moved)), value.view(moved))
    value = value.expand(at.offsets.shape)
    if at.active is None:
        at.storage[at.offsets] = value
    else:
        at.storage[at.offsets[at.active]] = value[at.active]


@implements(AtomicOp)
def atomic_(op: AtomicOp, scope: Scope) -> Reading:
    access = _Access(op, scope)
    kind, count, wanted = op.kind.data, len(op.arguments), op.result is not None

    def run(*values: Any) -> torch.Tensor | None:
        tensor, subscripts, mask, extra = access.parts(values[count:])
        elements = access.addressing.elements(tensor, subscripts, mask, extra, access.site)
        return atomic(elements, kind, [as_tensor(v, access.dtype, scope.device) for v in values[:count]], wanted)

    return Reading(run, access.extra)
