"""Elementwise ops of the tile dialect: operands of one shape, nothing promoted and nothing broadcast."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)

from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.types import TileType, i1, tile_type


class ElementwiseOp(IRDLOperation, ABC):
    """Base of the elementwise ops; after `tile.` their names are PyTorch's."""

    traits = traits_def(Pure())


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
class ExpOp(UnaryOp):
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
class ReciprocalOp(UnaryOp):
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
class SqrtOp(UnaryOp):
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
class DivOp(BinaryOp):
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


@irdl_op_definition
class CompareOp(ElementwiseOp):
    """`%r = tile.compare "lt" %x, %y : t -> bools`; eq, ne, lt, le, gt or ge, false for NaN except ne."""

    name = "tile.compare"
    T: ClassVar = VarConstraint("T", base(TileType))

    predicate = prop_def(StringAttr)
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(TileType)

    assembly_format = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `->` type($result)"

    def __init__(self, predicate: str, lhs: SSAValue, rhs: SSAValue):
        assert isinstance(lhs.type, TileType)
        super().__init__(
            operands=[lhs, rhs],
            result_types=[tile_type(lhs.type.dims, i1)],
            properties={"predicate": StringAttr(predicate)},
        )

    def verify_(self) -> None:
        if self.predicate.data not in ("eq", "ne", "lt", "le", "gt", "ge"):
            raise VerifyException(f"no such comparison: {self.predicate.data}")


@irdl_op_definition
class WhereOp(ElementwiseOp):
    """`%r = tile.where %c, %x, %y : bools, t`: x where c holds, else y."""

    name = "tile.where"
    T: ClassVar = VarConstraint("T", base(TileType))

    condition = operand_def(TileType)
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)

    assembly_format = "$condition `,` $lhs `,` $rhs attr-dict `:` type($condition) `,` type($result)"

    def __init__(self, condition: SSAValue, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[condition, lhs, rhs], result_types=[lhs.type])


class ConversionOp(ElementwiseOp, ABC):
    """Another element type, the same shape."""

    operand = operand_def(TileType)
    result = result_def(TileType)

    assembly_format = "$operand attr-dict `:` type($operand) `->` type($result)"

    def __init__(self, operand: SSAValue, element: Attribute):
        assert isinstance(operand.type, TileType)
        super().__init__(operands=[operand], result_types=[tile_type(operand.type.dims, element)])


@irdl_op_definition
class CastOp(ConversionOp):
    """Convert values as PyTorch does: floats round to nearest even, float to integer truncates, to bool is `!= 0`."""

    name = "tile.cast"


@irdl_op_definition
class BitcastOp(ConversionOp):
    """Read the bits as another type of the same width."""

    name = "tile.bitcast"


ELEMENTWISE: list[type[ElementwiseOp]] = [
    AbsOp,
    AcosOp,
    AcoshOp,
    AsinOp,
    AsinhOp,
    AtanOp,
    AtanhOp,
    BitwiseNotOp,
    CeilOp,
    CosOp,
    CoshOp,
    DigammaOp,
    ErfOp,
    ErfcOp,
    ErfinvOp,
    ExpOp,
    Exp2Op,
    Expm1Op,
    FloorOp,
    I0Op,
    I1Op,
    LgammaOp,
    LogOp,
    Log10Op,
    Log1pOp,
    Log2Op,
    NegOp,
    ReciprocalOp,
    RoundOp,
    RsqrtOp,
    SignOp,
    SignbitOp,
    SinOp,
    SinhOp,
    SqrtOp,
    TanOp,
    TanhOp,
    TruncOp,
    AddOp,
    Atan2Op,
    BitwiseAndOp,
    BitwiseOrOp,
    BitwiseXorOp,
    CopysignOp,
    DivOp,
    FmaxOp,
    FminOp,
    FmodOp,
    GcdOp,
    HypotOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    NextafterOp,
    PowOp,
    RemainderOp,
    ShiftLeftOp,
    ShiftRightOp,
    SubOp,
    CompareOp,
    WhereOp,
    CastOp,
    BitcastOp,
]

BY_FUNCTION: dict[str, type[ElementwiseOp]] = {op.name.removeprefix("tile."): op for op in ELEMENTWISE}
"""The op of each function, by PyTorch's name."""
