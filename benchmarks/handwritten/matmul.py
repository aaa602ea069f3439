"""Matrix product by hand: grouped blocks, by pointers or by descriptors."""

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def _block(pid, m, n, BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr):
    rows = tl.cdiv(m, BM)
    columns = tl.cdiv(n, BN)
    width = GROUP * columns
    first = pid // width * GROUP
    size = tl.minimum(rows - first, GROUP)
    return first + pid % width % size, pid % width // size


@triton.jit
def _by_pointers(
    x, y, out, m, n, k, xs, ys, os, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr
):
    i, j = _block(tl.program_id(0), m, n, BM, BN, GROUP)
    rows = i * BM + tl.arange(0, BM)
    columns = j * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    left = x + rows[:, None] * xs + inner[None, :]
    right = y + inner[:, None] * ys + columns[None, :]
    total = tl.zeros((BM, BN), tl.float32)
    for _ in range(0, k, BK):
        total = tl.dot(tl.load(left), tl.load(right), total)
        left += BK
        right += BK * ys
    tl.store(out + rows[:, None] * os + columns[None, :], total.to(out.dtype.element_ty))


@triton.jit
def _by_descriptors(
    x, y, out, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr
):  # fmt: skip
    i, j = _block(tl.program_id(0), m, n, BM, BN, GROUP)
    total = tl.zeros((BM, BN), tl.float32)
    for inner in range(0, k, BK):
        total = tl.dot(x.load([i * BM, inner]), y.load([inner, j * BN]), total)
    out.store([i * BM, j * BN], total.to(out.dtype))


def matmul(x, y, *, block, group=8, descriptors=False, **options):
    """`x @ y` for row-major matrices whose sizes are multiples of the block's, `(rows, columns, inner)`."""
    (m, k), n = x.shape, y.shape[1]
    bm, bn, bk = block
    out = torch.empty(m, n, dtype=x.dtype, device=x.device)
    grid = (triton.cdiv(m, bm) * triton.cdiv(n, bn),)
    if not descriptors:
        strides = (x.stride(0), y.stride(0), out.stride(0))
        _by_pointers[grid](x, y, out, m, n, k, *strides, BM=bm, BN=bn, BK=bk, GROUP=group, **options)
        return out
    views = [TensorDescriptor.from_tensor(t, b) for t, b in ((x, [bm, bk]), (y, [bk, bn]), (out, [bm, bn]))]
    _by_descriptors[grid](*views, m, n, k, BM=bm, BN=bn, BK=bk, GROUP=group, **options)
    return out
