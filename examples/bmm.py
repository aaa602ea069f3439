"""Batched matrix product.

`out[b, i, j] = sum_k x[b, i, k] * y[b, k, j]`. The batch is a third dimension of the grid; a program owns a block of one
or more matrices and accumulates over tiles of `k` in float32.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def bmm(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The product of each pair of matrices of `x` and `y`."""
    b, m, k = x.size()
    b2, k2, n = y.size()
    assert b == b2 and k == k2, "batches and inner dimensions must agree"
    out = torch.empty([b, m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for batch, rows, columns in hl.tile([b, m, n]):
        total = hl.zeros([batch, rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.baddbmm(total, x[batch, rows, inner], y[batch, inner, columns])
        out[batch, rows, columns] = total.to(out.dtype)
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The products in float64, rounded once."""
    return (x.double() @ y.double()).to(torch.promote_types(x.dtype, y.dtype))


def _inputs(rng: Inputs, b: int, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    return rng.normal(b, m, k, dtype=dtype), rng.normal(b, k, n, dtype=dtype)


CASES = (
    Case("pow2", lambda rng: _inputs(rng, 2, 32, 16, 32)),
    Case("prime", lambda rng: _inputs(rng, 3, 19, 23, 29)),
    Case("bf16", lambda rng: _inputs(rng, 2, 17, 32, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case("16x1024^3-bf16", lambda rng: _inputs(rng, 16, 1024, 1024, 1024, torch.bfloat16)),
    Case("64x512x512x64-f16", lambda rng: _inputs(rng, 64, 512, 512, 64, torch.float16)),
)

EXAMPLES = (Example("bmm", bmm, reference, torch.bmm, CASES, BENCHMARK, terms=lambda x, y: x.size(2), products=True),)

if __name__ == "__main__":
    main(*EXAMPLES)
