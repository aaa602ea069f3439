"""hl.dot_scaled: a matrix product of microscaled operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from helion_ir import exc
from helion_ir.dialects.tile.scaled import FORMATS, GROUP, DotScaledOp, packing
from helion_ir.frontend.knobs import LEAST_DOT
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.index.expr import Le

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

_STORED = {
    "e2m1": (torch.uint8,),
    "e4m3": (torch.float8_e4m3fn, torch.uint8),
    "e5m2": (torch.float8_e5m2, torch.uint8),
    "bf16": (torch.bfloat16,),
    "fp16": (torch.float16,),
}


def dot_scaled(
    trace: Trace, a: Any, a_scale: Any, a_format: Any, b: Any, b_scale: Any, b_format: Any, acc: Any,
    out_dtype: torch.dtype | None,
) -> TileTensor:  # fmt: skip
    """See helion_ir.language.dot_scaled."""
    cap, sizes = trace.cap, trace.sizes
    for what, x, scale, format_ in (("first", a, a_scale, a_format), ("second", b, b_scale, b_format)):
        if format_ not in FORMATS:
            raise exc.InvalidAPIUsage(
                f"the {what} format of hl.dot_scaled is one of {', '.join(FORMATS)}, not {format_!r}"
            )
        if not isinstance(x, TileTensor) or not isinstance(scale, TileTensor):
            raise exc.InvalidAPIUsage("hl.dot_scaled takes device tensors and a scale for each; load them first")
        if x.ndim != 2 or scale.ndim != 2:
            raise exc.RankMismatch(f"hl.dot_scaled takes tensors of rank 2, not {x.dims} with scales {scale.dims}")
        if x.dtype not in _STORED[format_]:
            raise exc.TypeInferenceError(f"{format_} is stored as {_STORED[format_][0]}, the operand is {x.dtype}")
        if scale.dtype != torch.uint8:
            raise exc.TypeInferenceError(f"the scales of hl.dot_scaled are uint8 exponents, these are {scale.dtype}")
    inner = a.dims[1] * packing(a_format)
    for what, wanted, have in (
        ("the second operand", inner, b.dims[0] * packing(b_format)),
        ("the first scale", inner, a_scale.dims[1] * GROUP), ("the first scale", a.dims[0], a_scale.dims[0]),
        ("the second scale", inner, b_scale.dims[1] * GROUP), ("the second scale", b.dims[1], b_scale.dims[0]),
    ):  # fmt: skip
        if not sizes.equal(wanted, have):
            raise exc.ShapeMismatch(f"{what} of hl.dot_scaled has {have} elements along a dimension of {wanted}")
    dims = [a.dims[0], b.dims[1]]
    if acc is None:
        start = cap.full(0, dims, torch.float32)
    elif not isinstance(acc, TileTensor) or acc.dtype != torch.float32 or not cap.same_dims(acc.dims, dims):
        raise exc.TypeInferenceError(f"the accumulator of hl.dot_scaled is a float32 device tensor of shape {dims}")
    else:
        start = acc.value
    for size, least in ((dims[0], LEAST_DOT), (dims[1], LEAST_DOT), (inner, GROUP)):
        condition = Le(least, sizes.expr(size))
        if condition == 0:
            raise exc.ShapeMismatch(f"hl.dot_scaled needs extents of at least {least}, this is {size}")
        trace.require(condition, f"a product of microscaled operands needs {size} to be at least {least}")
    value = cap.emit(DotScaledOp(a.value, a_scale.value, a_format, b.value, b_scale.value, b_format, start))
    result = out_dtype or torch.float32
    return cap.tile(cap.cast(value, result), dims, result)
