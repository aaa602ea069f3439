"""Section 3.16: the quantized helpers; inline code is in tests/language/test_inline.py."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.16 Quantized helpers")
item, refuses = SECTION.item, SECTION.refuses
E2M1 = torch.tensor([0.0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def packed(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)


def halves(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    bits = x.view(torch.uint8).int()
    return E2M1[bits & 15], E2M1[bits >> 4]


@item(
    "hl.float4_e2m1fn_x2_to_float32, every code",
    lambda n: (torch.arange(256, dtype=torch.uint8).repeat(n, 1).view(torch.float4_e2m1fn_x2),),
    halves,
    sizes=(0, 1, 3, 4, 5),
)
def decodes(x):
    n, m = x.size()
    a, b = torch.empty([n, m]), torch.empty([n, m])
    for t, u in hl.tile([n, m]):
        a[t, u], b[t, u] = hl.float4_e2m1fn_x2_to_float32(x[t, u])
    return a, b


def grouped(x: torch.Tensor, y: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    nibbles = torch.stack(halves(x.reshape(-1).view(torch.uint8)), -1).reshape(-1, 16)
    return nibbles[g.long()].half().T.contiguous(), y.reshape(-1, 16)[g.long()].half().T.contiguous()


@item(
    "hl.load_float4_e2m1fn_x16_to_float16, hl.load_bfloat16_x16_to_float16: groups of sixteen",
    lambda n: (packed(6, 16), torch.randn(3, 64).bfloat16(), whole(n, low=0, high=12)),
    grouped,
)
def groups(x, y, g):
    n = g.size(0)
    a, b = torch.empty([16, n], dtype=torch.float16), torch.empty([16, n], dtype=torch.float16)
    for t in hl.tile(n):
        for i, v in enumerate(hl.load_float4_e2m1fn_x16_to_float16(x, g[t])):
            a[i, t] = v
        for i, v in enumerate(hl.load_bfloat16_x16_to_float16(y, g[t], extra_mask=g[t] >= 0)):
            b[i, t] = v
    return a, b


@refuses(
    "another dtype",
    exc.InvalidAPIUsage,
    "hl.float4_e2m1fn_x2_to_float32 takes a tile of float4_e2m1fn_x2, not torch.float32",
)
def wrong_dtype(x):
    for t in hl.tile(x.size(0)):
        a, b = hl.float4_e2m1fn_x2_to_float32(x[t, :])  # here
        x[t, :] = a


@refuses(
    "a group of another dtype",
    exc.InvalidAPIUsage,
    "hl.load_bfloat16_x16_to_float16 takes a host tensor of torch.bfloat16",
)
def wrong_storage(x):
    for t in hl.tile(x.size(0)):
        v = hl.load_bfloat16_x16_to_float16(x, t.index)  # here
        x[t, 0] = v[0]


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
