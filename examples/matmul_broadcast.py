"""A batch of matrices times one matrix that all of them share.

`out[b, i, j] = sum_k x[b, i, k] * y[k, j]`. The rows of a whole block of matrices are laid under each other for the
product, `[block of b * block of i, k] @ [k, j]`: short matrices still fill the rows of a matrix instruction, and a block
of y is read once for all of them. x need not be contiguous, so the host could not merge its dimensions itself.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def matmul_broadcast(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`x @ y` for `x` (b, m, k) and `y` (k, n)."""
    b, m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    out = torch.empty([b, m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for batch, rows, columns in hl.tile([b, m, n]):
        total = hl.zeros([batch.block_size * rows.block_size, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            stacked = x[batch, rows, inner].reshape(batch.block_size * rows.block_size, inner)
            total = torch.addmm(total, stacked, y[inner, columns])
        out[batch, rows, columns] = total.reshape(batch, rows, columns).to(out.dtype)
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The products in float64, rounded once."""
    return (x.double() @ y.double()).to(torch.promote_types(x.dtype, y.dtype))


def _inputs(rng: Inputs, b: int, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    # Batch and row are not neighbours in memory.
    return rng.normal(m, b, k, dtype=dtype).transpose(0, 1), rng.normal(k, n, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 5, 7, 23, 29)),
    Case("pow2", lambda rng: _inputs(rng, 4, 16, 32, 16)),
    Case("one-row", lambda rng: _inputs(rng, 17, 1, 16, 33)),
    Case("bf16", lambda rng: _inputs(rng, 3, 17, 32, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case("256x16x4096x4096-bf16", lambda rng: _inputs(rng, 256, 16, 4096, 4096, torch.bfloat16)),
    Case("16x512x1024x768-f16", lambda rng: _inputs(rng, 16, 512, 1024, 768, torch.float16)),
)

EXAMPLES = (
    Example(
        "matmul_broadcast",
        matmul_broadcast,
        reference,
        torch.matmul,
        CASES,
        BENCHMARK,
        terms=lambda x, y: x.size(2),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
