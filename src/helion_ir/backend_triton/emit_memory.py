"""Emitters of loads, stores and atomics: by pointers, block pointers and tensor descriptors."""

from __future__ import annotations

from xdsl.ir import Attribute, Operation

from helion_ir.backend_triton.emitting import KernelPrinter, emitter
from helion_ir.backend_triton.printed import HostDescriptor
from helion_ir.backend_triton.spelling import dtype_text, literal_text, signature_text
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.triton.memory import (
    AddPtrOp,
    AtomicOp,
    BarrierOp,
    BlockLoadOp,
    BlockStoreOp,
    DescriptorAtomicOp,
    DescriptorLoadOp,
    DescriptorStoreOp,
    HostDescriptorOp,
    LoadOp,
    MakeBlockOp,
    MakeBlockPtrOp,
    MakeDescriptorOp,
    StoreOp,
    UndefinedOp,
)
from helion_ir.dialects.triton.stack import ToPointerOp
from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import TileType, is_float

EVICTIONS = {"": "", "first": "evict_first", "last": "evict_last"}
"""Eviction policies by the values of their knobs; other values pass as they are."""


def eviction(p: KernelPrinter, attr: Attribute | None) -> str:
    """The keyword argument of a load, after a comma."""
    if attr is None:
        return ""
    text = p.literal(attr)
    if text in p.constexprs:
        p.evictions.add(text)
        return f", eviction_policy={text}"
    policy = eviction_policy(p.value(attr))
    return f", eviction_policy={literal_text(policy)}" if policy else ""


def eviction_policy(value: KnobValue) -> KnobValue:
    """What Triton calls an eviction knob's value."""
    return EVICTIONS.get(value, value) if isinstance(value, str) else value


def cached(p: KernelPrinter, op: Operation) -> str:
    """The keyword argument of a load or store, after a comma."""
    attr = op.properties.get("cache")
    if attr is None:
        return ""
    text = p.literal(attr)
    return f", cache_modifier={text}" if text != '""' else ""


def zero(type_: Attribute) -> str:
    """What inactive lanes of a load give; a float's must be one, since Triton casts no integer to an 8-bit float."""
    return "0.0" if isinstance(type_, TileType) and is_float(type_.element_type) else "0"


@emitter(AddPtrOp)
def emit_addptr(p: KernelPrinter, op: AddPtrOp) -> None:
    base, offset = p.operands(op)
    p.result(op, f"{base} + {offset}")


@emitter(LoadOp)
def emit_load(p: KernelPrinter, op: LoadOp) -> None:
    pointer, *mask = p.operands(op)
    masked = f", mask={mask[0]}, other={zero(op.results[0].type)}" if mask else ""
    p.result(op, f"tl.load({pointer}{masked}{eviction(p, op.properties.get('eviction'))}{cached(p, op)})")


@emitter(StoreOp)
def emit_store(p: KernelPrinter, op: StoreOp) -> None:
    pointer, value, *mask = p.operands(op)
    p.line(f"tl.store({pointer}, {value}{f', mask={mask[0]}' if mask else ''}{cached(p, op)})")


@emitter(AtomicOp)
def emit_atomic(p: KernelPrinter, op: AtomicOp) -> None:
    operands = p.operands(op)
    arguments = ", ".join(operands[:-1] if op.mask is not None else operands)
    mask = f", mask={operands[-1]}" if op.mask is not None else ""
    call = f'tl.atomic_{op.kind.data}({arguments}{mask}, sem="{op.sem.data}")'
    if op.results:
        p.result(op, call)
    else:
        p.line(call)


def view(p: KernelPrinter, op: MakeBlockOp) -> tuple[str, str, str]:
    """The printed shape, strides and block of a block pointer or descriptor."""
    return p.shape(op.shape.data), p.shape(op.strides.data), p.shape(op.block.data)


@emitter(MakeBlockPtrOp)
def emit_make_block_ptr(p: KernelPrinter, op: MakeBlockPtrOp) -> None:
    base, *offsets = p.operands(op)
    shape, strides, block = view(p, op)
    order = list(op.order.data)
    p.result(op, f"tl.make_block_ptr({base}, {shape}, {strides}, [{', '.join(offsets)}], {block}, {order})")


@emitter(BlockLoadOp)
def emit_block_load(p: KernelPrinter, op: BlockLoadOp) -> None:
    boundary = list(op.boundary.data)
    checked = f', boundary_check={boundary}, padding_option="zero"' if boundary else ""
    p.result(op, f"tl.load({p.operands(op)[0]}{checked}{eviction(p, op.eviction)}{cached(p, op)})")


@emitter(BlockStoreOp)
def emit_block_store(p: KernelPrinter, op: BlockStoreOp) -> None:
    pointer, value = p.operands(op)
    boundary = list(op.boundary.data)
    p.line(f"tl.store({pointer}, {value}{f', boundary_check={boundary}' if boundary else ''}{cached(p, op)})")


@emitter(MakeDescriptorOp)
def emit_make_descriptor(p: KernelPrinter, op: MakeDescriptorOp) -> None:
    p.uses_descriptors = True
    shape, strides, block = view(p, op)
    p.result(op, f"tl.make_tensor_descriptor({p.operands(op)[0]}, {shape}, {strides}, {block})")


@emitter(HostDescriptorOp)
def emit_host_descriptor(p: KernelPrinter, op: HostDescriptorOp) -> None:
    p.host_descriptors[p.define(op.result)] = HostDescriptor(
        p.operands(op)[0],
        signature_text(op.result.type.element_type),  # pyright: ignore[reportAttributeAccessIssue]
        op.shape.data,
        op.strides.data,
        op.block.data,
        op.when,
    )


@emitter(UndefinedOp)
def emit_undefined(p: KernelPrinter, op: UndefinedOp) -> None:
    p.undefined.add(op.result)  # nothing that runs uses it


@emitter(DescriptorLoadOp)
def emit_descriptor_load(p: KernelPrinter, op: DescriptorLoadOp) -> None:
    descriptor, *offsets = p.operands(op)
    p.result(op, f"{descriptor}.load([{', '.join(offsets)}])")


@emitter(DescriptorStoreOp)
def emit_descriptor_store(p: KernelPrinter, op: DescriptorStoreOp) -> None:
    descriptor, value, *offsets = p.operands(op)
    p.line(f"{descriptor}.store([{', '.join(offsets)}], {value})")


@emitter(DescriptorAtomicOp)
def emit_descriptor_atomic(p: KernelPrinter, op: DescriptorAtomicOp) -> None:
    descriptor, value, *offsets = p.operands(op)
    p.line(f"{descriptor}.atomic_{op.kind.data}([{', '.join(offsets)}], {value})")


@emitter(BarrierOp)
def emit_barrier(p: KernelPrinter, op: BarrierOp) -> None:
    p.line("tl.debug_barrier()")


@emitter(ToPointerOp)
def emit_to_pointer(p: KernelPrinter, op: ToPointerOp) -> None:
    assert isinstance(op.result.type, TileType) and isinstance(op.result.type.element_type, PointerType)
    p.result(op, f"{p.operands(op)[0]}.to(tl.pointer_type({dtype_text(op.result.type.element_type.pointee)}))")
