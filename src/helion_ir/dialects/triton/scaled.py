"""Products of microscaled operands."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType


@irdl_op_definition
class DotScaledOp(Op):
    """`tl.dot_scaled(a, a_scale, "e2m1", b, b_scale, "e4m3", acc=acc)`."""

    name = "triton.dot_scaled"

    lhs_format = prop_def(StringAttr)
    rhs_format = prop_def(StringAttr)
    lhs = operand_def(TileType)
    lhs_scale = operand_def(TileType)
    rhs = operand_def(TileType)
    rhs_scale = operand_def(TileType)
    acc = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = (
        "$lhs_format $lhs `,` $lhs_scale $rhs_format $rhs `,` $rhs_scale `,` $acc attr-dict `:` "
        "type($lhs) `,` type($lhs_scale) `,` type($rhs) `,` type($rhs_scale) `,` type($acc) `->` type($result)"
    )

    def __init__(
        self,
        lhs: SSAValue,
        lhs_scale: SSAValue,
        lhs_format: str,
        rhs: SSAValue,
        rhs_scale: SSAValue,
        rhs_format: str,
        acc: SSAValue,
    ):
        super().__init__(
            operands=[lhs, lhs_scale, rhs, rhs_scale, acc],
            result_types=[acc.type],
            properties={"lhs_format": StringAttr(lhs_format), "rhs_format": StringAttr(rhs_format)},
        )


SCALED = [DotScaledOp]
