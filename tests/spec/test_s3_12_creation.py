"""Sections 3.12 and 3.13: creation and random numbers."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.12 Creation, 3.13 Random numbers")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item(
    "hl.zeros, hl.full, hl.arange: shapes of tiles, block sizes and ints; dtypes; []",
    lambda n: (numbers(n, 6), 2.5),
    lambda x, k: (x + 2 + 2.5 + torch.arange(6), x + torch.arange(3, 15, 2), torch.full_like(x, 4)),
)
def ours(x, k):
    a, b, c = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        one = hl.full([], 1)
        z = (
            hl.zeros([t, 6])
            + hl.full([t.block_size, 6], one)
            + hl.full([t, 6], 1, dtype=torch.int32)
            + hl.full([t, 6], k)
        )
        ok = hl.zeros([t], dtype=torch.float16).dtype == torch.float16 and hl.full([t], 1).dtype == torch.float32
        ok = ok and hl.arange(6).dtype == torch.int32 and torch.arange(6).dtype == torch.int64
        a[t, :] = x[t, :] + z + hl.arange(6) if ok else -99.0
        b[t, :] = x[t, :] + hl.arange(3, 15, 2)
        c[t, :] = (hl.arange(0, 6, dtype=torch.float32) * 0 + 4)[None, :]
    return a, b, c


@item(
    "torch.zeros, ones, full, new_zeros, *_like, tensor, linspace, eye, arange with PyTorch's dtypes",
    matrix,
    lambda x: (x * 1 + 3 + 1 + 2, torch.eye(6) + torch.linspace(0, 1, 6)),
    tolerance=1e-6,
)
def torchs(x):
    a, b = torch.empty_like(x), torch.empty([6, 6])
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        ok = torch.full([t], 1).dtype == torch.int64 and torch.zeros([t]).dtype == torch.float32
        w = torch.zeros([t, 6]) + torch.ones([t, 6]) + v.new_zeros([t, 6]) + v.new_full([t, 6], 2.0)
        w = w + torch.zeros_like(v) + torch.ones_like(v) + torch.full_like(v, 2)
        a[t, :] = v + w if ok else -99.0
    for _t in hl.tile(1):
        b[:, :] = torch.eye(6) + torch.linspace(0, 1, 6)
    return a, b


KNOWN = [0.7741, 0.0246, 0.3483, 0.5408, 0.6528, 0.6297, 0.4510, 0.7167]


@item(
    "hl.rand has the stream of the specification, whatever the blocks",
    lambda n: (torch.zeros(8), 42),
    lambda x, s: torch.tensor(KNOWN),
    sizes=(8,),
    tolerance=1e-4,
)
def known_stream(x, seed):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = hl.rand([t], seed=seed)
    return out


@item(
    "hl.rand, hl.randint, hl.rand4x: ranges, offsets, seeds that are tensors",
    lambda n: (torch.zeros(n, 6), torch.tensor([7])),
    lambda x, s: (torch.ones_like(x), torch.ones_like(x), torch.ones_like(x)),
)
def ranges(x, seed):
    a, b, c = [torch.empty_like(x) for _ in range(3)]
    for t in hl.tile(x.size(0)):
        u = hl.rand([t, 6], seed=seed[0])
        i = hl.randint([t, 6], 3, 9, seed=5)
        offsets = t.index[:, None] * 6 + hl.arange(6)[None, :]
        four = hl.rand4x(seed[0], offsets)
        a[t, :] = ((u >= 0) & (u < 1)).float()
        b[t, :] = ((i >= 3) & (i < 9)).float() if i.dtype == torch.int32 else 0.0
        c[t, :] = (four[0] == hl.rand([t, 6], seed=seed[0], offsets=offsets)).float()
    return a, b, c


@item(
    "F.dropout, bernoulli, rand_like, randn_like: each call a stream of its own, scaled",
    lambda n: (numbers(n, 6),),
    lambda x: (torch.ones_like(x), torch.ones_like(x)),
)
def implicit(x):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        d = torch.nn.functional.dropout(v, 0.5)
        u = torch.rand_like(v)
        a[t, :] = ((d == 0) | (d == v * 2)).float()
        b[t, :] = ((u >= 0) & (u < 1) & (u != torch.rand_like(v)) & torch.isfinite(torch.randn_like(v))).float()
    return a, b


@refuses("hl.randint with low >= high", exc.InvalidAPIUsage, "hl.randint needs low < high, these are 3 and 3")
def empty_range(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.randint([t, 6], 3, 3, seed=1)  # here


@refuses("hl.full of a vector", exc.ShapeMismatch, "hl.full takes a scalar value, this has shape [@t.block_size]")
def vector_fill(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.full([t, 6], x[t, 0])  # here


@refuses(
    "torch.randint on the device",
    exc.BackendUnsupported,
    "torch.randint is not supported on tiles; use hl.rand or hl.randint",
)
def torch_randint(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.randint(0, 4, [t, 6])  # here


@refuses(
    "torch.empty on the device", exc.BackendUnsupported, "torch.empty has no defined contents on a device; use hl.zeros"
)
def empty(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.empty([t, 6])  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
