"""Softmax over the last dimension of a matrix, three ways.

`out[i, j] = e^(x[i, j] - m[i]) / sum_j e^(x[i, j] - m[i])` with `m[i] = max_j x[i, j]`, which keeps the
exponents at most 0.

* `softmax` and `softmax_two_reductions` load whole rows with `:`. Each program owns a tile of rows; whether a
  row is held at once or walked in chunks is a choice the compiler leaves to the tuner.
* `softmax_online` tiles the row itself and reads it twice. The first pass carries the largest value seen
  so far and the sum of exponentials relative to it; when a chunk raises the maximum, the sum so far
  is scaled by `e^(old - new)`.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, main


@helion.kernel()
def softmax(x: torch.Tensor) -> torch.Tensor:
    """Softmax of each row, through PyTorch's own function."""
    m, n = x.size()
    out = torch.empty_like(x)
    for rows in hl.tile(m):
        out[rows, :] = torch.softmax(x[rows, :].to(torch.float32), dim=1).to(x.dtype)
    return out


@helion.kernel()
def softmax_two_reductions(x: torch.Tensor) -> torch.Tensor:
    """Softmax of each row, from a maximum and a sum."""
    m, n = x.size()
    out = torch.empty_like(x)
    for rows in hl.tile(m):
        values = x[rows, :].to(torch.float32)
        exponentials = torch.exp(values - torch.amax(values, dim=1, keepdim=True))
        out[rows, :] = (exponentials / exponentials.sum(dim=1, keepdim=True)).to(x.dtype)
    return out


@helion.kernel()
def softmax_online(x: torch.Tensor) -> torch.Tensor:
    """Softmax of each row, the row read in tiles, twice."""
    m, n = x.size()
    out = torch.empty_like(x)
    block_m = hl.register_block_size(m)
    block_n = hl.register_block_size(n)
    for rows in hl.tile(m, block_size=block_m):
        largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n, block_size=block_n):
            values = x[rows, columns].to(torch.float32)
            new_largest = torch.maximum(largest, torch.amax(values, dim=1))
            total = total * torch.exp(largest - new_largest) + torch.exp(values - new_largest[:, None]).sum(dim=1)
            largest = new_largest
        for columns in hl.tile(n, block_size=block_n):
            values = x[rows, columns].to(torch.float32)
            out[rows, columns] = (torch.exp(values - largest[:, None]) / total[:, None]).to(x.dtype)
    return out


def reference(x: torch.Tensor) -> torch.Tensor:
    """Softmax in float64, rounded once."""
    return torch.softmax(x.double(), dim=1).to(x.dtype)


def eager(x: torch.Tensor) -> torch.Tensor:
    """Softmax as PyTorch has it."""
    return torch.softmax(x, dim=1)


CASES = (
    Case("prime", lambda rng: (rng.normal(13, 127),)),
    Case("pow2", lambda rng: (rng.normal(16, 64),)),
    Case("bf16", lambda rng: (rng.normal(5, 1000, dtype=torch.bfloat16),)),
    Case("f16", lambda rng: (rng.normal(33, 48, dtype=torch.float16),)),
    # All far below 0: padding that is not masked would be the maximum of every row.
    Case("negative", lambda rng: (rng.normal(7, 37) - 200.0,)),
    Case("one-column", lambda rng: (rng.normal(9, 1),)),
)

BENCHMARK = (
    Case("4096x2560-bf16", lambda rng: (rng.normal(4096, 2560, dtype=torch.bfloat16),)),
    Case("8192x8192-f32", lambda rng: (rng.normal(8192, 8192),)),
)


def terms(x: torch.Tensor) -> int:
    """A row is summed."""
    return x.size(1)


EXAMPLES = (
    Example("softmax", softmax, reference, eager, CASES, BENCHMARK, terms),
    Example("softmax_two_reductions", softmax_two_reductions, reference, eager, CASES, BENCHMARK, terms),
    Example("softmax_online", softmax_online, reference, eager, CASES, BENCHMARK, terms),
)

if __name__ == "__main__":
    main(*EXAMPLES)
