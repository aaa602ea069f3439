"""Sorts: keys that keep NaN, with the position in their low bits."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from helion_ir.dialects.tile import compute as tile
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import TileType, f32, f64, i1, i32, i64, is_float, tile_type
from helion_ir.passes.convert_tile_to_triton.arithmetic import to_element
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers


@lowers(tile.SortOp)
def sort(lower: Lowering, op: tile.SortOp) -> Sequence[SSAValue]:
    """Along the last dimension: tl.sort of `key << 32 | position`, so that it is stable and positions come with it."""
    from helion_ir.exc import BackendUnsupported

    value, descending = lower.get(op.operand), bool(op.descending.value.data)
    assert isinstance(value.type, TileType)
    element, dims = value.type.element_type, value.type.dims
    rank, extent = len(dims), dims[-1]
    if element == f64 or (isinstance(element, IntegerType) and element.width.data > 32):
        raise BackendUnsupported(
            "torch.sort, torch.argsort and torch.topk of 64-bit elements: the key and the position share 64 bits"
        )
    lanes = lower.add(triton.ArangeOp(tile_type((extent,), i32)))
    position = lower.broadcast(lower.expand(lanes, rank - 1, rank), dims)
    if descending:  # of equal elements the first still comes first
        position = _mirrored(lower, position)
    floats = is_float(element)
    if floats:
        pair = lower.call("plain.sortpair32", [to_element(lower, value, f32), position], i64)
    else:
        wide = lower.cast(lower.cast(value, i32) if element == i1 else value, i64)
        pair = lower.call("plain.sortpair_i", [wide, position], i64)
    if extent != 1:
        pair = lower.call("tl.sort", [pair], descending="True") if descending else lower.call("tl.sort", [pair])
    sorted_ = lower.call("plain.sortpair_value", [pair], f32) if floats else lower.call("plain.sortpair_high", [pair])
    at = lower.call("plain.sortpair_position", [pair])
    if descending:
        at = _mirrored(lower, at)
    return to_element(lower, sorted_, element), at


def _mirrored(lower: Lowering, position: SSAValue) -> SSAValue:
    """Positions counted from the last lane."""
    assert isinstance(position.type, TileType)
    from helion_ir.index.expr import operand

    dims = position.type.dims
    return lower.apply(dims[-1] - 1 - operand(0), [position], dims)
