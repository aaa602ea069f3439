"""Integer arithmetic with PyTorch's signs, for every width; Triton's own is that of C."""

import triton
import triton.language as tl


@triton.jit
def floordiv_i(a, b):
    q = a // b
    r = a - q * b
    return tl.where((r != 0) & ((r < 0) != (b < 0)), q - 1, q)


@triton.jit
def pymod_i(a, b):
    r = a % b
    return tl.where((r != 0) & ((r < 0) != (b < 0)), r + b, r)


@triton.jit
def fmod_i(a, b):
    return a % b


@triton.jit
def shl_i(a, b):
    # A shift by the width or more is undefined in LLVM; PyTorch gives 0.
    width: tl.constexpr = a.dtype.primitive_bitwidth
    inside = (b >= 0) & (b < width)
    return tl.where(inside, a << tl.where(inside, b, 0), 0)


@triton.jit
def shr_i(a, b):
    # As above; what is left then is the sign.
    width: tl.constexpr = a.dtype.primitive_bitwidth
    inside = (b >= 0) & (b < width)
    return a >> tl.where(inside, b, width - 1)


@triton.jit
def pow_i(a, b):
    # By squaring, a bit of the exponent a round; what wraps, wraps. Of negative exponents only units have a power.
    result = a * 0 + 1
    base = a
    left = tl.where(b < 0, b & 1, b)
    for _ in range(a.dtype.primitive_bitwidth):
        result = tl.where((left & 1) != 0, result * base, result)
        base = base * base
        left = left >> 1
    unit = (a == 1) | (a + 1 == 0)
    return tl.where((b < 0) & (unit == 0), a * 0, result)


@triton.jit
def gcd_i(a, b):
    # Euclid's algorithm takes less than 1.5 steps a bit.
    a = tl.abs(a)
    b = tl.abs(b)
    for _ in range(a.dtype.primitive_bitwidth * 3 // 2):
        left = a % tl.where(b == 0, 1, b)
        a = tl.where(b == 0, a, b)
        b = tl.where(b == 0, b, left)
    return a
