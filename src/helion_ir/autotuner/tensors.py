"""Arguments and results as trees with tensors at the leaves: listing, cloning, comparing bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helion_ir.records import is_record, with_fields


def map_tensors(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """`value` with every tensor in its tuples, lists, dicts and dataclasses replaced; what is no tensor stays as it is."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        items = [map_tensors(v, change) for v in value]
        # A named tuple takes its fields one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {k: map_tensors(v, change) for k, v in value.items()}
    if is_record(value):
        return with_fields(value, lambda _, v: map_tensors(v, change))
    return value


def leaves(value: Any) -> list[torch.Tensor]:
    """The tensors of a tree in a fixed order."""
    found: list[torch.Tensor] = []
    map_tensors(value, found.append)
    return found


def cloned(value: Any) -> Any:
    """A copy that shares no memory with `value`; strides are kept, and tensors that share memory still do."""
    storages: dict[int, torch.UntypedStorage] = {}

    def clone(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach()
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key not in storages:
            storages[key] = storage.clone()
        out = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return out.set_(storages[key], tensor.storage_offset(), tensor.size(), tensor.stride())

    return map_tensors(value, clone)


def on_meta(value: Any) -> Any:
    """The same shapes, strides and types without data."""
    return map_tensors(value, lambda t: torch.empty_strided(t.size(), t.stride(), dtype=t.dtype, device="meta"))


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors of one shape and type are equal, NaN being equal to NaN."""
    if a.is_floating_point() or a.is_complex():
        a, b = _comparable(a), _comparable(b)
        return bool(((a == b) | ((a != a) & (b != b))).all())
    return torch.equal(a, b)


def _comparable(t: torch.Tensor) -> torch.Tensor:
    return t.float() if t.is_floating_point() and t.element_size() == 1 else t
