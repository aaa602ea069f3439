"""Section 3.5: lanes outside of a range are as if they were absent."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Section, check_stages, numbers

import helion_ir as helion
import helion_ir.language as hl

SECTION = Section("3.5 Masking")
item = SECTION.item


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


def columns(n: int) -> tuple[torch.Tensor]:
    return (numbers(n + 1, 5),)


@item(
    "sum, mean, any, all, count of a partly filled tile whose lanes were changed",
    columns,
    lambda x: (
        (x.T + 1).sum(1),
        (x.T + 1).mean(1),
        (x.T > 9).any(1),
        (x.T < 9).all(1),
        torch.count_nonzero(x.T + 9, 1),
    ),
    tolerance=1e-6,
)
def sums(x):
    m, n = x.size()
    a, b = torch.empty([n]), torch.empty([n])
    c, d = torch.empty([n], dtype=torch.bool), torch.empty([n], dtype=torch.bool)
    e = torch.empty([n], dtype=torch.int64)
    for t in hl.tile(n):
        v = x[:, t].T + 1
        a[t], b[t] = v.sum(1), v.mean(1)
        c[t], d[t] = (v - 1 > 9).any(1), (v - 1 < 9).all(1)
        e[t] = torch.count_nonzero(v + 8, 1)
    return a, b, c, d, e


@item(
    "prod, amax, amin, argmax, argmin, max and min with indices",
    columns,
    lambda x: (
        (x.T / 2).prod(1),
        (x.T - 9).amax(1),
        (x.T + 9).amin(1),
        (x.T - 9).argmax(1),
        (x.T + 9).argmin(1),
        (x.T - 9).max(1).values,
    ),
    sizes=(0, 1, 3, 4, 6),
    tolerance=1e-5,
)
def products(x):
    m, n = x.size()
    a, b, c, f = torch.empty([n]), torch.empty([n]), torch.empty([n]), torch.empty([n])
    d, e = torch.empty([n], dtype=torch.int64), torch.empty([n], dtype=torch.int64)
    for t in hl.tile(n):
        v = x[:, t].T
        a[t], b[t], c[t] = (v / 2).prod(1), (v - 9).amax(1), (v + 9).amin(1)
        d[t], e[t] = (v - 9).argmax(1), (v + 9).argmin(1)
        f[t] = (v - 9).max(1).values
    return a, b, c, d, e, f


@item(
    "var and std over a padded axis and over a tile",
    lambda n: (numbers(n, 5),),
    lambda x: (x.var(1), x.std(1, correction=0), torch.var_mean(x, 1)[0]),
    tolerance=1e-5,
)
def variances(x):
    n = x.size(0)
    a, b, c = torch.empty([n]), torch.empty([n]), torch.empty([n])
    for t in hl.tile(n):
        v = x[t, :]
        a[t], b[t] = v.var(1), v.std(1, correction=0)
        var, mean = torch.var_mean(v, 1)
        c[t] = var
    return a, b, c


@item(
    "mm, hl.dot: operands are 0 outside along K",
    lambda n: (numbers(9, n), numbers(n, 7)),
    lambda x, y: ((x + 1) @ (y - 1), (x + 1) @ (y - 1)),
    sizes=(1, 3, 15, 16, 17, 23),
    tolerance=1e-4,
)
def dots(x, y):
    m, k = x.size()
    n = y.size(1)
    a, b = torch.empty([m, n]), torch.empty([m, n])
    for i, j in hl.tile([m, n]):
        acc, acc2 = hl.zeros([i, j]), hl.zeros([i, j])
        for t in hl.tile(k):
            acc = torch.addmm(acc, x[i, t] + 1, y[t, j] - 1)
            acc2 = hl.dot(x[i, t] + 1, y[t, j] - 1, acc=acc2)
        a[i, j], b[i, j] = acc, acc2
    return a, b


def largest(a, b):
    return torch.maximum(a, b)


@item("hl.reduce: `other` fills", lambda n: (numbers(n, 5),), lambda x: (x + 1).amax(1))
def reduced(x):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        out[t] = hl.reduce(largest, x[t, :] + 1, dim=1, other=float("-inf"))
    return out


@item(
    "scans forwards and in reverse",
    lambda n: (numbers(n, 5),),
    lambda x: ((x + 1).cumsum(1), (x + 1).flip(1).cumsum(1).flip(1), (x / 2).flip(1).cumprod(1).flip(1)),
    tolerance=1e-5,
)
def scans(x):
    a, b, c = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        a[t, :] = torch.cumsum(v + 1, 1)
        b[t, :] = hl.cumsum(v + 1, 1, reverse=True)
        c[t, :] = hl.cumprod(v / 2, 1, reverse=True)
    return a, b, c


@item(
    "sort and topk: padding sorts last",
    lambda n: (numbers(n, 5),),
    lambda x: (
        (x + 9).sort(1).values,
        (x - 9).sort(1, descending=True).values,
        (x - 9).topk(3, 1).values,
        (x + 9).topk(3, 1, largest=False).values,
    ),
)
def sorts(x):
    n = x.size(0)
    a, b, c, d = torch.empty_like(x), torch.empty_like(x), torch.empty([n, 3]), torch.empty([n, 3])
    for t in hl.tile(n):
        v = x[t, :]
        a[t, :], _ = torch.sort(v + 9, dim=1)
        b[t, :], _ = torch.sort(v - 9, dim=1, descending=True)
        c[t, :], _ = torch.topk(v - 9, 3, dim=1)
        d[t, :], _ = torch.topk(v + 9, 3, dim=1, largest=False)
    return a, b, c, d


@item(
    "stores and atomics of inactive lanes have no effect; a tile reduces itself only",
    lambda n: (numbers(n),),
    lambda x: (
        torch.cat([x + 1, torch.full([8], 7.0)]),
        torch.full([1], float(x.sum() + x.numel())),
        torch.cat([c.sum(0, keepdim=True) for c in x.split(4)]) if x.numel() else torch.empty(0),
    ),
    sizes=(0, 1, 3, 4, 5, 11),
    dynamic="a block of 1 for one element",
)
def stores(x):
    n = x.size(0)
    a, b, c = torch.full([n + 8], 7.0), torch.zeros([1]), torch.empty([helion.cdiv(n, 4)])
    for t in hl.tile(n, block_size=4):
        a[t] = x[t] + 1
        hl.atomic_add(b, [0], (x[t] + 1).sum())
        c[t.id] = x[t].sum()
    return a, b, c


def by_four(function, *tensors):
    """What a kernel with blocks of 4 gives for each of them."""
    parts = [function(*[x[i : i + 4] for x in tensors]) for i in range(0, len(tensors[0]), 4)]
    return torch.stack(parts) if parts else tensors[0].new_empty(0)


@item(
    "lanes that a reshape, cat, stack or slice moved: sums, maxima, scans and sorts of changed ones",
    lambda n: (numbers(n), numbers(n, 2)),
    lambda x, y: (
        by_four(lambda v: (v + 1).sum(), y),
        torch.nn.functional.pad(x + 1, (0, x.numel() % 2)).view(-1, 2).sum(1),
        by_four(lambda v, w: (torch.cat([v, w[:, 0]]) - 9).amax(), x, y),
        by_four(lambda v, w: (torch.stack([v, w[:, 1]]) + 9).amax(), x, y),
        by_four(lambda v: (v[::2] - 9).amax(), x),
        torch.cat([(v + 1).flatten().flip(0).cumsum(0).flip(0).view(-1, 2) for v in y.split(4)]) if len(y) else y,
    ),
    sizes=(0, 3, 4, 5, 11),
)
def moved(x, y):
    n = x.size(0)
    a, b, f = x.new_empty([helion.cdiv(n, 4)]), x.new_empty([helion.cdiv(n, 2)]), torch.empty_like(y)
    c, d, e = torch.empty_like(a), torch.empty_like(a), torch.empty_like(a)
    for t in hl.tile(n, block_size=4):
        v, w = x[t], y[t, :]
        a[t.id] = (w + 1).flatten().sum()
        pairs = t.begin // 2 + hl.arange(t.block_size // 2)
        hl.store(b, [pairs], (v + 1).reshape(t.block_size // 2, 2).sum(1), extra_mask=pairs < (n + 1) // 2)
        c[t.id] = (torch.cat([v, w[:, 0]]) - 9).amax()
        d[t.id] = (torch.stack([v, w[:, 1]], 1).flatten() + 9).sort().values.amax()
        e[t.id] = (v.reshape(t.block_size // 2, 2)[:, 0] - 9).amax()
        flat = (w + 1).flatten()
        if x[0] > 0:
            flat = flat + 0
        f[t, :] = hl.cumsum(flat, 0, reverse=True).reshape(t, 2)
    return a, b, c, d, e, f


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong
