"""The value types shared by the dialects, and the element types PyTorch has."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import (
    ArrayAttr,
    BFloat16Type,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerAttr,
    IntegerType,
    Signedness,
    StringAttr,
)
from xdsl.ir import Attribute, Data, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.index import ExprAttr, expr_attr, parse_expr_attr, print_expr

if TYPE_CHECKING:
    from sympy import Expr

f64, f32, f16, bf16 = Float64Type(), Float32Type(), Float16Type(), BFloat16Type()
f8e4m3, f8e5m2 = Float8E4M3FNType(), Float8E5M2Type()
i1, i8, i16, i32, i64 = (IntegerType(n) for n in (1, 8, 16, 32, 64))
u8, u16, u32, u64 = (IntegerType(n, Signedness.UNSIGNED) for n in (8, 16, 32, 64))

ELEMENTS: dict[str, Attribute] = {
    "float64": f64, "float32": f32, "float16": f16, "bfloat16": bf16, "float8_e4m3fn": f8e4m3, "float8_e5m2": f8e5m2,
    "bool": i1, "int8": i8, "int16": i16, "int32": i32, "int64": i64,
    "uint8": u8, "uint16": u16, "uint32": u32, "uint64": u64,
}  # fmt: skip
"""Element types by the names of PyTorch's dtypes."""

DTYPE_NAMES = {element: name for name, element in ELEMENTS.items()}


_FLOAT_BITS: dict[type[Attribute], int] = {
    Float64Type: 64, Float32Type: 32, Float16Type: 16, BFloat16Type: 16, Float8E4M3FNType: 8, Float8E5M2Type: 8,
}  # fmt: skip
"""By class: comparing types, which xDSL does field by field, is asked for too often."""


NARROW_FLOATS = frozenset([Float16Type, BFloat16Type, Float8E4M3FNType, Float8E5M2Type])
"""The classes of floats that PyTorch computes in f32."""
EMULATED_FLOATS = NARROW_FLOATS - {Float16Type}
"""Those of them whose bits Triton's interpreter computes with, since NumPy has no such numbers."""


def is_float(element: Attribute) -> bool:
    return type(element) in _FLOAT_BITS


def bit_width(element: Attribute) -> int:
    """Bits of one element in memory; a bool takes a byte there."""
    if isinstance(element, IntegerType):
        return max(8, element.width.data)
    return _FLOAT_BITS[type(element)]


@irdl_attr_definition
class IntsAttr(Data[tuple[int, ...]]):
    """A tuple of integers, such as dimensions: `#tile.ints<1, 0>`."""

    name = "tile.ints"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[int, ...]:
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.ANGLE, parser.parse_integer))

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(", ".join(map(str, self.data)))


@irdl_attr_definition
class NumberAttr(Data[float | int]):
    """A number whose type the op says: `#tile.number<-inf>`, `#tile.number<0.5>`, `#tile.number<3>`.

    xDSL's own float attributes print infinities as bit patterns, and splats of them do not survive a round trip.
    """

    name = "tile.number"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> float | int:
        with parser.in_angle_brackets():
            sign = -1 if parser.parse_optional_punctuation("-") is not None else 1
            if parser.parse_optional_keyword("inf") is not None:
                return sign * math.inf
            if parser.parse_optional_keyword("nan") is not None:
                return math.nan
            return sign * parser.parse_number(allow_boolean=False)

    def print_parameter(self, printer: Printer) -> None:
        text = repr(self.data)
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        with printer.in_angle_brackets():
            printer.print_string(text)

    # 0.0 == -0.0 == 0 and nan != nan in Python; as constants they are what their text says.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberAttr) and repr(self.data) == repr(other.data)

    def __hash__(self) -> int:
        return hash(repr(self.data))


def number(value: float | int, element: Attribute) -> NumberAttr:
    """The attribute of a value of this element type: a float for floats, an int for integers and bools."""
    return NumberAttr(float(value) if is_float(element) else int(value))


# Making an attribute costs more than finding it, and ops are made of the same few: equal ones are one object.
def ints(values: Sequence[int]) -> IntsAttr:
    return _ints(tuple(values))


@functools.lru_cache(maxsize=4096)
def _ints(values: tuple[int, ...]) -> IntsAttr:
    return IntsAttr(values)


@functools.lru_cache(maxsize=4096)
def integer_attr(value: int) -> IntegerAttr:
    return IntegerAttr(value, i64)


@functools.lru_cache(maxsize=4096)
def string_attr(value: str) -> StringAttr:
    return StringAttr(value)


@irdl_attr_definition
class TileType(ParametrizedAttribute, TypeAttribute):
    """A tile of values: `!tile.tile<[@tile_m.block_size, 64], f32>`; a scalar is `!tile.tile<[], i32>`.

    In the tile dialect an integer dimension is a *logical* extent, and a full axis of that length is known by it;
    after convert-tile-to-triton every dimension is the physical, power-of-two one.
    """

    name = "tile.tile"

    shape: ArrayAttr[ExprAttr]
    element_type: Attribute

    # Both are kept, since types are asked all the time; xDSL's definitions have no other place for that.
    @property
    def dims(self) -> tuple[Expr, ...]:
        """The extents as index expressions."""
        own = vars(self)
        if (known := own.get("dims")) is None:
            known = own["dims"] = tuple([d.data for d in self.shape.data])
        return known

    @property
    def rank(self) -> int:
        return len(self.shape.data)

    def __hash__(self) -> int:
        own = vars(self)
        if (known := own.get("hash")) is None:
            known = own["hash"] = hash((self.shape, self.element_type))
        return known

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            dims = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_expr_attr(parser))
            parser.parse_punctuation(",")
            return ArrayAttr(dims), parser.parse_type()

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_dims(printer, self.shape)
            printer.print_string(", ")
            printer.print_attribute(self.element_type)


@functools.cache
def tile_type(dims: tuple[Expr | int, ...], element: Attribute) -> TileType:
    """`tile_type((64, knob("bm")), f32)`; cached, and made without xDSL's checks of what is right by construction."""
    made = TileType.__new__(TileType)
    vars(made).update(shape=ArrayAttr([expr_attr(d) for d in dims]), element_type=element)
    return made


SCALAR_I1, SCALAR_I32, SCALAR_I64, SCALAR_F32 = (tile_type((), e) for e in (i1, i32, i64, f32))


@irdl_attr_definition
class RefType(ParametrizedAttribute, TypeAttribute):
    """A tensor of the host: `!tile.ref<[4096, n], bf16, strides = [n, 1]>`; extents and strides in elements."""

    name = "tile.ref"

    shape: ArrayAttr[ExprAttr]
    element_type: Attribute
    strides: ArrayAttr[ExprAttr]

    def verify(self) -> None:
        if len(self.shape) != len(self.strides):
            raise VerifyException(f"{len(self.shape)} extents but {len(self.strides)} strides")

    @property
    def dims(self) -> tuple[Expr, ...]:
        return tuple(d.data for d in self.shape)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            dims = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_expr_attr(parser))
            parser.parse_punctuation(",")
            element = parser.parse_type()
            parser.parse_punctuation(",")
            parser.parse_keyword("strides")
            parser.parse_punctuation("=")
            strides = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_expr_attr(parser))
            return ArrayAttr(dims), element, ArrayAttr(strides)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_dims(printer, self.shape)
            printer.print_string(", ")
            printer.print_attribute(self.element_type)
            printer.print_string(", strides = ")
            _print_dims(printer, self.strides)


def ref_type(dims: Sequence[Expr | int], element: Attribute, strides: Sequence[Expr | int]) -> RefType:
    return RefType(ArrayAttr([expr_attr(d) for d in dims]), element, ArrayAttr([expr_attr(s) for s in strides]))


@irdl_attr_definition
class RangeType(ParametrizedAttribute, TypeAttribute):
    """A block of consecutive indices, what a loop over `hl.tile` yields: `!tile.range<@tile_m.block_size>`."""

    name = "tile.range"

    block: ExprAttr

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            return (parse_expr_attr(parser),)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            print_expr(printer, self.block)


@functools.cache
def range_type(block: Expr | int) -> RangeType:
    return RangeType(expr_attr(block))


def _print_dims(printer: Printer, dims: ArrayAttr[ExprAttr]) -> None:
    with printer.in_square_brackets():
        printer.print_list(dims, lambda d: print_expr(printer, d))
