"""Casts to and from 16- and 8-bit floats by their bits: rounding to nearest even, as PyTorch's.

Triton's interpreter truncates instead, and its 8-bit casts lose infinities and NaN; on a GPU `.to` is right, but for
float8e5, where it saturates.
"""

import triton
import triton.language as tl

from helion_ir.backend_triton.library.rounding import bits32


@triton.jit
def to_bf16_rne(x):
    u = bits32(x)
    rounded = (u + (0x7FFF + ((u >> 16) & 1))) >> 16
    rounded = tl.where((u & 0x7FFFFFFF) > 0x7F800000, 0x7FC0, rounded)
    return rounded.to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit
def from_bf16(x):
    return (x.to(tl.uint16, bitcast=True).to(tl.uint32) << 16).to(tl.float32, bitcast=True)


@triton.jit
def to_e4m3(x):
    # Saturates at 448, as torch.float8_e4m3fn does.
    u = bits32(x)
    sign = (u >> 24) & 0x80
    nan = (u & 0x7FFFFFFF) > 0x7F800000
    a = tl.where(nan, 0.0, tl.abs(x))
    a = tl.where(a > 448.0, 448.0, a)
    b = bits32(a)
    normal = ((b + (0x7FFFF + ((b >> 20) & 1))) >> 20) - 960
    # Adding 2^14 leaves the multiples of 2^-9, the subnormals, in the low bits, rounded by the adder.
    subnormal = bits32(a + 16384.0) - 0x46800000
    code = tl.where(nan, 0x7F, tl.where(a < 0.015625, subnormal, normal))
    return (code | sign).to(tl.uint8).to(tl.float8e4nv, bitcast=True)


@triton.jit
def from_e4m3(x):
    u = x.to(tl.uint8, bitcast=True).to(tl.uint32)
    code = u & 0x7F
    normal = ((code << 20) + 0x3C000000).to(tl.float32, bitcast=True)
    value = tl.where(code < 8, code.to(tl.float32) * 0.001953125, tl.where(code == 0x7F, float("nan"), normal))
    return tl.where((u & 0x80) != 0, value * -1.0, value)


@triton.jit
def to_e5m2(x):
    # Overflows to infinity, as torch.float8_e5m2 does.
    u = bits32(x)
    sign = (u >> 24) & 0x80
    nan = (u & 0x7FFFFFFF) > 0x7F800000
    a = tl.where(nan, 0.0, tl.abs(x))
    b = bits32(tl.where(a > 65536.0, 65536.0, a))
    normal = ((b + (0xFFFFF + ((b >> 21) & 1))) >> 21) - 448
    normal = tl.where(normal > 0x7C, 0x7C, normal)
    subnormal = bits32(tl.where(a < 1.0, a, 0.0) + 128.0) - 0x43000000
    code = tl.where(nan, 0x7F, tl.where(a < 0.00006103515625, subnormal, normal))
    return (code | sign).to(tl.uint8).to(tl.float8e5, bitcast=True)


@triton.jit
def from_e5m2(x):
    u = x.to(tl.uint8, bitcast=True).to(tl.uint32)
    code = u & 0x7F
    normal = ((code << 21) + 0x38000000).to(tl.float32, bitcast=True)
    special = tl.where(code == 0x7C, float("inf"), float("nan"))
    value = tl.where(code < 4, code.to(tl.float32) * 0.0000152587890625, tl.where(code < 0x7C, normal, special))
    return tl.where((u & 0x80) != 0, value * -1.0, value)
