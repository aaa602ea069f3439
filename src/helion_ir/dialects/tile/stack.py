"""Accesses by addresses that the kernel loads: of stack tensors."""

from __future__ import annotations

from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    result_def,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType


@irdl_op_definition
class StackLoadOp(Op):
    """Load elements at byte addresses plus offsets in elements, 0 where the mask is false.

    `%v = tile.stack_load %addresses, %offsets mask %m : ta, to, tm -> t`; all have the shape of the result.
    """

    name = "tile.stack_load"

    addresses = operand_def(TileType)
    offsets = operand_def(TileType)
    mask = opt_operand_def(TileType)
    result = result_def(TileType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect())
    assembly_format = (
        "$addresses `,` $offsets (`mask` $mask^)? attr-dict "
        "`:` type($addresses) `,` type($offsets) (`,` type($mask)^)? `->` type($result)"
    )

    def __init__(self, addresses: SSAValue, offsets: SSAValue, mask: SSAValue | None, result_type: Attribute):
        super().__init__(operands=[addresses, offsets, mask], result_types=[result_type])


@irdl_op_definition
class StackStoreOp(Op):
    """Store elements: `tile.stack_store %v, %addresses, %offsets mask %m : t, ta, to, tm`."""

    name = "tile.stack_store"

    value = operand_def(TileType)
    addresses = operand_def(TileType)
    offsets = operand_def(TileType)
    mask = opt_operand_def(TileType)

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryWriteEffect())
    assembly_format = (
        "$value `,` $addresses `,` $offsets (`mask` $mask^)? attr-dict "
        "`:` type($value) `,` type($addresses) `,` type($offsets) (`,` type($mask)^)?"
    )

    def __init__(self, value: SSAValue, addresses: SSAValue, offsets: SSAValue, mask: SSAValue | None):
        super().__init__(operands=[value, addresses, offsets, mask])


STACK = [StackLoadOp, StackStoreOp]
