"""Keys to sort floats by: tl.sort loses NaN, and integers do not."""

import triton
import triton.language as tl


@triton.jit
def sortkey32(x):
    # Negative numbers count downward in their bits; NaN is largest, and -0.0 sorts as 0.0.
    b = (x + 0.0).to(tl.int32, bitcast=True)
    key = b ^ ((b >> 31) & 0x7FFFFFFF)
    return tl.where(x != x, 2147483647, key)


@triton.jit
def unsortkey32(key):
    b = key ^ ((key >> 31) & 0x7FFFFFFF)
    return tl.where(key == 2147483647, float("nan"), b.to(tl.float32, bitcast=True))


@triton.jit
def sortpair32(x, position):
    # Key and position in one int64, so that a sort is stable and keeps the positions.
    return (sortkey32(x).to(tl.int64) << 32) | position.to(tl.int64)


@triton.jit
def sortpair_i(x, position):
    # The same for integers of up to 32 bits, given as int64.
    return (x << 32) | position.to(tl.int64)


@triton.jit
def sortpair_high(pair):
    return pair >> 32


@triton.jit
def sortpair_value(pair):
    return unsortkey32((pair >> 32).to(tl.int32))


@triton.jit
def sortpair_position(pair):
    return pair & 0xFFFFFFFF
