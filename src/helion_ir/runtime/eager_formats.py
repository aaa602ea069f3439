"""Microscaled products and four-bit floats on real tensors, by their definition."""

from __future__ import annotations

from typing import Any

import torch

from helion_ir import exc
from helion_ir.interpreter.scaled import elements, scales
from helion_ir.runtime import eager_access

_GROUP = 16


def dot_scaled(
    a: torch.Tensor, a_scale: torch.Tensor, a_format: str, b: torch.Tensor, b_scale: torch.Tensor, b_format: str,
    acc: torch.Tensor | None, out_dtype: torch.dtype | None,
) -> torch.Tensor:  # fmt: skip
    """See helion_ir.language.dot_scaled."""
    left = elements(a, a_format) * scales(a_scale)
    right = elements(b.T.contiguous(), b_format) * scales(b_scale)
    product = left @ right.T
    out = product if acc is None else acc + product
    return out.to(out_dtype or torch.float32)


def float4_pair(v: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The elements in the low and in the high halves of bytes, as float32."""
    if v.dtype not in (torch.uint8, torch.float4_e2m1fn_x2):
        raise exc.InvalidAPIUsage(f"hl.float4_e2m1fn_x2_to_float32 takes a tile of float4_e2m1fn_x2, not {v.dtype}")
    both = elements(v.view(torch.uint8).unsqueeze(-1), "e2m1")
    return both[..., 0], both[..., 1]


def load_groups(storage: torch.Tensor, groups: torch.Tensor, mask: Any, *, packed: bool) -> tuple[torch.Tensor, ...]:
    """The sixteen values of each group, as float16: of bytes with two float4 each if `packed`, else of bfloat16."""
    flat = storage.view(torch.uint8).view(-1) if packed else storage.view(-1)
    count = _GROUP // 2 if packed else _GROUP
    loaded = [eager_access.load(flat, (groups * count + i,), mask) for i in range(count)]
    values = [half for v in loaded for half in float4_pair(v)] if packed else loaded
    return tuple(v.to(torch.float16) for v in values)
