"""Rounding, signs and neighbours of fp32 numbers, exact for every input with signed zeros kept."""

# pyright: reportAssignmentType=false
# Triton's constexpr annotation is not a type of its values; a comment in a function would be printed with it.

import triton
import triton.language as tl


@triton.jit
def bits32(x):
    return x.to(tl.uint32, bitcast=True)


@triton.jit
def copysign32(x, y):
    # Of fp32 and fp64.
    if x.dtype == tl.float64:
        magnitude = x.to(tl.int64, bitcast=True) & 0x7FFFFFFFFFFFFFFF
        sign = y.to(tl.int64, bitcast=True) & (-9223372036854775807 - 1)
        result = (magnitude | sign).to(tl.float64, bitcast=True)
    else:
        result = ((bits32(x) & 0x7FFFFFFF) | (bits32(y) & 0x80000000)).to(tl.float32, bitcast=True)
    return result


@triton.jit
def trunc32(x):
    return copysign32(tl.floor(tl.abs(x)), x)


@triton.jit
def rint32(x):
    # From 2^23 on there are no fractions; below, the sum drops them, halves to even.
    a = tl.abs(x)
    whole = (a + 8388608.0) - 8388608.0
    return tl.where(a < 8388608.0, copysign32(whole, x), x)


@triton.jit
def rint64(x):
    # The same of fp64.
    a = tl.abs(x)
    whole = (a + 4503599627370496.0) - 4503599627370496.0
    return tl.where(a < 4503599627370496.0, copysign32(whole, x), x)


@triton.jit
def sign32(x):
    # sign(NaN) is 0 in PyTorch.
    return (x > 0).to(tl.float32) - (x < 0).to(tl.float32)


@triton.jit
def neg32(x):
    # Triton's own negation is 0 - x, which loses the sign of zero.
    return x * -1.0


@triton.jit
def nextafter32(x, y):
    # Consecutive numbers of one sign have consecutive bits. Of fp32 and fp64.
    integer: tl.constexpr = tl.int64 if x.dtype == tl.float64 else tl.int32
    at = x.to(integer, bitcast=True)
    step = tl.where((x < y) == (at >= 0), at + 1, at - 1)
    below: tl.constexpr = -9223372036854775807 if x.dtype == tl.float64 else -2147483647
    moved = tl.where(x == 0.0, tl.where(y < 0, below, 1).to(integer), step).to(x.dtype, bitcast=True)
    moved = tl.where(x == y, y, moved)
    return tl.where((x != x) | (y != y), x + y, moved)


@triton.jit
def f2i_sat32(x):
    # To int32 toward zero; out of range saturates and NaN gives 0, as hardware does.
    above = x >= 2147483648.0
    below = x <= -2147483648.0
    inside = (x == x) & (above == 0) & (below == 0)
    whole = tl.where(inside, x, 0.0).to(tl.int32)
    return tl.where(above, 2147483647, tl.where(below, -2147483648, whole))
