"""The per-token loss of group relative policy optimization, and its gradient over a large vocabulary.

For the logits of a position and the token chosen there, `logp = x[token] / T - log sum_j e^(x[j] / T)`. With the
probability ratio `r = e^(logp - old)`, the advantage A of the sequence and the reference policy's logarithm,

    loss = -min(r A, clip(r, 1 - low, 1 + high) A) + beta (e^d - d - 1)        d = ref - logp

Forward: a program owns a block of positions and walks the vocabulary once, carrying the maximum and the sum of
exponentials; the logit of the chosen token is gathered. Backward: with the logarithm of the sum saved, each
logit's gradient `g * (dloss/dlogp) * ([j = token] - softmax_j) / T` is elementwise: one read and one write.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def grpo_loss(
    logits: torch.Tensor,
    token: torch.Tensor,
    old: torch.Tensor,
    ref: torch.Tensor,
    advantage: torch.Tensor,
    temperature: float,
    beta: float,
    low: float,
    high: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each position (b, n), and the logarithm of each sum of exponentials (b, n), in float32.

    Args:
        logits: of the trained policy, (b, n, v).
        token: what was chosen at each position, (b, n).
        old: logarithm of the token's probability when it was chosen, (b, n).
        ref: the same under the reference policy, (b, n).
        advantage: of each sequence, (b).
        temperature: T.
        beta: weight of the divergence from the reference policy.
        low: how far below 1 the ratio counts.
        high: how far above 1 the ratio counts.
    """
    b, n, v = logits.size()
    losses = torch.empty([b, n], dtype=torch.float32, device=logits.device)
    log_sums = torch.empty([b, n], dtype=torch.float32, device=logits.device)
    flat = logits.view(-1)
    scale = 1.0 / temperature
    for batch, position in hl.tile([b, n], block_size=[1, None]):
        largest = hl.full([position], float("-inf"), dtype=torch.float32)
        total = hl.zeros([position], dtype=torch.float32)
        for words in hl.tile(v):
            x = logits[batch.begin, position, words].to(torch.float32) * scale
            new_largest = torch.maximum(largest, torch.amax(x, dim=1))
            total = total * torch.exp(largest - new_largest) + torch.exp(x - new_largest[:, None]).sum(dim=1)
            largest = new_largest
        log_sum = largest + torch.log(total)
        place = (batch.begin * n + position.index).to(torch.int64) * v + token[batch.begin, position]
        logp = hl.load(flat, [place]).to(torch.float32) * scale - log_sum
        ratio = torch.exp(logp - old[batch.begin, position])
        clipped = torch.clamp(ratio, 1.0 - low, 1.0 + high)
        reward = advantage[batch.begin].to(torch.float32)
        distance = ref[batch.begin, position] - logp
        divergence = torch.exp(distance) - distance - 1.0
        losses[batch.begin, position] = beta * divergence - torch.minimum(ratio * reward, clipped * reward)
        log_sums[batch.begin, position] = log_sum
    return losses, log_sums


@helion.kernel()
def grpo_loss_backward(
    grad: torch.Tensor,
    logits: torch.Tensor,
    token: torch.Tensor,
    old: torch.Tensor,
    ref: torch.Tensor,
    advantage: torch.Tensor,
    log_sums: torch.Tensor,
    temperature: float,
    beta: float,
    low: float,
    high: float,
) -> torch.Tensor:
    """The gradient of `logits`, given that of the losses, (b, n), and the logarithms from the forward kernel."""
    b, n, v = logits.size()
    out = torch.empty_like(logits)
    flat = logits.view(-1)
    scale = 1.0 / temperature
    for batch, position in hl.tile([b, n], block_size=[1, None]):
        log_sum = log_sums[batch.begin, position]
        chosen = token[batch.begin, position]
        place = (batch.begin * n + position.index).to(torch.int64) * v + chosen
        logp = hl.load(flat, [place]).to(torch.float32) * scale - log_sum
        ratio = torch.exp(logp - old[batch.begin, position])
        reward = advantage[batch.begin].to(torch.float32)
        # Where the minimum takes the clipped ratio, it does not depend on the logits.
        free = torch.where(reward > 0, ratio <= 1.0 + high, ratio >= 1.0 - low)
        slope = beta * (1.0 - torch.exp(ref[batch.begin, position] - logp)) - torch.where(free, ratio * reward, 0.0)
        slope = (slope * grad[batch.begin, position] * scale)[:, None]
        for words in hl.tile(v):
            weights = torch.exp(logits[batch.begin, position, words].to(torch.float32) * scale - log_sum[:, None])
            hit = torch.where(words.index[None, :] == chosen[:, None], 1.0, 0.0)
            out[batch.begin, position, words] = (slope * (hit - weights)).to(out.dtype)
    return out


class GRPOLoss(torch.autograd.Function):
    """The loss with both of its kernels."""

    @staticmethod
    def forward(ctx, logits: torch.Tensor, *rest) -> torch.Tensor:
        losses, log_sums = grpo_loss(logits, *rest)
        ctx.save_for_backward(logits, *rest[:4], log_sums)
        ctx.numbers = rest[4:]
        return losses

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return grpo_loss_backward(grads[0].contiguous(), *ctx.saved_tensors, *ctx.numbers), *[None] * 8


def loss(logits, token, old, ref, advantage, temperature, beta, low, high) -> torch.Tensor:
    """The losses, differentiable in `logits` alone."""
    constants = [t.detach() for t in (token, old, ref, advantage)]
    return GRPOLoss.apply(logits, *constants, temperature, beta, low, high)  # pyright: ignore[reportReturnType]


def eager(logits, token, old, ref, advantage, temperature, beta, low, high) -> torch.Tensor:
    """The losses as people write it in PyTorch, in float32 at least."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    logps = torch.log_softmax(logits.to(wide) / temperature, dim=-1)
    logp = logps.gather(2, token.long()[:, :, None]).squeeze(2)
    ratio = torch.exp(logp - old.detach())
    reward = advantage.detach()[:, None]
    distance = ref.detach() - logp
    gain = torch.minimum(ratio * reward, ratio.clamp(1 - low, 1 + high) * reward)
    return beta * (torch.exp(distance) - distance - 1) - gain


def reference(logits, token, old, ref, advantage, *numbers: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses and logarithms in float64, rounded once."""
    losses = eager(logits.double(), token, old.double(), ref.double(), advantage.double(), *numbers)
    return losses.float(), torch.logsumexp(logits.double() / numbers[0], dim=-1).float()


def backward_reference(grad, logits, token, old, ref, advantage, log_sums, *numbers: float) -> torch.Tensor:
    """PyTorch's gradient in float64, rounded once."""
    logits64 = logits.double().requires_grad_()
    losses = eager(logits64, token, old.double(), ref.double(), advantage.double(), *numbers)
    return torch.autograd.grad(losses, logits64, grad.double())[0].to(logits.dtype)


def backward_eager(grad, logits, token, old, ref, advantage, log_sums, temperature, beta, low, high) -> torch.Tensor:
    """The gradient as people write it in PyTorch, in float32."""
    weights = torch.exp(logits.float() / temperature - log_sums[:, :, None])
    logp = logits.gather(2, token.long()[:, :, None]).squeeze(2).float() / temperature - log_sums
    ratio, reward = torch.exp(logp - old), advantage[:, None]
    free = torch.where(reward > 0, ratio <= 1 + high, ratio >= 1 - low)
    slope = beta * (1 - torch.exp(ref - logp)) - torch.where(free, ratio * reward, 0.0)
    hit = torch.zeros_like(weights).scatter_(2, token.long()[:, :, None], 1.0)
    return ((slope * grad / temperature)[:, :, None] * (hit - weights)).to(logits.dtype)


def _inputs(rng: Inputs, b: int, n: int, v: int, dtype: torch.dtype = torch.float32):
    logits, token = rng.normal(b, n, v, dtype=dtype, scale=2.0), rng.integers(v, b, n)
    temperature = 0.9
    logp = torch.log_softmax(logits.float() / temperature, dim=-1).gather(2, token[:, :, None]).squeeze(2)
    # Ratios on both sides of the clipping bounds.
    old, ref = logp + rng.normal(b, n, scale=0.3), logp + rng.normal(b, n, scale=0.3)
    return logits, token, old, ref, rng.normal(b), temperature, 0.04, 0.2, 0.3


def _backward_inputs(rng: Inputs, b: int, n: int, v: int, dtype: torch.dtype = torch.float32):
    logits, *rest = _inputs(rng, b, n, v, dtype)
    log_sums = torch.logsumexp(logits.float() / rest[4], dim=-1)
    return rng.normal(b, n), logits, *rest[:4], log_sums, *rest[4:]


def _cases(inputs) -> tuple[Case, ...]:
    return (
        Case("prime", lambda rng: inputs(rng, 3, 7, 131)),
        Case("pow2", lambda rng: inputs(rng, 2, 16, 64)),
        Case("bf16", lambda rng: inputs(rng, 2, 5, 300, torch.bfloat16)),
    )


def _bench(inputs) -> tuple[Case, ...]:
    return (
        Case("4x512x32000-bf16", lambda rng: inputs(rng, 4, 512, 32000, torch.bfloat16)),
        Case("16x512x8192-f32", lambda rng: inputs(rng, 16, 512, 8192)),
    )


def _terms(logits: torch.Tensor, *rest: object) -> int:
    return logits.size(2)


EXAMPLES = (
    Example("grpo_loss", grpo_loss, reference, eager, _cases(_inputs), _bench(_inputs), _terms),
    Example(
        "grpo_loss_backward",
        grpo_loss_backward,
        backward_reference,
        backward_eager,
        _cases(_backward_inputs),
        _bench(_backward_inputs),
        terms=lambda grad, *rest: _terms(*rest),
        autograd=Autograd(loss, eager, _cases(_inputs), _terms),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
