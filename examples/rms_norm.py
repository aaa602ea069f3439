"""Root-mean-square normalization over the last dimension.

`out[i, j] = x[i, j] * weight[j] / sqrt(mean_j x[i, j]^2 + eps)`. One reduction over a whole row, of which a
program owns a tile; the mean divides by the row's own length, never by the padded block.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """The rows of `x` scaled to root mean square 1, times `weight`."""
    m, n = x.size()
    out = torch.empty_like(x)
    for rows in hl.tile(m):
        values = x[rows, :].to(torch.float32)
        scale = torch.rsqrt(torch.mean(values * values, dim=-1, keepdim=True) + eps)
        out[rows, :] = (values * scale * weight[None, :].to(torch.float32)).to(x.dtype)
    return out


def reference(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """The same in float64, rounded once."""
    values = x.double()
    return (values * (values.square().mean(dim=1, keepdim=True) + eps).rsqrt() * weight.double()).to(x.dtype)


def eager(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Root-mean-square normalization as PyTorch has it."""
    return torch.nn.functional.rms_norm(x, [x.size(1)], weight, eps)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, n, dtype=dtype), rng.normal(n, dtype=dtype), 1e-6


CASES = (
    Case("prime", lambda rng: _inputs(rng, 11, 131)),
    Case("pow2", lambda rng: _inputs(rng, 32, 32)),
    Case("bf16", lambda rng: _inputs(rng, 3, 1025, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, 65, torch.float16)),
)

BENCHMARK = (
    Case("4096x8192-bf16", lambda rng: _inputs(rng, 4096, 8192, torch.bfloat16)),
    Case("2048x4096-f32", lambda rng: _inputs(rng, 2048, 4096)),
)

EXAMPLES = (Example("rms_norm", rms_norm, reference, eager, CASES, BENCHMARK, terms=lambda x, *rest: x.size(1)),)

if __name__ == "__main__":
    main(*EXAMPLES)
