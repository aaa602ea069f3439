"""Constants, and ops that only move elements."""

from __future__ import annotations

import torch

from helion_ir.dialects.tile.compute import (
    BroadcastOp,
    CatOp,
    FillOp,
    FlipOp,
    FullOp,
    GatherOp,
    IotaOp,
    PermuteOp,
    ReshapeOp,
    SliceOp,
)
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.elementwise import lifted
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.registry import Function, Reading, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, as_tensor, dtype_of, full, lanes


@implements(FullOp)
def full_(op: FullOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, TileType)
    value = full(scope.shape(op.result.type), op.value.data, dtype_of(op.result.type.element_type), scope.device)
    return lambda: value


@implements(IotaOp)
def iota(op: IotaOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, TileType)
    (count,) = scope.shape(op.result.type)
    dtype = dtype_of(op.result.type.element_type)
    value = (torch.arange(count, device=scope.device) * scope.value(op.step) + scope.value(op.start)).to(dtype)
    return lambda: value


@implements(BroadcastOp)
def broadcast(op: BroadcastOp, scope: Scope) -> Function:
    shape = scope.shape(op.result.type)
    return lifted(lambda x: x.expand(shape), op.operands, scope)


@implements(ReshapeOp)
def reshape(op: ReshapeOp, scope: Scope) -> Function:
    shape = scope.shape(op.result.type)
    return lifted(lambda x: x.reshape(shape), op.operands, scope)


@implements(PermuteOp)
def permute(op: PermuteOp, scope: Scope) -> Function:
    order = op.order.data
    return lambda x: x.permute(order)


@implements(SliceOp)
def slice_(op: SliceOp, scope: Scope) -> Function:
    dim = op.dim.value.data
    start, step = scope.value(op.start), scope.value(op.step)
    count = scope.shape(op.result.type)[dim]
    index = (slice(None),) * dim + (slice(start, start + (count - 1) * step + 1, step),)
    return lambda x: x[index]


@implements(FlipOp)
def flip(op: FlipOp, scope: Scope) -> Function:
    dims = op.flipped.data
    return lambda x: flipped(x, dims)


def flipped(x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """torch.flip, of 8-bit floats too."""
    if x.itemsize == 1 and x.dtype.is_floating_point:
        return x.view(torch.uint8).flip(dims).view(x.dtype)
    return x.flip(dims)


@implements(CatOp)
def cat(op: CatOp, scope: Scope) -> Function:
    dim = op.dim.value.data
    return lambda *tiles: torch.cat(tiles, dim)


@implements(FillOp)
def fill(op: FillOp, scope: Scope) -> Function:
    assert isinstance(op.operand.type, TileType)
    dtype = dtype_of(op.operand.type.element_type)
    value = full((), op.value.data, dtype, scope.device)
    device = scope.device
    return lambda x, mask: torch.where(as_tensor(mask, torch.bool, device), as_tensor(x, dtype, device), value)


@implements(GatherOp)
def gather(op: GatherOp, scope: Scope) -> Function | Reading:
    dim = op.dim.value.data
    extent = scope.shape(op.operand.type)[dim]
    partial = scope.partial(op.index.type)
    rank = len(scope.shape(op.index.type))

    def gathered(x: torch.Tensor, index: torch.Tensor, *ranges: Range) -> torch.Tensor:
        outside = (index < 0) | (index >= extent)
        if outside.any():
            # Inactive lanes may hold any index; with explicit masks which those are is not known.
            for (axis, _), r in zip(partial, ranges):
                outside &= lanes(r.block, r.active, x.device).reshape([-1 if i == axis else 1 for i in range(rank)])
            if not scope.explicit_masks and outside.any():
                raise InterpreterError(f"an index is outside of the {extent} elements gathered from")
            index = index.clamp(0, extent - 1)
        return torch.gather(x, dim, index.long())

    return Reading(gathered, [value for _, value in partial])
