"""Matrix product in 8-bit floating point with a scale for each row and each column.

`out[i, j] = (sum_k x[i, k] * w[j, k]) * sx[i] * sw[j]`. Both operands are `float8_e4m3fn` and multiplied as they are; the
sum is float32 and the scales are applied to it once, after the loop. The weights lie by output, (n, k): the tensor
cores want the summed dimension of 8-bit operands contiguous.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main

FP8 = torch.float8_e4m3fn


@helion.kernel()
def gemm_fp8(x: torch.Tensor, w: torch.Tensor, x_scale: torch.Tensor, w_scale: torch.Tensor) -> torch.Tensor:
    """`(x @ w.T) * x_scale[:, None] * w_scale` in bfloat16, for 8-bit `x` (m, k) and `w` (n, k)."""
    m, k = x.size()
    n, k2 = w.size()
    assert k == k2, f"x has {k} columns and w {k2}"
    out = torch.empty([m, n], dtype=torch.bfloat16, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = hl.dot(x[rows, inner], w[columns, inner].T, acc=total)
        out[rows, columns] = (total * x_scale[rows][:, None] * w_scale[columns][None, :]).to(out.dtype)
    return out


def reference(x: torch.Tensor, w: torch.Tensor, x_scale: torch.Tensor, w_scale: torch.Tensor) -> torch.Tensor:
    """The product of the numbers that the 8-bit operands stand for, in float64, rounded once."""
    return (x.double() @ w.double().T * x_scale.double()[:, None] * w_scale.double()).to(torch.bfloat16)


def eager(x: torch.Tensor, w: torch.Tensor, x_scale: torch.Tensor, w_scale: torch.Tensor) -> torch.Tensor:
    """PyTorch's scaled product on a GPU, and a float32 product elsewhere."""
    if x.is_cuda:
        return torch.ops.aten._scaled_mm(x, w.T, x_scale[:, None], w_scale[None, :], out_dtype=torch.bfloat16)
    return (x.float() @ w.float().T * x_scale[:, None] * w_scale).to(torch.bfloat16)


def _inputs(rng: Inputs, m: int, n: int, k: int):
    x, w = rng.normal(m, k, scale=16.0).to(FP8), rng.normal(n, k, scale=16.0).to(FP8)
    return x, w, rng.normal(m).abs() + 0.1, rng.normal(n).abs() + 0.1


CASES = (
    Case("prime", lambda rng: _inputs(rng, 37, 41, 67)),
    Case("pow2", lambda rng: _inputs(rng, 32, 64, 64)),
    Case("small", lambda rng: _inputs(rng, 1, 5, 16)),
)

BENCHMARK = (
    Case("4096^3", lambda rng: _inputs(rng, 4096, 4096, 4096)),
    Case("256x8192x8192", lambda rng: _inputs(rng, 256, 8192, 8192)),
)

EXAMPLES = (Example("gemm_fp8", gemm_fp8, reference, eager, CASES, BENCHMARK, terms=lambda x, *rest: x.size(1)),)

if __name__ == "__main__":
    main(*EXAMPLES)
