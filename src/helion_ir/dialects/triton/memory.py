"""Loads, stores and atomics of the triton dialect: by pointers, block pointers and tensor descriptors."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    opt_result_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.triton.types import BlockPointerType, DescriptorType, PointerType
from helion_ir.dialects.types import IntsAttr, TileType, ints, string_attr, tile_type


@irdl_op_definition
class AddPtrOp(Op):
    """`base + offset`, a scalar pointer and offsets in elements."""

    name = "triton.addptr"

    base = operand_def(TileType)
    offset = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$base `,` $offset attr-dict `:` type($base) `,` type($offset) `->` type($result)"

    def __init__(self, base: SSAValue, offset: SSAValue):
        assert isinstance(base.type, TileType) and isinstance(offset.type, TileType)
        super().__init__(operands=[base, offset], result_types=[tile_type(offset.type.dims, base.type.element_type)])


@irdl_op_definition
class LoadOp(Op):
    """`tl.load(pointer, mask=…, other=0, eviction_policy=…, cache_modifier=…)`; inactive lanes give 0."""

    name = "triton.load"

    eviction = opt_prop_def(Attribute)
    cache = opt_prop_def(Attribute)
    pointer = operand_def(TileType)
    mask = opt_operand_def(TileType)
    result = result_def(TileType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect())
    assembly_format = "$pointer (`mask` $mask^ `:` type($mask))? (`eviction` $eviction^)? (`cache` $cache^)? attr-dict `:` type($pointer) `->` type($result)"

    def __init__(
        self,
        pointer: SSAValue,
        mask: SSAValue | None = None,
        eviction: Attribute | None = None,
        cache: Attribute | None = None,
    ):
        assert isinstance(pointer.type, TileType) and isinstance(pointer.type.element_type, PointerType)
        super().__init__(
            operands=[pointer, mask],
            result_types=[tile_type(pointer.type.dims, pointer.type.element_type.pointee)],
            properties={"eviction": eviction, "cache": cache},
        )


@irdl_op_definition
class StoreOp(Op):
    """`tl.store(pointer, value, mask=…, cache_modifier=…)`."""

    name = "triton.store"

    cache = opt_prop_def(Attribute)

    pointer = operand_def(TileType)
    value = operand_def(TileType)
    mask = opt_operand_def(TileType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$pointer `,` $value (`mask` $mask^ `:` type($mask))? (`cache` $cache^)? attr-dict "
        "`:` type($pointer) `,` type($value)"
    )

    def __init__(
        self, pointer: SSAValue, value: SSAValue, mask: SSAValue | None = None, cache: Attribute | None = None
    ):
        super().__init__(operands=[pointer, value, mask], properties={"cache": cache})


@irdl_op_definition
class AtomicOp(Op):
    """`tl.atomic_<kind>(pointer, *arguments, mask=…, sem=…)`; atomic_cas takes no mask."""

    name = "triton.atomic"

    kind = prop_def(StringAttr)
    sem = prop_def(StringAttr)
    pointer = operand_def(TileType)
    arguments = var_operand_def(TileType)
    mask = opt_operand_def(TileType)
    result = opt_result_def(TileType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$kind $sem $pointer `,` $arguments (`mask` $mask^ `:` type($mask))? attr-dict "
        "`:` type($pointer) `,` type($arguments) (`->` type($result)^)?"
    )

    def __init__(
        self,
        kind: str,
        sem: str,
        pointer: SSAValue,
        arguments: Sequence[SSAValue],
        mask: SSAValue | None = None,
        result_type: Attribute | None = None,
    ):
        super().__init__(
            operands=[pointer, list(arguments), mask],
            result_types=[result_type],
            properties={"kind": string_attr(kind), "sem": string_attr(sem)},
        )


class MakeBlockOp(Op):
    """Base: a tensor `shape` with `strides`, seen in blocks of `block`. All are expressions to print, over `symbols`."""

    shape = prop_def(ArrayAttr[ExprAttr])
    strides = prop_def(ArrayAttr[ExprAttr])
    block = prop_def(ArrayAttr[ExprAttr])


@irdl_op_definition
class MakeBlockPtrOp(MakeBlockOp):
    """`tl.make_block_ptr(base, shape, strides, offsets, block, order)`."""

    name = "triton.make_block_ptr"

    order = prop_def(IntsAttr)
    base = operand_def(TileType)
    offsets = var_operand_def(TileType)
    result = result_def(BlockPointerType)
    traits = traits_def(Pure())
    assembly_format = (
        "$base `[` $offsets `]` `shape` $shape `strides` $strides `block` $block `order` $order attr-dict "
        "`:` type($base) `[` type($offsets) `]` `->` type($result)"
    )

    def __init__(
        self,
        base: SSAValue,
        offsets: Sequence[SSAValue],
        shape: ArrayAttr[ExprAttr],
        strides: ArrayAttr[ExprAttr],
        block: ArrayAttr[ExprAttr],
        order: Sequence[int],
    ):
        assert isinstance(base.type, TileType) and isinstance(base.type.element_type, PointerType)
        super().__init__(
            operands=[base, list(offsets)],
            properties={"shape": shape, "strides": strides, "block": block, "order": ints(order)},
            result_types=[BlockPointerType(block, base.type.element_type.pointee)],  # pyright: ignore
        )


@irdl_op_definition
class BlockLoadOp(Op):
    """`tl.load(block_pointer, boundary_check=…, padding_option="zero", eviction_policy=…, cache_modifier=…)`."""

    name = "triton.block_load"

    boundary = prop_def(IntsAttr)
    eviction = opt_prop_def(Attribute)
    cache = opt_prop_def(Attribute)
    pointer = operand_def(BlockPointerType)
    result = result_def(TileType)
    traits = traits_def(MemoryReadEffect())
    assembly_format = (
        "$pointer `boundary` $boundary (`eviction` $eviction^)? (`cache` $cache^)? attr-dict "
        "`:` type($pointer) `->` type($result)"
    )

    def __init__(
        self,
        pointer: SSAValue,
        boundary: Sequence[int],
        eviction: Attribute | None = None,
        cache: Attribute | None = None,
    ):
        assert isinstance(pointer.type, BlockPointerType)
        super().__init__(
            operands=[pointer],
            properties={"boundary": ints(boundary), "eviction": eviction, "cache": cache},
            result_types=[TileType(pointer.type.shape, pointer.type.element_type)],
        )


@irdl_op_definition
class BlockStoreOp(Op):
    """`tl.store(block_pointer, value, boundary_check=…, cache_modifier=…)`."""

    name = "triton.block_store"

    boundary = prop_def(IntsAttr)
    cache = opt_prop_def(Attribute)
    pointer = operand_def(BlockPointerType)
    value = operand_def(TileType)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$pointer `,` $value `boundary` $boundary (`cache` $cache^)? attr-dict `:` type($pointer) `,` type($value)"
    )

    def __init__(self, pointer: SSAValue, value: SSAValue, boundary: Sequence[int], cache: Attribute | None = None):
        super().__init__(operands=[pointer, value], properties={"boundary": ints(boundary), "cache": cache})


class DescriptorMaker(MakeBlockOp):
    """Base: a descriptor of a tensor, whoever makes it."""

    base = operand_def(TileType)
    result = result_def(DescriptorType)
    traits = traits_def(Pure())
    assembly_format = (
        "$base `shape` $shape `strides` $strides `block` $block attr-dict `:` type($base) `->` type($result)"
    )

    def __init__(
        self, base: SSAValue, shape: ArrayAttr[ExprAttr], strides: ArrayAttr[ExprAttr], block: ArrayAttr[ExprAttr]
    ):
        assert isinstance(base.type, TileType) and isinstance(base.type.element_type, PointerType)
        super().__init__(
            operands=[base],
            properties={"shape": shape, "strides": strides, "block": block},
            result_types=[DescriptorType(block, base.type.element_type.pointee)],  # pyright: ignore
        )


@irdl_op_definition
class MakeDescriptorOp(DescriptorMaker):
    """`tl.make_tensor_descriptor(base, shape, strides, block)`."""

    name = "triton.make_descriptor"


@irdl_op_definition
class HostDescriptorOp(DescriptorMaker):
    """A parameter of the kernel, for which the host passes `TensorDescriptor(base, shape, strides, block)` at each launch.

    Its expressions are evaluated on the host: knobs stay in them, and constexprs mean nothing there. Where `when` is false
    no access uses it and None is passed, so that such configurations share a text with the others.
    """

    name = "triton.host_descriptor"

    when = opt_prop_def(Attribute)
    assembly_format = (
        "$base `shape` $shape `strides` $strides `block` $block (`when` $when^)? attr-dict "
        "`:` type($base) `->` type($result)"
    )


@irdl_op_definition
class UndefinedOp(Op):
    """A descriptor in the configurations that use none; it prints as nothing."""

    name = "triton.undefined"

    result = result_def(DescriptorType)
    traits = traits_def(Pure())
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self, type_: Attribute):
        super().__init__(result_types=[type_])


@irdl_op_definition
class DescriptorLoadOp(Op):
    """`descriptor.load([offsets])`; elements outside of the tensor are 0."""

    name = "triton.descriptor_load"

    descriptor = operand_def(DescriptorType)
    offsets = var_operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(MemoryReadEffect())
    assembly_format = (
        "$descriptor `[` $offsets `]` attr-dict `:` type($descriptor) `[` type($offsets) `]` `->` type($result)"
    )

    def __init__(self, descriptor: SSAValue, offsets: Sequence[SSAValue]):
        assert isinstance(descriptor.type, DescriptorType)
        super().__init__(
            operands=[descriptor, list(offsets)],
            result_types=[TileType(descriptor.type.shape, descriptor.type.element_type)],
        )


@irdl_op_definition
class DescriptorStoreOp(Op):
    """`descriptor.store([offsets], value)`."""

    name = "triton.descriptor_store"

    descriptor = operand_def(DescriptorType)
    value = operand_def(TileType)
    offsets = var_operand_def(TileType)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = "$descriptor `[` $offsets `]` `,` $value attr-dict `:` type($descriptor) `[` type($offsets) `]` `,` type($value)"

    def __init__(self, descriptor: SSAValue, offsets: Sequence[SSAValue], value: SSAValue):
        super().__init__(operands=[descriptor, value, list(offsets)])


@irdl_op_definition
class DescriptorAtomicOp(Op):
    """`descriptor.atomic_<kind>([offsets], value)`, relaxed and without a result."""

    name = "triton.descriptor_atomic"

    kind = prop_def(StringAttr)
    descriptor = operand_def(DescriptorType)
    value = operand_def(TileType)
    offsets = var_operand_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$kind $descriptor `[` $offsets `]` `,` $value attr-dict `:` type($descriptor) `[` type($offsets) `]` `,` type($value)"

    def __init__(self, kind: str, descriptor: SSAValue, offsets: Sequence[SSAValue], value: SSAValue):
        super().__init__(operands=[descriptor, value, list(offsets)], properties={"kind": string_attr(kind)})


@irdl_op_definition
class BarrierOp(Op):
    """`tl.debug_barrier()`: what the program's threads stored before is seen by what they load after."""

    name = "triton.barrier"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


MEMORY = [
    AddPtrOp, LoadOp, StoreOp, AtomicOp, MakeBlockPtrOp, BlockLoadOp, BlockStoreOp, MakeDescriptorOp, HostDescriptorOp,
    UndefinedOp, DescriptorLoadOp, DescriptorStoreOp, DescriptorAtomicOp, BarrierOp,
]  # fmt: skip
