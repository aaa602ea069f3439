"""The Kullback-Leibler divergence of predicted from target probabilities, with its gradient.

`loss = sum_ij p[i, j] * (log p[i, j] - input[i, j]) / m` for target probabilities p (given as such or as logarithms) and
predicted logarithms `input` (m, n). A program owns a tile of rows, walks them in tiles of columns and carries the sum of
each lane; lanes are added across once, at the end. Where p is 0 it contributes 0. The gradient, `-p / m`, needs no
predicted value at all.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def kl_div(input: torch.Tensor, target: torch.Tensor, log_target: hl.constexpr = False) -> torch.Tensor:  # pyright: ignore[reportArgumentType]
    """The divergence, a sum over each row averaged over the rows, in float32.

    Args:
        input: logarithms of the predicted probabilities (m, n).
        target: target probabilities (m, n), or their logarithms.
        log_target: whether they are logarithms.
    """
    m, n = input.size()
    losses = torch.empty([m], dtype=torch.float32, device=input.device)
    block_n = hl.register_block_size(n)
    for rows in hl.tile(m):
        sums = hl.zeros([rows, block_n], dtype=torch.float32)
        for columns in hl.tile(n, block_size=block_n):
            predicted = input[rows, columns].to(torch.float32)
            goal = target[rows, columns].to(torch.float32)
            if log_target:
                sums = sums + torch.exp(goal) * (goal - predicted)
            else:
                # 0 * log 0 is 0: the logarithm is taken of 1 there.
                surprise = torch.log(torch.where(goal > 0, goal, 1.0)) - predicted
                sums = sums + torch.where(goal > 0, goal * surprise, 0.0)
        losses[rows] = sums.sum(dim=1)
    return losses.sum() / m


@helion.kernel()
def kl_div_backward(grad: torch.Tensor, target: torch.Tensor, log_target: hl.constexpr = False) -> torch.Tensor:  # pyright: ignore[reportArgumentType]
    """The gradient of `input`, given that of the divergence, a tensor of one number."""
    m, n = target.size()
    out = torch.empty_like(target)
    flat_grad = grad.reshape(1)
    for rows, columns in hl.tile([m, n]):
        goal = target[rows, columns].to(torch.float32)
        if log_target:
            goal = torch.exp(goal)
        out[rows, columns] = (goal * (-flat_grad[0] / m)).to(out.dtype)
    return out


class KLDiv(torch.autograd.Function):
    """The divergence with both of its kernels."""

    @staticmethod
    def forward(ctx, input: torch.Tensor, target: torch.Tensor, log_target: bool) -> torch.Tensor:
        ctx.save_for_backward(target)
        ctx.log_target = log_target
        return kl_div(input, target, log_target)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return kl_div_backward(grads[0], *ctx.saved_tensors, ctx.log_target), None, None


def divergence(input: torch.Tensor, target: torch.Tensor, log_target: bool = False) -> torch.Tensor:
    """The divergence, differentiable in `input`; the target is taken as a constant."""
    return KLDiv.apply(input, target.detach(), log_target)  # pyright: ignore[reportReturnType]


def reference(input: torch.Tensor, target: torch.Tensor, log_target: bool = False) -> torch.Tensor:
    """The divergence in float64, rounded once."""
    return eager(input.double(), target.double(), log_target).float()


def eager(input: torch.Tensor, target: torch.Tensor, log_target: bool = False) -> torch.Tensor:
    """The divergence as PyTorch has it, in float32 at least."""
    wide = torch.promote_types(input.dtype, torch.float32)
    loss = torch.nn.functional.kl_div
    return loss(input.to(wide), target.detach().to(wide), reduction="batchmean", log_target=log_target)


def _inputs(rng: Inputs, m: int, n: int, dtype: torch.dtype = torch.float32, log_target: bool = False):
    input = torch.log_softmax(rng.normal(m, n, scale=2.0), dim=1).to(dtype)
    target = torch.log_softmax(rng.normal(m, n, scale=2.0), dim=1)
    return input, (target if log_target else target.exp()).to(dtype), log_target


def _with_zeros(rng: Inputs, m: int, n: int):
    input, target, _ = _inputs(rng, m, n)
    return input, torch.where(rng.integers(2, m, n) == 0, 0.0, target), False


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 127)),
    Case("logarithms", lambda rng: _inputs(rng, 16, 64, log_target=True)),
    Case("zeros", lambda rng: _with_zeros(rng, 7, 33)),
    Case("bf16", lambda rng: _inputs(rng, 5, 300, torch.bfloat16)),
)

BENCHMARK = (
    Case("4096x32000-bf16", lambda rng: _inputs(rng, 4096, 32000, torch.bfloat16)),
    Case("8192x4096-f32", lambda rng: _inputs(rng, 8192, 4096)),
)

EXAMPLES = (
    Example(
        "kl_div",
        kl_div,
        reference,
        eager,
        CASES,
        BENCHMARK,
        # Of terms of either sign, of which the large ones nearly cancel: counted twice.
        terms=lambda input, *rest: 2 * input.numel(),
        autograd=Autograd(divergence, eager, CASES, terms=lambda input, *rest: 2 * input.numel()),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
