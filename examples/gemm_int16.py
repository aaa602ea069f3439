"""Matrix product of 16-bit floating point with 16-bit integer weights, exact in the weights.

`out[i, j] = sum_k x[i, k] * w[k, j]`. bfloat16 has 8 bits of precision, so a weight is taken apart into its high and its
low byte, `w = 256 * high + low`: both `256 * high` and `low` are bfloat16 (or float16) numbers without rounding. Each
tile takes two products on the tensor cores into one float32 sum; weights are read as the integers they are.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def gemm_int16(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """`x @ w` for `x` (m, k) bfloat16, float16 or float32 and `w` (k, n) int16."""
    m, k = x.size()
    k2, n = w.size()
    assert k == k2, f"x has {k} columns and w {k2} rows"
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            values = x[rows, inner]
            weights = w[inner, columns].to(torch.int32)
            low = weights & 255
            total = torch.addmm(total, values, (weights - low).to(x.dtype))
            total = torch.addmm(total, values, low.to(x.dtype))
        out[rows, columns] = total.to(out.dtype)
    return out


def reference(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The product in float64, rounded once."""
    return (x.double() @ w.double()).to(x.dtype)


def eager(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The product with the weights rounded to the dtype of x, which is less exact."""
    return x @ w.to(x.dtype)


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    # Scaled so that a float16 result stays far from infinity.
    return rng.normal(m, k, dtype=dtype, scale=1 / 256), (rng.integers(65536, k, n) - 32768).to(torch.int16)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 7, 19, 37)),
    Case("pow2", lambda rng: _inputs(rng, 16, 32, 64)),
    Case("bf16", lambda rng: _inputs(rng, 33, 48, 80, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 5, 64, 64, torch.float16)),
)

BENCHMARK = (
    Case("4096^3-bf16", lambda rng: _inputs(rng, 4096, 4096, 4096, torch.bfloat16)),
    Case("32x8192x8192-f16", lambda rng: _inputs(rng, 32, 8192, 8192, torch.float16)),
)

EXAMPLES = (
    Example("gemm_int16", gemm_int16, reference, eager, CASES, BENCHMARK, terms=lambda x, w: x.size(1), products=True),
)

if __name__ == "__main__":
    main(*EXAMPLES)
