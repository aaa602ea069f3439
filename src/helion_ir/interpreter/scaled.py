"""Products of microscaled operands, by their definition: every element times its group's power of two, in f32."""

from __future__ import annotations

from typing import Any

import torch

from helion_ir.dialects.tile.scaled import GROUP, DotScaledOp
from helion_ir.dialects.triton import scaled as triton
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.mixing import dot, with_neutral
from helion_ir.interpreter.registry import Reading, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, as_tensor, dtype_of

_E2M1 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0])
_DTYPES = {
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def elements(x: torch.Tensor, format_: str) -> torch.Tensor:
    """Stored values of shape [rows, K / packing] as f32 of [rows, K]."""
    if format_ == "e2m1":
        both = torch.stack([x & 15, x >> 4], -1).flatten(-2)
        return _E2M1.to(x.device)[both.long()]
    dtype = _DTYPES[format_]
    return (x if x.dtype == dtype else x.view(dtype)).to(torch.float32)


def scales(x: torch.Tensor) -> torch.Tensor:
    """Exponents of base 2 with a bias of 127, one for each group; 255 is NaN."""
    powers = torch.exp2(x.to(torch.float32) - 127.0)
    return torch.where(x == 255, torch.nan, powers).repeat_interleave(GROUP, -1)


@implements(DotScaledOp, triton.DotScaledOp)
def dot_scaled(op: DotScaledOp | triton.DotScaledOp, scope: Scope) -> Reading:
    assert isinstance(op.lhs.type, TileType) and isinstance(op.acc.type, TileType)
    left, right = scope.partial(op.lhs.type, (1,)), scope.partial(op.rhs.type, (0,))
    formats, dtype = (op.lhs_format.data, op.rhs_format.data), dtype_of(op.acc.type.element_type)

    def run(a: Any, sa: Any, b: Any, sb: Any, acc: Any, *ranges: Range) -> torch.Tensor:
        if left:
            a = with_neutral(a, (1,), ranges[:1], 0)
        if right:
            b = with_neutral(b, (0,), ranges[len(left) :], 0)
        lhs = elements(a, formats[0]) * scales(sa)
        rhs = elements(b.T.contiguous(), formats[1]) * scales(sb)
        return dot(lhs, rhs.T, as_tensor(acc, dtype, scope.device))

    return Reading(run, [r for _, r in left + right])
