"""Attention, forward: softmax(q k^T / sqrt(d)) v, without storing the scores.

A program owns one block of queries of one head and walks the keys in tiles. It carries, per query, the largest score so
far, the sum of exponentials relative to it and the weighted sum of values; a tile that raises the
maximum scales what was summed before by `2^(old - new)`. Scores are taken in base 2 (`log2 e` goes into
the scale), since the hardware's exponential is one of base 2; the maximum is scaled rather than every score, so that
scaling a score and taking the maximum from it are one instruction.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention of `query` (…, m, d) over `key` and `value` (…, n, d), every leading dimension a batch."""
    m = query.size(-2)
    n = key.size(-2)
    d = hl.specialize(query.size(-1))
    q = query.reshape([-1, m, d])
    k = key.reshape([-1, n, d]).transpose(1, 2)
    v = value.reshape([-1, n, d])
    out = torch.empty_like(q)
    scale = math.log2(math.e) / math.sqrt(d)
    for head, rows in hl.tile([q.size(0), m]):
        queries = q[head, rows, :]
        largest = hl.full([head, rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([head, rows], dtype=torch.float32)
        weighted = hl.zeros([head, rows, d], dtype=torch.float32)
        for columns in hl.tile(n):
            scores = hl.dot(queries, k[head, :, columns], out_dtype=torch.float32)
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1) * scale)
            weights = torch.exp2(scores * scale - new_largest[:, :, None])
            correction = torch.exp2(largest - new_largest)
            total = total * correction + weights.sum(dim=-1)
            weighted = weighted * correction[:, :, None]
            weighted = torch.baddbmm(weighted, weights.to(v.dtype), v[head, columns, :])
            largest = new_largest
        out[head, rows, :] = (weighted / total[:, :, None]).to(out.dtype)
    return out.view(query.size())


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention in float64, rounded once; the heads one at a time, so that the scores fit."""
    d = query.size(-1)
    out = torch.empty_like(query)
    flat_out = out.view(-1, *query.shape[-2:])
    heads = zip(*(t.reshape(-1, *t.shape[-2:]) for t in (query, key, value)))
    for index, (q, k, v) in enumerate(heads):
        weights = torch.softmax(q.double() @ k.double().T / math.sqrt(d), dim=-1)
        flat_out[index] = (weights @ v.double()).to(query.dtype)
    return out


def _inputs(rng: Inputs, z: int, h: int, m: int, n: int, d: int, dtype: torch.dtype = torch.float32):
    return (
        rng.normal(z, h, m, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
    )


CASES = (
    Case("pow2", lambda rng: _inputs(rng, 1, 2, 32, 64, 32)),
    Case("prime", lambda rng: _inputs(rng, 1, 3, 17, 37, 16)),
    Case("bf16", lambda rng: _inputs(rng, 2, 1, 33, 48, 64, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, 1, 16, 100, 32, torch.float16)),
)

BENCHMARK = (
    Case("4x32x2048x64-f16", lambda rng: _inputs(rng, 4, 32, 2048, 2048, 64, torch.float16)),
    Case("2x16x4096x128-bf16", lambda rng: _inputs(rng, 2, 16, 4096, 4096, 128, torch.bfloat16)),
)

EXAMPLES = (
    Example(
        "attention",
        attention,
        reference,
        torch.nn.functional.scaled_dot_product_attention,
        CASES,
        BENCHMARK,
        terms=lambda q, k, v: k.size(-2) + q.size(-1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
