"""The sum of each row of a matrix.

`out[i] = sum_j x[i, j]`, accumulated in float32 whatever the input is. A program owns a tile of rows and reduces them
whole; for long rows the tuner may choose to walk them in chunks.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, main


@helion.kernel()
def row_sum(x: torch.Tensor) -> torch.Tensor:
    """The sums of the rows of `x`, in its dtype."""
    m, n = x.size()
    out = torch.empty([m], dtype=x.dtype, device=x.device)
    for rows in hl.tile(m):
        out[rows] = x[rows, :].to(torch.float32).sum(dim=-1).to(x.dtype)
    return out


def reference(x: torch.Tensor) -> torch.Tensor:
    """The sums in float64, rounded once."""
    return x.double().sum(dim=1).to(x.dtype)


def eager(x: torch.Tensor) -> torch.Tensor:
    """The sums as PyTorch has them."""
    return x.sum(dim=1)


CASES = (
    Case("prime", lambda rng: (rng.normal(31, 509),)),
    Case("pow2", lambda rng: (rng.normal(8, 256),)),
    Case("bf16", lambda rng: (rng.normal(5, 1021, dtype=torch.bfloat16),)),
    Case("columns", lambda rng: (rng.normal(70, 19).t(),)),
    Case("one-row", lambda rng: (rng.normal(1, 3001),)),
)

BENCHMARK = (
    Case("4096x8192-f32", lambda rng: (rng.normal(4096, 8192),)),
    Case("64x1M-bf16", lambda rng: (rng.normal(64, 2**20, dtype=torch.bfloat16),)),
)

EXAMPLES = (Example("row_sum", row_sum, reference, eager, CASES, BENCHMARK, terms=lambda x: x.size(1)),)

if __name__ == "__main__":
    main(*EXAMPLES)
