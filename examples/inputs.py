"""The arguments that a kernel is tried on: random numbers of given shapes, the same for the same seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

Args = tuple[Any, ...]


class Inputs:
    """Random inputs of one case, made on the device: the same numbers for the same seed on the same device.

    >>> Inputs("cpu").normal(2, 3, dtype=torch.bfloat16).shape
    torch.Size([2, 3])
    """

    def __init__(self, device: str | torch.device, seed: int = 0) -> None:
        self.device = torch.device(device)
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
        """Normally distributed values: no zeros, so an element that was never written shows."""
        values = torch.randn(shape, generator=self._generator, dtype=torch.float32, device=self.device)
        return (values * scale if scale != 1.0 else values).to(dtype)

    def integers(self, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        """Integers from 0 to `high - 1`."""
        return torch.randint(high, shape, generator=self._generator, device=self.device).to(dtype)

    def offsets(self, lengths: Sequence[int]) -> torch.Tensor:
        """Where each of the sequences of the given lengths begins in their concatenation, and the total (int32)."""
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        return torch.tensor(starts, dtype=torch.int32, device=self.device)


class Shapes(Inputs):
    """Inputs of the right shapes with nothing written into them: for compiling, where the values play no part."""

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
        """A tensor whose memory is reserved and, on the CPU, never touched."""
        return torch.empty(shape, dtype=dtype, device=self.device)


@dataclass(frozen=True)
class Case:
    """One set of arguments of a kernel, by name."""

    name: str
    build: Callable[[Inputs], Args]

    def args(self, device: str | torch.device = "cpu", seed: int = 0) -> Args:
        """The arguments, made afresh on `device`."""
        return self.build(Inputs(device, seed))

    def blank(self) -> Args:
        """CPU arguments to compile for, their contents undefined."""
        return self.build(Shapes("cpu"))
