"""Four-bit floats, two in a byte, and loads of groups of sixteen values that lie next to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from helion_ir import exc
from helion_ir.frontend import subscripts
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

GROUP = 16


def float4_pair(v: Any) -> tuple[Any, Any]:
    """The elements in the low and in the high halves of bytes, as float32. See hl.float4_e2m1fn_x2_to_float32."""
    if not isinstance(v, TileTensor) or v.dtype != torch.uint8:
        kind = v.dtype if isinstance(v, torch.Tensor) else type(v).__name__
        raise exc.InvalidAPIUsage(f"hl.float4_e2m1fn_x2_to_float32 takes a tile of float4_e2m1fn_x2, not {kind}")
    bits: Any = v.to(torch.int32)  # pyright: ignore
    return _value(bits & 15), _value(bits >> 4)


def _value(nibble: Any) -> Any:
    """Sign, two bits of exponent, one of mantissa: put where float32 has them; below 1 there are 0 and 0.5."""
    magnitude = nibble & 7
    exponent, mantissa = magnitude >> 1, magnitude & 1
    normal = (((exponent + 126) << 23) | (mantissa << 22)).view(torch.float32)
    value = torch.where(exponent > 0, normal, mantissa.to(torch.float32) * 0.5)
    return torch.where(nibble > 7, -value, value)


def load_groups(trace: Trace, storage: Any, groups: Any, mask: Any, *, packed: bool) -> tuple[Any, ...]:
    """The sixteen values of each group, as float16: of bytes with two float4 each if `packed`, else of bfloat16."""
    name = "hl.load_float4_e2m1fn_x16_to_float16" if packed else "hl.load_bfloat16_x16_to_float16"
    wanted = torch.uint8 if packed else torch.bfloat16
    if not isinstance(storage, HostTensor) or storage.dtype != wanted:
        raise exc.InvalidAPIUsage(f"{name} takes a host tensor of {'float4_e2m1fn_x2' if packed else wanted}")
    if not storage.like.is_contiguous():
        raise exc.InvalidAPIUsage(f"{name} takes a contiguous tensor, which '{storage.name}' is not")
    if not isinstance(groups, TileTensor) or groups.dtype.is_floating_point or groups.dtype == torch.bool:
        raise exc.InvalidAPIUsage(f"{name} takes a tile of integers, the numbers of the groups")
    flat = storage if storage.ndim == 1 else trace.arguments.flattened(storage)
    count = GROUP // 2 if packed else GROUP
    first: Any = groups * count
    loaded: list[Any] = [subscripts.load(flat, (first + i,), mask) for i in range(count)]
    values = [half for v in loaded for half in float4_pair(v)] if packed else loaded
    return tuple(v.to(torch.float16) for v in values)
