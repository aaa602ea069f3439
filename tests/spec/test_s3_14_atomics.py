"""Section 3.14: atomics; memory orders, results and gathers are in tests/language/test_atomics.py."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.14 Atomics")
item, refuses = SECTION.item, SECTION.refuses


@item(
    "add, max, min, and, or, xor, xchg, cas, of tiles and scalars",
    lambda n: (numbers(n, 6), whole(n)),
    lambda x, i: (
        x.sum(0) if len(x) else torch.zeros(6),
        torch.cat([i, torch.tensor([-9])]).max()[None].int(),
        torch.cat([i, torch.tensor([99])]).min()[None].int(),
        i + 3,
        torch.where(i == 2, 77, i),
    ),
    dynamic="",
)
def kinds(x, i):
    a = torch.zeros([6])
    b, c = torch.full([1], -9, dtype=torch.int32), torch.full([1], 99, dtype=torch.int32)
    d, e = i.clone(), i.clone()
    for t in hl.tile(x.size(0)):
        hl.atomic_add(a, [slice(None)], x[t, :].sum(0))
        hl.atomic_max(b, [0], i[t].amax())
        hl.atomic_min(c, [0], i[t].amin())
        hl.atomic_add(d, [t], 3)
        hl.atomic_cas(e, [t], 2, 77)
    return a, b, c, d, e


@refuses(
    "an unknown memory order",
    exc.InvalidAPIUsage,
    'sem must be "relaxed", "acquire", "release" or "acq_rel", not \'soon\'',
)
def order(x):
    for t in hl.tile(x.size(0)):
        hl.atomic_add(x, [t, 0], 1.0, sem="soon")  # here


@refuses("on a device tensor", exc.AtomicOnDeviceTensor, "Atomics work on tensors of the host, not on device tensors.")
def on_device(x):
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        hl.atomic_add(v, [t], 1)  # here
        x[t, :] = v


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
