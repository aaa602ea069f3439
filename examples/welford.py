"""Layer normalization of long rows, whose mean and variance are found in one reading by Welford's method.

A program owns a tile of rows, too long to hold, and walks them in tiles of columns. It carries, per row, the count, the
mean and the sum of squared deviations of what it has seen, and merges those of each tile into them: for parts of
sizes n and m whose means differ by d,

    mean = mean_n + d m / (n + m)        deviations = deviations_n + deviations_m + d^2 n m / (n + m)

A second reading writes the normalized row. Two sums of squares are never subtracted, so rows far from 0 lose nothing.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main
from examples.layer_norm import eager


@helion.kernel()
def welford(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """The rows of `x` (m, n) with mean 0 and variance 1, times `weight` (n), plus `bias` (n)."""
    m, n = x.size()
    out = torch.empty_like(x)
    block_n = hl.register_block_size(n)
    for rows in hl.tile(m):
        count = hl.zeros([rows], dtype=torch.float32)
        mean = hl.zeros([rows], dtype=torch.float32)
        deviations = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n, block_size=block_n):
            values = x[rows, columns].to(torch.float32)
            more = (columns.end - columns.begin) * 1.0
            part_mean = values.sum(dim=1) / more
            centered = values - part_mean[:, None]
            apart = part_mean - mean
            share = more / (count + more)
            mean = mean + apart * share
            deviations = deviations + (centered * centered).sum(dim=1) + apart * apart * count * share
            count = count + more
        rstd = torch.rsqrt(deviations / n + eps)
        for columns in hl.tile(n, block_size=block_n):
            values = (x[rows, columns].to(torch.float32) - mean[:, None]) * rstd[:, None]
            scale, shift = weight[columns].to(torch.float32), bias[columns].to(torch.float32)
            out[rows, columns] = (values * scale[None, :] + shift[None, :]).to(out.dtype)
    return out


def reference(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """The same in float64, rounded once."""
    return eager(x.double(), weight.double(), bias.double(), eps).to(x.dtype)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32, offset: float = 0.5):
    return (rng.normal(m, n) + offset).to(dtype), rng.normal(n, dtype=dtype), rng.normal(n, dtype=dtype), 1e-5


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 127)),
    Case("pow2", lambda rng: _inputs(rng, 16, 64)),
    # The mean is a thousand times the deviations: E[x^2] - E[x]^2 would keep no digit of the variance.
    Case("far-from-0", lambda rng: _inputs(rng, 5, 200, offset=64.0)),
    Case("bf16", lambda rng: _inputs(rng, 3, 500, torch.bfloat16)),
)

BENCHMARK = (
    Case("1024x131072-bf16", lambda rng: _inputs(rng, 1024, 131072, torch.bfloat16)),
    Case("4096x16384-f32", lambda rng: _inputs(rng, 4096, 16384)),
)


def _terms(x: torch.Tensor, *rest: object) -> int:
    # The mean's rounding, relative to the deviations.
    return int(x.size(1) * (1 + x.double().mean().item() ** 2))


EXAMPLES = (Example("welford", welford, reference, eager, CASES, BENCHMARK, _terms),)

if __name__ == "__main__":
    main(*EXAMPLES)
