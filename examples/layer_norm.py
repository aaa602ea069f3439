"""Layer normalization over the last dimension, with weight and optional bias.

`out[i, j] = (x[i, j] - mean[i]) * rstd[i] * weight[j] + bias[j]` with `rstd[i] = 1 / sqrt(var[i] + eps)`, `var` the
mean of the squared deviations. The deviations are squared after the mean is known: the one-pass
formula `E[x^2] - E[x]^2` cancels badly. A program owns a tile of rows; both reductions are over a whole
row. `bias is None` is decided when the kernel is compiled. `mean` and `rstd` are returned because a
backward pass needs them.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def layer_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, eps: float = 1e-5
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The normalized rows of `x`, their means and their reciprocal standard deviations (float32)."""
    m, n = x.size()
    out = torch.empty_like(x)
    means = torch.empty([m], dtype=torch.float32, device=x.device)
    rstds = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        values = x[rows, :].to(torch.float32)
        mean = values.sum(dim=1) / n
        centered = values - mean[:, None]
        variance = (centered * centered).sum(dim=1) / n
        rstd = torch.rsqrt(variance + eps)
        result = centered * rstd[:, None] * weight[:].to(torch.float32)
        if bias is not None:
            result = result + bias[:].to(torch.float32)
        out[rows, :] = result.to(x.dtype)
        means[rows] = mean
        rstds[rows] = rstd
    return out, means, rstds


def reference(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, eps: float = 1e-5
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same in float64, rounded once."""
    values = x.double()
    mean = values.mean(dim=1)
    rstd = (values.var(dim=1, correction=0) + eps).rsqrt()
    out = (values - mean[:, None]) * rstd[:, None] * weight.double()
    if bias is not None:
        out = out + bias.double()
    return out.to(x.dtype), mean.float(), rstd.float()


def eager(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, eps: float = 1e-5) -> torch.Tensor:
    """Layer normalization as PyTorch has it."""
    return torch.nn.functional.layer_norm(x, [x.size(1)], weight, bias, eps)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32, bias: bool = True):
    # Away from 0, so that a mean over padded lanes is visibly wrong.
    x = (rng.normal(m, n) + 0.5).to(dtype)
    return x, rng.normal(n, dtype=dtype), rng.normal(n, dtype=dtype) if bias else None, 1e-5


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 127)),
    Case("pow2", lambda rng: _inputs(rng, 16, 64)),
    Case("no-bias", lambda rng: _inputs(rng, 5, 96, bias=False)),
    Case("bf16", lambda rng: _inputs(rng, 7, 513, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 3, 80, torch.float16)),
)

BENCHMARK = (
    Case("4096x5120-bf16", lambda rng: _inputs(rng, 4096, 5120, torch.bfloat16)),
    Case("8192x2048-f32", lambda rng: _inputs(rng, 8192, 2048)),
)

EXAMPLES = (Example("layer_norm", layer_norm, reference, eager, CASES, BENCHMARK, terms=lambda x, *rest: x.size(1)),)

if __name__ == "__main__":
    main(*EXAMPLES)
