"""Matrix product with the inner dimension split among programs.

For a small result and a long `k` there are too few blocks of the result to fill a GPU. Here `k` is a third
dimension of the grid: `split_k` programs share one block of the result, each sums its share of `k`, and
the shares are added in memory with atomics. The number of shares is a tunable of the kernel's own, whose default depends on
the sizes: the fewer blocks the result has, the more programs share one. The result is accumulated in float32 and rounded
once, after the launch.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main
from helion_ir.autotuner import PowerOfTwoFragment


def programs_a_block(m: int, n: int, k: int) -> int:
    """How many programs share a block of the result, untuned: about 128 in all, each with 256 of `k` or more.

    That many fill a large GPU if blocks are 64 x 64; a power of two up to 128.
    """
    blocks = helion.cdiv(m, 64) * helion.cdiv(n, 64)
    return helion.next_power_of_2(max(1, min(128 // blocks, k // 256)))


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def matmul_split_k(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """`x @ y` for matrices."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    out = torch.zeros([m, n], dtype=torch.float32, device=x.device)
    split_k = hl.register_tunable("split_k", PowerOfTwoFragment(1, 256, programs_a_block(*hl.specialize((m, n, k)))))
    block_k = helion.next_power_of_2(helion.cdiv(k, split_k))
    for rows, columns, share in hl.tile([m, n, k], block_size=[None, None, block_k]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(share.begin, share.end):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        hl.atomic_add(out, [rows, columns], total)
    return out.to(torch.promote_types(x.dtype, y.dtype))


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
        "matmul_split_k",
        matmul_split_k,
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
