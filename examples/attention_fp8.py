"""Attention in 8-bit floating point: both products take `float8_e4m3fn` operands and add up in float32.

`out = softmax(q k^T * (sq sk / sqrt(d))) v * sv`, where sq, sk and sv are the scales that queries, keys and values were
divided by. The weights `2^(score - maximum)` lie between 0 and 1; they are rounded to 8 bits after
multiplication by 2^8, which uses the format's range up to 448, and their sum is taken of the rounded numbers, so that the
rounding does not bias the result. Values come as (…, d, n): the tensor cores want the summed dimension of 8-bit
operands contiguous.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main

FP8 = torch.float8_e4m3fn


@helion.kernel()
def attention_fp8(
    query: torch.Tensor,
    key: torch.Tensor,
    value_t: torch.Tensor,
    query_scale: float,
    key_scale: float,
    value_scale: float,
) -> torch.Tensor:
    """Attention of `query` (…, m, d) over `key` (…, n, d) and `value_t` (…, d, n), 8-bit; the result is bfloat16."""
    m, d = query.size(-2), hl.specialize(query.size(-1))
    n = key.size(-2)
    q = query.reshape([-1, m, d])
    k = key.reshape([-1, n, d])
    v = value_t.reshape([-1, d, n])
    out = torch.empty([q.size(0), m, d], dtype=torch.bfloat16, device=q.device)
    scale = query_scale * key_scale * math.log2(math.e) / math.sqrt(d)
    for head, rows in hl.tile([q.size(0), m], block_size=[1, None]):
        queries = q[head.begin, rows, :]
        largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        weighted = hl.zeros([rows, d], dtype=torch.float32)
        for columns in hl.tile(n):
            scores = hl.dot(queries, k[head.begin, columns, :].T) * scale
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1))
            weights = torch.exp2(scores - new_largest[:, None] + 8.0).to(FP8)
            correction = torch.exp2(largest - new_largest)
            total = total * correction + weights.to(torch.float32).sum(dim=-1)
            weighted = hl.dot(weights, v[head.begin, :, columns].T, acc=weighted * correction[:, None])
            largest = new_largest
        out[head.begin, rows, :] = (weighted / total[:, None] * value_scale).to(out.dtype)
    return out.view(query.size())


def reference(
    query: torch.Tensor,
    key: torch.Tensor,
    value_t: torch.Tensor,
    query_scale: float,
    key_scale: float,
    value_scale: float,
) -> torch.Tensor:
    """Attention over the numbers that the 8-bit inputs stand for, in float64, head by head, rounded once."""
    out = torch.empty(query.shape, dtype=torch.bfloat16, device=query.device)
    heads = zip(*(t.reshape(-1, *t.shape[-2:]) for t in (query, key, value_t)))
    for result, (q, k, v) in zip(out.view(-1, *out.shape[-2:]), heads):
        scores = q.double() @ k.double().T * (query_scale * key_scale / math.sqrt(q.size(-1)))
        result.copy_(torch.softmax(scores, dim=-1) @ v.double().T * value_scale)
    return out


def eager(
    query: torch.Tensor,
    key: torch.Tensor,
    value_t: torch.Tensor,
    query_scale: float,
    key_scale: float,
    value_scale: float,
) -> torch.Tensor:
    """What PyTorch offers: attention in bfloat16 on the unpacked inputs."""
    q, k, v = (t.to(torch.bfloat16) for t in (query, key, value_t.mT))
    scale = query_scale * key_scale / math.sqrt(q.size(-1))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale) * value_scale


def _inputs(rng: Inputs, z: int, h: int, m: int, n: int, d: int):
    # The scales bring normal numbers to where the format has most of its values.
    q, k, v = rng.normal(z, h, m, d), rng.normal(z, h, n, d), rng.normal(z, h, d, n)
    return (q * 16).to(FP8), (k * 16).to(FP8), (v * 32).to(FP8), 1 / 16, 1 / 16, 1 / 32


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 2, 37, 101, 32)),
    Case("pow2", lambda rng: _inputs(rng, 1, 1, 32, 64, 64)),
)

BENCHMARK = (
    Case("4x32x4096x128", lambda rng: _inputs(rng, 4, 32, 4096, 4096, 128)),
    Case("4x32x2048x64", lambda rng: _inputs(rng, 4, 32, 2048, 2048, 64)),
)

EXAMPLES = (
    Example(
        "attention_fp8",
        attention_fp8,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda q, k, *rest: k.size(-2) + q.size(-1),
        narrow=FP8,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
