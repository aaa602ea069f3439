"""hl.dot: a matrix product with an accumulator of the author's choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from helion_ir import exc
from helion_ir.dialects.tile.compute import DotOp
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

_FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
_OPERANDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, *_FLOAT8)
_ACCUMULATORS = (torch.float16, torch.float32, torch.float64, torch.int32)


def dot(trace: Trace, a: Any, b: Any, acc: Any, out_dtype: torch.dtype | None) -> TileTensor:
    """`acc + a @ b`; see helion_ir.language.dot."""
    cap = trace.cap
    for x in (a, b):
        if not isinstance(x, TileTensor):
            raise exc.InvalidAPIUsage("hl.dot takes device tensors; load the operands first")
        if x.dtype not in _OPERANDS:
            raise exc.TypeInferenceError(f"hl.dot does not take {x.dtype}; convert with .to(dtype)")
    if a.ndim != b.ndim or a.ndim not in (2, 3):
        raise exc.RankMismatch(f"hl.dot takes two tensors of rank 2, or two of rank 3, not {a.dims} and {b.dims}")
    if not trace.sizes.equal(a.dims[-1], b.dims[-2]):
        raise exc.ShapeMismatch(f"{a.dims} and {b.dims} cannot be multiplied: {a.dims[-1]} is not {b.dims[-2]}")
    if a.ndim == 3 and not trace.sizes.equal(a.dims[0], b.dims[0]):
        a, b = _batched(trace, a, b), _batched(trace, b, a)
    if a.dtype != b.dtype:
        a, b = _alike(a, b)
    integers = a.dtype == torch.int8
    wide = torch.int32 if integers else torch.float64 if a.dtype == torch.float64 else torch.float32
    dims = [*a.dims[:-1], b.dims[-1]]
    if acc is None:
        result = out_dtype or wide
        inner = result if result in _ACCUMULATORS else wide
        start = cap.full(0, dims, inner)
    else:
        if not isinstance(acc, TileTensor) or acc.dtype not in _ACCUMULATORS:
            raise exc.TypeInferenceError(
                "the accumulator of hl.dot is a float16, float32, float64 or int32 device tensor"
            )
        if (acc.dtype == torch.int32) != integers:
            raise exc.TypeInferenceError(f"the accumulator of a product of {a.dtype} cannot be {acc.dtype}")
        if not cap.same_dims(acc.dims, dims):
            raise exc.ShapeMismatch(f"the accumulator has shape {acc.dims}, the product {dims}")
        result, inner, start = out_dtype or acc.dtype, acc.dtype, acc.value
    value = cap.emit(DotOp(a.value, b.value, start, cap.dot_precision))
    assert inner is not None
    return cap.tile(cap.cast(value, result), dims, result)


def _batched(trace: Trace, x: TileTensor, other: TileTensor) -> TileTensor:
    """A batch of 1 repeated for the other operand."""
    if isinstance(x.dims[0], int) and x.dims[0] == 1:
        return x.expand([other.dims[0], *x.dims[1:]])  # pyright: ignore
    if isinstance(other.dims[0], int) and other.dims[0] == 1:
        return x
    raise exc.DotBatchDimensionMismatch(f"the batch dimensions {x.dims[0]} and {other.dims[0]} of hl.dot differ")


def _alike(a: TileTensor, b: TileTensor) -> tuple[TileTensor, TileTensor]:
    """Operands of different float types, in the smallest type that holds both."""
    if a.dtype in _FLOAT8 and b.dtype in _FLOAT8:
        return a, b
    dtype = b.dtype if a.dtype in _FLOAT8 else a.dtype if b.dtype in _FLOAT8 else torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(dtype)  # pyright: ignore
