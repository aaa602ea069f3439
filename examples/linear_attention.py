"""Causal linear attention with a decay for each head, in chunks, with gradients by the same kernel.

`out[i] = sum_{j <= i} g^(i - j) (q[i] . k[j]) v[j]`. There is no softmax, so everything before a chunk is summed up in a
state of (dk, dv) numbers, and the work grows with the length rather than its square. In a chunk that begins at b, ends at e:

    out[i] = g^(i - b + 1) q[i] state + sum_{b <= j <= i} g^(i - j) (q[i] . k[j]) v[j]
    state <- g^(e - b) state + sum_j g^(e - 1 - j) k[j]^T v[j]

A program owns a slice of one head's state and walks the chunks: four products on the tensor cores each. The result does not
depend on the chunks' length, so the tuner chooses it. Each gradient has the form of the result: that of q takes
(grad, v, k) for (q, k, v); those of k and v take (v, grad, q) and (k, q, grad), backwards in time.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
    """The results (batch, heads, n, dv).

    Args:
        q: queries, (batch, heads, n, dk).
        k: keys, as many.
        v: values, (batch, heads, n, dv).
        log_decay: logarithm of each head's decay in base 2, at most 0, (heads), float32.
    """
    z, heads, n, dk = q.size()
    dk = hl.specialize(dk)
    dv = v.size(3)
    out = torch.empty_like(v)
    chunk = hl.register_block_size(16, 128)
    for batch, head, columns in hl.tile([z, heads, dv], block_size=[1, 1, None]):
        rate = log_decay[head.begin]
        state = hl.zeros([dk, columns], dtype=torch.float32)
        for rows in hl.tile(n, block_size=chunk):
            queries = q[batch.begin, head.begin, rows, :]
            keys = k[batch.begin, head.begin, rows, :]
            values = v[batch.begin, head.begin, rows, columns]
            place = (rows.index - rows.begin).to(torch.float32)
            apart = rows.index[:, None] - rows.index[None, :]
            fade = torch.exp2(torch.where(apart >= 0, apart.to(torch.float32) * rate, float("-inf")))
            scores = hl.dot(queries, keys.T) * fade
            before = hl.dot(queries, state.to(q.dtype)) * torch.exp2((place + 1.0) * rate)[:, None]
            result = hl.dot(scores.to(v.dtype), values, acc=before)
            out[batch.begin, head.begin, rows, columns] = result.to(out.dtype)
            length = (rows.end - rows.begin) * 1.0
            left = torch.exp2((length - 1.0 - place) * rate)
            faded = (values.to(torch.float32) * left[:, None]).to(v.dtype)
            state = hl.dot(keys.T, faded, acc=state * torch.exp2(length * rate))
    return out


class LinearAttention(torch.autograd.Function):
    """Linear attention and its gradients, by one kernel."""

    @staticmethod
    def forward(ctx, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(q, k, v, log_decay)
        return linear_attention(q, k, v, log_decay)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        q, k, v, log_decay = ctx.saved_tensors
        grad = grads[0].contiguous()
        grad_q = linear_attention(grad, v, k, log_decay)
        back_q, back_k, back_v, back_grad = (t.flip(2) for t in (q, k, v, grad))
        grad_k = linear_attention(back_v, back_grad, back_q, log_decay).flip(2)
        grad_v = linear_attention(back_k, back_q, back_grad, log_decay).flip(2)
        return grad_q, grad_k, grad_v, None


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
    """Linear attention, differentiable in `q`, `k` and `v`; the decay is taken as a constant."""
    return LinearAttention.apply(q, k, v, log_decay.detach())  # pyright: ignore[reportReturnType]


def eager(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
    """The same as people write it in PyTorch, with a matrix of all pairs."""
    position = torch.arange(q.size(2), device=q.device)
    apart = (position[:, None] - position[None, :]).to(log_decay.dtype)
    exponent = torch.where(apart >= 0, apart * log_decay.detach()[:, None, None], float("-inf"))
    return ((q @ k.mT) * torch.exp2(exponent).to(q.dtype)) @ v


def reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
    """The same in float64, head by head, rounded once."""
    heads = [
        eager(*(t[:, h : h + 1].double() for t in (q, k, v)), log_decay[h : h + 1].double()) for h in range(q.size(1))
    ]
    return torch.cat(heads, dim=1).to(v.dtype)


def _inputs(rng: Inputs, z: int, heads: int, n: int, dk: int, dv: int, dtype: torch.dtype = torch.float32):
    q, k = rng.normal(z, heads, n, dk, dtype=dtype, scale=dk**-0.5), rng.normal(z, heads, n, dk, dtype=dtype)
    return q, k, rng.normal(z, heads, n, dv, dtype=dtype), -0.02 * (rng.normal(heads).abs() + 0.5)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 2, 53, 16, 19)),
    Case("pow2", lambda rng: _inputs(rng, 1, 1, 64, 32, 32)),
    Case("bf16", lambda rng: _inputs(rng, 1, 1, 100, 32, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case("2x16x4096x128x128-bf16", lambda rng: _inputs(rng, 2, 16, 4096, 128, 128, torch.bfloat16)),
    Case("8x16x4096x64x64-f16", lambda rng: _inputs(rng, 8, 16, 4096, 64, 64, torch.float16)),
)


def _terms(q: torch.Tensor, *rest: torch.Tensor) -> int:
    return q.size(2) + q.size(3)


EXAMPLES = (
    Example(
        "linear_attention",
        linear_attention,
        reference,
        eager,
        CASES,
        BENCHMARK,
        _terms,
        products=True,
        narrow="inputs",
        autograd=Autograd(attention, eager, CASES, _terms, products=True, roundings=2),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
