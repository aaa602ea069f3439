"""Grouped-query attention over a cache of keys: several heads of queries share one head of keys and values.

Query head h reads key head `h // group`. The heads of a group and their queries are stacked as rows of one matrix, which
is a view made by the host: a program's block of rows then spans heads, keys and values are read once for a
whole group, and even a single new token of each sequence fills the rows of a matrix instruction.

The m queries are the last m of n positions: query i sees the keys 0 to `n - m + i`.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.attention_causal import absorb
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def attention_gqa(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention of `query` (z, heads, m, d) over `key` and `value` (z, key heads, n, d)."""
    z, heads, m, d = query.size()
    d = hl.specialize(d)
    _, key_heads, n, _ = key.size()
    assert heads % key_heads == 0, f"{heads} heads cannot share {key_heads} heads of keys evenly"
    assert m <= n, f"{m} queries are the last of {n} positions"
    group = heads // key_heads
    q = query.reshape([z * key_heads, group * m, d])
    k = key.reshape([z * key_heads, n, d])
    v = value.reshape([z * key_heads, n, d])
    out = torch.empty_like(q)
    scale = math.log2(math.e) / math.sqrt(d)
    for head, rows in hl.tile([z * key_heads, group * m], block_size=[1, None]):
        queries = q[head.begin, rows, :]
        last_seen = rows.index % m + (n - m)
        largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        weighted = hl.zeros([rows, d], dtype=torch.float32)
        for columns in hl.tile(n):
            scores = hl.dot(queries, k[head.begin, columns, :].T)
            scores = torch.where(columns.index[None, :] <= last_seen[:, None], scores, float("-inf"))
            largest, total, weighted = absorb((largest, total, weighted), scores, scale, v[head.begin, columns, :])
        out[head.begin, rows, :] = (weighted / total[:, None]).to(out.dtype)
    return out.view(query.size())


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The same in float64, rounded once; the sequences one at a time, so that a batch's keys fit beside a kernel's."""
    (heads, m, d), (key_heads, n) = query.shape[1:], key.shape[1:3]
    seen = torch.ones(m, n, dtype=torch.bool, device=query.device).tril(n - m).repeat(heads // key_heads, 1)
    out = torch.empty_like(query)
    for index, (q, k, v) in enumerate(zip(query, key, value)):
        scores = q.reshape(key_heads, -1, d).double() @ k.double().mT / math.sqrt(d)
        weights = torch.softmax(scores.masked_fill(~seen, float("-inf")), dim=-1)
        out[index] = (weights @ v.double()).reshape(q.shape).to(query.dtype)
    return out


def eager(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The same with PyTorch's attention."""
    m, n = query.size(2), key.size(2)
    seen = torch.ones(m, n, dtype=torch.bool, device=query.device).tril(n - m)
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=True)


def _inputs(rng: Inputs, z: int, heads: int, key_heads: int, m: int, n: int, d: int, dtype=torch.float32):
    return (
        rng.normal(z, heads, m, d, dtype=dtype),
        rng.normal(z, key_heads, n, d, dtype=dtype),
        rng.normal(z, key_heads, n, d, dtype=dtype),
    )


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 6, 2, 5, 37, 16)),
    Case("one-token", lambda rng: _inputs(rng, 2, 4, 1, 1, 65, 32)),
    Case("square", lambda rng: _inputs(rng, 1, 4, 2, 32, 32, 16)),
    Case("bf16", lambda rng: _inputs(rng, 1, 8, 2, 3, 64, 64, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, 2, 2, 17, 48, 32, torch.float16)),
)

BENCHMARK = (
    Case("64x32/8x1x8192x128-bf16", lambda rng: _inputs(rng, 64, 32, 8, 1, 8192, 128, torch.bfloat16)),
    Case("2x32/8x512x4096x128-f16", lambda rng: _inputs(rng, 2, 32, 8, 512, 4096, 128, torch.float16)),
)

EXAMPLES = (
    Example(
        "attention_gqa",
        attention_gqa,
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
