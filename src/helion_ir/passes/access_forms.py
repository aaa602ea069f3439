"""The forms an access may have beside pointers, a block pointer or a tensor descriptor, and why one has not."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer
from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, bit_width, i1
from helion_ir.index.expr import scalars_of
from helion_ir.index.facts import fact_of
from helion_ir.passes.scope import bounds_of, exceeds_int32, kernel_of, parameter_of, physical, wide_scalars

DESCRIPTOR_ALIGNMENT = 16
"""Bytes; of rows, and the least inner extent of a block (CUDA driver API, cuTensorMapEncodeTiled)."""


def block_extents(op: memory.AccessOp) -> list[Expr]:
    """Physical extents of the block accessed, one a dimension of the tensor; a scalar subscript's is 1."""
    return [physical(s.type.block.data) if isinstance(s.type, RangeType) else Integer(1) for s in op.subscripts]


def why_no_block(op: memory.AccessOp) -> str:
    """Why the access is no rectangle of the tensor whose inactive lanes are those outside of it; "" if it is one."""
    assert isinstance(op.ref.type, RefType)
    # Before make-masks a mask is the author's; afterwards a mask over ranges is what boundary checks do.
    if op.mask is not None and not isinstance(op.mask.owner, control.MaskOp):
        return "it has a mask of the author's"
    if not any(isinstance(s.type, RangeType) for s in op.subscripts):
        return "it is no block: none of its subscripts is a tile"
    wide = wide_scalars(op)
    reasons = [_why_outside(s, extent, wide) for s, extent in zip(op.subscripts, op.ref.type.dims)]
    return next((r for r in reasons if r), "")


def _why_outside(subscript: SSAValue, extent: Expr, wide: frozenset[str]) -> str:
    if exceeds_int32(extent, wide):
        return "block pointers and descriptors take 32-bit indices"
    if isinstance(subscript.type, TileType):
        return "" if subscript.type.rank == 0 else "it is subscripted by a tile of indices"
    if isinstance(subscript.owner, control.ShiftOp):
        return "a tile is shifted, so that its mask is not the tensor's bounds"
    b = bounds_of(subscript)
    if b.upper == extent or (b.whole and b.upper - b.lower == physical(b.block)):
        return ""
    return "the loop ends elsewhere than the tensor, so that its mask is not the tensor's bounds"


def descriptor_order(ref: RefType) -> list[int]:
    """The dimensions of a tensor as its descriptor has them: one of stride 1 last, the others as they are.

    >>> from helion_ir.dialects.types import bf16, ref_type
    >>> descriptor_order(ref_type((4, 64, 32), bf16, (2048, 1, 64)))
    [0, 2, 1]
    """
    strides = [s.data for s in ref.strides]
    inner = max((i for i, s in enumerate(strides) if s == 1), default=len(strides) - 1)
    return [*(i for i in range(len(strides)) if i != inner), inner]


def why_no_descriptor(op: memory.AccessOp) -> str:
    """Why no descriptor can have the tensor's address and strides, or the block's rows; "" if one can.

    One stride must be 1 and the others multiples of 16 bytes, as must be the address and the block's rows.
    """
    ref = op.ref.type
    assert isinstance(ref, RefType)
    if not 1 <= len(ref.shape) <= 5:
        return f"a descriptor has one to five dimensions, the tensor has {len(ref.shape)}"
    order = descriptor_order(ref)
    *outer, inner = [ref.strides.data[i].data for i in order]
    if inner != 1:
        return "no dimension of the tensor is known to have stride 1"
    if parameter_of(op) in unaligned(op):
        return f"the tensor's address is no multiple of {DESCRIPTOR_ALIGNMENT} bytes"
    if any(scalars_of(b) for b in block_extents(op)):
        return "the block's extents are known in the call only"
    bits, known = bit_width(ref.element_type), [fact_of(s, {}) for s in outer]
    row = block_extents(op)[order[-1]] * bits
    if row.is_Integer and int(row) < 8 * DESCRIPTOR_ALIGNMENT:
        return f"the block's rows have fewer than {DESCRIPTOR_ALIGNMENT} bytes"
    if any(f.constant == 0 or f.divisor * bits % (8 * DESCRIPTOR_ALIGNMENT) != 0 for f in known):
        return f"the tensor's rows are not known to be a multiple of {DESCRIPTOR_ALIGNMENT} bytes apart"
    return ""


def why_no_host_descriptor(shape: Iterable[Expr], element_type: Attribute) -> str:
    """Why the host can make no descriptor of a tensor of which a kernel can make one; "" if it can.

    The driver refuses empty tensors; what it is given of one with elements is what a kernel would write by itself.
    """
    if any(not fact_of(extent, {}).low > 0 for extent in shape):
        return "the tensor may be empty, of which the driver makes no descriptor"
    if element_type == i1:
        return "the driver has no type for truth values"
    return ""


def unaligned(op: memory.AccessOp) -> frozenset[str]:
    """The parameters of the access's kernel whose address need not be a multiple of 16 bytes."""
    listed = kernel_of(op).unaligned
    return frozenset() if listed is None else frozenset(n.data for n in listed)
