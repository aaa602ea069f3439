"""Section 3.8: shape operations on device tensors."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.8 Shape operations")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 8),)


@item(
    "view, reshape with ints, tiles, -1; flatten, unflatten",
    matrix,
    lambda x: (x.view(-1, 2, 4).sum(1), x.view(-1, 4, 2).sum(2), x.sum(1), x.unflatten(1, (2, 4)).sum(2)),
)
def reshapes(x):
    n = x.size(0)
    a, b, c, d = torch.empty([n, 4]), torch.empty([n, 4]), torch.empty([n]), torch.empty([n, 2])
    for t in hl.tile(n):
        v = x[t, :]
        a[t, :] = v.view(t, 2, 4).sum(1)
        b[t, :] = v.reshape(-1, 4, 2).sum(2)
        c[t] = v.reshape(t, 2, 4).flatten(1).sum(1)
        d[t, :] = v.unflatten(1, (2, 4)).sum(2)
    return a, b, c, d


@item("permute, transpose, .T, .t(), .mT, movedim, swapaxes", matrix, lambda x: tuple([x.T] * 7))
def transposes(x):
    outs = [torch.empty([8, x.size(0)]) for _ in range(7)]
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        for o, w in zip(
            outs, (v.permute(1, 0), v.transpose(0, 1), v.T, v.t(), v.mT, v.movedim(0, 1), v.swapaxes(0, 1))
        ):
            o[:, t] = w
    return tuple(outs)


@item(
    "unsqueeze, squeeze, None, expand, expand_as, broadcast_to, broadcast_tensors",
    lambda n: (numbers(n, 8), numbers(n)),
    lambda x, y: (x * y[:, None] + y.unsqueeze(1) + y[:, None] * 2, y[:, None].expand(-1, 8) - x),
)
def expansions(x, y):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v, w = x[t, :], y[t]
        e = w.unsqueeze(1).squeeze(1)[:, None].expand_as(v)
        f = torch.broadcast_to(w[:, None], [t, 8])
        p, q = torch.broadcast_tensors(v, w[:, None])
        a[t, :] = v * e + f + q * 2
        b[t, :] = w[:, None].expand(-1, 8) - p
    return a, b


@item(
    "stack of any number, hl.join, hl.split, unbind, chunk",
    matrix,
    lambda x: (torch.stack([x, x + 1, x + 2], 1), torch.stack([x, -x], -1), x * 2, x[:, :4] - x[:, 4:]),
)
def stacks(x):
    n = x.size(0)
    a, b, c, d = torch.empty([n, 3, 8]), torch.empty([n, 8, 2]), torch.empty_like(x), torch.empty([n, 4])
    for t in hl.tile(n):
        v = x[t, :]
        a[t, :, :] = torch.stack([v, v + 1, v + 2], 1)
        j = hl.join(v, -v)
        b[t, :, :] = j
        p, q = hl.split(j)
        r, s = torch.unbind(j, -1)
        c[t, :] = p - s
        lo, hi = torch.chunk(v, 2, 1)
        d[t, :] = lo - hi + (q + r)[:, :4]
    return a, b, c, d


@item(
    "split, tensor_split, cat, hstack, repeat, repeat_interleave, flip, roll, diff, narrow, select, F.pad, F.glu",
    matrix,
    lambda x: (
        torch.cat([x, x + 1], 1),
        x.flip(1) + x.roll(3, 1),
        x.repeat(1, 2),
        x.repeat_interleave(2, 1),
        x.diff(dim=1),
        x[:, 2:6] + x[:, :1],
        torch.nn.functional.glu(x, 1),
    ),
    tolerance=1e-6,
)
def beyond(x):
    n = x.size(0)
    a, b, c, d = torch.empty([n, 16]), torch.empty_like(x), torch.empty([n, 16]), torch.empty([n, 16])
    e, f, g = torch.empty([n, 7]), torch.empty([n, 4]), torch.empty([n, 4])
    for t in hl.tile(n):
        v = x[t, :]
        a[t, :] = torch.cat([v, v + 1], 1)
        b[t, :] = v.flip(1) + v.roll(3, 1)
        c[t, :] = v.repeat(1, 2)
        d[t, :] = v.repeat_interleave(2, 1)
        e[t, :] = v.diff(dim=1)
        f[t, :] = v.narrow(1, 2, 4) + v.select(1, 0)[:, None]
        g[t, :] = torch.nn.functional.glu(v, 1)
    return a, b, c, d, e, f, g


@item(
    "diagonal, diag, trace, of whole axes",
    lambda n: (numbers(n, 5, 6), numbers(5, 6)),
    lambda x, m: (x.diagonal(0, 1, 2), x.diagonal(-2, 2, 1), x.sum((1, 2)) * 0 + m.trace() + torch.diag(m, 1).sum()),
)
def diagonals(x, m):
    n = x.size(0)
    first, second, third = torch.empty([n, 5]), torch.empty([n, 4]), torch.empty([n])
    for t in hl.tile(n):
        v = x[t, :, :]
        first[t, :] = v.diagonal(dim1=1, dim2=2)
        second[t, :] = torch.diagonal(v, -2, 2, 1)
        third[t] = v.sum((1, 2)) * 0 + torch.trace(m[:, :]) + torch.diag(m[:, :], 1).sum()
    return first, second, third


@item(
    "tril, triu, gather, take_along_dim, index_select, one_hot",
    lambda n: (numbers(n, 8), whole(n, 8, low=0, high=8)),
    lambda x, i: (torch.gather(x, 1, i.long()), torch.nn.functional.one_hot(i[:, 0].long(), 8)),
)
def gathers(x, i):
    a = torch.empty_like(x)
    b = torch.empty([x.size(0), 8], dtype=torch.int64)
    for t in hl.tile(x.size(0)):
        a[t, :] = torch.gather(x[t, :], 1, i[t, :].long())
        b[t, :] = torch.nn.functional.one_hot(i[t, 0].long(), 8)
    return a, b


@item("size, shape, numel, ndim, dtype of device tensors", matrix, lambda x: x + 8 + 2 + 8)
def about(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        k = v.size(1) + v.ndim + v.shape[1] if v.dtype == torch.float32 else 0
        out[t, :] = v + k
    return out


@item("an allocation of the extent of an axis that is no power of two", lambda n: (numbers(n, 7),), lambda x: x + 1)
def unifies(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + torch.ones([t, 7])
    return out


@refuses(
    "a forgotten keepdim",
    exc.ShapeMismatch,
    "shapes [@t.block_size, 6] and [@t.block_size] do not broadcast: dimension -1 is 6 and @t.block_size",
    args=(torch.ones(6, 6),),
)
def keepdim(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] - x[t, :].sum(1)  # here


@refuses(
    "a shape that depends on data",
    exc.DataDependentOutputShapeNotSupported,
    "the shape of torch.nonzero depends on data; use torch.where or extra_mask",
)
def depends(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.nonzero(x[t, :])  # here


@refuses(
    "masked_select",
    exc.DataDependentOutputShapeNotSupported,
    "the shape of torch.masked_select depends on data; use torch.where or extra_mask",
)
def selected(x):
    for t in hl.tile(x.size(0)):
        x[t, 0] = torch.masked_select(x[t, :], x[t, :] > 0).sum()  # here


@refuses(
    "hl.split of another extent", exc.UnsupportedSplitOperation, "The last dimension must have extent 2 to be split."
)
def splits(x):
    for t in hl.tile(x.size(0)):
        a, b = hl.split(x[t, :])  # here
        x[t, :] = a


@refuses(
    "hl.join of two dtypes",
    exc.TypeInferenceError,
    "hl.join takes tensors of one dtype, not torch.float32 and torch.float16",
)
def joins(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.join(x[t, :], x[t, :].half()).sum(-1)  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
