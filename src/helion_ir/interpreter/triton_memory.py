"""Loads, stores and atomics of the triton dialect. Every active lane's address is checked against its storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helion_ir.dialects.triton.memory import (
    AddPtrOp,
    AtomicOp,
    BarrierOp,
    BlockLoadOp,
    BlockStoreOp,
    DescriptorAtomicOp,
    DescriptorLoadOp,
    DescriptorMaker,
    DescriptorStoreOp,
    HostDescriptorOp,
    LoadOp,
    MakeBlockOp,
    MakeBlockPtrOp,
    MakeDescriptorOp,
    StoreOp,
    UndefinedOp,
)
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.addressing import Elements
from helion_ir.interpreter.atomics import atomic
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.memory import read, write
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import BlockPointer, Pointer, as_tensor, dtype_of, scalar


@implements(AddPtrOp)
def addptr(op: AddPtrOp, scope: Scope) -> Function:
    # Addresses have 64 bits, whatever the offsets have.
    return lambda p, offset: Pointer(
        p.storage, p.offset + (offset.long() if isinstance(offset, torch.Tensor) else offset)
    )


def checked(p: Pointer, shape: tuple[int, ...], mask: Any) -> Elements:
    """The elements that a tile of pointers addresses. Raises where an active lane is outside of the storage."""
    offsets = as_tensor(p.offset, torch.int64, p.storage.device).expand(shape)
    active = None if mask is None else as_tensor(mask, torch.bool, p.storage.device).expand(shape)
    if active is not None and bool(active.all()):
        active = None
    inside = offsets if active is None else offsets[active]
    if inside.numel():
        low, high = torch.aminmax(inside)
        count = len(p.storage)
        if low < 0 or high >= count:
            wrong = int(low if low < 0 else high)
            raise InterpreterError(f"out of bounds: element {wrong} of a storage of {count} elements")
    return Elements(p.storage, offsets, active)


@implements(LoadOp)
def load(op: LoadOp, scope: Scope) -> Function:
    shape = scope.shape(op.result.type)
    return lambda p, mask=None: read(checked(p, shape, mask))


@implements(StoreOp)
def store(op: StoreOp, scope: Scope) -> Function:
    shape = scope.shape(op.pointer.type)
    assert isinstance(op.value.type, TileType)
    dtype = dtype_of(op.value.type.element_type)

    def run(p: Pointer, value: Any, mask: Any = None) -> None:
        # tl.store converts the value to the type pointed to.
        write(checked(p, shape, mask), as_tensor(value, dtype, p.storage.device).to(p.storage.dtype))

    return run


@implements(AtomicOp)
def atomic_(op: AtomicOp, scope: Scope) -> Function:
    shape = scope.shape(op.pointer.type)
    kind, count, wanted = op.kind.data, len(op.arguments), op.result is not None

    def run(p: Pointer, *values: Any) -> torch.Tensor | None:
        mask = values[count] if len(values) > count else None
        arguments = [as_tensor(v, p.storage.dtype, p.storage.device).to(p.storage.dtype) for v in values[:count]]
        return atomic(checked(p, shape, mask), kind, arguments, wanted)

    return run


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _block(op: MakeBlockOp, scope: Scope) -> Callable[[Pointer, tuple[int, ...]], BlockPointer]:
    shape, strides, block = (tuple(int(scope.value(e)) for e in a) for a in (op.shape, op.strides, op.block))
    if not len(shape) == len(strides) == len(block):
        raise InterpreterError("shape, strides and block have different ranks")
    return lambda p, offsets: BlockPointer(p.storage, scalar(p.offset), shape, strides, offsets, block)


@implements(MakeBlockPtrOp)
def make_block_ptr(op: MakeBlockPtrOp, scope: Scope) -> Function:
    make = _block(op, scope)
    if len(op.offsets) != len(op.block):
        raise InterpreterError(f"{len(op.offsets)} offsets for a block of rank {len(op.block)}")
    return lambda p, *offsets: make(p, tuple(scalar(o) for o in offsets))


@implements(UndefinedOp)
def undefined(op: UndefinedOp, scope: Scope) -> Function:
    return lambda: None


@implements(MakeDescriptorOp, HostDescriptorOp)
def make_descriptor(op: DescriptorMaker, scope: Scope) -> Function:
    make = _block(op, scope)
    origin = (0,) * len(op.block)
    return lambda p: make(p, origin)


def elements_of(p: BlockPointer, boundary: tuple[int, ...]) -> Elements:
    """The elements of a block; lanes outside of the shape in a `boundary` dimension are inactive."""
    rank = len(p.block)
    offsets = torch.tensor(p.base, device=p.storage.device)
    active: torch.Tensor | None = None
    for dim, (size, stride, start, block) in enumerate(zip(p.shape, p.strides, p.offsets, p.block)):
        index = torch.arange(start, start + block, device=p.storage.device).reshape(
            [-1 if i == dim else 1 for i in range(rank)]
        )
        offsets = offsets + index * stride
        if dim in boundary:
            inside = (index >= 0) & (index < size)
            active = inside if active is None else active & inside
    return checked(Pointer(p.storage, offsets), p.block, active)


@implements(BlockLoadOp)
def block_load(op: BlockLoadOp, scope: Scope) -> Function:
    boundary = op.boundary.data
    return lambda p: read(elements_of(p, boundary))


@implements(BlockStoreOp)
def block_store(op: BlockStoreOp, scope: Scope) -> Function:
    boundary = op.boundary.data
    return lambda p, value: write(elements_of(p, boundary), value.to(p.storage.dtype))


def _moved(p: BlockPointer, offsets: tuple[Any, ...]) -> Elements:
    """A descriptor's block at these offsets: all its dimensions are bounded."""
    if len(offsets) != len(p.block):
        raise InterpreterError(f"{len(offsets)} offsets for a block of rank {len(p.block)}")
    return elements_of(p._replace(offsets=tuple(scalar(o) for o in offsets)), tuple(range(len(p.block))))


@implements(DescriptorLoadOp)
def descriptor_load(op: DescriptorLoadOp, scope: Scope) -> Function:
    return lambda p, *offsets: read(_moved(p, offsets))


@implements(DescriptorStoreOp)
def descriptor_store(op: DescriptorStoreOp, scope: Scope) -> Function:
    # Operands stand in the order of their definition: descriptor, value, offsets.
    return lambda p, value, *offsets: write(_moved(p, offsets), value.to(p.storage.dtype))


@implements(DescriptorAtomicOp)
def descriptor_atomic(op: DescriptorAtomicOp, scope: Scope) -> Function:
    kind = op.kind.data
    return lambda p, value, *offsets: atomic(_moved(p, offsets), kind, [value.to(p.storage.dtype)], False)


@implements(BarrierOp)
def barrier(op: BarrierOp, scope: Scope) -> Function:
    # Programs run one after another, and each op ends before the next begins.
    return lambda: None
