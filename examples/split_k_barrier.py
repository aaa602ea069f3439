"""Matrix product with the inner dimension split among programs, in two phases of one launch.

In the first phase `split_k` programs share one block of the result: each sums its share of k and writes it to a scratch
tensor. All programs then meet at a barrier, and in the second phase the shares are added. Unlike atomics
(`matmul_split_k.py`) this adds in a fixed order, so that results are the same at each run, and needs neither
zeroed memory nor a second launch.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main
from examples.matmul_split_k import programs_a_block
from helion_ir.autotuner import PowerOfTwoFragment


@helion.kernel()
def split_k_barrier(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`x @ y` for matrices."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    split_k = hl.register_tunable("split_k", PowerOfTwoFragment(1, 256, programs_a_block(*hl.specialize((m, n, k)))))
    block_k = helion.next_power_of_2(helion.cdiv(k, split_k))
    shares = torch.empty([helion.cdiv(k, block_k), m, n], dtype=torch.float32, device=x.device)
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for share, rows, columns in hl.tile([k, m, n], block_size=[block_k, None, None]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(share.begin, share.end):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        shares[share.id, rows, columns] = total
    hl.barrier()
    for rows, columns in hl.tile([m, n]):
        out[rows, columns] = shares[:, rows, columns].sum(dim=0).to(out.dtype)
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The product in float64, rounded once."""
    return (x.double() @ y.double()).to(torch.promote_types(x.dtype, y.dtype))


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, k, dtype=dtype), rng.normal(k, n, dtype=dtype)


CASES = (
    Case("pow2", lambda rng: _inputs(rng, 16, 32, 256)),
    Case("prime", lambda rng: _inputs(rng, 13, 17, 211)),
    Case("bf16", lambda rng: _inputs(rng, 32, 16, 300, torch.bfloat16)),
)

BENCHMARK = (
    Case("64x64x32768-bf16", lambda rng: _inputs(rng, 64, 64, 32768, torch.bfloat16)),
    Case("256x512x16384-f16", lambda rng: _inputs(rng, 256, 512, 16384, torch.float16)),
)

EXAMPLES = (
    Example(
        "split_k_barrier",
        split_k_barrier,
        reference,
        torch.matmul,
        CASES,
        BENCHMARK,
        terms=lambda x, y: x.size(1),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
