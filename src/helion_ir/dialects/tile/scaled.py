"""Products of microscaled operands."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType

FORMATS = ("e2m1", "e4m3", "e5m2", "bf16", "fp16")
"""Of elements; e2m1 has two in a byte, the first in the low half."""
GROUP = 32
"""Elements along the inner dimension that share a scale."""


def packing(format_: str) -> int:
    """Elements in one stored value."""
    return 2 if format_ == "e2m1" else 1


@irdl_op_definition
class DotScaledOp(Op):
    """acc + (a · 2^(sa-127)) @ (b · 2^(sb-127)): `%r = tile.dot_scaled "e2m1" %a, %sa "e4m3" %b, %sb, %acc : … -> t`.

    a is [M, K], b [K, N], packed along K; the scales, uint8, are [M, K/32] and [N, K/32].
    """

    name = "tile.dot_scaled"

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

    def verify_(self) -> None:
        for f in (self.lhs_format.data, self.rhs_format.data):
            if f not in FORMATS:
                raise VerifyException(f"no such format: {f}")


SCALED = [DotScaledOp]
