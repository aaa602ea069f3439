"""Rounding, signs and neighbours of fp32 numbers, exact for every input with signed zeros kept."""

import triton
import triton.language as tl


@triton.jit
def bits32(x):
    return x.to(tl.uint32, bitcast=True)


@triton.jit
def copysign32(x, y):
    return ((bits32(x) & 0x7FFFFFFF) | (bits32(y) & 0x80000000)).to(tl.float32, bitcast=True)


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
def sign32(x):
    # sign(NaN) is 0 in PyTorch.
    return (x > 0).to(tl.float32) - (x < 0).to(tl.float32)


@triton.jit
def neg32(x):
    # Triton's own negation is 0 - x, which loses the sign of zero.
    return x * -1.0


@triton.jit
def nextafter32(x, y):
    # Consecutive numbers of one sign have consecutive bits.
    at = x.to(tl.int32, bitcast=True)
    step = tl.where((x < y) == (at >= 0), at + 1, at - 1)
    smallest = (y.to(tl.int32, bitcast=True) & -2147483648) | 1
    moved = tl.where((at & 0x7FFFFFFF) == 0, smallest, step).to(tl.float32, bitcast=True)
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
