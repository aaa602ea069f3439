"""Kernels whose sizes only a call fixes, with inputs and what PyTorch says, and the sizes that one kernel must serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

import helion_ir as helion
import helion_ir.language as hl


def softmax(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for rows in hl.tile(x.size(0)):
        out[rows, :] = torch.softmax(x[rows, :], dim=1)
    return out


def scaled_row_sums(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    assert x.size(1) == w.size(0)
    out = torch.empty([x.size(0)], dtype=torch.float32, device=x.device)
    for rows in hl.tile(x.size(0)):
        out[rows] = (x[rows, :].to(torch.float32) * w[:].to(torch.float32)).sum(1)
    return out


def matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    m, k = x.size()
    k2, n = y.size()
    assert k == k2
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    for tile_m, tile_n in hl.tile([m, n]):
        acc = hl.zeros([tile_m, tile_n], dtype=torch.float32)
        for tile_k in hl.tile(k):
            acc = torch.addmm(acc, x[tile_m, tile_k], y[tile_k, tile_n])
        out[tile_m, tile_n] = acc.to(x.dtype)
    return out


def column_maxima(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty([x.size(1)], dtype=x.dtype, device=x.device)
    for columns in hl.tile(x.size(1)):
        out[columns] = torch.amax(x[:, columns], dim=0)
    return out


def first_of(x: torch.Tensor, n: int) -> torch.Tensor:
    out = torch.empty([x.size(0)], dtype=torch.float32, device=x.device)
    for rows in hl.tile(x.size(0)):
        out[rows] = x[rows, :n].sum(1)
    return out


def broadcast_add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for a, b in hl.tile([x.size(0), x.size(1)]):
        out[a, b] = x[a, b] + y[a, b]
    return out


@dataclass(frozen=True)
class Case:
    function: Callable[..., Any]
    inputs: Callable[[tuple[int, ...]], tuple[Any, ...]]
    reference: Callable[..., torch.Tensor]
    sizes: tuple[tuple[int, ...], ...]
    configs: tuple[dict[str, Any], ...]
    tolerance: float
    """Relative to the largest element, and to each: from the dtype and the length of the reductions."""

    def kernel(self, **settings: Any) -> Any:
        return helion.kernel(self.function, static_shapes=False, autotune_effort="none", **settings)

    def check(self, actual: torch.Tensor, args: tuple[Any, ...]) -> None:
        want = self.reference(*args)
        scale = want.abs().max().item() if want.numel() else 0.0
        torch.testing.assert_close(actual.double(), want, rtol=self.tolerance, atol=self.tolerance * scale)


def _random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape))).to(dtype) + 0.25


ROWS = ((31, 37), (0, 5), (3, 0), (1, 1), (2, 2), (1, 7), (5, 1), (3, 1031))
PRODUCTS = ((33, 37, 41), (0, 3, 5), (3, 0, 5), (3, 5, 0), (1, 1, 1), (2, 2, 2), (17, 1, 19), (1, 300, 2), (16, 64, 32))

CASES = {
    "softmax": Case(
        softmax, lambda s: (_random(*s),), lambda x: torch.softmax(x.double(), 1), ROWS,
        ({"reduction_loops": [None]}, {"reduction_loops": [16]}, {"reduction_loops": [512], "block_sizes": [4]}), 2**-18,
    ),
    "scaled_row_sums": Case(
        scaled_row_sums, lambda s: (_random(*s, dtype=torch.bfloat16), _random(s[1], seed=1, dtype=torch.bfloat16)),
        lambda x, w: (x.double() * w.double()).sum(1), ROWS,
        ({"reduction_loops": [None], "pid_type": "persistent_interleaved"}, {"reduction_loops": [64]}), 2**-14,
    ),
    "matmul": Case(
        matmul, lambda s: (_random(s[0], s[1]), _random(s[1], s[2], seed=1)), lambda x, y: x.double() @ y.double(), PRODUCTS,
        (
            {"block_sizes": [16, 16, 16]},
            {"block_sizes": [32, 16, 32], "pid_type": "persistent_blocked", "l2_groupings": [4]},
            {"block_sizes": [16, 16, 16], "indexing": "block_ptr"},
        ), 2**-12,
    ),
    "column_maxima": Case(
        column_maxima, lambda s: (_random(*s),), lambda x: x.double().amax(0), tuple(s for s in ROWS if s[0]),
        ({"reduction_loops": [None]}, {"reduction_loops": [32]}), 0.0,
    ),
    "first_of": Case(
        first_of, lambda s: (_random(s[0], 64), s[1]), lambda x, n: x[:, :n].double().sum(1),
        ((31, 37), (0, 5), (3, 0), (2, 1), (5, 2), (3, 64)), ({"reduction_loops": [None]}, {"reduction_loops": [16]}), 2**-18,
    ),
}  # fmt: skip
