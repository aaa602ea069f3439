"""Addresses as pointers."""

from __future__ import annotations

from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Pure

from helion_ir.dialects.operation import Op
from helion_ir.dialects.triton.types import pointer_to
from helion_ir.dialects.types import TileType, tile_type


@irdl_op_definition
class ToPointerOp(Op):
    """`x.to(tl.pointer_type(tl.float32))` of 64-bit addresses."""

    name = "triton.to_pointer"

    operand = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, pointee: Attribute):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(operand.type.dims, pointer_to(pointee))])


STACK = [ToPointerOp]
