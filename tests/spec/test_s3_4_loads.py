"""Section 3.4: loads."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.4 Loads")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item(
    "tiles, ints, negative ints, `:`, fewer subscripts than dimensions",
    lambda n: (numbers(n, 6, 3),),
    lambda x: (x * 2, x[:, 1, 2] + x[:, -1, -2], x + 1),
)
def plain(x):
    a, b, c = torch.empty_like(x), torch.empty_like(x[:, 0, 0]), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, :, :] = x[t, :, :] * 2
        b[t] = x[t, 1, 2] + x[t, -1, -2]
        c[t] = x[t] + 1
    return a, b, c


@item(
    "None and ... anywhere, for loads and stores",
    lambda n: (numbers(n, 6), numbers(n)),
    lambda x, y: (x + y[:, None], x[:, None] * 2),
)
def none_and_dots(x, y):
    a, b = torch.empty_like(x), torch.empty([x.size(0), 1, 6])
    for t in hl.tile(x.size(0)):
        a[t, ...] = x[..., :][t.index] if False else x[t, ...] + y[t, None]
        b[t, None, 0, :] = x[None, t, None, :][0] * 2 if False else x[t, None, :] * 2
    return a, b


@item(
    "slices: a:b, a:, :b, a:b:s, negative and clamped bounds",
    matrix,
    lambda x: (x[:, 1:4], x[:, 2:], x[:, :3], x[:, 1:6:2], x[:, -4:-1], x[:, 3:100]),
)
def slices(x):
    n = x.size(0)
    a, b, c, d, e, f = [torch.empty([n, w]) for w in (3, 4, 3, 3, 3, 3)]
    for t in hl.tile(n):
        a[t, :] = x[t, 1:4]
        b[t, :] = x[t, 2:]
        c[t, :] = x[t, :3]
        d[t, :] = x[t, 1:6:2]
        e[t, :] = x[t, -4:-1]
        f[t, :] = x[t, 3:100]
    return a, b, c, d, e, f


@item(
    "slices between scalars of the kernel: t.begin:t.end, i:i+4",
    lambda n: (numbers(n + 4, 6),),
    lambda x: (
        x * 2,
        torch.stack([x[i : i + 4].sum(0) for i in range(x.size(0) - 4)]) if x.size(0) > 4 else torch.empty(0, 6),
    ),
)
def moving_slices(x):
    n = x.size(0) - 4
    a, b = torch.empty_like(x), torch.empty([n, 6])
    for t in hl.tile(x.size(0)):
        a[t.begin : t.end, :] = x[t.begin : t.end, :] * 2
    for i in hl.grid(n):
        b[i, :] = x[i : i + 4, :].sum(0)
    return a, b


@item(
    "grid indices, t.begin, scalar tensors at every position",
    lambda n: (numbers(n, 6), whole(n, low=0, high=6)),
    lambda x, k: (
        torch.stack([x[i, k[i].long()] for i in range(len(x))]) if len(x) else x[:, 0],
        x[torch.arange(len(x)) // 4 * 4, 2] if len(x) else x[:, 2],
    ),
)
def scalars(x, k):
    a, b = torch.empty_like(x[:, 0]), torch.empty_like(x[:, 0])
    for i in hl.grid(x.size(0)):
        a[i] = x[i, k[i]]
    for t in hl.tile(x.size(0)):
        b[t] = x[t.begin, 2]
    return a, b


@item(
    "scalar tensors of the host: x[()], x[...], hl.load(x, []), as a subscript, as a whole right-hand side",
    lambda n: (numbers(n, 6), torch.tensor(2.5), torch.tensor(3)),
    lambda x, s, k: (x * s + s + s, x[:, 3] + 0, torch.full_like(x, 2.5)),
)
def scalar_tensors(x, s, k):
    a, b, c = torch.empty_like(x), torch.empty_like(x[:, 0]), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :] * s[()] + s[...] + hl.load(s, [])
        b[t] = x[t, k]
        c[t, :] = s
    return a, b, c


@item(
    "gathers: one index tensor, several 1-D ones as an outer product, N-D ones broadcast",
    lambda n: (numbers(9, 7), whole(n, low=0, high=9), whole(n, low=0, high=7)),
    lambda x, i, j: (
        x[i.long()],
        x[i.long()][:, j.long()],
        x[i.long(), j.long()][:, None],
        x[i.long()[:, None], j.long()[None, :]],
    ),
)
def gathers(x, i, j):
    n = i.size(0)
    a, b, c, d = torch.empty([n, 7]), torch.empty([n, n]), torch.empty([n, 1]), torch.empty([n, n])
    for t in hl.tile(n):
        a[t, :] = x[i[t], :]
        c[t, :] = x[i[t][:, None], j[t][:, None]]
    for t, u in hl.tile([n, n]):
        b[t, u] = x[i[t], j[u]]
        d[t, u] = x[i[t][:, None], j[u][None, :]]
    return a, b, c, d


@item(
    "index tensors of every integer dtype",
    lambda n: (
        numbers(9),
        whole(n, low=0, high=9).to(torch.uint8),
        whole(n, low=0, high=9).to(torch.int16),
        whole(n, low=0, high=9).long(),
    ),
    lambda x, a, b, c: x[a.long()] + x[b.long()] + x[c],
)
def index_kinds(x, a, b, c):
    out = torch.empty([a.size(0)])
    for t in hl.tile(a.size(0)):
        out[t] = x[a[t]] + x[b[t]] + x[c[t]]
    return out


@item("hl.arange as a subscript, of any length", matrix, lambda x: x[:, 1:6] + x[:, [0]])
def arange_index(x):
    out = torch.empty([x.size(0), 5])
    for t in hl.tile(x.size(0)):
        out[t, hl.arange(5)] = (
            x[t, hl.arange(1, 6)] + x[t, [0]][:, None] if False else x[t, hl.arange(1, 6)] + x[t, 0][:, None]
        )
    return out


@item(
    "extra_mask: of the result's shape, and one that broadcasts",
    matrix,
    lambda x: (torch.where(x > 0, x, 0.0), torch.where(x[:, :1] > 0, x, 0.0)),
)
def extra_masks(x):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        a[t, :] = hl.load(x, [t, slice(None)], extra_mask=v > 0)
        b[t, :] = hl.load(x, [t, slice(None)], extra_mask=(v[:, :1] > 0) if False else (x[t, 0] > 0)[:, None])
    return a, b


@item("eviction_policy of a load", matrix, lambda x: x * 3)
def evictions(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = hl.load(x, [t, slice(None)], eviction_policy="evict_first")
        out[t, :] = (
            v
            + hl.load(x, [t, slice(None)], eviction_policy="evict_last")
            + hl.load(x, [t, slice(None)], eviction_policy="")
        )
    return out


@item(
    "an extent of 1 indexed by a larger tile broadcasts",
    lambda n: (numbers(n, 6), numbers(1, 6), numbers(n, 1)),
    lambda x, a, b: x + a + b,
)
def broadcast_extents(x, a, b):
    out = torch.empty_like(x)
    for t, u in hl.tile(x.size()):
        out[t, u] = x[t, u] + a[t, u] + b[t, u]
    return out


@item(
    "dtypes: every integer, float, bool",
    lambda n: tuple(
        whole(n, low=0).to(d)
        for d in (
            torch.int8,
            torch.int16,
            torch.int64,
            torch.uint8,
            torch.uint16,
            torch.uint32,
            torch.bool,
            torch.float16,
            torch.bfloat16,
            torch.float64,
        )
    ),
    lambda *xs: sum(x.double() for x in xs),
)
def dtypes(a, b, c, d, e, f, g, h, i, j):
    out = torch.empty([a.size(0)], dtype=torch.float64)
    for t in hl.tile(a.size(0)):
        total = hl.zeros([t], dtype=torch.float64)
        for x in (a, b, c, d, e, f, g, h, i, j):
            total = total + x[t].to(torch.float64)
        out[t] = total
    return out


@item(
    "subscripts of device tensors: `:`, None, ..., ints and slices of constant extents",
    matrix,
    lambda x: x + x[:, 2:3] + x[:, :4].sum(1)[:, None] + x[:, -1][:, None],
)
def of_device_tensors(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        out[t, :] = v[...] + v[:, 2][:, None] + v[:, :4].sum(1)[:, None] + v[:, -1][..., None]
    return out


@item("hl.subscript", matrix, lambda x: x * 2)
def subscript_function(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = hl.subscript(x[t, :], [slice(None), slice(None), None]).sum(2) * 2
    return out


@refuses("too many subscripts", exc.RankMismatch, "3 subscripts for 'x', which has 2 dimensions")
def too_many(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :, 0]  # here


@refuses("two ellipses", exc.TypeInferenceError, "a subscript can have one `...` only")
def two_dots(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[..., t, ...]  # here


@refuses(
    "a bool tensor",
    exc.DataDependentOutputShapeNotSupported,
    "a bool tensor cannot be a subscript: the result's shape would depend on data; use hl.load(extra_mask=)",
)
def bool_index(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t.index > 3, :]  # here


@refuses("a float", exc.InvalidIndexingType, "2.5 cannot be a subscript")
def float_index(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, 2.5]  # here


@refuses("a float tensor", exc.InvalidIndexingType, "a subscript must be of an integer dtype, this is torch.float32")
def float_tensor_index(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[x[t, 0], :]  # here


@refuses("a string", exc.InvalidIndexingType, "'a' cannot be a subscript")
def string_index(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, "a"]  # here


@refuses("a list of indices", exc.InvalidIndexingType, "a list cannot be a subscript; use hl.arange or a tensor")
def list_index(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, [0, 1]]  # here


@refuses("a step of zero or less", exc.InvalidSliceStep, "the step of a slice must be a positive constant, not -1")
def backwards(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, ::-1]  # here


@refuses(
    "a slice bounded by a loaded value",
    exc.TensorSliceBound,
    "the length of this slice is not known at compile time; write `i : i + length` with a constant length, or loop over hl.tile(begin, end)",
    args=(torch.ones(11, 6), torch.ones(2, dtype=torch.int32)),
)
def loaded_bound(x, k):
    for t in hl.tile(x.size(0)):
        x[t, 0] = x[t, : k[0]].sum(1)  # here


@refuses(
    "a host tensor used directly",
    exc.HostTensorDirectUsage,
    "'x' is a tensor of the host; load what is needed of it first, such as x[tile, :]",
)
def direct(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] + x  # here


@refuses(
    "a view of a host tensor made on the device",
    exc.BackendUnsupported,
    "x.t is not supported in device code; make the view on the host, before the loop",
)
def device_view(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x.t()[:, t]  # here


@refuses(
    "a device tensor subscripted by a tile",
    exc.InvalidIndexingType,
    "a device tensor takes `:` and None as subscripts; subscript the tensor of the host to load, or use torch.gather or torch.where",
)
def device_by_tile(x):
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        x[t, :] = v[t, :]  # here


@refuses(
    "an eviction policy that there is not",
    exc.InvalidAPIUsage,
    'eviction_policy is "", "evict_first" or "evict_last", not \'evict_soon\'',
)
def unknown_policy(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.load(x, [t, slice(None)], eviction_policy="evict_soon")  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
