"""Atomics: by pointers, as far as Triton has them for the kind and the element type."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.tile import memory as tile
from helion_ir.dialects.triton import memory as triton
from helion_ir.dialects.types import DTYPE_NAMES, RefType, TileType, bf16, bit_width, f16, f64, i1, is_float
from helion_ir.passes.choose_indexing import DESCRIPTOR, POINTER
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers
from helion_ir.passes.convert_tile_to_triton.memory import addressed, described, masked, offsets, pointer
from helion_ir.passes.scope import physical


@lowers(tile.AtomicOp)
def atomic(lower: Lowering, op: tile.AtomicOp) -> Sequence[SSAValue]:
    assert isinstance(op.ref.type, RefType)
    _check(lower, op.kind.data, op.ref.type.element_type, op.result is not None)
    types = [lower.type(op.result.type)] if op.result is not None else []

    def build(mask: SSAValue | None) -> Sequence[SSAValue]:
        arguments = [lower.get(a) for a in op.arguments]
        if op.kind.data == "cas" and mask is not None:
            address, arguments, mask = _masked_cas(lower, op, arguments, mask)
        else:
            address = pointer(lower, op)
        made = triton.AtomicOp(op.kind.data, op.sem.data, address, arguments, mask, types[0] if types else None)
        lower.add(made, "old" if types else None)
        return list(made.results)

    def by_descriptor() -> Sequence[SSAValue]:
        (argument,) = [lower.get(a) for a in op.arguments]
        value = lower.broadcast(argument, [physical(d) for d in op.dims])
        descriptor, offsets, value = described(lower, op, value)
        lower.add(triton.DescriptorAtomicOp(op.kind.data, descriptor, offsets, value))
        return ()

    ways = {POINTER: lambda: masked(lower, op, build, types, "old"), DESCRIPTOR: by_descriptor}
    return addressed(lower, op, ways, types, "old")


def _masked_cas(
    lower: Lowering, op: tile.AtomicOp, arguments: Sequence[SSAValue], mask: SSAValue
) -> tuple[SSAValue, list[SSAValue], None]:
    """tl.atomic_cas takes no mask: inactive lanes replace a value by itself, if the tensor's first element has it."""
    expected, value = arguments
    assert isinstance(value.type, TileType)
    dims = value.type.dims
    active = lower.broadcast(mask, dims)
    offset = lower.broadcast(offsets(lower, op), dims)
    inside = lower.call("tl.where", [active, offset, lower.full(0, offset)], offset.type.element_type)  # pyright: ignore
    expected = lower.call("tl.where", [active, expected, value], value.type.element_type)
    address = lower.add(triton.AddPtrOp(lower.get(op.ref), inside))
    return address, [expected, value], None


def _check(lower: Lowering, kind: str, element: Attribute, wanted: bool) -> None:
    """Raise BackendUnsupported where Triton has no such atomic, or its interpreter gets it wrong."""
    from helion_ir.exc import BackendUnsupported

    name = DTYPE_NAMES[element]
    least = 16 if kind == "cas" or element in (f16, bf16) else 32
    if bit_width(element) < least or element == i1:
        raise BackendUnsupported(
            f"hl.atomic_{kind} on {name}: Triton has it for elements of {least} bits and more only"
        )
    if element in (f16, bf16) and kind not in ("add", "cas"):
        raise BackendUnsupported(f"hl.atomic_{kind} on {name}: Triton adds elements of this type only; use float32")
    if element == bf16 and kind == "add" and not lower.target.rounds_bf16:
        raise BackendUnsupported(
            "hl.atomic_add on bfloat16 in Triton's interpreter, which adds the bits; use float32, or tensors of a GPU"
        )
    if kind == "min" and element == f64 and wanted and not lower.target.backend:
        raise BackendUnsupported(
            "the result of hl.atomic_min on float64 in Triton's interpreter, which gives its bits as a number; "
            "use tensors of a GPU"
        )
    if kind == "xchg" and is_float(element) and not lower.target.backend:
        raise BackendUnsupported(
            f"hl.atomic_xchg on {name} in Triton's interpreter, which exchanges integers only; use tensors of a GPU"
        )
