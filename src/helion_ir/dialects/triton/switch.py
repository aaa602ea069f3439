"""Alternatives that every configuration prints, and of which Triton compiles one."""

from __future__ import annotations

from typing import ClassVar

from xdsl.ir import Operation
from xdsl.irdl import irdl_op_definition

from helion_ir.dialects.knob import AlternativesOp
from helion_ir.dialects.triton.control import YieldOp


@irdl_op_definition
class SwitchOp(AlternativesOp):
    """`if load_x_indexing == "pointer": … else: …` over constexpr parameters, the only names a selector may read.

    `%r = triton.switch <load_x_indexing> -> (t) case "pointer" { … triton.yield %a : t } case "tensor_descriptor" { … }`
    """

    name = "triton.switch"

    ENDS: ClassVar[type[Operation]] = YieldOp


SWITCH = [SwitchOp]
