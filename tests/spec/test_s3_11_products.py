"""Section 3.11: matrix multiplication."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.11 Matrix multiplication")
item, refuses = SECTION.item, SECTION.refuses
SIZES = (0, 1, 15, 16, 17, 23)


def pair(k: int) -> tuple[torch.Tensor, ...]:
    return numbers(17, k), numbers(k, 9)


@item(
    "mm, @, matmul, addmm, hl.dot with and without acc; K is tiled",
    pair,
    lambda x, y: [x @ y for _ in range(5)],
    sizes=SIZES,
    tolerance=1e-4,
)
def products(x, y):
    m, k = x.size()
    n = y.size(1)
    outs = [torch.empty([m, n]) for _ in range(5)]
    for i, j in hl.tile([m, n]):
        a, b, c, d, e = [hl.zeros([i, j]) for _ in range(5)]
        for t in hl.tile(k):
            u, v = x[i, t], y[t, j]
            a = torch.addmm(a, u, v)
            b = b + u @ v
            c = hl.dot(u, v, acc=c)
            d += torch.matmul(u, v)
            e = e + torch.mm(u, v)
        for o, w in zip(outs, (a, b, c, d, e)):
            o[i, j] = w
    return outs


@item(
    "bmm, baddbmm, 3-D @, hl.dot of rank 3, a batch of 1 broadcasts",
    lambda k: (numbers(3, 17, k), numbers(3, k, 9)),
    lambda x, y: [x @ y for _ in range(4)],
    sizes=(1, 16, 17),
    tolerance=1e-4,
)
def batched(x, y):
    b, m, k = x.size()
    n = y.size(2)
    outs = [torch.empty([b, m, n]) for _ in range(4)]
    for h, i, j in hl.tile([b, m, n]):
        p, q, r, s = [hl.zeros([h, i, j]) for _ in range(4)]
        for t in hl.tile(k):
            u, v = x[h, i, t], y[h, t, j]
            p = torch.baddbmm(p, u, v)
            q = q + torch.bmm(u, v)
            r = r + u @ v
            s = hl.dot(u, v, acc=s)
        for o, w in zip(outs, (p, q, r, s)):
            o[h, i, j] = w
    return outs


@item(
    "weights of four bits, unpacked by stack and reshape; K is tiled",
    lambda k: (numbers(17, 2 * k), torch.randint(-128, 128, (k, 9), dtype=torch.int8)),
    lambda x, w: x @ torch.stack([(w << 4) >> 4, w >> 4], 1).reshape(-1, 9).float() + x.sum(1, keepdim=True),
    sizes=(1, 15, 16, 17, 23),
    tolerance=1e-4,
)
def four_bits(x, w):
    m, k = x.size(0), w.size(0)
    n = w.size(1)
    out = torch.empty([m, n])
    bk = hl.register_block_size(16, 64)
    for i, j in hl.tile([m, n]):
        acc = hl.zeros([i, j])
        for t in hl.tile(k, block_size=bk):
            packed = w[t, j]
            both = torch.stack([(packed << 4) >> 4, packed >> 4], dim=1).reshape(bk * 2, j)
            at = t.begin * 2 + hl.arange(bk * 2)
            u = hl.load(x, [i, at], extra_mask=(at < 2 * k)[None, :])
            acc = hl.dot(u, both.float() + 1, acc=acc)
        out[i, j] = acc
    return out


@item(
    "F.linear, einsum, outer, a vector times a matrix",
    lambda n: (numbers(n, 17), numbers(9, 17)),
    lambda x, w: (torch.nn.functional.linear(x, w), torch.einsum("ij,kj->ik", x, w), torch.outer(x.sum(1), w.sum(1))),
    sizes=SIZES,
    tolerance=1e-4,
)
def linears(x, w):
    n, m = x.size(0), w.size(0)
    a, b, c = torch.empty([n, m]), torch.empty([n, m]), torch.empty([n, m])
    for i in hl.tile(n):
        u, v = x[i, :], w[:, :]
        a[i, :] = torch.nn.functional.linear(u, v)
        b[i, :] = torch.einsum("ij,kj->ik", u, v)
        c[i, :] = torch.outer(u.sum(1), v.sum(1))
    return a, b, c


@item(
    "result dtypes: 16-bit operands, mixed ones, out_dtype, int8",
    lambda n: (
        numbers(n, 17).half(),
        numbers(17, 9).half(),
        numbers(17, 9),
        whole(n, 17).to(torch.int8),
        whole(17, 9).to(torch.int8),
    ),
    lambda x, y, z, i, j: (x @ y, x.float() @ y.float(), x.float() @ z, (i.int() @ j.int())),
    sizes=(1, 17),
    tolerance=2e-3,
)
def dtypes(x, y, z, i, j):
    n, m = x.size(0), y.size(1)
    a = torch.empty([n, m], dtype=torch.float16)
    b, c = torch.empty([n, m]), torch.empty([n, m])
    d = torch.empty([n, m], dtype=torch.int32)
    for t in hl.tile(n):
        u, v = x[t, :], y[:, :]
        a[t, :] = u @ v
        b[t, :] = hl.dot(u, v, out_dtype=torch.float32)
        c[t, :] = hl.dot(u, z[:, :])
        d[t, :] = hl.dot(i[t, :], j[:, :])
    return a, b, c, d


@item(
    "alpha and beta of addmm",
    lambda n: (numbers(n, 17), numbers(17, 9)),
    lambda x, y: torch.addmm(torch.ones(x.size(0), 9), x, y, alpha=2, beta=3),
    sizes=(1, 17),
    tolerance=1e-5,
)
def alpha(x, y):
    out = torch.empty([x.size(0), 9])
    for t in hl.tile(x.size(0)):
        out[t, :] = torch.addmm(torch.ones([t, 9]), x[t, :], y[:, :], alpha=2, beta=3)
    return out


@refuses(
    "inner dimensions that are not the same",
    exc.ShapeMismatch,
    "shapes [@t.block_size, 6] and [@t.block_size, 6] cannot be multiplied: 6 is not @t.block_size",
)
def inner(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] @ x[t, :]  # here


@refuses(
    "hl.dot of different inner dimensions",
    exc.ShapeMismatch,
    "[@t.block_size, 6] and [@t.block_size, 6] cannot be multiplied: 6 is not @t.block_size",
)
def inner_dot(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.dot(x[t, :], x[t, :])  # here


@refuses(
    "batches that differ",
    exc.DotBatchDimensionMismatch,
    "the batch dimensions 2 and 3 of hl.dot differ",
    args=(torch.ones(2, 5, 5), torch.ones(3, 5, 5)),
)
def batches(x, y):
    for t in hl.tile(5):
        x[:, t, :] = hl.dot(x[:, t, :], y[:, :, :])  # here


@refuses(
    "hl.dot of a rank",
    exc.RankMismatch,
    "hl.dot takes two tensors of rank 2, or two of rank 3, not [@t.block_size] and [@t.block_size]",
)
def rank(x):
    for t in hl.tile(x.size(0)):
        x[t, 0] = hl.dot(x[t, 0], x[t, 0])  # here


@refuses("hl.dot of a dtype", exc.TypeInferenceError, "hl.dot does not take torch.int64; convert with .to(dtype)")
def dtype(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.dot(x[t, :].long(), x[:, :].long())  # here


@refuses(
    "acc of another shape",
    exc.ShapeMismatch,
    "the accumulator has shape [@t.block_size, 3], the product [@t.block_size, 6]",
)
def acc_shape(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.dot(x[t, :], x[0:6, :], acc=hl.zeros([t, 3]))  # here


@refuses(
    "acc of another dtype",
    exc.TypeInferenceError,
    "the accumulator of a product of torch.float32 cannot be torch.int32",
)
def acc_dtype(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.dot(x[t, :], x[0:6, :], acc=hl.zeros([t, 6], dtype=torch.int32))  # here


@refuses("out=", exc.BackendUnsupported, "aten.mm is not supported on tiles")
def out_argument(x):
    for t in hl.tile(x.size(0)):
        r = hl.zeros([t, 6])
        torch.mm(x[t, :], x[0:6, :], out=r)  # here
        x[t, :] = r


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
