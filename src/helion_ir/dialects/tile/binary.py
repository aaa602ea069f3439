"""Elementwise functions of two tiles."""

from __future__ import annotations

from xdsl.irdl import irdl_op_definition

from helion_ir.dialects.tile.elementwise_base import ApproximableOp, BinaryOp


@irdl_op_definition
class AddOp(BinaryOp):
    """Sum; of booleans it is or."""

    name = "tile.add"


@irdl_op_definition
class Atan2Op(BinaryOp):
    """Angle of the point (rhs, lhs)."""

    name = "tile.atan2"


@irdl_op_definition
class BitwiseAndOp(BinaryOp):
    """And of bits."""

    name = "tile.bitwise_and"


@irdl_op_definition
class BitwiseOrOp(BinaryOp):
    """Or of bits."""

    name = "tile.bitwise_or"


@irdl_op_definition
class BitwiseXorOp(BinaryOp):
    """Exclusive or of bits."""

    name = "tile.bitwise_xor"


@irdl_op_definition
class CopysignOp(BinaryOp):
    """lhs with the sign of rhs."""

    name = "tile.copysign"


@irdl_op_definition
class DivOp(BinaryOp, ApproximableOp):
    """Quotient of floats; of integers it rounds toward zero."""

    name = "tile.div"


@irdl_op_definition
class FmaxOp(BinaryOp):
    """The larger; a NaN operand is ignored."""

    name = "tile.fmax"


@irdl_op_definition
class FminOp(BinaryOp):
    """The smaller; a NaN operand is ignored."""

    name = "tile.fmin"


@irdl_op_definition
class FmodOp(BinaryOp):
    """Remainder with the sign of lhs."""

    name = "tile.fmod"


@irdl_op_definition
class GcdOp(BinaryOp):
    """Greatest common divisor."""

    name = "tile.gcd"


@irdl_op_definition
class HypotOp(BinaryOp):
    """sqrt(lhs² + rhs²) without overflow."""

    name = "tile.hypot"


@irdl_op_definition
class MaximumOp(BinaryOp):
    """The larger; NaN if either is."""

    name = "tile.maximum"


@irdl_op_definition
class MinimumOp(BinaryOp):
    """The smaller; NaN if either is."""

    name = "tile.minimum"


@irdl_op_definition
class MulOp(BinaryOp):
    """Product; of booleans it is and."""

    name = "tile.mul"


@irdl_op_definition
class NextafterOp(BinaryOp):
    """The next value after lhs toward rhs."""

    name = "tile.nextafter"


@irdl_op_definition
class PowOp(BinaryOp):
    """lhs to the power of rhs."""

    name = "tile.pow"


@irdl_op_definition
class RemainderOp(BinaryOp):
    """Remainder with the sign of rhs, as Python's %."""

    name = "tile.remainder"


@irdl_op_definition
class ShiftLeftOp(BinaryOp):
    """lhs times 2 to the rhs; 0 when rhs is out of range."""

    name = "tile.shift_left"


@irdl_op_definition
class ShiftRightOp(BinaryOp):
    """lhs divided by 2 to the rhs, rounding down."""

    name = "tile.shift_right"


@irdl_op_definition
class SubOp(BinaryOp):
    """Difference."""

    name = "tile.sub"
