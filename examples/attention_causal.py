"""Causal attention: query i sees the keys 0 to i, and tiles above the diagonal are never visited.

`out[i] = sum_{j <= i} softmax_j(q[i] . k[j] / sqrt(d)) v[j]`. A program owns a block of queries and walks the keys
in two loops with one body: first those before its own rows, which every query of it sees, so that nothing is
compared; then those of its own rows, where the diagonal passes through and each score is compared with it. The loops carry
what `attention.py` explains: the maximum, the sum of exponentials and the weighted values.

The logarithm of each row's sum is returned with the result, in base 2: from it a backward pass recomputes the weights.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main

State = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def absorb(state: State, scores: torch.Tensor, scale: float, values: torch.Tensor) -> State:
    """The state (maximum, sum, weighted values) after another tile of scores, in base 2 once scaled, and its values."""
    largest, total, weighted = state
    new_largest = torch.maximum(largest, torch.amax(scores, dim=-1) * scale)
    weights = torch.exp2(scores * scale - new_largest[:, None])
    correction = torch.exp2(largest - new_largest)
    weighted = torch.addmm(weighted * correction[:, None], weights.to(values.dtype), values)
    return new_largest, total * correction + weights.sum(dim=-1), weighted


@helion.kernel()
def attention_causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Causal attention of `query` over `key` and `value`, all (…, n, d), and each row's logarithm of a sum (…, n)."""
    n = query.size(-2)
    d = hl.specialize(query.size(-1))
    assert key.size(-2) == n, "causal attention needs as many keys as queries"
    q = query.reshape([-1, n, d])
    k = key.reshape([-1, n, d])
    v = value.reshape([-1, n, d])
    out = torch.empty_like(q)
    log_sums = torch.empty([q.size(0), n], dtype=torch.float32, device=q.device)
    scale = math.log2(math.e) / math.sqrt(d)
    for head, rows in hl.tile([q.size(0), n], block_size=[1, None]):
        queries = q[head.begin, rows, :]
        largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        weighted = hl.zeros([rows, d], dtype=torch.float32)
        for columns in hl.tile(0, rows.begin):
            scores = hl.dot(queries, k[head.begin, columns, :].T)
            largest, total, weighted = absorb((largest, total, weighted), scores, scale, v[head.begin, columns, :])
        for columns in hl.tile(rows.begin, rows.end):
            scores = hl.dot(queries, k[head.begin, columns, :].T)
            scores = torch.where(rows.index[:, None] >= columns.index[None, :], scores, float("-inf"))
            largest, total, weighted = absorb((largest, total, weighted), scores, scale, v[head.begin, columns, :])
        out[head.begin, rows, :] = (weighted / total[:, None]).to(out.dtype)
        log_sums[head.begin, rows] = largest + torch.log2(total)
    return out.view(query.size()), log_sums.view(query.size()[:-1])


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same in float64, rounded once; the heads one at a time, so that the scores fit."""
    n, d = query.shape[-2:]
    seen = torch.ones(n, n, dtype=torch.bool, device=query.device).tril()
    out = torch.empty_like(query)
    log_sums = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
    heads = zip(*(t.reshape(-1, n, d) for t in (query, key, value)))
    for index, (q, k, v) in enumerate(heads):
        scores = (q.double() @ k.double().T / math.sqrt(d)).masked_fill(~seen, float("-inf"))
        out.view(-1, n, d)[index] = (torch.softmax(scores, dim=-1) @ v.double()).to(query.dtype)
        log_sums.view(-1, n)[index] = (torch.logsumexp(scores, dim=-1) * math.log2(math.e)).float()
    return out, log_sums


def eager(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Causal attention as PyTorch has it."""
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def _inputs(rng: Inputs, z: int, h: int, n: int, d: int, dtype: torch.dtype = torch.float32):
    return tuple(rng.normal(z, h, n, d, dtype=dtype) for _ in range(3))


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 2, 67, 16)),
    Case("pow2", lambda rng: _inputs(rng, 1, 1, 64, 32)),
    Case("one", lambda rng: _inputs(rng, 2, 1, 1, 16)),
    Case("bf16", lambda rng: _inputs(rng, 1, 1, 65, 64, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, 1, 33, 32, torch.float16)),
)

BENCHMARK = (
    Case("4x32x4096x64-f16", lambda rng: _inputs(rng, 4, 32, 4096, 64, torch.float16)),
    Case("2x16x8192x128-bf16", lambda rng: _inputs(rng, 2, 16, 8192, 128, torch.bfloat16)),
)

EXAMPLES = (
    Example(
        "attention_causal",
        attention_causal,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda q, k, v: k.size(-2) + q.size(-1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
