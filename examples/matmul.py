"""Matrix product.

`out[i, j] = sum_k x[i, k] * y[k, j]`. A program owns a block of rows by columns of the result and walks `k` in tiles,
adding each product of blocks to a float32 accumulator; the result is rounded once at the end.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`x @ y` for matrices."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = total.to(out.dtype)
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The product in float64, rounded once."""
    return (x.double() @ y.double()).to(torch.promote_types(x.dtype, y.dtype))


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, k, dtype=dtype), rng.normal(k, n, dtype=dtype)


CASES = (
    Case("pow2", lambda rng: _inputs(rng, 32, 64, 32)),
    Case("prime", lambda rng: _inputs(rng, 37, 41, 53)),
    Case("small", lambda rng: _inputs(rng, 5, 3, 7)),
    Case("bf16", lambda rng: _inputs(rng, 33, 48, 80, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 64, 17, 64, torch.float16)),
    Case("transposed", lambda rng: (rng.normal(48, 40).t(), rng.normal(33, 48).t())),
)

BENCHMARK = (
    Case("4096^3-bf16", lambda rng: _inputs(rng, 4096, 4096, 4096, torch.bfloat16)),
    Case("8192x8192x2048-f16", lambda rng: _inputs(rng, 8192, 8192, 2048, torch.float16)),
    Case("1024^3-f32", lambda rng: _inputs(rng, 1024, 1024, 1024)),
)

EXAMPLES = (
    Example("matmul", matmul, reference, torch.matmul, CASES, BENCHMARK, terms=lambda x, y: x.size(1), products=True),
)

if __name__ == "__main__":
    main(*EXAMPLES)
