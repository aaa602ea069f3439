"""Base classes of the elementwise ops: operands of one shape, nothing promoted and nothing broadcast."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    VarConstraint,
    base,
    operand_def,
    opt_prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType


class ElementwiseOp(Op, ABC):
    """Base of the elementwise ops; after `tile.` their names are PyTorch's."""

    traits = traits_def(Pure())


class ApproximableOp(ElementwiseOp, ABC):
    """A function of f32 that may be off by some units in the last place: `%r = tile.exp %x {approximate} : t`."""

    approximate = opt_prop_def(UnitAttr)

    irdl_options = (ParsePropInAttrDict(),)


class UnaryOp(ElementwiseOp, ABC):
    """A function of one tile: `%r = tile.exp %x : !tile.tile<[@bm], f32>`."""

    T: ClassVar = VarConstraint("T", base(TileType))

    operand = operand_def(T)
    result = result_def(T)

    assembly_format = "$operand attr-dict `:` type($result)"

    def __init__(self, operand: SSAValue):
        super().__init__(operands=[operand], result_types=[operand.type])


class BinaryOp(ElementwiseOp, ABC):
    """A function of two tiles of one type: `%r = tile.add %x, %y : !tile.tile<[@bm], f32>`."""

    T: ClassVar = VarConstraint("T", base(TileType))

    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)

    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])
