"""The gradients of the GEGLU gate, and the gate as a differentiable function.

With `u = sqrt(2 / pi) * (a + 0.044715 a^3)`, `t = tanh(u)` and the gradient g of the result `a / 2 * (1 + t) * b`,

    grad_a = g * b * (1 + t + a * (1 - t^2) * du/da) / 2        du/da = sqrt(2 / pi) * (1 + 3 * 0.044715 a^2)
    grad_b = g * a / 2 * (1 + t)

One kernel reads each of g, a and b once, computes the tanh once and writes both gradients.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import geglu as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def geglu_backward(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `a` and `b`, of one shape, given that of `gelu(a) * b`."""
    grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
    slope = math.sqrt(2.0 / math.pi)
    for tile in hl.tile(a.size()):
        upstream = grad[tile].to(torch.float32)
        gate = a[tile].to(torch.float32)
        square = gate * gate
        tanh = torch.tanh(slope * gate * (1.0 + 0.044715 * square))
        inner_slope = slope * (1.0 + 3 * 0.044715 * square)
        gelu_slope = 0.5 * (1.0 + tanh + gate * (1.0 - tanh * tanh) * inner_slope)
        grad_a[tile] = (upstream * b[tile].to(torch.float32) * gelu_slope).to(a.dtype)
        grad_b[tile] = (upstream * 0.5 * gate * (1.0 + tanh)).to(b.dtype)
    return grad_a, grad_b


class GEGLU(torch.autograd.Function):
    """The gate with both of its kernels."""

    @staticmethod
    def forward(ctx, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        return forward.geglu(a, b)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return geglu_backward(grads[0], *ctx.saved_tensors)


def geglu(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`gelu(a) * b`, differentiable in both."""
    return GEGLU.apply(a, b)  # pyright: ignore[reportReturnType]


def reference(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """PyTorch's gradients in float64, rounded once."""
    a64, b64 = a.double().requires_grad_(), b.double().requires_grad_()
    grads = torch.autograd.grad(forward.eager(a64, b64), (a64, b64), grad.double())
    return grads[0].to(a.dtype), grads[1].to(b.dtype)


def eager(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with PyTorch's own gradient of GELU."""
    grad_a = torch.ops.aten.gelu_backward(grad * b, a, approximate="tanh")
    return grad_a, grad * torch.nn.functional.gelu(a, approximate="tanh")


def _inputs(rng: Inputs, *shape: int, dtype: torch.dtype = torch.float32):
    return tuple(rng.normal(*shape, dtype=dtype) for _ in range(3))


CASES = (
    Case("prime", lambda rng: _inputs(rng, 29, 37)),
    Case("1d", lambda rng: _inputs(rng, 130)),
    Case("bf16", lambda rng: _inputs(rng, 16, 64, dtype=torch.bfloat16)),
    Case("strided", lambda rng: (rng.normal(41, 19), rng.normal(19, 41).t(), rng.normal(41, 19))),
)

BENCHMARK = (
    Case("8192x14336-bf16", lambda rng: _inputs(rng, 8192, 14336, dtype=torch.bfloat16)),
    Case("4096x4096-f32", lambda rng: _inputs(rng, 4096, 4096)),
)

EXAMPLES = (
    Example(
        "geglu_backward",
        geglu_backward,
        reference,
        eager,
        CASES,
        BENCHMARK,
        autograd=Autograd(geglu, forward.eager, forward.CASES),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
