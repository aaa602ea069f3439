"""Loads, stores and atomics on tensors of the host; `x[...]` is the short form of the first two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helion_ir.language.active import implementation

if TYPE_CHECKING:
    import torch


def load(
    tensor: torch.Tensor, index: list[Any], extra_mask: torch.Tensor | None = None, eviction_policy: str | None = None
) -> torch.Tensor:
    """`tensor[index]` with options.

    Args:
        tensor: A tensor of the host.
        index: What may stand in a subscript: tiles, `tile + k`, integers, scalar and index tensors, slices, None, `...`.
            Several 1-D index tensors form an outer product; tensors of rank 2 and more broadcast together.
        extra_mask: A bool tensor that broadcasts to the result; where it is False nothing is read and the result is 0.
        eviction_policy: "", "evict_first" or "evict_last"; tuned if omitted.

    Returns:
        A device tensor, 0 where the index lies outside of a loop's range.
    """
    return implementation("load")(tensor, index, extra_mask, eviction_policy)


def store(tensor: torch.Tensor, index: list[Any], value: Any, extra_mask: torch.Tensor | None = None) -> None:
    """`tensor[index] = value` with a mask.

    Args:
        tensor: A tensor of the host.
        index: As for `hl.load`.
        value: A device tensor that broadcasts to the shape accessed, or a number; converted to the tensor's dtype.
        extra_mask: A bool tensor; where it is False nothing is written.
    """
    return implementation("store")(tensor, index, value, extra_mask)


def atomic_add(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Add to elements of a host tensor, atomically; returns what was there before.

    Args:
        target: A tensor of the host.
        index: As for `hl.load`.
        value: A device tensor that broadcasts to the shape accessed, or a number; converted to the target's dtype.
        sem: Memory order, "relaxed", "acquire", "release" or "acq_rel".
    """
    return implementation("atomic")("add", target, index, (value,), sem)


def atomic_max(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, for the maximum."""
    return implementation("atomic")("max", target, index, (value,), sem)


def atomic_min(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, for the minimum."""
    return implementation("atomic")("min", target, index, (value,), sem)


def atomic_and(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, for bitwise and; integers and bools only."""
    return implementation("atomic")("and", target, index, (value,), sem)


def atomic_or(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, for bitwise or; integers and bools only."""
    return implementation("atomic")("or", target, index, (value,), sem)


def atomic_xor(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, for bitwise exclusive or; integers and bools only."""
    return implementation("atomic")("xor", target, index, (value,), sem)


def atomic_xchg(target: torch.Tensor, index: list[Any], value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Like `atomic_add`, replacing the elements."""
    return implementation("atomic")("xchg", target, index, (value,), sem)


def atomic_cas(target: torch.Tensor, index: list[Any], expected: Any, value: Any, sem: str = "relaxed") -> torch.Tensor:
    """Replace each element by `value` if it equals `expected`, atomically; returns what was there before."""
    return implementation("atomic")("cas", target, index, (expected, value), sem)
