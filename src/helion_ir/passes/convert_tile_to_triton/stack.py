"""Accesses by addresses."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.tile import stack as tile
from helion_ir.dialects.triton import memory as triton
from helion_ir.dialects.triton.stack import ToPointerOp
from helion_ir.dialects.types import TileType
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers


def _pointer(lower: Lowering, op: tile.StackLoadOp | tile.StackStoreOp, element: Attribute) -> SSAValue:
    base = lower.add(ToPointerOp(lower.get(op.addresses), element))
    return lower.add(triton.AddPtrOp(base, lower.get(op.offsets)))


def _mask(lower: Lowering, op: tile.StackLoadOp | tile.StackStoreOp) -> SSAValue | None:
    if op.mask is None:
        return None
    assert isinstance(op.offsets.type, TileType)
    return lower.broadcast(lower.get(op.mask), lower.dims(op.offsets.type))


@lowers(tile.StackLoadOp)
def stack_load(lower: Lowering, op: tile.StackLoadOp) -> Sequence[SSAValue]:
    assert isinstance(op.result.type, TileType)
    pointer = _pointer(lower, op, op.result.type.element_type)
    return (lower.add(triton.LoadOp(pointer, _mask(lower, op), None)),)


@lowers(tile.StackStoreOp)
def stack_store(lower: Lowering, op: tile.StackStoreOp) -> Sequence[SSAValue]:
    assert isinstance(op.value.type, TileType)
    pointer = _pointer(lower, op, op.value.type.element_type)
    lower.add(triton.StoreOp(pointer, lower.get(op.value), _mask(lower, op)))
    return ()
