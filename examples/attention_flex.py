"""Attention whose scores and whose sparsity the caller supplies as functions.

`out[i] = sum_{j seen by i} softmax_j(score(q[i] . k[j] / sqrt(d), i, j)) v[j]`. `score` may bend a score, as a soft cap or
a position bias does; `seen` says which keys a query sees. Both are traced into the kernel, and tensors they close over
become its inputs. Which square blocks of keys hold any seen key is computed beforehand with the same function
(`block_table`); a program walks the list of its row of blocks and never visits the others.
"""

import itertools
import math
from collections.abc import Callable

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.attention_causal import absorb
from examples.harness import Case, Example, Inputs, main

Score = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(score, head, query position, key position) → score."""
Seen = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(head, query position, key position) → bool."""


def block_table(
    seen: Seen, heads: int, m: int, n: int, block: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each head and block of queries: how many blocks of keys it sees, and their numbers, ascending."""
    every = torch.arange(heads, device=device)[:, None, None]
    dense = seen(every, torch.arange(m, device=device)[None, :, None], torch.arange(n, device=device)[None, None, :])
    dense = torch.nn.functional.pad(dense.expand(heads, m, n), (0, -n % block, 0, -m % block))
    blocks = dense.unflatten(2, (-1, block)).unflatten(1, (-1, block)).any(4).any(2)
    numbers = blocks.to(torch.int8).argsort(dim=2, descending=True, stable=True)
    return blocks.sum(2).to(torch.int32), numbers.to(torch.int32)


@helion.kernel()
def attention_flex(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    counts: torch.Tensor,
    numbers: torch.Tensor,
    block: hl.constexpr,
    score: Score,
    seen: Seen,
) -> torch.Tensor:
    """Attention of `query` (z, h, m, d) over `key`, `value` (z, h, n, d).

    Args:
        query: the queries.
        key: the keys.
        value: the values.
        counts: how many blocks of keys each block of queries sees, from `block_table(seen, …)`.
        numbers: which ones, from there too.
        block: queries and keys in a block, a power of two.
        score: bends a score.
        seen: whether a query sees a key.
    """
    z, h, m, d = query.size()
    n = key.size(2)
    d = hl.specialize(d)
    out = torch.empty_like(query)
    log2e = math.log2(math.e)
    scale = 1 / math.sqrt(d)
    block_m = hl.register_block_size(16, block)
    block_n = hl.register_block_size(16, block)
    for batch, head, rows in hl.tile([z, h, m], block_size=[1, 1, block_m]):
        queries = query[batch.begin, head.begin, rows, :]
        row_block = rows.begin // block  # pyright: ignore[reportOperatorIssue]
        largest = hl.full([rows], -1e30, dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        weighted = hl.zeros([rows, d], dtype=torch.float32)
        for entry in hl.grid(counts[head.begin, row_block]):
            begin = numbers[head.begin, row_block, entry] * block  # pyright: ignore[reportOperatorIssue]
            for columns in hl.tile(begin, torch.clamp(begin + block, max=n), block_size=block_n):
                scores = hl.dot(queries, key[batch.begin, head.begin, columns, :].T) * scale
                i, j = rows.index[:, None], columns.index[None, :]
                scores = score(scores, head.begin, i, j)
                scores = torch.where(seen(head.begin, i, j), scores, float("-inf"))
                values = value[batch.begin, head.begin, columns, :]
                largest, total, weighted = absorb((largest, total, weighted), scores, log2e, values)
        result = torch.where(total[:, None] > 0, weighted / total[:, None], 0.0)
        out[batch.begin, head.begin, rows, :] = result.to(out.dtype)
    return out


def _modified(
    query: torch.Tensor, key: torch.Tensor, score: Score, seen: Seen, dtype: torch.dtype, first: int = 0
) -> torch.Tensor:
    m, n = query.size(2), key.size(2)
    scores = query.to(dtype) @ key.to(dtype).transpose(2, 3) / math.sqrt(query.size(3))
    h = first + torch.arange(query.size(1), device=query.device)[:, None, None]
    i, j = torch.arange(m, device=query.device)[:, None], torch.arange(n, device=query.device)[None, :]
    return torch.where(seen(h, i, j), score(scores, h, i, j), float("-inf"))


def reference(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    counts: torch.Tensor,
    numbers: torch.Tensor,
    block: int,
    score: Score,
    seen: Seen,
) -> torch.Tensor:
    """The same in float64, rounded once; the heads one at a time, so that the scores fit."""
    out = torch.empty_like(query)
    for batch, head in itertools.product(range(query.size(0)), range(query.size(1))):
        place = (slice(batch, batch + 1), slice(head, head + 1))
        scores = _modified(query[place], key[place], score, seen, torch.float64, head)
        out[place] = (torch.softmax(scores, dim=-1).nan_to_num(0.0) @ value[place].double()).to(query.dtype)
    return out


def eager(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    counts: torch.Tensor,
    numbers: torch.Tensor,
    block: int,
    score: Score,
    seen: Seen,
) -> torch.Tensor:
    """The same as people write it in PyTorch without `flex_attention`, the scores in float32."""
    weights = torch.softmax(_modified(query, key, score, seen, torch.float32), dim=-1).nan_to_num(0.0)
    return weights.to(value.dtype) @ value


def soft_cap(cap: float) -> Score:
    """Scores squeezed between -cap and cap."""
    return lambda score, h, i, j: cap * torch.tanh(score / cap)


def alibi(slopes: torch.Tensor) -> Score:
    """A penalty that grows with the distance, with a slope for each head."""
    return lambda score, h, i, j: score + slopes[h] * (j - i)


def unchanged() -> Score:
    """The score as it is."""
    return lambda score, h, i, j: score


def causal(h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Keys up to the query's own position."""
    return j <= i


def window(width: int) -> Seen:
    """The last `width` keys up to the query's own position."""
    return lambda h, i, j: (j <= i) & (i - j < width)


def dilated(h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Every third key, and nothing for the first five queries."""
    return (j % 3 == 0) & (i >= 5)


def _inputs(rng: Inputs, z: int, h: int, m: int, n: int, d: int, score: Score, seen: Seen, dtype=torch.float32):
    return (
        rng.normal(z, h, m, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
        rng.normal(z, h, n, d, dtype=dtype),
        *block_table(seen, h, m, n, 64, rng.device),
        64,
        score,
        seen,
    )


CASES = (
    Case("causal-alibi", lambda rng: _inputs(rng, 1, 2, 83, 83, 16, alibi(0.1 + rng.normal(2).abs()), causal)),
    Case("window-cap", lambda rng: _inputs(rng, 1, 1, 150, 150, 16, soft_cap(2.0), window(20))),
    Case("rectangle", lambda rng: _inputs(rng, 1, 1, 17, 70, 32, unchanged(), dilated)),
    Case("bf16", lambda rng: _inputs(rng, 1, 1, 64, 64, 64, soft_cap(5.0), causal, torch.bfloat16)),
)

BENCHMARK = (
    Case(
        "2x16x4096x64-window-512-f16",
        lambda rng: _inputs(rng, 2, 16, 4096, 4096, 64, soft_cap(30.0), window(512), torch.float16),
    ),
    Case(
        "1x16x4096x128-alibi-bf16",
        lambda rng: _inputs(rng, 1, 16, 4096, 4096, 128, alibi(rng.normal(16).abs()), causal, torch.bfloat16),
    ),
)

EXAMPLES = (
    Example(
        "attention_flex",
        attention_flex,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda q, k, *rest: k.size(-2) + q.size(-1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
