"""Attention forward by hand: online softmax in base 2, not causal, by pointers or by descriptors."""

import math

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def _by_pointers(q, k, v, out, m, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    head = tl.program_id(1).to(tl.int64)
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    d = tl.arange(0, D)
    queries = tl.load(q + head * m * D + rows[:, None] * D + d[None, :])
    keys = k + head * n * D + tl.arange(0, BN)[None, :] * D + d[:, None]
    values = v + head * n * D + tl.arange(0, BN)[:, None] * D + d[None, :]
    largest = tl.full([BM], float("-inf"), tl.float32)
    total = tl.zeros([BM], tl.float32)
    weighted = tl.zeros([BM, D], tl.float32)
    for _ in range(0, n, BN):
        scores = tl.dot(queries, tl.load(keys))
        new = tl.maximum(largest, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - new[:, None])
        correction = tl.exp2(largest - new)
        total = total * correction + tl.sum(weights, 1)
        weighted = tl.dot(weights.to(v.dtype.element_ty), tl.load(values), weighted * correction[:, None])
        largest = new
        keys += BN * D
        values += BN * D
    result = weighted / total[:, None]
    tl.store(out + head * m * D + rows[:, None] * D + d[None, :], result.to(out.dtype.element_ty))


@triton.jit
def _by_descriptors(q, k, v, out, m, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    first = tl.program_id(1) * m + tl.program_id(0) * BM
    key = tl.program_id(1) * n
    queries = q.load([first, 0])
    largest = tl.full([BM], float("-inf"), tl.float32)
    total = tl.zeros([BM], tl.float32)
    weighted = tl.zeros([BM, D], tl.float32)
    for start in range(0, n, BN):
        scores = tl.dot(queries, k.load([key + start, 0]).T)
        new = tl.maximum(largest, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - new[:, None])
        correction = tl.exp2(largest - new)
        total = total * correction + tl.sum(weights, 1)
        weighted = tl.dot(weights.to(v.dtype), v.load([key + start, 0]), weighted * correction[:, None])
        largest = new
    out.store([first, 0], (weighted / total[:, None]).to(out.dtype))


def attention(q, k, v, *, block, descriptors=False, **options):
    """Attention of contiguous (batch, heads, length, d) tensors whose lengths are multiples of the block's."""
    (z, h, m, d), n = q.shape, k.size(2)
    bm, bn = block
    out = torch.empty_like(q)
    grid, scale = (triton.cdiv(m, bm), z * h), math.log2(math.e) / math.sqrt(d)
    if not descriptors:
        _by_pointers[grid](q, k, v, out, m, n, scale, D=d, BM=bm, BN=bn, **options)
        return out
    views = [TensorDescriptor.from_tensor(t.view(-1, d), [b, d]) for t, b in ((q, bm), (k, bn), (v, bn), (out, bm))]
    _by_descriptors[grid](*views, m, n, scale, D=d, BM=bm, BN=bn, **options)
    return out
