"""Which loads Triton is sure to copy asynchronously when it pipelines a loop."""

from __future__ import annotations

from sympy import Integer
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import RangeType, RefType, bit_width
from helion_ir.index.expr import Le, all_of
from helion_ir.passes.plan_memory.footprint import Size, Terms
from helion_ir.passes.scope import bounds_of, multiple_of
from helion_ir.targets.staging import Staging


def copies_whole_words(load: memory.LoadOp, staging: Staging, terms: Terms) -> Size:
    """When neighbours are sure to be accessed together, as many as an asynchronous copy moves at least."""
    assert isinstance(load.ref.type, RefType)
    bits = bit_width(load.ref.type.element_type)
    if bits < 16:
        return 0  # what of these the matrix unit cannot transpose goes through registers
    needed = staging.least_copy_bits or 32
    return 1 if bits >= needed else _is_aligned(load, needed // bits, terms)


def addressed_by_loads(load: memory.LoadOp, loop: Operation) -> bool:
    """Whether a load's address depends on what the loop computes, beyond the positions of ranges."""
    return not all(isinstance(s.type, RangeType) or _is_outside(s, loop) for s in load.subscripts)


def contiguous_along(load: memory.LoadOp) -> SSAValue | None:
    """The subscript along which a load's neighbours are neighbours in memory."""
    assert isinstance(load.ref.type, RefType)
    found = [s for s, stride in zip(load.subscripts, load.ref.type.strides) if stride.data == 1]
    return found[-1] if found else None


def _is_outside(subscript: SSAValue, loop: Operation) -> bool:
    owner = subscript.owner
    if not isinstance(owner, Operation):
        return False
    if isinstance(owner, control.BeginOp | control.EndOp | control.IdOp):
        return True
    at = owner.parent_op()
    while at is not None and at is not loop:
        at = at.parent_op()
    return at is None


def _is_aligned(load: memory.LoadOp, elements: int, terms: Terms) -> Size:
    """When that many neighbours are accessed together: they are contiguous, and so are addresses and masks."""
    assert isinstance(load.ref.type, RefType)
    if load.mask is not None and not isinstance(load.mask.owner, control.MaskOp):
        return 0
    inner: list[Size] = []
    for subscript, stride in zip(load.subscripts, load.ref.type.strides):
        if stride.data != 1:
            if not stride.data.is_Integer or int(stride.data) % elements:
                return 0
            continue
        if not isinstance(subscript.type, RangeType) or isinstance(subscript.owner, control.ShiftOp):
            return 0
        b = bounds_of(subscript)
        aligned = [terms.of(multiple_of(e, Integer(elements), b.symbols)) for e in (b.lower, b.upper)]
        inner.append(all_of([*aligned, Le(elements, terms.extent(b.block))]))
    return inner[0] if len(inner) == 1 else 0
