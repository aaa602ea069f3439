"""Section 3.6: stores."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.6 Stores")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item(
    "numbers, scalars, sizes, scalar tensors, bools; conversions to the tensor's dtype",
    lambda n: (numbers(n, 6), 3),
    lambda x, k: (
        torch.full_like(x, 2.5),
        torch.full_like(x, 3),
        x.int(),
        x != 0,
        torch.full_like(x, x.size(0)),
        (x + 0.3).half(),
    ),
)
def values(x, k):
    a, b, e = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)
    c = torch.empty_like(x, dtype=torch.int32)
    d = torch.empty_like(x, dtype=torch.bool)
    f = torch.empty_like(x, dtype=torch.float16)
    for t in hl.tile(x.size(0)):
        a[t, :] = 2.5
        b[t, :] = k
        c[t, :] = x[t, :]
        d[t, :] = x[t, :]
        e[t, :] = x.size(0)
        f[t, :] = x[t, :] + 0.3
    return a, b, c, d, e, f


@item("op=: loads, computes, stores", matrix, lambda x: ((x + 1) * 2 - 3) / 4)
def augmented(x):
    out = x + 1
    for t in hl.tile(x.size(0)):
        out[t, :] *= 2
        out[t, :] -= 3
        out[t, :] /= 4
    return out


@item("extents of 1 broadcast, leading ones go", matrix, lambda x: (x[:, :1].expand(-1, 6), x, x[:, 0]))
def broadcasts(x):
    a, b, c = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x[:, 0])
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :][:, :1]
        b[t, :] = x[t, :][None]
        c[t] = x[t, 0]
    return a, b, c


@item(
    "ints, slices, None, ellipsis, gathers as targets",
    lambda n: (numbers(n, 6), torch.randperm(n)),
    lambda x, p: (
        torch.cat([x[:, :1] * 2, x[:, 1:4], torch.full_like(x[:, 4:], 7)], 1),
        torch.zeros_like(x).index_copy(0, p, x),
    ),
)
def targets(x, perm):
    a, b = torch.full_like(x, 7), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, 0] = x[t, 0] * 2
        a[t, 1:4] = x[t, 1:4]
        b[perm[t], ...] = x[t, :]
    return a, b


@item("hl.store with extra_mask", matrix, lambda x: torch.where(x > 0, x, 7.0))
def masked(x):
    out = torch.full_like(x, 7)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        hl.store(out, [t, slice(None)], v, extra_mask=v > 0)
    return out


@item("a store and then a load of the same storage", matrix, lambda x: (x + 1).flip(1) * 2)
def store_and_load(x):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :] + 1
        for j in hl.grid(6):
            b[t, j] = a[t, 5 - j] * 2
    return b


@item("inputs written in place", matrix, lambda x: x.mul_(2))
def in_place(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] * 2
    return x


@refuses(
    "a value of fewer dimensions",
    exc.RankMismatch,
    "the value has shape [@t.block_size], but the subscript of 'x' selects [@t.block_size, 6]; add the missing dimension with [None, :] or [:, None], or keepdim=True",
)
def missing_dim(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :].sum(1)  # here


@refuses(
    "a value of another shape",
    exc.ShapeMismatch,
    "the value has shape [@t.block_size, 3], but the subscript of 'x' selects [@t.block_size, 6]: 3 is not 6",
)
def other_shape(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, 0:3]  # here


@refuses("a string", exc.RequiresTensorInAssignment, "a device tensor or a number must be stored into 'x', not str")
def string(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = "a"  # here


@refuses("None", exc.RequiresTensorInAssignment, "a device tensor or a number must be stored into 'x', not NoneType")
def none(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = None  # here


@refuses("a tuple", exc.RequiresTensorInAssignment, "a device tensor or a number must be stored into 'x', not tuple")
def a_tuple(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = (1, 2)  # here


@refuses(
    "into a device tensor",
    exc.DeviceTensorSubscriptAssignmentNotAllowed,
    "A device tensor cannot be assigned to by subscript; use torch.where, or store into a tensor of the host.",
)
def device_tensor(x):
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        v[:, 0] = 1  # here
        x[t, :] = v


@refuses("into a number", exc.NonTensorSubscriptAssign, "int cannot be assigned to by subscript")
def number(x):
    for t in hl.tile(x.size(0)):
        v = 3
        v[0] = 1  # here
        x[t, :] = v


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
