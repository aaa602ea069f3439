"""Tensors made in device code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helion_ir.language.active import implementation

if TYPE_CHECKING:
    import torch


def zeros(shape: list[Any], dtype: torch.dtype | None = None, device: Any = None) -> torch.Tensor:
    """A device tensor of zeros: `acc = hl.zeros([tile_m, tile_n], dtype=torch.float32)`.

    Args:
        shape: Tiles, block sizes and integers; `[]` gives a scalar.
        dtype: torch.float32 if omitted.
        device: Ignored; the tensor lives in the kernel.
    """
    return implementation("zeros")(shape, 0, dtype, device)


def full(shape: list[Any], value: Any, dtype: torch.dtype | None = None, device: Any = None) -> torch.Tensor:
    """A device tensor filled with one value, a number or a scalar tensor: `m = hl.full([tile], float("-inf"))`.

    Args:
        shape: Tiles, block sizes and integers.
        value: What to fill with; converted to `dtype`.
        dtype: torch.float32 if omitted, whatever the value.
        device: Ignored.
    """
    return implementation("full")(shape, value, dtype, device)


def arange(*bounds: Any, dtype: torch.dtype | None = None, device: Any = None) -> torch.Tensor:
    """`hl.arange(end)`, `hl.arange(start, end)` or `hl.arange(start, end, step)` as a 1-D device tensor.

    Bounds are constants or multiples of block sizes. The dtype is the kernel's index dtype unless given (torch.arange
    gives int64). Usable as a subscript.
    """
    return implementation("arange")(*bounds, dtype=dtype, device=device)


def rand(shape: list[Any], seed: Any, device: Any = None, offsets: Any = None) -> torch.Tensor:
    """Uniform float32 numbers in [0, 1).

    Philox-4x32-10 with `seed` as the key and as the counter the row-major position in the full extent of the tiles of
    `shape`, or `offsets`. Results therefore do not depend on the configuration; they equal `tl.rand(seed, offset)`.

    Args:
        shape: Tiles, block sizes and integers.
        seed: An integer or scalar tensor.
        device: Ignored.
        offsets: An integer tensor to use as the counter instead.
    """
    return implementation("rand")(shape, seed, device, offsets)


def randint(shape: list[Any], low: int, high: int, seed: Any, device: Any = None) -> torch.Tensor:
    """int32 numbers in [low, high), from the same stream as `hl.rand`."""
    return implementation("randint")(shape, low, high, seed, device)


def rand4x(seed: Any, offsets: Any, device: Any = None) -> tuple[torch.Tensor, ...]:
    """Four uniform float32 tensors shaped like `offsets`, one for each word of Philox."""
    return implementation("rand4x")(seed, offsets, device)
