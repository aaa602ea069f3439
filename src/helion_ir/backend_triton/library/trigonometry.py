"""Tangent, inverse trigonometric functions and hypot, computed in fp64."""

import triton
import triton.language as tl

from helion_ir.backend_triton.library.rounding import copysign32


@triton.jit
def tan_64(x):
    X = x.to(tl.float64)
    return tl.where(x == 0.0, x, (tl.sin(X) / tl.cos(X)).to(x.dtype))


@triton.jit
def angle64(Y, X):
    # The angle in [0, pi] of fp64 (X, |Y|). Two infinities are at 45 degrees from an axis, one is on its axis.
    inf = float("inf")
    y = tl.abs(Y)
    x = tl.abs(X)
    flat = tl.where(x == inf, 1.0, tl.where(y == inf, 0.0, x))
    tall = tl.where(y == inf, 1.0, tl.where(x == inf, 0.0, y))
    longer = tl.maximum(flat, tall)
    z = tl.where(longer == 0.0, 0.0, tl.minimum(flat, tall) / tl.where(longer == 0.0, 1.0, longer))
    z2 = z * z
    # A start to 1e-5, then one step of tan's addition theorem, cubic in the error.
    start = z * (0.9998660 + z2 * (-0.3302995 + z2 * (0.1801410 + z2 * (-0.0851330 + z2 * 0.0208351))))
    c = tl.cos(start)
    s = tl.sin(start)
    t = (z * c - s) / (c + z * s)
    a = start + t - t * t * t * 0.3333333333333333
    a = tl.where(z < 1e-4, z - z * z2 * 0.3333333333333333, a)
    a = tl.where(tall > flat, 1.5707963267948966 - a, a)
    a = tl.where(X.to(tl.int64, bitcast=True) < 0, 3.141592653589793 - a, a)
    return tl.where((Y != Y) | (X != X), Y + X, a)


@triton.jit
def atan2_64(y, x):
    a = angle64(y.to(tl.float64), x.to(tl.float64)).to(y.dtype)
    return tl.where(a != a, a, copysign32(a, y))


@triton.jit
def atan_64(x):
    X = x.to(tl.float64)
    a = angle64(X, X * 0.0 + 1.0).to(x.dtype)
    a = tl.where(tl.abs(x) == float("inf"), 1.5707963267948966, a)
    return tl.where(x != x, x, copysign32(a, x))


@triton.jit
def cosine64(X):
    # sqrt(1 - X^2) for |X| <= 1, else NaN.
    q = (1.0 - X) * (1.0 + X)
    return tl.sqrt(tl.where(q < 0, float("nan"), q))


@triton.jit
def asin_64(x):
    X = x.to(tl.float64)
    a = angle64(X, cosine64(X)).to(x.dtype)
    return tl.where(a != a, a, copysign32(a, x))


@triton.jit
def acos_64(x):
    X = x.to(tl.float64)
    return angle64(cosine64(X), X).to(x.dtype)


@triton.jit
def hypot_64(x, y):
    X = x.to(tl.float64)
    Y = y.to(tl.float64)
    inf = float("inf")
    return tl.where((tl.abs(x) == inf) | (tl.abs(y) == inf), inf, tl.sqrt(X * X + Y * Y).to(x.dtype))
