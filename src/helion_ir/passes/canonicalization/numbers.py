"""Numbers of each element type: rounding, wrapping, and which conversions lose nothing. No PyTorch."""

from __future__ import annotations

import math
import struct

from xdsl.dialects.builtin import IntegerType, Signedness
from xdsl.ir import Attribute

from helion_ir.dialects.types import bf16, f8e4m3, f8e5m2, f16, f32, f64, is_float

_SIGNIFICANT = {f64: (53, 1023), f32: (24, 127), f16: (11, 15), bf16: (8, 127), f8e4m3: (4, 8), f8e5m2: (3, 15)}
"""Bits of the significand, the hidden one included, and the largest exponent."""


def _is_unsigned(element: IntegerType) -> bool:
    return element.width.data == 1 or element.signedness.data is Signedness.UNSIGNED


def converts_exactly(source: Attribute, to: Attribute) -> bool:
    """Whether every value of one element type is a value of the other, so that converting there and back is nothing.

    >>> from helion_ir.dialects.types import bf16, f16, f32, i32
    >>> converts_exactly(bf16, f32), converts_exactly(bf16, f16), converts_exactly(i32, f32)
    (True, False, False)
    """
    if source == to:
        return True
    if is_float(source) and is_float(to):
        (bits, top), (bits_to, top_to) = _SIGNIFICANT[source], _SIGNIFICANT[to]
        # Subnormals of the narrower type need the exponents below its least one to exist in the wider.
        return bits <= bits_to and top + bits <= top_to + bits_to and top <= top_to
    if isinstance(source, IntegerType) and is_float(to):
        width = source.width.data - (0 if _is_unsigned(source) else 1)
        bits_to, top_to = _SIGNIFICANT[to]
        return width <= bits_to and width <= top_to
    if isinstance(source, IntegerType) and isinstance(to, IntegerType):
        if to.width.data == 1:
            return False
        if _is_unsigned(source):
            return source.width.data < to.width.data + (1 if _is_unsigned(to) else 0)
        return not _is_unsigned(to) and source.width.data <= to.width.data
    return False


def wrap(value: int, element: IntegerType) -> int:
    """An integer reduced to those of its type, two's complement.

    >>> from helion_ir.dialects.types import i8, u8
    >>> wrap(200, i8), wrap(-1, u8)
    (-56, 255)
    """
    width = element.width.data
    value %= 1 << width
    return value if _is_unsigned(element) or value < 1 << (width - 1) else value - (1 << width)


def converted(value: float | int, to: Attribute) -> float | int | None:
    """A number as `tile.cast` converts it, or None where that is not certain.

    >>> from helion_ir.dialects.types import bf16, i1, i32
    >>> converted(1.005, bf16), converted(-2.7, i32), converted(0.5, i1), converted(1e30, i32)
    (1.0078125, -2, 1, None)
    """
    if isinstance(to, IntegerType):
        if to.width.data == 1:
            return int(value != 0)
        if isinstance(value, int):
            return wrap(value, to)
        if not math.isfinite(value) or wrap(math.trunc(value), to) != math.trunc(value):
            return None
        return math.trunc(value)
    if isinstance(value, int) and abs(value) > 1 << 53:
        return None
    return rounded(float(value), to)


def rounded(value: float, to: Attribute) -> float | None:
    """A double rounded to nearest even in a float type; None for 8-bit floats, whose overflow depends on the device."""
    if to == f64 or not math.isfinite(value) and to in (f32, f16, bf16):
        return value
    if to == bf16:
        return _rounded_bf16(value)
    if to not in (f32, f16):
        return None
    code = "<f" if to == f32 else "<e"
    try:
        return struct.unpack(code, struct.pack(code, value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def _rounded_bf16(value: float) -> float:
    # From the double at once: going through f32 would round twice.
    if value == 0:
        return value
    exponent = max(math.frexp(value)[1] - 1, -126)
    unit = math.ldexp(1.0, exponent - 7)
    out = round(value / unit) * unit  # round() takes halves to even, and dividing by a power of two is exact
    if abs(out) >= math.ldexp(1.0, 128):
        return math.copysign(math.inf, value)
    return math.copysign(out, value)
