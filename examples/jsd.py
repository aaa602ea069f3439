"""The generalized Jensen-Shannon divergence of two distributions, with its gradient in the same pass.

For predicted logarithms x (probabilities q = e^x), target logarithms y (p = e^y) and `mix = beta p + (1 - beta) q`,

    loss       = sum_ij (beta p (y - log mix) + (1 - beta) q (x - log mix)) / m
    d loss/d x = (1 - beta) q (x - log mix) / m

The gradient is made of the very numbers that the loss sums, so one kernel writes both and reads x and y once; a backward
pass only scales what is there.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def jsd(input: torch.Tensor, target: torch.Tensor, beta: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """The divergence, averaged over the rows, in float32, and its gradient in the dtype of `input`.

    Args:
        input: logarithms of the predicted probabilities (m, n).
        target: logarithms of the target probabilities (m, n).
        beta: the target's share of the mixture, between 0 and 1, both excluded.
    """
    m, n = input.size()
    losses = torch.empty([m], dtype=torch.float32, device=input.device)
    gradient = torch.empty_like(input)
    block_n = hl.register_block_size(n)
    for rows in hl.tile(m):
        sums = hl.zeros([rows, block_n], dtype=torch.float32)
        for columns in hl.tile(n, block_size=block_n):
            x = input[rows, columns].to(torch.float32)
            y = target[rows, columns].to(torch.float32)
            q, p = torch.exp(x), torch.exp(y)
            log_mix = torch.log(beta * p + (1.0 - beta) * q)
            from_input = (1.0 - beta) * q * (x - log_mix)
            sums = sums + beta * p * (y - log_mix) + from_input
            gradient[rows, columns] = (from_input / m).to(gradient.dtype)
        losses[rows] = sums.sum(dim=1)
    return losses.sum() / m, gradient


class JSD(torch.autograd.Function):
    """The divergence, whose gradient is known when it is."""

    @staticmethod
    def forward(ctx, input: torch.Tensor, target: torch.Tensor, beta: float) -> torch.Tensor:
        loss, gradient = jsd(input, target, beta)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None, None


def divergence(input: torch.Tensor, target: torch.Tensor, beta: float = 0.5) -> torch.Tensor:
    """The divergence, differentiable in `input`; the target is taken as a constant."""
    return JSD.apply(input, target.detach(), beta)  # pyright: ignore[reportReturnType]


def loss(input: torch.Tensor, target: torch.Tensor, beta: float = 0.5) -> torch.Tensor:
    """The divergence in PyTorch's operators."""
    x, y = input, target.detach()
    log_mix = torch.log(beta * y.exp() + (1 - beta) * x.exp())
    return (beta * y.exp() * (y - log_mix) + (1 - beta) * x.exp() * (x - log_mix)).sum() / x.size(0)


def reference(input: torch.Tensor, target: torch.Tensor, beta: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and gradient in float64, by autograd, rounded once."""
    input64 = input.double().requires_grad_()
    value = loss(input64, target.double(), beta)
    return value.detach().float(), torch.autograd.grad(value, input64)[0].to(input.dtype)


def eager(input: torch.Tensor, target: torch.Tensor, beta: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and gradient as people write it in PyTorch, in float32."""
    x, y = input.float(), target.float()
    q, p = x.exp(), y.exp()
    log_mix = torch.log(beta * p + (1 - beta) * q)
    from_input = (1 - beta) * q * (x - log_mix)
    return (beta * p * (y - log_mix) + from_input).sum() / x.size(0), (from_input / x.size(0)).to(input.dtype)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32, beta: float = 0.5):
    rows = (torch.log_softmax(rng.normal(m, n, scale=2.0), dim=1).to(dtype) for _ in range(2))
    return *rows, beta


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 127)),
    Case("pow2", lambda rng: _inputs(rng, 16, 64, beta=0.1)),
    Case("one-row", lambda rng: _inputs(rng, 1, 33, beta=0.9)),
    Case("bf16", lambda rng: _inputs(rng, 5, 300, torch.bfloat16)),
)

BENCHMARK = (
    Case("2048x32000-bf16", lambda rng: _inputs(rng, 2048, 32000, torch.bfloat16)),
    Case("8192x4096-f32", lambda rng: _inputs(rng, 8192, 4096)),
)

EXAMPLES = (
    Example(
        "jsd",
        jsd,
        reference,
        eager,
        CASES,
        BENCHMARK,
        # Of terms of either sign, of which the large ones nearly cancel: counted twice.
        terms=lambda input, *rest: 2 * input.numel(),
        autograd=Autograd(divergence, loss, CASES, terms=lambda input, *rest: 2 * input.numel(), roundings=2),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
