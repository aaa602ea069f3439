"""Softmax over the last dimension of a batch of matrices, forward and backward, as a differentiable function.

Forward `y = e^(x - max) / sum e^(x - max)`, backward `grad_x = y * (g - sum(g * y))`, sums over the last dimension. Both
read each row once: rows are held whole (or walked in chunks, as the tuner decides), and batch and row are two dimensions
of the grid.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def batch_softmax(x: torch.Tensor) -> torch.Tensor:
    """Softmax of the rows of `x` (b, m, n)."""
    b, m, n = x.size()
    out = torch.empty_like(x)
    for batch, rows in hl.tile([b, m]):
        values = x[batch, rows, :].to(torch.float32)
        exponentials = torch.exp(values - torch.amax(values, dim=-1, keepdim=True))
        out[batch, rows, :] = (exponentials / exponentials.sum(dim=-1, keepdim=True)).to(x.dtype)
    return out


@helion.kernel()
def batch_softmax_backward(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The gradient of the input, given those of the result `y` (b, m, n)."""
    b, m, n = y.size()
    grad_x = torch.empty_like(y)
    for batch, rows in hl.tile([b, m]):
        upstream = grad[batch, rows, :].to(torch.float32)
        weights = y[batch, rows, :].to(torch.float32)
        projection = (upstream * weights).sum(dim=-1, keepdim=True)
        grad_x[batch, rows, :] = (weights * (upstream - projection)).to(y.dtype)
    return grad_x


class Softmax(torch.autograd.Function):
    """Softmax with both of its kernels."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        y = batch_softmax(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return batch_softmax_backward(grads[0].contiguous(), *ctx.saved_tensors)


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Softmax over the last dimension of `x` (b, m, n), differentiable."""
    return Softmax.apply(x)  # pyright: ignore[reportReturnType]


def reference(x: torch.Tensor) -> torch.Tensor:
    """Softmax in float64, rounded once."""
    return torch.softmax(x.double(), dim=-1).to(x.dtype)


def eager(x: torch.Tensor) -> torch.Tensor:
    """Softmax as PyTorch has it."""
    return torch.softmax(x, dim=-1)


def backward_reference(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The formula in float64, rounded once."""
    upstream, weights = grad.double(), y.double()
    return (weights * (upstream - (upstream * weights).sum(dim=-1, keepdim=True))).to(y.dtype)


def backward_eager(grad: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The gradient as PyTorch has it."""
    return torch.ops.aten._softmax_backward_data(grad, y, -1, y.dtype)


def _inputs(rng: Inputs, b: int, m: int, n: int, dtype: torch.dtype = torch.float32):
    return (rng.normal(b, m, n, dtype=dtype),)


def _backward_inputs(rng: Inputs, b: int, m: int, n: int, dtype: torch.dtype = torch.float32):
    return rng.normal(b, m, n, dtype=dtype), torch.softmax(rng.normal(b, m, n), dim=-1).to(dtype)


def _cases(inputs) -> tuple[Case, ...]:
    return (
        Case("prime", lambda rng: inputs(rng, 3, 5, 131)),
        Case("pow2", lambda rng: inputs(rng, 2, 16, 64)),
        Case("one-column", lambda rng: inputs(rng, 2, 3, 1)),
        Case("bf16", lambda rng: inputs(rng, 1, 7, 300, torch.bfloat16)),
    )


def _bench(inputs) -> tuple[Case, ...]:
    return (
        Case("16x512x4096-bf16", lambda rng: inputs(rng, 16, 512, 4096, torch.bfloat16)),
        Case("64x1024x1024-f32", lambda rng: inputs(rng, 64, 1024, 1024)),
    )


def _terms(x: torch.Tensor, *rest: torch.Tensor) -> int:
    return x.size(-1)


EXAMPLES = (
    Example("batch_softmax", batch_softmax, reference, eager, _cases(_inputs), _bench(_inputs), _terms),
    Example(
        "batch_softmax_backward",
        batch_softmax_backward,
        backward_reference,
        backward_eager,
        # The gradient of a softmax of one number is 0, which says nothing about a kernel.
        tuple(case for case in _cases(_backward_inputs) if case.name != "one-column"),
        _bench(_backward_inputs),
        _terms,
        autograd=Autograd(
            softmax,
            eager,
            tuple(case for case in _cases(_inputs) if case.name != "one-column"),
            terms=_terms,
            roundings=2,
        ),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
