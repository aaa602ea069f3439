"""Kernels as objects: binding, choosing a config, caching, running."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def get_num_sm(device: torch.device, *, reserved_sms: int = 0) -> int:
    """Multiprocessors of a GPU less a reserve, at least one. Raises AssertionError for another device."""
    import torch

    assert device.type == "cuda", f"{device} has no multiprocessors"
    return max(1, torch.cuda.get_device_properties(device).multi_processor_count - reserved_sms)
