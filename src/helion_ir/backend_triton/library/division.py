"""Remainders and rounded quotients of fp32 numbers, exact for quotients of any size."""
# pyright: reportGeneralTypeIssues=false

import triton
import triton.language as tl

from helion_ir.backend_triton.library.rounding import copysign32, trunc32


@triton.jit
def fmod_bits(x, y):
    # Long division, 20 bits of the quotient a round: digit times divisor is exact in fp64 (20 + 24 bits).
    r = tl.abs(x).to(tl.float64)
    divisor = tl.abs(y).to(tl.float64)
    for k in tl.static_range(14):
        scaled = divisor * (1048576.0 ** (13 - k))
        left = r - tl.floor(r / scaled) * scaled
        # The digit may be one off, since the quotient was rounded.
        left = tl.where(left < 0, left + scaled, left)
        left = tl.where(left >= scaled, left - scaled, left)
        r = tl.where(scaled == float("inf"), r, left)
    inf = float("inf")
    out = tl.where(tl.abs(y) == inf, x, copysign32(r.to(tl.float32), x))
    return tl.where((x != x) | (y != y) | (tl.abs(x) == inf) | (y == 0.0), float("nan"), out)


@triton.jit
def rem_f32(x, y):
    r = fmod_bits(x, y)
    return tl.where((r != 0) & ((r < 0) != (y < 0)), r + y, r)


@triton.jit
def div_floor_f32(a, b):
    # As torch.div(rounding_mode="floor"): from the remainder, since floor(a / b) is off near whole quotients.
    m = fmod_bits(a, b)
    d = tl.div_rn(a - m, b)
    d = tl.where((m != 0) & ((b < 0) != (m < 0)), d - 1.0, d)
    f = tl.floor(d)
    f = tl.where(d - f > 0.5, f + 1.0, f)
    q = tl.div_rn(a, b)
    f = tl.where(d == 0.0, copysign32(d * 0.0, q), f)
    return tl.where(b == 0.0, q, f)


@triton.jit
def div_trunc_f32(a, b):
    return trunc32(tl.div_rn(a, b))
