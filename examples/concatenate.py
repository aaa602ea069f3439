"""Two matrices side by side.

`out = [x | y]`. The grid spans the result; where a tile of columns lies across the seam, both inputs are loaded under
masks and the lanes of each are kept. Elsewhere one of the masks is false throughout and its load touches no memory.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def concatenate(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`torch.cat([x, y], dim=1)` for matrices of as many rows and one dtype."""
    m, left = x.size()
    m2, right = y.size()
    assert m == m2, f"x has {m} rows and y {m2}"
    assert x.dtype == y.dtype, "both must have one dtype"
    out = torch.empty([m, left + right], dtype=x.dtype, device=x.device)
    for rows, columns in hl.tile([m, left + right]):
        from_x = columns.index < left
        values = hl.load(x, [rows, columns], extra_mask=from_x[None, :])
        others = hl.load(y, [rows, columns.index - left], extra_mask=~from_x[None, :])
        out[rows, columns] = torch.where(from_x[None, :], values, others)
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Nothing is computed."""
    return torch.cat([x, y], dim=1)


def _inputs(rng: Inputs, m: int, left: int, right: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, left, dtype=dtype), rng.normal(m, right, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 37, 101)),
    Case("pow2", lambda rng: _inputs(rng, 16, 64, 32)),
    Case("one-column", lambda rng: _inputs(rng, 5, 1, 1)),
    Case("bf16", lambda rng: _inputs(rng, 33, 100, 28, torch.bfloat16)),
)

BENCHMARK = (
    Case("8192x4096+4096-bf16", lambda rng: _inputs(rng, 8192, 4096, 4096, torch.bfloat16)),
    Case("4096x1000+3001-f32", lambda rng: _inputs(rng, 4096, 1000, 3001)),
)

EXAMPLES = (Example("concatenate", concatenate, reference, reference, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
