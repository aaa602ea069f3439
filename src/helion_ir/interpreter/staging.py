"""Tensors of a device, brought to the CPU for one launch and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def staged(arguments: Sequence[Any]) -> tuple[list[Any], Callable[[], None]]:
    """Copies on the CPU of the tensors among `arguments`, and a function that copies what was written back.

    Tensors that share a storage share it on the CPU too.
    """
    storages: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    out: list[Any] = []
    for value in arguments:
        if not isinstance(value, torch.Tensor):
            out.append(value)
            continue
        storage = value.untyped_storage()
        if (pair := storages.get(storage.data_ptr())) is None:
            there = torch.empty(0, dtype=torch.uint8, device=value.device).set_(storage)  # pyright: ignore
            pair = storages[storage.data_ptr()] = there, there.to("cpu", copy=True)
        here = torch.empty(0, dtype=value.dtype)
        out.append(here.set_(pair[1].untyped_storage(), value.storage_offset(), value.size(), value.stride()))  # pyright: ignore

    def back() -> None:
        for there, copy in storages.values():
            there.copy_(copy)

    return out, back
