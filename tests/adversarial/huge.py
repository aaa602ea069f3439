"""Tensors whose elements 32 bits cannot count: for a GPU, and, with nothing in them, for a look at the text.

Elements are whole numbers so small that every sum is exact, so that results are compared exactly, piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tests.adversarial import kernels

PAST = 2**31 + 4099
"""A few more elements than 32 bits count."""
PIECE = 2**27
"""Elements compared at a time."""


class Memory:
    """Where the tensors of a case come from: random numbers from -8 to 8 without 0, or, blank, memory never touched."""

    def __init__(self, device: str, blank: bool = False):
        self.device, self.blank = device, blank

    def numbers(self, *shape: int, dtype: torch.dtype = torch.int8) -> torch.Tensor:
        """A tensor of small whole numbers."""
        out = torch.empty(shape, dtype=dtype, device=self.device)
        if not self.blank:
            flat = out.view(-1)
            for at in range(0, flat.numel(), PIECE):
                part = flat[at : at + PIECE]
                values = torch.randint(1, 9, part.shape, dtype=torch.int8, device=self.device)
                values *= torch.randint(0, 2, part.shape, dtype=torch.int8, device=self.device) * 2 - 1
                part.copy_(values)
        return out

    def positions(self, count: int, end: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        """Different numbers below `end`, the last of them among them."""
        if self.blank:
            return torch.empty(count, dtype=dtype, device=self.device)
        step = end // count
        spread = torch.arange(count, device=self.device, dtype=torch.int64) * step
        return (spread + end - 1 - step * (count - 1)).flip(0).to(dtype)

    def zeros(self, *shape: int, dtype: torch.dtype = torch.int8) -> torch.Tensor:
        """A tensor of zeros, which a kernel adds to or writes some elements of."""
        make = torch.empty if self.blank else torch.zeros
        return make(shape, dtype=dtype, device=self.device)


@dataclass(frozen=True)
class Huge:
    """A kernel over large tensors; `reference` gives the wanted values of rows or elements from one number to another.

    `wide` are the tensors, by their names in the kernel, whose offsets need 64 bits.
    """

    kernel: Any
    make: Callable[[Memory], tuple[Any, ...]]
    reference: Callable[..., torch.Tensor]
    wide: frozenset[str]


def _written(x: torch.Tensor, index: torch.Tensor, out: torch.Tensor, first: int, last: int) -> torch.Tensor:
    want = torch.zeros(last - first, dtype=out.dtype, device=out.device)
    inside = (index >= first) & (index < last)
    want[index[inside] - first] = x[inside]
    return want


def _product(x: torch.Tensor, y: torch.Tensor, first: int, last: int) -> torch.Tensor:
    return x[first:last].float() @ y.float()


def _weighted(x: torch.Tensor, weights: torch.Tensor, first: int, last: int) -> torch.Tensor:
    return (x[first:last].float() * weights.float()).sum(-1)


HUGE: dict[str, Huge] = {
    "elements one after the other": Huge(
        kernels.plus_one, lambda m: (m.numbers(5_000_000_011),), lambda x, a, b: x[a:b] + 1, frozenset({"x", "out"}),
    ),
    "rows and columns": Huge(
        kernels.add_row, lambda m: (m.numbers(50021, 100003), m.numbers(100003)), lambda x, y, a, b: x[a:b] + y,
        frozenset({"x", "out"}),
    ),
    "sums of rows": Huge(
        kernels.weighted_sums,
        lambda m: (m.numbers(50021, 50023, dtype=torch.bfloat16), m.numbers(50023, dtype=torch.bfloat16)),
        _weighted, frozenset({"x"}),
    ),
    "sums of columns": Huge(
        kernels.weighted_sums,
        lambda m: (m.numbers(50023, 50021, dtype=torch.bfloat16).t(), m.numbers(50023, dtype=torch.bfloat16)),
        _weighted, frozenset({"x"}),
    ),
    "one element here and there": Huge(
        kernels.gather, lambda m: (m.numbers(PAST, dtype=torch.bfloat16), m.positions(1_000_003, PAST)),
        lambda x, index, a, b: x[index[a:b]], frozenset({"x"}),
    ),
    "one element to here and there": Huge(
        kernels.scatter, lambda m: (m.numbers(1_000_003), m.positions(1_000_003, PAST), m.zeros(PAST)), _written,
        frozenset({"out"}),
    ),
    "added to here and there": Huge(
        kernels.scatter_add,
        lambda m: (m.numbers(1_000_003, dtype=torch.float32), m.positions(1_000_003, PAST), m.zeros(PAST, dtype=torch.float32)),
        _written, frozenset({"out"}),
    ),
    "rows of a table, by 32 bits": Huge(
        kernels.rows_of, lambda m: (m.numbers(4_882_813, 1024), m.positions(100_003, 4_882_813, torch.int32)),
        lambda table, index, a, b: table[index[a:b]], frozenset({"table"}),
    ),
    "few elements far apart": Huge(
        kernels.add_row, lambda m: (m.numbers(PAST).as_strided((3, 5), (2**30, 1)), m.numbers(5)),
        lambda x, y, a, b: x[a:b] + y, frozenset({"x"}),
    ),
    "every third of a large one": Huge(
        kernels.add_row, lambda m: (m.numbers(50021, 100003)[5:, 7::3], m.numbers(33332)),
        lambda x, y, a, b: x[a:b] + y, frozenset({"x"}),
    ),
    "product": Huge(
        kernels.matmul, lambda m: (m.numbers(70001, 40000, dtype=torch.bfloat16), m.numbers(40000, 16, dtype=torch.bfloat16)),
        _product, frozenset({"x"}),
    ),
}  # fmt: skip


def check(case: Huge, args: tuple[Any, ...], got: torch.Tensor) -> None:
    """Compare a result with the reference, a piece at a time. Raises AssertionError with the first wrong element."""
    row = max(1, got.numel() // max(1, got.size(0)))
    if case.reference in (_weighted, _product):
        row = args[0].size(1)
    step = max(1, PIECE // row)
    for first in range(0, got.size(0), step):
        last = min(got.size(0), first + step)
        want, part = case.reference(*args, first, last), got[first:last]
        if want.dtype != got.dtype or not torch.equal(want, part):
            wrong = (want != part).nonzero()
            at = [first + int(wrong[0][0]), *(int(i) for i in wrong[0][1:])] if len(wrong) else "dtype"
            raise AssertionError(f"{len(wrong)} elements of {first}:{last} are wrong, the first at {at}")
