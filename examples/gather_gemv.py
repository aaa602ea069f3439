"""A matrix and a vector for each of a batch, the matrix picked from a stack by a number loaded on the device.

`out[i, :] = w[pick[i], :, :] @ x[i, :]`. Each number of a matrix is used once, so nothing but reading the matrices
counts: a program owns a block of rows of one product, walks them in tiles of columns, multiplies into lanes that
lie as the tile lies in memory, and adds the lanes up once, at the end. A product on the tensor cores would be idle in all
but one of its columns.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def gather_gemv(w: torch.Tensor, pick: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The products (b, n) of matrices of `w` (e, n, k), picked by `pick` (b), with the rows of `x` (b, k)."""
    e, n, k = w.size()
    b, k2 = x.size()
    assert k == k2, f"the matrices have {k} columns and the vectors {k2} numbers"
    out = torch.empty([b, n], dtype=torch.promote_types(w.dtype, x.dtype), device=x.device)
    block_k = hl.register_block_size(k)
    for item, rows in hl.tile([b, n], block_size=[1, None]):
        matrix = pick[item.begin]
        sums = hl.zeros([rows, block_k], dtype=torch.float32)
        for inner in hl.tile(k, block_size=block_k):
            vector = x[item.begin, inner].to(torch.float32)
            sums = sums + w[matrix, rows, inner].to(torch.float32) * vector[None, :]
        out[item.begin, rows] = sums.sum(dim=1).to(out.dtype)
    return out


def reference(w: torch.Tensor, pick: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The products in float64, rounded once."""
    products = (w[matrix].double() @ row for matrix, row in zip(pick.tolist(), x.double()))
    return torch.stack(list(products)).to(torch.promote_types(w.dtype, x.dtype))


def eager(w: torch.Tensor, pick: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The same as people write it in PyTorch, which copies the picked matrices."""
    return torch.bmm(w[pick.long()], x[:, :, None]).squeeze(2)


def _inputs(rng: Inputs, e: int, b: int, n: int, k: int, dtype=torch.float32, pick=torch.int64):
    return rng.normal(e, n, k, dtype=dtype), rng.integers(e, b, dtype=pick), rng.normal(b, k, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 3, 5, 19, 131)),
    Case("pow2", lambda rng: _inputs(rng, 4, 2, 32, 64, pick=torch.int32)),
    Case("bf16", lambda rng: _inputs(rng, 2, 3, 33, 300, torch.bfloat16)),
)

BENCHMARK = (
    Case("8-of-64x4096x4096-bf16", lambda rng: _inputs(rng, 64, 8, 4096, 4096, torch.bfloat16)),
    Case("32-of-16x1024x1024-f32", lambda rng: _inputs(rng, 16, 32, 1024, 1024)),
)

EXAMPLES = (Example("gather_gemv", gather_gemv, reference, eager, CASES, BENCHMARK, terms=lambda w, *rest: w.size(2)),)

if __name__ == "__main__":
    main(*EXAMPLES)
