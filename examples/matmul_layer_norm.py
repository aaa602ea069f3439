"""A matrix product whose rows are normalized before they are written.

`out = layer_norm(x @ y) * weight + bias` over the last dimension. A program owns a block of rows of the result in their
whole width, (block, n) numbers in registers: when the loop over k ends it has each row complete, and the mean and
the variance are two sums over registers. The product itself is never written. Made for n up to about 1024.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def matmul_layer_norm(
    x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5
) -> torch.Tensor:
    """`layer_norm(x @ y)` for `x` (m, k) and `y` (k, n), with `weight` and `bias` (n)."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    n = hl.specialize(n)
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows, n], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, :])
        centered = total - torch.mean(total, dim=-1, keepdim=True)
        rstd = torch.rsqrt(torch.mean(centered * centered, dim=-1, keepdim=True) + eps)
        result = centered * rstd * weight[:].to(torch.float32)[None, :] + bias[:].to(torch.float32)[None, :]
        out[rows, :] = result.to(out.dtype)
    return out


def reference(
    x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5
) -> torch.Tensor:
    """The same in float64, rounded once."""
    product = x.double() @ y.double()
    normalized = torch.nn.functional.layer_norm(product, [y.size(1)], weight.double(), bias.double(), eps)
    return normalized.to(torch.promote_types(x.dtype, y.dtype))


def eager(
    x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5
) -> torch.Tensor:
    """The same as people write it in PyTorch."""
    return torch.nn.functional.layer_norm(x @ y, [y.size(1)], weight, bias, eps)


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    weight, bias = rng.normal(n, dtype=dtype), rng.normal(n, dtype=dtype)
    return rng.normal(m, k, dtype=dtype), rng.normal(k, n, dtype=dtype), weight, bias, 1e-5


CASES = (
    Case("prime", lambda rng: _inputs(rng, 19, 43, 31)),
    Case("pow2", lambda rng: _inputs(rng, 32, 64, 32)),
    Case("bf16", lambda rng: _inputs(rng, 17, 100, 64, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 5, 32, 48, torch.float16)),
)

BENCHMARK = (
    Case("16384x512x1024-bf16", lambda rng: _inputs(rng, 16384, 512, 1024, torch.bfloat16)),
    Case("8192x256x4096-f16", lambda rng: _inputs(rng, 8192, 256, 4096, torch.float16)),
)

EXAMPLES = (
    Example(
        "matmul_layer_norm",
        matmul_layer_norm,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, y, *rest: x.size(1) + y.size(1),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
