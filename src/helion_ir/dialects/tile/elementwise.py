"""Elementwise ops of the tile dialect: functions of one and two tiles, comparisons, selection and conversions."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import VarConstraint, base, irdl_op_definition, operand_def, prop_def, result_def
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.tile.binary import (
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
)
from helion_ir.dialects.tile.elementwise_base import ApproximableOp, BinaryOp, ElementwiseOp, UnaryOp
from helion_ir.dialects.tile.unary import (
    AbsOp,
    AcoshOp,
    AcosOp,
    AsinhOp,
    AsinOp,
    AtanhOp,
    AtanOp,
    BitwiseNotOp,
    CeilOp,
    CoshOp,
    CosOp,
    DigammaOp,
    ErfcOp,
    ErfinvOp,
    ErfOp,
    Exp2Op,
    Expm1Op,
    ExpOp,
    FloorOp,
    I0Op,
    I1Op,
    LgammaOp,
    Log1pOp,
    Log2Op,
    Log10Op,
    LogOp,
    NegOp,
    ReciprocalOp,
    RoundOp,
    RsqrtOp,
    SignbitOp,
    SignOp,
    SinhOp,
    SinOp,
    SqrtOp,
    TanhOp,
    TanOp,
    TruncOp,
)
from helion_ir.dialects.types import TileType, i1, string_attr, tile_type

__all__ = [
    "AbsOp",
    "AcosOp",
    "AcoshOp",
    "AddOp",
    "AsinOp",
    "AsinhOp",
    "Atan2Op",
    "AtanOp",
    "AtanhOp",
    "BY_FUNCTION",
    "ApproximableOp",
    "BinaryOp",
    "BitcastOp",
    "BitwiseAndOp",
    "BitwiseNotOp",
    "BitwiseOrOp",
    "BitwiseXorOp",
    "CastOp",
    "CeilOp",
    "CompareOp",
    "ConversionOp",
    "CopysignOp",
    "CosOp",
    "CoshOp",
    "DigammaOp",
    "DivOp",
    "ELEMENTWISE",
    "ElementwiseOp",
    "ErfOp",
    "ErfcOp",
    "ErfinvOp",
    "Exp2Op",
    "ExpOp",
    "Expm1Op",
    "FloorOp",
    "FmaxOp",
    "FminOp",
    "FmodOp",
    "GcdOp",
    "HypotOp",
    "I0Op",
    "I1Op",
    "LgammaOp",
    "Log10Op",
    "Log1pOp",
    "Log2Op",
    "LogOp",
    "MaximumOp",
    "MinimumOp",
    "MulOp",
    "NegOp",
    "NextafterOp",
    "PowOp",
    "ReciprocalOp",
    "RemainderOp",
    "RoundOp",
    "RsqrtOp",
    "ShiftLeftOp",
    "ShiftRightOp",
    "SignOp",
    "SignbitOp",
    "SinOp",
    "SinhOp",
    "SqrtOp",
    "SubOp",
    "TanOp",
    "TanhOp",
    "TruncOp",
    "UnaryOp",
    "WhereOp",
]


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
            properties={"predicate": string_attr(predicate)},
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
