"""Sums of few, very long rows, two ways.

* `long_sum`: a program owns a tile of rows and walks them in tiles of columns. The running sum has a lane for every column
  of a tile, so that the loop only adds; lanes are added across once, at the end.
* `long_sum_split`: where there are fewer rows than processors, each row is shared. In a first phase a program sums a piece
  of a row; all programs meet at a barrier, and in the second phase the pieces' sums are added, always in the
  same order, so that results are the same at each run.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, main
from examples.sum import eager, reference


@helion.kernel()
def long_sum(x: torch.Tensor) -> torch.Tensor:
    """The sums of the rows of `x` (m, n), in its dtype."""
    m, n = x.size()
    out = torch.empty([m], dtype=x.dtype, device=x.device)
    block_n = hl.register_block_size(n)
    for rows in hl.tile(m):
        sums = hl.zeros([rows, block_n], dtype=torch.float32)
        for columns in hl.tile(n, block_size=block_n):
            sums = sums + x[rows, columns].to(torch.float32)
        out[rows] = sums.sum(dim=1).to(out.dtype)
    return out


@helion.kernel()
def long_sum_split(x: torch.Tensor) -> torch.Tensor:
    """The same, each row shared by several programs."""
    m, n = x.size()
    out = torch.empty([m], dtype=x.dtype, device=x.device)
    piece = hl.register_block_size(2048, max(n, 2048))
    pieces = helion.cdiv(n, piece)
    parts = torch.empty([m, pieces], dtype=torch.float32, device=x.device)
    for row, columns in hl.tile([m, n], block_size=[1, piece]):
        sums = hl.zeros([1], dtype=torch.float32)
        for chunk in hl.tile(columns.begin, columns.end):
            sums = sums + x[row, chunk].to(torch.float32).sum(dim=1)
        parts[row, columns.id] = sums
    hl.barrier()
    for rows in hl.tile(m):
        out[rows] = parts[rows, :].sum(dim=1).to(out.dtype)
    return out


CASES = (
    Case("prime", lambda rng: (rng.normal(3, 9001),)),
    Case("pow2", lambda rng: (rng.normal(4, 8192),)),
    Case("one-column", lambda rng: (rng.normal(5, 1),)),
    Case("bf16", lambda rng: (rng.normal(2, 3000, dtype=torch.bfloat16),)),
)

BENCHMARK = (
    Case("32x4194304-f32", lambda rng: (rng.normal(32, 2**22),)),
    Case("16x1000003-bf16", lambda rng: (rng.normal(16, 1000003, dtype=torch.bfloat16),)),
)


def _terms(x: torch.Tensor) -> int:
    return x.size(1)


EXAMPLES = (
    Example("long_sum", long_sum, reference, eager, CASES, BENCHMARK, _terms),
    Example("long_sum_split", long_sum_split, reference, eager, CASES, BENCHMARK, _terms),
)

if __name__ == "__main__":
    main(*EXAMPLES)
