"""Attention with a bias added to the scores: `softmax(q k^T / sqrt(d) + bias) v`.

The bias may have one row, one head or one batch that all others share, as a relative position bias has: the host
expands it to the full shape, which is a view whose strides are 0, so that shared values are also read only once by
each program that needs them. It may be -inf where a query must not see a key; a row
that sees no key at all is 0.
"""

import itertools
import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def attention_biased(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attention of `query` (z, h, m, d) over `key`, `value` (z, h, n, d); `bias` broadcasts to (z, h, m, n)."""
    z, h, m, d = query.size()
    n = key.size(2)
    d = hl.specialize(d)
    everywhere = bias.expand([z, h, m, n])
    out = torch.empty_like(query)
    log2e = math.log2(math.e)
    scale = log2e / math.sqrt(d)
    for batch, head, rows in hl.tile([z, h, m], block_size=[1, 1, None]):
        queries = query[batch.begin, head.begin, rows, :]
        # Finite, so that a row of -inf alone does not become NaN.
        largest = hl.full([rows], -1e30, dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        weighted = hl.zeros([rows, d], dtype=torch.float32)
        for columns in hl.tile(n):
            scores = hl.dot(queries, key[batch.begin, head.begin, columns, :].T) * scale
            scores = scores + everywhere[batch.begin, head.begin, rows, columns].to(torch.float32) * log2e
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1))
            weights = torch.exp2(scores - new_largest[:, None])
            correction = torch.exp2(largest - new_largest)
            total = total * correction + weights.sum(dim=-1)
            values = value[batch.begin, head.begin, columns, :]
            weighted = torch.addmm(weighted * correction[:, None], weights.to(values.dtype), values)
            largest = new_largest
        result = torch.where(total[:, None] > 0, weighted / total[:, None], 0.0)
        out[batch.begin, head.begin, rows, :] = result.to(out.dtype)
    return out


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The same in float64, rounded once; the heads one at a time, so that the scores fit."""
    everywhere = bias.expand(*query.shape[:3], key.size(2))
    out = torch.empty_like(query)
    for place in itertools.product(range(query.size(0)), range(query.size(1))):
        q, k, v = query[place].double(), key[place].double(), value[place].double()
        scores = q @ k.T / math.sqrt(query.size(3)) + everywhere[place].double()
        out[place] = (torch.softmax(scores, dim=-1).nan_to_num(0.0) @ v).to(query.dtype)
    return out


def eager(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The same with PyTorch's attention."""
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def _inputs(
    rng: Inputs, z: int, h: int, m: int, n: int, d: int, shared: tuple[int, ...], dtype=torch.float32, hidden=False
):
    shape = [1 if axis in shared else size for axis, size in enumerate((z, h, m, n))]
    bias = rng.normal(*shape, scale=2.0)
    if hidden:
        bias = torch.where(rng.integers(3, *shape) == 0, float("-inf"), bias)
        bias[..., 1, :] = float("-inf")
    return (
        rng.normal(z, h, m, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
        bias.to(dtype),
    )


CASES = (
    Case("shared-batch", lambda rng: _inputs(rng, 2, 2, 19, 41, 16, (0,))),
    Case("full", lambda rng: _inputs(rng, 2, 1, 32, 32, 32, ())),
    Case("one-row-hidden", lambda rng: _inputs(rng, 1, 2, 17, 64, 16, (1,), hidden=True)),
    Case("bf16", lambda rng: _inputs(rng, 1, 2, 33, 48, 64, (0, 1), torch.bfloat16)),
)

BENCHMARK = (
    Case("4x16x2048x2048x64-bf16", lambda rng: _inputs(rng, 4, 16, 2048, 2048, 64, (0,), torch.bfloat16)),
    Case("1x16x4096x4096x128-f16", lambda rng: _inputs(rng, 1, 16, 4096, 4096, 128, (0, 1), torch.float16)),
)

EXAMPLES = (
    Example(
        "attention_biased",
        attention_biased,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda q, k, v, bias: k.size(-2) + q.size(-1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
