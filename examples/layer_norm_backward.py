"""The gradients of layer normalization, and the whole of it as a differentiable function.

With the normalized rows `z = (x - mean) * rstd` and `s[i, j] = g[i, j] w[j]` of the gradient g of the result,

    grad_x[i, j] = rstd[i] * (s[i, j] - mean_j s[i, j] - z[i, j] * mean_j(s[i, j] z[i, j]))
    grad_w[j]    = sum_i g[i, j] z[i, j]
    grad_b[j]    = sum_i g[i, j]

A program owns a band of rows, walks it in tiles, and sums its parts of grad_w and grad_b in registers; it writes one row of
each, and the host adds up the few rows of all programs. The inputs are read once.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import layer_norm as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def layer_norm_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, mean: torch.Tensor, rstd: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `x` (m, n), of `weight` (n) and of the bias (n), given that of the result.

    `mean` and `rstd` (m) are what the forward kernel returns with its result.
    """
    m, n = x.size()
    grad_x = torch.empty_like(x)
    band_rows = hl.register_block_size(32, max(m, 32))
    bands = helion.cdiv(m, band_rows)
    weight_parts = torch.empty([bands, n], dtype=torch.float32, device=x.device)
    bias_parts = torch.empty([bands, n], dtype=torch.float32, device=x.device)
    for band in hl.tile(m, block_size=band_rows):
        scale = weight[:].to(torch.float32)
        weight_part = torch.zeros_like(scale)
        bias_part = torch.zeros_like(scale)
        for rows in hl.tile(band.begin, band.end):
            upstream = grad[rows, :].to(torch.float32)
            row_rstd = rstd[rows][:, None]
            normalized = (x[rows, :].to(torch.float32) - mean[rows][:, None]) * row_rstd
            scaled = upstream * scale[None, :]
            average = torch.mean(scaled, dim=-1, keepdim=True)
            projection = torch.mean(scaled * normalized, dim=-1, keepdim=True)
            grad_x[rows, :] = (row_rstd * (scaled - average - normalized * projection)).to(x.dtype)
            weight_part = weight_part + (upstream * normalized).sum(dim=0)
            bias_part = bias_part + upstream.sum(dim=0)
        weight_parts[band.id, :] = weight_part
        bias_parts[band.id, :] = bias_part
    return grad_x, weight_parts.sum(0).to(weight.dtype), bias_parts.sum(0).to(weight.dtype)


class LayerNorm(torch.autograd.Function):
    """Layer normalization with both of its kernels."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, eps: float):
        out, mean, rstd = forward.layer_norm(x, weight, bias, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.has_bias = bias is not None
        return out

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        grad_x, grad_weight, grad_bias = layer_norm_backward(grads[0].contiguous(), *ctx.saved_tensors)
        return grad_x, grad_weight, grad_bias if ctx.has_bias else None, None


def layer_norm(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, eps: float = 1e-5
) -> torch.Tensor:
    """Layer normalization of the rows of `x`, differentiable in `x`, `weight` and `bias`."""
    return LayerNorm.apply(x, weight, bias, eps)  # pyright: ignore[reportReturnType]


def reference(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, mean: torch.Tensor, rstd: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The formulas in float64, rounded once; the gradients of autograd are compared with those of `layer_norm`."""
    upstream, rstd64 = grad.double(), rstd.double()[:, None]
    normalized = (x.double() - mean.double()[:, None]) * rstd64
    scaled = upstream * weight.double()
    average = scaled.mean(dim=1, keepdim=True)
    projection = (scaled * normalized).mean(dim=1, keepdim=True)
    grad_x = rstd64 * (scaled - average - normalized * projection)
    return grad_x.to(x.dtype), (upstream * normalized).sum(0).to(weight.dtype), upstream.sum(0).to(weight.dtype)


def eager(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, mean: torch.Tensor, rstd: torch.Tensor):
    """The gradients as PyTorch has them."""
    if not x.is_cuda:  # where PyTorch wants the statistics in the inputs' dtype, and sums in it
        grads = _native(grad.float(), x.float(), weight.float(), mean, rstd)
        return grads[0].to(x.dtype), grads[1].to(weight.dtype), grads[2].to(weight.dtype)
    return _native(grad, x, weight, mean, rstd)


def _native(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, mean: torch.Tensor, rstd: torch.Tensor):
    """PyTorch's operator."""
    stats = mean[:, None], rstd[:, None]
    return torch.ops.aten.native_layer_norm_backward(grad, x, [x.size(1)], *stats, weight, weight, [True, True, True])


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32):
    x = (rng.normal(m, n) + 0.5).to(dtype)
    values = x.float()
    rstd = torch.rsqrt(values.var(dim=1, correction=0) + 1e-5)
    return rng.normal(m, n, dtype=dtype), x, rng.normal(n, dtype=dtype), values.mean(dim=1), rstd


CASES = (
    Case("prime", lambda rng: _inputs(rng, 37, 131)),
    Case("pow2", lambda rng: _inputs(rng, 64, 64)),
    Case("one-row", lambda rng: _inputs(rng, 1, 65)),
    Case("bf16", lambda rng: _inputs(rng, 70, 200, torch.bfloat16)),
)

BENCHMARK = (
    Case("8192x5120-bf16", lambda rng: _inputs(rng, 8192, 5120, torch.bfloat16)),
    Case("16384x2048-f32", lambda rng: _inputs(rng, 16384, 2048)),
)

EXAMPLES = (
    Example(
        "layer_norm_backward",
        layer_norm_backward,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda grad, x, *rest: max(x.size()),
        autograd=Autograd(layer_norm, forward.eager, forward.CASES, terms=lambda x, *rest: max(x.size())),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
