"""Four-bit floats of NVIDIA's nvfp4 format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helion_ir.language.active import implementation

if TYPE_CHECKING:
    import torch


def float4_e2m1fn_x2_to_float32(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The two elements of each byte of a tile of `torch.float4_e2m1fn_x2`, low half first, as float32.

    Bytes (`torch.uint8`) are taken too. Raises InvalidAPIUsage for another dtype.
    """
    return implementation("float4_e2m1fn_x2_to_float32")(v)


def load_float4_e2m1fn_x16_to_float16(
    storage: torch.Tensor, group_offsets: torch.Tensor, extra_mask: Any = None
) -> tuple[torch.Tensor, ...]:
    """Sixteen float16 tensors shaped like `group_offsets`: the values of groups of sixteen.

    Args:
        storage: A contiguous host tensor of `torch.float4_e2m1fn_x2`; a group is eight bytes of it.
        group_offsets: A tile of integers, which group.
        extra_mask: Where it is false nothing is read and the values are 0.
    """
    return implementation("load_float4_e2m1fn_x16_to_float16")(storage, group_offsets, extra_mask)


def load_bfloat16_x16_to_float16(
    storage: torch.Tensor, group_offsets: torch.Tensor, extra_mask: Any = None
) -> tuple[torch.Tensor, ...]:
    """As `load_float4_e2m1fn_x16_to_float16`, of a contiguous host tensor of bfloat16."""
    return implementation("load_bfloat16_x16_to_float16")(storage, group_offsets, extra_mask)
