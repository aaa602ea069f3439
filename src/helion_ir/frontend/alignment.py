"""What is known of the memory of host tensors: which begin at a multiple of 16 bytes, which are contiguous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch._subclasses import FakeTensor

from helion_ir.frontend.host_text import without_empty

if TYPE_CHECKING:
    from helion_ir.frontend.sizes import BlockSizes, Size

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
        self._contiguous: dict[int, tuple[str, bool]] = {}
        self._kept: list[torch.Tensor] = []  # keys above are ids
        self._allocated: set[int] = set()
        """Storages that host code allocated."""
        self.metas: list[torch.Tensor] = []
        """The tensors that stand for arguments."""

    def argument(self, meta: torch.Tensor, is_aligned: bool, text: str, contiguous: bool) -> None:
        """Remember the tensor that stands for an argument, and whether that is contiguous in this call."""
        self._contiguous[id(meta)] = text, contiguous
        self.arguments.add(id(meta))
        self._bases[_storage(meta)] = is_aligned
        self.metas.append(meta)

    def allocated(self, tensor: torch.Tensor) -> None:
        """Remember a tensor that host code allocated: nothing but its views has its memory."""
        self._allocated.add(_storage(tensor))
        self._kept.append(tensor)

    def allocations(self, tensors: Sequence[tuple[str, torch.Tensor]]) -> list[list[str]]:
        """The names of the tensors that host code allocated, those of one storage together."""
        groups: dict[int, list[str]] = {}
        for name, tensor in tensors:
            if _storage(tensor) in self._allocated:
                groups.setdefault(_storage(tensor), []).append(name)
        return list(groups.values())

    def replaced(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """Remember that a new tensor without data stands for what an old one did."""
        if _storage(old) in self._bases:
            self._bases[_storage(new)] = self.holds(old)
            self._kept.append(new)
        # Views of one storage get one each, which says nothing any more.
        self._allocated -= {_storage(old), _storage(new)}
        if id(old) in self.arguments:
            self.argument(new, self.holds(old), *self._contiguous[id(old)])

    def contiguous(self, tensor: torch.Tensor, specialized: dict[str, None]) -> bool:
        """Whether a tensor of symbolic strides is contiguous; for an argument the kernel then depends on it."""
        if id(tensor) in self._contiguous:
            text, known = self._contiguous[id(tensor)]
            specialized[f"{text}.is_contiguous()"] = None
            return known
        expected: Size = 1
        for n, stride in reversed(list(zip(tensor.shape, tensor.stride()))):
            if without_empty(self.sizes.expr(stride)) != without_empty(self.sizes.expr(expected)):
                return False
            expected = expected * n
        return True

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor begins at a multiple of 16 bytes for certain."""
        from helion_ir.index.facts import fact_of

        if not tensor.is_meta:
            return aligned(tensor)
        if not self._bases.get(_storage(tensor), True):
            return False
        offset = self.sizes.expr(tensor.storage_offset()) * tensor.element_size()
        return fact_of(offset, {}).divisor % ALIGNMENT == 0


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
