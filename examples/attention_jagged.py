"""Causal attention over sequences of different lengths, packed one after another without padding.

`offsets[s]` to `offsets[s + 1]` are the rows of sequence s. The grid spans the longest sequence; a program whose block of
queries lies behind the end of its sequence does nothing. The keys of a block are walked in tiles of absolute
rows, `offsets[s] + block's end` at most: the bound is a number loaded from memory, and no row of another
sequence is ever touched.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.attention_causal import absorb
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def attention_jagged(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, offsets: torch.Tensor, longest: int
) -> torch.Tensor:
    """Causal attention within each sequence; `query`, `key` and `value` are (rows, heads, d).

    Args:
        query: the packed queries; keys and values have the same shape.
        key: the packed keys.
        value: the packed values.
        offsets: where each sequence begins, and the number of rows at the end, int32.
        longest: at least the length of the longest sequence.
    """
    rows_in_all, heads, d = query.size()
    d = hl.specialize(d)
    longest = hl.specialize(longest)
    out = torch.empty_like(query)
    scale = math.log2(math.e) / math.sqrt(d)
    for sequence, head, block in hl.tile([offsets.size(0) - 1, heads, longest], block_size=[1, 1, None]):
        begin = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        if begin + block.begin < end:
            rows = begin + block.index
            inside = (rows < end)[:, None]
            queries = hl.load(query, [rows, head.begin, hl.arange(d)], extra_mask=inside)
            largest = hl.full([block], float("-inf"), dtype=torch.float32)
            total = hl.zeros([block], dtype=torch.float32)
            weighted = hl.zeros([block, d], dtype=torch.float32)
            for columns in hl.tile(begin, torch.minimum(end, begin + block.end)):
                scores = hl.dot(queries, key[columns, head.begin, :].T)
                scores = torch.where(rows[:, None] >= columns.index[None, :], scores, float("-inf"))
                values = value[columns, head.begin, :]
                largest, total, weighted = absorb((largest, total, weighted), scores, scale, values)
            result = (weighted / total[:, None]).to(out.dtype)
            hl.store(out, [rows, head.begin, hl.arange(d)], result, extra_mask=inside)
    return out


def _each(function, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, offsets: torch.Tensor):
    """The function on each sequence's (heads, length, d), the results packed again."""
    starts = offsets.tolist()
    out = torch.empty_like(query)
    for begin, end in zip(starts, starts[1:]):
        if end > begin:
            out[begin:end] = function(*(t[begin:end].transpose(0, 1) for t in (query, key, value))).transpose(0, 1)
    return out


def reference(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, offsets: torch.Tensor, longest: int
) -> torch.Tensor:
    """The same in float64, rounded once."""

    def one(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q.double() @ k.double().mT / math.sqrt(q.size(-1))
        seen = torch.ones_like(scores, dtype=torch.bool).tril()
        return (torch.softmax(scores.masked_fill(~seen, float("-inf")), dim=-1) @ v.double()).to(q.dtype)

    return _each(one, query, key, value, offsets)


def eager(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, offsets: torch.Tensor, longest: int
) -> torch.Tensor:
    """PyTorch's attention, once for each sequence."""

    def one(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]

    return _each(one, query, key, value, offsets)


def _inputs(rng: Inputs, lengths: list[int], heads: int, d: int, dtype: torch.dtype = torch.float32):
    packed = (rng.normal(sum(lengths), heads, d, dtype=dtype) for _ in range(3))
    return *packed, rng.offsets(lengths), max(lengths)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [5, 37, 0, 1, 64], 2, 16)),
    Case("one-sequence", lambda rng: _inputs(rng, [50], 1, 32)),
    Case("bf16", lambda rng: _inputs(rng, [17, 33], 2, 64, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, [1, 70, 3], 1, 32, torch.float16)),
)

BENCHMARK = (
    Case(
        "32-of-2048x16x64-f16",
        lambda rng: _inputs(rng, (rng.integers(2047, 32) + 1).tolist(), 16, 64, torch.float16),
    ),
    Case(
        "8-of-8192x16x128-bf16",
        lambda rng: _inputs(rng, (rng.integers(8191, 8) + 1).tolist(), 16, 128, torch.bfloat16),
    ),
)

EXAMPLES = (
    Example(
        "attention_jagged",
        attention_jagged,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda q, k, v, offsets, longest: longest + q.size(-1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
