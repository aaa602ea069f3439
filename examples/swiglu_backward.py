"""The gradients of the SwiGLU gate, and the gate as a differentiable function.

With s = sigmoid(a) and the gradient g of the result `a s b`,

    grad_a = g * b * s * (1 + a * (1 - s))        grad_b = g * a * s

One kernel reads each of g, a and b once, computes the sigmoid once and writes both gradients.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import swiglu as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def swiglu_backward(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `a` and `b`, contiguous and of one shape, given that of `silu(a) * b`."""
    grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
    flat_grad, flat_a, flat_b = grad.view(-1), a.view(-1), b.view(-1)
    flat_grad_a, flat_grad_b = grad_a.view(-1), grad_b.view(-1)
    for tile in hl.tile(a.numel()):
        upstream = flat_grad[tile].to(torch.float32)
        gate = flat_a[tile].to(torch.float32)
        sigmoid = torch.sigmoid(gate)
        linear = flat_b[tile].to(torch.float32)
        flat_grad_a[tile] = (upstream * linear * sigmoid * (1.0 + gate * (1.0 - sigmoid))).to(grad_a.dtype)
        flat_grad_b[tile] = (upstream * gate * sigmoid).to(grad_b.dtype)
    return grad_a, grad_b


class SwiGLU(torch.autograd.Function):
    """The gate with both of its kernels."""

    @staticmethod
    def forward(ctx, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        return forward.swiglu(a, b)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return swiglu_backward(grads[0].contiguous(), *ctx.saved_tensors)


def swiglu(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`silu(a) * b`, differentiable in both."""
    return SwiGLU.apply(a, b)  # pyright: ignore[reportReturnType]


def reference(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """PyTorch's gradients in float64, rounded once."""
    a64, b64 = a.double().requires_grad_(), b.double().requires_grad_()
    grads = torch.autograd.grad(forward.eager(a64, b64), (a64, b64), grad.double())
    return grads[0].to(a.dtype), grads[1].to(b.dtype)


def eager(grad: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with PyTorch's own gradient of `silu`."""
    return torch.ops.aten.silu_backward(grad * b, a), grad * torch.nn.functional.silu(a)


def _inputs(rng: Inputs, *shape: int, dtype: torch.dtype = torch.float32):
    return tuple(rng.normal(*shape, dtype=dtype) for _ in range(3))


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1009)),
    Case("2d", lambda rng: _inputs(rng, 16, 64)),
    Case("bf16", lambda rng: _inputs(rng, 33, 5, dtype=torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, dtype=torch.float16)),
)

BENCHMARK = (
    Case("8192x14336-bf16", lambda rng: _inputs(rng, 8192, 14336, dtype=torch.bfloat16)),
    Case("4096x4096-f32", lambda rng: _inputs(rng, 4096, 4096)),
)

EXAMPLES = (
    Example(
        "swiglu_backward",
        swiglu_backward,
        reference,
        eager,
        CASES,
        BENCHMARK,
        autograd=Autograd(swiglu, forward.eager, forward.CASES),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
