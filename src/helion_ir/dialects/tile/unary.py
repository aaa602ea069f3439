"""Elementwise functions of one tile."""

from __future__ import annotations

from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from helion_ir.dialects.tile.elementwise_base import ApproximableOp, ElementwiseOp, UnaryOp
from helion_ir.dialects.types import TileType, i1, tile_type


@irdl_op_definition
class AbsOp(UnaryOp):
    """Absolute value."""

    name = "tile.abs"


@irdl_op_definition
class AcosOp(UnaryOp):
    """Inverse cosine."""

    name = "tile.acos"


@irdl_op_definition
class AcoshOp(UnaryOp):
    """Inverse hyperbolic cosine."""

    name = "tile.acosh"


@irdl_op_definition
class AsinOp(UnaryOp):
    """Inverse sine."""

    name = "tile.asin"


@irdl_op_definition
class AsinhOp(UnaryOp):
    """Inverse hyperbolic sine."""

    name = "tile.asinh"


@irdl_op_definition
class AtanOp(UnaryOp):
    """Inverse tangent."""

    name = "tile.atan"


@irdl_op_definition
class AtanhOp(UnaryOp):
    """Inverse hyperbolic tangent."""

    name = "tile.atanh"


@irdl_op_definition
class BitwiseNotOp(UnaryOp):
    """Complement of integers; logical not of booleans."""

    name = "tile.bitwise_not"


@irdl_op_definition
class CeilOp(UnaryOp):
    """The least integer that is not smaller."""

    name = "tile.ceil"


@irdl_op_definition
class CosOp(UnaryOp):
    """Cosine."""

    name = "tile.cos"


@irdl_op_definition
class CoshOp(UnaryOp):
    """Hyperbolic cosine."""

    name = "tile.cosh"


@irdl_op_definition
class DigammaOp(UnaryOp):
    """Derivative of lgamma."""

    name = "tile.digamma"


@irdl_op_definition
class ErfOp(UnaryOp):
    """Error function."""

    name = "tile.erf"


@irdl_op_definition
class ErfcOp(UnaryOp):
    """Complement of the error function."""

    name = "tile.erfc"


@irdl_op_definition
class ErfinvOp(UnaryOp):
    """Inverse error function."""

    name = "tile.erfinv"


@irdl_op_definition
class ExpOp(UnaryOp, ApproximableOp):
    """e to the power of each element."""

    name = "tile.exp"


@irdl_op_definition
class Exp2Op(UnaryOp):
    """2 to the power of each element."""

    name = "tile.exp2"


@irdl_op_definition
class Expm1Op(UnaryOp):
    """exp(x) - 1, precise near 0."""

    name = "tile.expm1"


@irdl_op_definition
class FloorOp(UnaryOp):
    """The greatest integer that is not larger."""

    name = "tile.floor"


@irdl_op_definition
class I0Op(UnaryOp):
    """Modified Bessel function of order 0."""

    name = "tile.i0"


@irdl_op_definition
class I1Op(UnaryOp):
    """Modified Bessel function of order 1."""

    name = "tile.i1"


@irdl_op_definition
class LgammaOp(UnaryOp):
    """Logarithm of the absolute gamma function."""

    name = "tile.lgamma"


@irdl_op_definition
class LogOp(UnaryOp):
    """Natural logarithm."""

    name = "tile.log"


@irdl_op_definition
class Log10Op(UnaryOp):
    """Logarithm to base 10."""

    name = "tile.log10"


@irdl_op_definition
class Log1pOp(UnaryOp):
    """log(1 + x), precise near 0."""

    name = "tile.log1p"


@irdl_op_definition
class Log2Op(UnaryOp):
    """Logarithm to base 2."""

    name = "tile.log2"


@irdl_op_definition
class NegOp(UnaryOp):
    """Negation; of +0.0 it is -0.0."""

    name = "tile.neg"


@irdl_op_definition
class ReciprocalOp(UnaryOp, ApproximableOp):
    """1 / x."""

    name = "tile.reciprocal"


@irdl_op_definition
class RoundOp(UnaryOp):
    """Nearest integer, halves to even."""

    name = "tile.round"


@irdl_op_definition
class RsqrtOp(UnaryOp):
    """1 / sqrt(x)."""

    name = "tile.rsqrt"


@irdl_op_definition
class SignOp(UnaryOp):
    """-1, 0 or 1; of NaN it is 0, as PyTorch's."""

    name = "tile.sign"


@irdl_op_definition
class SignbitOp(ElementwiseOp):
    """Whether the sign bit is set, as a bool."""

    name = "tile.signbit"

    operand = operand_def(TileType)
    result = result_def(TileType)

    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(operand.type.dims, i1)])


@irdl_op_definition
class SinOp(UnaryOp):
    """Sine."""

    name = "tile.sin"


@irdl_op_definition
class SinhOp(UnaryOp):
    """Hyperbolic sine."""

    name = "tile.sinh"


@irdl_op_definition
class SqrtOp(UnaryOp, ApproximableOp):
    """Square root, correctly rounded."""

    name = "tile.sqrt"


@irdl_op_definition
class TanOp(UnaryOp):
    """Tangent."""

    name = "tile.tan"


@irdl_op_definition
class TanhOp(UnaryOp):
    """Hyperbolic tangent."""

    name = "tile.tanh"


@irdl_op_definition
class TruncOp(UnaryOp):
    """Rounding toward zero."""

    name = "tile.trunc"
