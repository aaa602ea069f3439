"""Exponentials, logarithms, powers and hyperbolic functions, computed in fp64."""

import triton
import triton.language as tl

from helion_ir.backend_triton.library.rounding import copysign32


@triton.jit
def exp_64(x):
    return tl.exp(x.to(tl.float64)).to(x.dtype)


@triton.jit
def log_64(x):
    return tl.log(x.to(tl.float64)).to(x.dtype)


@triton.jit
def expm1_64(x):
    X = x.to(tl.float64)
    # Below 1e-5 the difference loses what the series has.
    y = tl.where(tl.abs(X) < 1e-5, X + X * X * (0.5 + X * 0.16666666666666666), tl.exp(X) - 1.0)
    return tl.where(x == 0.0, x, y.to(x.dtype))


@triton.jit
def log1p_64(x):
    X = x.to(tl.float64)
    series = X * (1.0 + X * (-0.5 + X * (0.3333333333333333 - 0.25 * X)))
    y = tl.where(tl.abs(X) < 1e-4, series, tl.log(1.0 + X))
    return tl.where(x == 0.0, x, y.to(x.dtype))


@triton.jit
def log10_64(x):
    return (tl.log(x.to(tl.float64)) * 0.4342944819032518).to(x.dtype)


@triton.jit
def rsqrt_64(x):
    return (1.0 / tl.sqrt(x.to(tl.float64))).to(x.dtype)


@triton.jit
def pow_64(x, y):
    X = x.to(tl.float64)
    Y = y.to(tl.float64)
    a = tl.abs(X)
    inf = float("inf")
    power = tl.exp(Y * tl.log(a))
    whole = tl.floor(Y) == Y
    half = Y * 0.5
    odd = whole & (tl.floor(half) != half)
    negative = X.to(tl.int64, bitcast=True) < 0
    power = tl.where(negative & odd, power * -1.0, power)
    power = tl.where((X < 0) & (a != inf) & (whole == 0), float("nan"), power)
    power = tl.where((a == 1.0) & (tl.abs(Y) == inf), 1.0, power)
    power = tl.where((X == 1.0) | (Y == 0.0), 1.0, power)
    return power.to(x.dtype)


@triton.jit
def sigmoid_32(x):
    return 1.0 / (1.0 + tl.exp(x * -1.0))


@triton.jit
def sinh_64(x):
    X = x.to(tl.float64)
    y = tl.where(tl.abs(X) < 1e-4, X + X * X * X * 0.16666666666666666, 0.5 * (tl.exp(X) - tl.exp(X * -1.0)))
    return tl.where(x == 0.0, x, y.to(x.dtype))


@triton.jit
def cosh_64(x):
    X = x.to(tl.float64)
    return (0.5 * (tl.exp(X) + tl.exp(X * -1.0))).to(x.dtype)


@triton.jit
def tanh_64(x):
    X = x.to(tl.float64)
    a = tl.abs(X)
    e = tl.exp(-2.0 * a)
    y = tl.where(a < 1e-4, a - a * a * a * 0.3333333333333333, (1.0 - e) / (1.0 + e))
    return tl.where(x != x, x, copysign32(y.to(x.dtype), x))


@triton.jit
def tanh_32(x):
    # In fp32 alone, to about 4 ulp; no argument of exp is positive.
    a = tl.abs(x)
    e = tl.exp(-2.0 * a)
    q = a * a
    p = a * (1.0 + q * (-0.33333331 + q * (0.13333022 + q * (-0.053826462 + q * (0.02084793 + q * -0.0059)))))
    y = tl.where(a < 0.55, p, (1.0 - e) / (1.0 + e))
    return copysign32(tl.where(x != x, x, y), x)


@triton.jit
def asinh_64(x):
    X = x.to(tl.float64)
    a = tl.abs(X)
    series = a + a * a * a * (-0.16666666666666666 + 0.075 * a * a)
    y = tl.where(a < 1e-3, series, tl.log(a + tl.sqrt(a * a + 1.0))).to(x.dtype)
    return tl.where(x != x, x, copysign32(y, x))


@triton.jit
def acosh_64(x):
    X = x.to(tl.float64)
    inside = tl.where(X < 1.0, float("nan"), X)
    return tl.log(inside + tl.sqrt((inside - 1.0) * (inside + 1.0))).to(x.dtype)


@triton.jit
def atanh_64(x):
    X = x.to(tl.float64)
    series = X + X * X * X * (0.3333333333333333 + 0.2 * X * X)
    y = tl.where(tl.abs(X) < 1e-3, series, 0.5 * tl.log((1.0 + X) / (1.0 - X)))
    return tl.where(x == 0.0, x, y.to(x.dtype))
