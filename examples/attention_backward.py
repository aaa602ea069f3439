"""The gradients of causal attention, and the whole of it as a differentiable function.

No weight was stored: with L[i] the logarithm of row i's sum from the forward kernel, `p[i, j] = 2^(s[i, j] - L[i])` for the
score s in base 2. With g the gradient of the result and `delta[i] = g[i] . out[i]`,

    grad_v[j] = sum_i p[i, j] g[i]
    ds[i, j]  = p[i, j] (g[i] . v[j] - delta[i]) / sqrt(d)
    grad_q[i] = sum_j ds[i, j] k[j]        grad_k[j] = sum_i ds[i, j] q[i]

Two kernels: one owns a block of queries and walks the keys up to it, the other owns a block of keys and walks the queries
from it on, so that each sums in registers and nothing is added atomically. The second makes its tiles transposed, (keys,
queries): they are then the left operands of its products, which the tensor cores take from registers. In both, only
tiles on the diagonal compare positions.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import attention_causal as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def attention_backward_queries(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    log_sums: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient of `query` (z, n, d) and `delta` (z, n), which the other kernel needs.

    Args:
        grad: the gradient of the result, (z, n, d), as all that follow but the last.
        query: the queries.
        key: the keys.
        value: the values.
        out: the result.
        log_sums: the logarithm of each row's sum in base 2, (z, n), float32.
    """
    z, n, d = query.size()
    d = hl.specialize(d)
    grad_query = torch.empty_like(query)
    delta = torch.empty([z, n], dtype=torch.float32, device=query.device)
    scale = 1 / math.sqrt(d)
    log2e = math.log2(math.e)
    for head, rows in hl.tile([z, n], block_size=[1, None]):
        q, g = query[head.begin, rows, :], grad[head.begin, rows, :]
        row_delta = (g.to(torch.float32) * out[head.begin, rows, :].to(torch.float32)).sum(dim=1)
        delta[head.begin, rows] = row_delta
        log_sum = log_sums[head.begin, rows][:, None]
        total = hl.zeros([rows, d], dtype=torch.float32)
        for columns in hl.tile(0, rows.begin):
            k = key[head.begin, columns, :]
            weights = torch.exp2(hl.dot(q, k.T) * (scale * log2e) - log_sum)
            slopes = weights * (hl.dot(g, value[head.begin, columns, :].T) - row_delta[:, None])
            total = hl.dot(slopes.to(k.dtype), k, acc=total)
        for columns in hl.tile(rows.begin, rows.end):
            k = key[head.begin, columns, :]
            weights = torch.exp2(hl.dot(q, k.T) * (scale * log2e) - log_sum)
            weights = torch.where(rows.index[:, None] >= columns.index[None, :], weights, 0.0)
            slopes = weights * (hl.dot(g, value[head.begin, columns, :].T) - row_delta[:, None])
            total = hl.dot(slopes.to(k.dtype), k, acc=total)
        grad_query[head.begin, rows, :] = (total * scale).to(grad_query.dtype)
    return grad_query, delta


@helion.kernel()
def attention_backward_keys(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    log_sums: torch.Tensor,
    delta: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `key` and `value`, with `delta` from the other kernel."""
    z, n, d = query.size()
    d = hl.specialize(d)
    grad_key = torch.empty_like(key)
    grad_value = torch.empty_like(value)
    scale = 1 / math.sqrt(d)
    log2e = math.log2(math.e)
    for head, columns in hl.tile([z, n], block_size=[1, None]):
        k, v = key[head.begin, columns, :], value[head.begin, columns, :]
        key_total = hl.zeros([columns, d], dtype=torch.float32)
        value_total = hl.zeros([columns, d], dtype=torch.float32)
        for rows in hl.tile(columns.begin, columns.end):
            q, g = query[head.begin, rows, :], grad[head.begin, rows, :]
            weights = torch.exp2(hl.dot(k, q.T) * (scale * log2e) - log_sums[head.begin, rows][None, :])
            weights = torch.where(rows.index[None, :] >= columns.index[:, None], weights, 0.0)
            value_total = hl.dot(weights.to(g.dtype), g, acc=value_total)
            slopes = weights * (hl.dot(v, g.T) - delta[head.begin, rows][None, :])
            key_total = hl.dot(slopes.to(q.dtype), q, acc=key_total)
        for rows in hl.tile(columns.end, n):
            q, g = query[head.begin, rows, :], grad[head.begin, rows, :]
            weights = torch.exp2(hl.dot(k, q.T) * (scale * log2e) - log_sums[head.begin, rows][None, :])
            value_total = hl.dot(weights.to(g.dtype), g, acc=value_total)
            slopes = weights * (hl.dot(v, g.T) - delta[head.begin, rows][None, :])
            key_total = hl.dot(slopes.to(q.dtype), q, acc=key_total)
        grad_key[head.begin, columns, :] = (key_total * scale).to(grad_key.dtype)
        grad_value[head.begin, columns, :] = value_total.to(grad_value.dtype)
    return grad_key, grad_value


class CausalAttention(torch.autograd.Function):
    """Causal attention with its three kernels."""

    @staticmethod
    def forward(ctx, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out, log_sums = forward.attention_causal(query, key, value)
        ctx.save_for_backward(query, key, value, out, log_sums)
        return out

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        shape = grads[0].shape
        grad, query, key, value, out = (t.reshape(-1, *shape[-2:]) for t in (grads[0], *ctx.saved_tensors[:4]))
        log_sums = ctx.saved_tensors[4].reshape(-1, shape[-2])
        grad_query, delta = attention_backward_queries(grad, query, key, value, out, log_sums)
        grad_key, grad_value = attention_backward_keys(grad, query, key, value, log_sums, delta)
        return tuple(t.view(shape) for t in (grad_query, grad_key, grad_value))


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Causal attention (…, n, d), differentiable."""
    return CausalAttention.apply(query, key, value)  # pyright: ignore[reportReturnType]


def _weights(query: torch.Tensor, key: torch.Tensor, log_sums: torch.Tensor) -> torch.Tensor:
    scores = query @ key.mT * (math.log2(math.e) / math.sqrt(query.size(-1)))
    return torch.exp2(scores - log_sums[..., None]).tril()


def queries_eager(grad, query, key, value, out, log_sums) -> tuple[torch.Tensor, torch.Tensor]:
    """The formulas in PyTorch, with a matrix of all pairs; sums in float32 at least."""
    wide = torch.promote_types(query.dtype, torch.float32)
    delta = (grad.to(wide) * out.to(wide)).sum(-1)
    slopes = _weights(query, key, log_sums) * (grad @ value.mT - delta[..., None])
    return (slopes.to(key.dtype) @ key / math.sqrt(query.size(-1))), delta


def keys_eager(grad, query, key, value, log_sums, delta) -> tuple[torch.Tensor, torch.Tensor]:
    """The formulas in PyTorch, with a matrix of all pairs."""
    weights = _weights(query, key, log_sums)
    slopes = weights * (grad @ value.mT - delta[..., None])
    grad_key = slopes.to(query.dtype).mT @ query / math.sqrt(query.size(-1))
    return grad_key, weights.to(grad.dtype).mT @ grad


def queries_reference(grad, *rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The formulas in float64, head by head, rounded once."""
    grad_query, delta = _each(queries_eager, grad, *rest)
    return grad_query.to(grad.dtype), delta.float()


def keys_reference(grad, *rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The formulas in float64, head by head, rounded once."""
    grad_key, grad_value = _each(keys_eager, grad, *rest)
    return grad_key.to(grad.dtype), grad_value.to(grad.dtype)


def _each(function, *tensors: torch.Tensor) -> list[torch.Tensor]:
    heads = [function(*(t.double() for t in head)) for head in zip(*tensors)]
    return [torch.stack(results) for results in zip(*heads)]


def _log_sums(rng: Inputs, z: int, n: int) -> torch.Tensor:
    # About what rows of normal scores sum to; the formulas hold for any.
    seen = torch.arange(1, n + 1, device=rng.device)
    return torch.log2(seen) + 1.5 + rng.normal(z, n).abs()


def _query_inputs(rng: Inputs, z: int, n: int, d: int, dtype: torch.dtype = torch.float32):
    return *(rng.normal(z, n, d, dtype=dtype) for _ in range(5)), _log_sums(rng, z, n)


def _key_inputs(rng: Inputs, z: int, n: int, d: int, dtype: torch.dtype = torch.float32):
    return *(rng.normal(z, n, d, dtype=dtype) for _ in range(4)), _log_sums(rng, z, n), rng.normal(z, n)


def _cases(inputs) -> tuple[Case, ...]:
    return (
        Case("prime", lambda rng: inputs(rng, 2, 53, 16)),
        Case("pow2", lambda rng: inputs(rng, 1, 64, 32)),
        Case("bf16", lambda rng: inputs(rng, 1, 65, 64, torch.bfloat16)),
    )


def _bench(inputs) -> tuple[Case, ...]:
    return (
        Case("128x2048x64-f16", lambda rng: inputs(rng, 128, 2048, 64, torch.float16)),
        Case("32x4096x128-bf16", lambda rng: inputs(rng, 32, 4096, 128, torch.bfloat16)),
    )


def _terms(grad: torch.Tensor, *rest: torch.Tensor) -> int:
    return grad.size(-2) + grad.size(-1)


EXAMPLES = (
    Example(
        "attention_backward_queries",
        attention_backward_queries,
        queries_reference,
        queries_eager,
        _cases(_query_inputs),
        _bench(_query_inputs),
        _terms,
        products=True,
        narrow="inputs",
    ),
    Example(
        "attention_backward_keys",
        attention_backward_keys,
        keys_reference,
        keys_eager,
        _cases(_key_inputs),
        _bench(_key_inputs),
        _terms,
        products=True,
        narrow="inputs",
        autograd=Autograd(
            attention,
            lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
            # With one key the weight is 1, whatever query and key are: their gradients are 0.
            tuple(case for case in forward.CASES if case.name != "one"),
            _terms,
            products=True,
            roundings=3,
        ),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
