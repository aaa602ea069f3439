"""What flows between ops: tiles are torch tensors, and the few kinds of value that are not.

A scalar is a rank-0 tensor or a Python number. Index arithmetic stays in Python numbers, which is ten times as fast;
whatever computes elementwise makes tensors of them first. Values are never written in place, so they may be shared.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from xdsl.ir import Attribute

from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import DTYPE_NAMES
from helion_ir.interpreter.errors import InterpreterError


class Range(NamedTuple):
    """Indices `begin` to `begin + block`, of which the first `active` are inside the loop."""

    begin: int
    block: int
    active: int


def block_of(begin: int, block: int, upper: int) -> Range:
    """The range of a block that starts at `begin` in a loop that ends at `upper`."""
    return Range(begin, block, max(0, min(block, upper - begin)))


class Pointer(NamedTuple):
    """Addresses in one storage: the storage as a 1-D tensor, and offsets in elements (an int, or an integer tensor)."""

    storage: torch.Tensor
    offset: Any


class BlockPointer(NamedTuple):
    """A block of a strided tensor: what tl.make_block_ptr and tl.make_tensor_descriptor give."""

    storage: torch.Tensor
    base: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offsets: tuple[int, ...]
    block: tuple[int, ...]


@functools.cache
def dtype_of(element: Attribute) -> torch.dtype:
    """The torch dtype of an element type."""
    return getattr(torch, DTYPE_NAMES[element])


def dtype_or_none(element: Attribute) -> torch.dtype | None:
    """The torch dtype of an element type, or None for pointers."""
    return None if isinstance(element, PointerType) else dtype_of(element)


def as_tensor(value: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A scalar as a tensor; tensors stay what they are."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.tensor(wrapped(value, dtype) if type(value) is int else value, dtype=dtype, device=device)


def full(shape: tuple[int, ...], value: float | int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tile of one value, which takes the memory of one element."""
    if dtype.is_floating_point and dtype.itemsize == 1:
        return torch.full((), value, device=device).to(dtype).expand(shape)
    return torch.full((), value, dtype=dtype, device=device).expand(shape)


def wrapped(value: int, dtype: torch.dtype) -> int:
    """An integer reduced to the range of an integer dtype, as two's complement does."""
    if dtype.is_floating_point or dtype == torch.bool:
        return value
    bits = dtype.itemsize * 8
    value &= (1 << bits) - 1
    return value - (1 << bits) if dtype.is_signed and value >> (bits - 1) else value


def storage_of(tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """The whole storage of a tensor as a 1-D tensor that shares it."""
    count = tensor.untyped_storage().nbytes() // tensor.itemsize
    flat = tensor.as_strided((count,), (1,), 0)
    return flat if dtype in (None, tensor.dtype) else flat.view(dtype)  # pyright: ignore


@functools.lru_cache(maxsize=512)
def lanes(block: int, active: int, device: torch.device) -> torch.Tensor:
    """A mask of `block` lanes whose first `active` are true. Shared: do not write to it."""
    return torch.arange(block, device=device) < active


def lowest(dtype: torch.dtype) -> float | int:
    """The neutral element of max."""
    return -torch.inf if dtype.is_floating_point else 0 if dtype == torch.bool else torch.iinfo(dtype).min


def highest(dtype: torch.dtype) -> float | int:
    """The neutral element of min."""
    return torch.inf if dtype.is_floating_point else 1 if dtype == torch.bool else torch.iinfo(dtype).max


def scalar(value: Any) -> int:
    """A scalar as a Python integer, or number."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise InterpreterError(f"a scalar is needed here, not a tile of shape {list(value.shape)}")
        return value.item()  # pyright: ignore
    return value
