"""Sections 3.9 and 3.10: reductions, scans, sort and top-k."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.9 Reductions, 3.10 Scans")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 5),)


def reduced(x):
    return (
        x.sum(1), x.mean(-1), x.amax([1]), x.amin(1), x.prod(1), x.argmax(1), x.argmin(1), torch.count_nonzero(x > 0, 1),
        torch.logsumexp(x, 1), torch.linalg.vector_norm(x, dim=1), torch.einsum("ij,ij->i", x, x), (x > 3).any(1),
        (x > -3).all(1), x.max(1).values, x.min(1).indices, torch.nansum(x, 1), x.std(1), x.sum(1, dtype=torch.float64),
        torch.aminmax(x, dim=1).max,
    )  # fmt: skip


@item("every kind, as function and method, with dim as int or list, negative, dtype=", matrix, reduced, tolerance=1e-5)
def every_kind(x):
    n = x.size(0)
    f, i, b = torch.float32, torch.int64, torch.bool
    dtypes = (f, f, f, f, f, i, i, i, f, f, f, b, b, f, i, f, f, torch.float64, f)
    outs = [torch.empty([n], dtype=d) for d in dtypes]
    for t in hl.tile(n):
        for v, o in zip(reduced(x[t, :]), outs):
            o[t] = v if v.dtype == o.dtype else -99
    return tuple(outs)


@item(
    "keepdim; softmax, log_softmax, var_mean, std_mean",
    matrix,
    lambda x: (
        x.softmax(1),
        torch.log_softmax(x, 1),
        (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
        x - torch.var_mean(x, 1, keepdim=True, correction=0)[1],
    ),
    tolerance=1e-5,
)
def keeps(x):
    a, b, c, d = [torch.empty_like(x) for _ in range(4)]
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        a[t, :], b[t, :] = v.softmax(1), torch.log_softmax(v, 1)
        s, m = torch.std_mean(v, 1, keepdim=True)
        c[t, :] = (v - m) / s
        d[t, :] = v - torch.var_mean(v, 1, keepdim=True, correction=0)[1]
    return a, b, c, d


@item(
    "several dimensions, all of them, of 1-D to 3-D",
    lambda n: (numbers(n, 3, 5),),
    lambda x: (
        x.sum((1, 2)),
        x.amax((1, 2)),
        x.sum(),
        (x + 1).sum((0, 1)),
        torch.stack([(v - 9).argmax() for v in x.split(4)]),
    ),
    tolerance=1e-5,
    sizes=(1, 3, 4, 5, 11),
)
def several(x):
    n = x.size(0)
    a, b, c, d = torch.empty([n]), torch.empty([n]), torch.zeros([1]), torch.zeros([5])
    e = torch.empty([helion.cdiv(n, 4)], dtype=torch.int64)
    for t in hl.tile(n, block_size=4):
        v = x[t, :, :]
        e[t.id] = (v - 9).argmax()
        a[t], b[t] = v.sum((1, 2)), v.amax(dim=(1, 2))
        hl.atomic_add(c, [0], v.sum())
        hl.atomic_add(d, [slice(None)], (v + 1).sum((0, 1)))
    return a, b, c[0], d, e


@item(
    "result dtypes: integers and bools give int64; 16-bit sums accumulate in float32",
    lambda n: (whole(n, 5), numbers(n, 5).half()),
    lambda i, h: (i.sum(1), (i > 2).sum(1), h.sum(1), i.prod(1), i.amax(1)),
)
def result_dtypes(i, h):
    n = i.size(0)
    dtypes = (torch.int64, torch.int64, torch.float16, torch.int64, torch.int32)
    outs = [torch.empty([n], dtype=d) for d in dtypes]
    for t in hl.tile(n):
        v, w = i[t, :], h[t, :]
        for o, r in zip(outs, (v.sum(1), (v > 2).sum(1), w.sum(1), v.prod(1), v.amax(1))):
            o[t] = r if r.dtype == o.dtype else -99
    return tuple(outs)


@item(
    "ties give the first index, NaN propagates",
    lambda n: (torch.tensor([1.0, 3, 3, float("nan"), 2, 3]).repeat(n, 1),),
    lambda x: (x[:, :3].argmax(1), x.amax(1), x.argmax(1), x[:, [0, 0]].argmin(1)),
)
def ties(x):
    n = x.size(0)
    a, b, c, d = (
        torch.empty([n], dtype=torch.int64),
        torch.empty([n]),
        torch.empty([n], dtype=torch.int64),
        torch.empty([n], dtype=torch.int64),
    )
    for t in hl.tile(n):
        v = x[t, :]
        a[t], b[t], c[t] = x[t, 0:3].argmax(1), v.amax(1), v.argmax(1)
        d[t] = torch.stack([v[:, 0], v[:, 0]], -1).argmin(1)
    return a, b, c, d


def add(a, b):
    return a + b


def best(left, right):
    keep = left[0] >= right[0]
    return torch.where(keep, left[0], right[0]), torch.where(keep, left[1], right[1])


def best_flat(v, i, w, j):
    return torch.where(v >= w, v, w), torch.where(v >= w, i, j)


@item(
    "hl.reduce: a function, several tensors, both signatures, dim=None, keep_dims",
    lambda n: (numbers(n, 5),),
    lambda x: (x.sum(1), x.amax(1), x.argmax(1).int(), x.amax(1, keepdim=True) + x * 0, x.sum(1), (x + 1).sum()),
    tolerance=1e-5,
)
def user_reductions(x):
    n = x.size(0)
    a, b, d, e = torch.empty([n]), torch.empty([n]), torch.empty_like(x), torch.empty([n])
    c = torch.empty([n], dtype=torch.int32)
    low, f = float("-inf"), torch.zeros([])
    for t in hl.tile(n):
        v = x[t, :]
        hl.atomic_add(f, [], hl.reduce(torch.add, v + 1))
        i = hl.zeros([t, 5], dtype=torch.int32) + hl.arange(5)[None, :]
        a[t] = hl.reduce(add, v, dim=1)
        b[t], c[t] = hl.reduce(best, (v, i), dim=1, other=(low, 0))
        p, q = hl.reduce(best_flat, (v, i), dim=-1, other=(low, 0), keep_dims=True)
        d[t, :] = p + v * 0
    for t in hl.grid(n):
        e[t] = hl.reduce(add, x[t, :])
    return a, b, c, d, e, f


def linear(l, r):
    return l[0] * r[0], r[0] * l[1] + r[1]


@item(
    "scans: hl.cumsum, cumprod, torch's, methods, reverse; hl.associative_scan of one and two tensors",
    lambda n: (numbers(n, 5),),
    lambda x: (
        x.cumsum(1),
        x.cumsum(1),
        x.cumprod(1),
        x.cummax(1).values,
        torch.logcumsumexp(x, 1),
        torch.stack([x.flip(1)[:, : k + 1].sum(1) for k in range(5)], 1).flip(1),
        torch.cat([x[:, :1]] + [x[:, 1:2] * x[:, :1] + x[:, 1:2]], 1),
    ),
    tolerance=1e-4,
)
def scans(x):
    n = x.size(0)
    outs = [torch.empty_like(x) for _ in range(6)]
    g = torch.empty([n, 2])
    for t in hl.tile(n):
        v = x[t, :]
        outs[0][t, :] = hl.cumsum(v, 1)
        outs[1][t, :] = v.cumsum(-1)
        outs[2][t, :] = torch.cumprod(v, 1)
        outs[3][t, :] = torch.cummax(v, 1)[0]
        outs[4][t, :] = torch.logcumsumexp(v, 1)
        outs[5][t, :] = hl.associative_scan(add, v, dim=1, reverse=True)
        w = x[t, 0:2]
        _, s = hl.associative_scan(linear, (w, w), dim=1)
        g[t, :] = s
    return (*outs, g)


@item(
    "scans of integers give int64, along a tile",
    lambda n: (whole(3, n),),
    lambda x: torch.cat([c.cumsum(1) for c in x.split(4, 1)], 1) if x.size(1) else x.long(),
)
def int_scans(x):
    out = torch.empty_like(x, dtype=torch.int64)
    for t in hl.tile(x.size(1)):
        out[:, t] = torch.cumsum(x[:, t], 1)
    return out


@item(
    "sort, argsort, topk: any extent and k, descending, smallest",
    matrix,
    lambda x: (
        x.sort(1).values,
        torch.sort(x, dim=1, stable=True).indices,
        x.sort(-1, descending=True).values,
        x.topk(3).values,
        x.topk(2, largest=False).values,
        torch.sort(x, dim=1, stable=True).indices,
    ),
)
def sorts(x):
    n = x.size(0)
    a, b, c = torch.empty_like(x), torch.empty_like(x, dtype=torch.int64), torch.empty_like(x)
    d, e, f = torch.empty([n, 3]), torch.empty([n, 2]), torch.empty_like(x, dtype=torch.int64)
    for t in hl.tile(n):
        v = x[t, :]
        a[t, :], b[t, :] = torch.sort(v, dim=1)
        c[t, :], _ = torch.sort(v, dim=-1, descending=True)
        d[t, :], _ = torch.topk(v, 3)
        e[t, :], i = torch.topk(v, 2, largest=False)
        f[t, :] = torch.argsort(v, dim=1)
    return a, b, c, d, e, f


@item(
    "median, kthvalue, searchsorted, bucketize, isin, F.pad, angle",
    lambda n: (numbers(n, 5), numbers(3).sort().values),
    lambda x, e: (
        torch.sort(x, 1).values[:, 2], x.kthvalue(2, 1).values, torch.searchsorted(e, x), torch.bucketize(x, e, right=True),
        torch.isin(x, e), torch.nn.functional.pad(x, (1, 2), value=7.0), torch.angle(x),
    ),
)  # fmt: skip
def order_statistics(x, e):
    n = x.size(0)
    a, b, c, d = (
        torch.empty([n]),
        torch.empty([n]),
        torch.empty([n, 5], dtype=torch.int64),
        torch.empty([n, 5], dtype=torch.int64),
    )
    f, g, h = torch.empty([n, 5], dtype=torch.bool), torch.empty([n, 8]), torch.empty_like(x)
    for t in hl.tile(n):
        v, w = x[t, :], e[:]
        a[t], b[t] = v.median(1).values, v.kthvalue(2, 1).values
        c[t, :], d[t, :] = torch.searchsorted(w, v), torch.bucketize(v, w, right=True)
        f[t, :], g[t, :] = torch.isin(v, w), torch.nn.functional.pad(v, (1, 2), value=7.0)
        h[t, :] = torch.angle(v)
    return a, b, c, d, f, g, h


def with_gaps(*shape: int) -> torch.Tensor:
    x = numbers(*shape)
    return torch.where(x > 2, torch.nan, x)


@item(
    "nanmedian; bucketize and isin of a number",
    lambda n: (with_gaps(n, 5), numbers(3).sort().values),
    lambda x, e: (
        *x.nanmedian(1),
        torch.bucketize(0.75, e) + torch.isin(0.75, e).long() + torch.zeros(x.size(0)).long(),
    ),
)
def with_missing(x, e):
    n = x.size(0)
    values, places, counts = torch.empty([n]), torch.empty([n], dtype=torch.int64), torch.empty([n], dtype=torch.int64)
    for t in hl.tile(n):
        v = x[t, :]
        values[t], places[t] = v.nanmedian(1)
        counts[t] = torch.bucketize(0.75, e[:]) + torch.isin(0.75, e[:]).long()
    return values, places, counts


@refuses("a dimension that there is not", exc.InvalidReductionDim, "dimension 2 of a tile of rank 2")
def bad_dim(x):
    for t in hl.tile(x.size(0)):
        x[t, 0] = x[t, :].sum(2)  # here


@refuses(
    "`other` of another length than the input", exc.InvalidAPIUsage, "hl.reduce has 2 inputs and 1 values of `other`"
)
def other_length(x):
    for t in hl.tile(x.size(0)):
        a, b = hl.reduce(best, (x[t, :], x[t, :]), dim=1, other=(0,))  # here
        x[t, 0] = a


@refuses(
    "a combine function that uses hl",
    exc.NotAllowedInHelperFunction,
    "A combine function works on scalars: it cannot use tiles, loads, stores or hl functions.",
)
def combine_hl(x):
    for t in hl.tile(x.size(0)):
        x[t, 0] = hl.reduce(lambda a, b: a + hl.zeros([]) + b, x[t, :], dim=1)  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
