"""The gradients of root-mean-square normalization, and the whole of it as a differentiable function.

With `r[i] = 1 / sqrt(mean_j x[i, j]^2 + eps)` and the gradient g of the result,

    grad_x[i, j]   = r[i] * (g[i, j] w[j] - x[i, j] * r[i]^2 * mean_j(g[i, j] w[j] x[i, j]))
    grad_w[j]      = sum_i g[i, j] x[i, j] r[i]

r is computed again: its sum is taken of rows that have to be read anyway. A program owns a band of rows, walks it in
tiles, and sums its part of grad_w in registers; it writes one row of parts, and the host adds up the few rows of all
programs. So the inputs are read once, nothing is added atomically, and the result is the same at each run.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import rms_norm as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def rms_norm_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `x` (m, n) and of `weight` (n), given that of the result."""
    m, n = x.size()
    grad_x = torch.empty_like(x)
    band_rows = hl.register_block_size(32, max(m, 32))
    parts = torch.empty([helion.cdiv(m, band_rows), n], dtype=torch.float32, device=x.device)
    for band in hl.tile(m, block_size=band_rows):
        scale = weight[:].to(torch.float32)
        part = torch.zeros_like(scale)
        for rows in hl.tile(band.begin, band.end):
            values = x[rows, :].to(torch.float32)
            upstream = grad[rows, :].to(torch.float32)
            rstd = torch.rsqrt(torch.mean(values * values, dim=-1, keepdim=True) + eps)
            normalized = values * rstd
            scaled = upstream * scale[None, :]
            projection = torch.mean(scaled * normalized, dim=-1, keepdim=True)
            grad_x[rows, :] = (rstd * (scaled - normalized * projection)).to(x.dtype)
            part = part + (upstream * normalized).sum(dim=0)
        parts[band.id, :] = part
    return grad_x, parts.sum(0).to(weight.dtype)


class RMSNorm(torch.autograd.Function):
    """Root-mean-square normalization with both of its kernels."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return forward.rms_norm(x, weight, eps)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        x, weight = ctx.saved_tensors
        return *rms_norm_backward(grads[0].contiguous(), x, weight, ctx.eps), None


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Root-mean-square normalization of the rows of `x`, differentiable in `x` and `weight`."""
    return RMSNorm.apply(x, weight, eps)  # pyright: ignore[reportReturnType]


def reference(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """PyTorch's gradients in float64, rounded once."""
    x64, weight64 = x.double().requires_grad_(), weight.double().requires_grad_()
    grads = torch.autograd.grad(forward.eager(x64, weight64, eps), (x64, weight64), grad.double())
    return grads[0].to(x.dtype), grads[1].to(weight.dtype)


def eager(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6):
    """The same as people write it in PyTorch."""
    values, upstream = x.float(), grad.float()
    rstd = torch.rsqrt(values.square().mean(dim=1, keepdim=True) + eps)
    normalized, scaled = values * rstd, upstream * weight.float()
    grad_x = rstd * (scaled - normalized * (scaled * normalized).mean(dim=1, keepdim=True))
    return grad_x.to(x.dtype), (upstream * normalized).sum(0).to(weight.dtype)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, n, dtype=dtype), rng.normal(m, n, dtype=dtype), rng.normal(n, dtype=dtype), 1e-6


CASES = (
    Case("prime", lambda rng: _inputs(rng, 37, 131)),
    Case("pow2", lambda rng: _inputs(rng, 64, 64)),
    Case("one-row", lambda rng: _inputs(rng, 1, 65)),
    Case("bf16", lambda rng: _inputs(rng, 70, 200, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 3, 80, torch.float16)),
)

BENCHMARK = (
    Case("8192x8192-bf16", lambda rng: _inputs(rng, 8192, 8192, torch.bfloat16)),
    Case("16384x2048-f32", lambda rng: _inputs(rng, 16384, 2048)),
)

EXAMPLES = (
    Example(
        "rms_norm_backward",
        rms_norm_backward,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda grad, x, *rest: max(x.size()),
        autograd=Autograd(rms_norm, forward.eager, forward.CASES, terms=lambda x, *rest: max(x.size())),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
