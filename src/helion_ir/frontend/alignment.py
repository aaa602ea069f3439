"""Which tensors begin at a multiple of 16 bytes, which tensor descriptors need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch._subclasses import FakeTensor

if TYPE_CHECKING:
    from helion_ir.frontend.sizes import BlockSizes

ALIGNMENT = 16
"""Bytes."""


def aligned(tensor: torch.Tensor) -> bool:
    """Whether a tensor's address is a multiple of 16; one without data will be allocated, hence is."""
    return isinstance(tensor, FakeTensor) or tensor.data_ptr() % ALIGNMENT == 0


class Alignment:
    """What is known of the addresses of host tensors while tracing, by the storage they share with arguments.

    Tensors that the host allocates are aligned, since PyTorch's allocators round up to more; views are where their
    offset is provably a multiple of 16 bytes.
    """

    def __init__(self, sizes: BlockSizes):
        self.sizes = sizes
        self.arguments: set[int] = set()
        """Ids of tensors that stand for arguments."""
        self._bases: dict[int, bool] = {}
        self._kept: list[torch.Tensor] = []  # keys above are ids

    def argument(self, meta: torch.Tensor, is_aligned: bool) -> None:
        """Remember the tensor that stands for an argument."""
        self.arguments.add(id(meta))
        self._bases[_storage(meta)] = is_aligned
        self._kept.append(meta)

    def replaced(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """Remember that a new tensor without data stands for what an old one did."""
        if _storage(old) in self._bases:
            self._bases[_storage(new)] = self.holds(old)
        if id(old) in self.arguments:
            self.arguments.add(id(new))
        self._kept.append(new)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor begins at a multiple of 16 bytes for certain."""
        from helion_ir.index.facts import fact_of

        if tensor.device.type != "meta":
            return aligned(tensor)
        if not self._bases.get(_storage(tensor), True):
            return False
        offset = self.sizes.expr(tensor.storage_offset()) * tensor.element_size()
        return fact_of(offset, {}).divisor % ALIGNMENT == 0


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
