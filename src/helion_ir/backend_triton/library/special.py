"""Error functions, log-gamma and the Bessel function i0, computed in fp64."""
# pyright: reportGeneralTypeIssues=false

import triton
import triton.language as tl

from helion_ir.backend_triton.library.rounding import copysign32


@triton.jit
def erfcx64(x):
    # exp(x^2) erfc(x) for fp64 x >= 0: a polynomial in (x - 3.75) / (x + 3.75), fitted in extended precision.
    t = (x - 3.75) / (x + 3.75)
    p = t * 0.0 - 3.75315827795962e-11
    p = p * t + 4.2514714447963895e-10
    p = p * t + 5.457157304704688e-10
    p = p * t - 5.1739902140113095e-09
    p = p * t - 4.389284159986328e-09
    p = p * t + 3.8675334242222354e-08
    p = p * t + 2.4289762925488707e-08
    p = p * t - 2.5866850716155884e-07
    p = p * t - 5.826281078800777e-08
    p = p * t + 1.751637648849062e-06
    p = p * t - 9.72849582211122e-07
    p = p * t - 1.1444146237700524e-05
    p = p * t + 2.2383912036550678e-05
    p = p * t + 5.164909889268241e-05
    p = p * t - 0.00029015397928986765
    p = p * t + 0.0002937136655913448
    p = p * t + 0.0017556258324217529
    p = p * t - 0.009746579558029276
    p = p * t + 0.0283622774215156
    p = p * t - 0.05869339858963677
    p = p * t + 0.09230432116019834
    p = p * t - 0.10880393014174886
    p = p * t + 0.08227673849015102
    p = p * t + 0.0035854154854644293
    p = p * t - 0.14024059858554702
    p = p * t + 1.2375126308378275
    return p / (1.0 + 2.0 * x)


@triton.jit
def erfc_64(x):
    X = x.to(tl.float64)
    a = tl.minimum(tl.abs(X), 30.0)
    tail = tl.exp(a * a * -1.0) * erfcx64(a)
    y = tl.where(X < 0, 2.0 - tail, tail)
    return tl.where(x != x, x, y.to(x.dtype))


@triton.jit
def erfinv_64(x):
    X = x.to(tl.float64)
    a = tl.abs(X)
    w = tl.log((1.0 - a) * (1.0 + a)) * -1.0
    w = tl.where(a < 1.0, w, 1.0)
    # Giles' polynomials, to about 1e-6: one for the middle, one for the tails.
    v = w - 2.5
    p = 2.81022636e-08 * v + 3.43273939e-07
    p = p * v - 3.5233877e-06
    p = p * v - 4.39150654e-06
    p = p * v + 0.00021858087
    p = p * v - 0.00125372503
    p = p * v - 0.00417768164
    p = p * v + 0.246640727
    p = p * v + 1.50140941
    u = tl.sqrt(w) - 3.0
    q = -0.000200214257 * u + 0.000100950558
    q = q * u + 0.00134934322
    q = q * u - 0.00367342844
    q = q * u + 0.00573950773
    q = q * u - 0.0076224613
    q = q * u + 0.00943887047
    q = q * u + 1.00167406
    q = q * u + 2.83297682
    y = tl.where(w < 5.0, p, q) * a
    # Newton on erfc, whose tail keeps its digits.
    for _ in tl.static_range(2):
        e = tl.exp(y * y * -1.0)
        y = y + (e * erfcx64(y) - (1.0 - a)) / (1.1283791670955126 * e)
    small = a * (0.8862269254527580 + a * a * 0.2320136665346544)
    y = tl.where(a < 1e-5, small, y)
    y = tl.where(a == 1.0, float("inf"), tl.where(a > 1.0, float("nan"), y)).to(x.dtype)
    return tl.where(x != x, x, copysign32(y, x))


@triton.jit
def lgamma_lanczos64(x):
    # log gamma of fp64 x >= 0.5: Lanczos' series with g = 7, 9 terms.
    z = x - 1.0
    s = 0.99999999999980993 + 676.5203681218851 / (z + 1.0) - 1259.1392167224028 / (z + 2.0)
    s = s + 771.32342877765313 / (z + 3.0) - 176.61502916214059 / (z + 4.0) + 12.507343278686905 / (z + 5.0)
    s = s - 0.13857109526572012 / (z + 6.0) + 9.9843695780195716e-6 / (z + 7.0) + 1.5056327351493116e-7 / (z + 8.0)
    t = z + 7.5
    return 0.91893853320467274178 + (z + 0.5) * tl.log(t) - t + tl.log(s)


@triton.jit
def lgamma_64(x):
    X = x.to(tl.float64)
    inf = float("inf")
    a = tl.where(X < 0.5, 1.0 - X, X)
    right = lgamma_lanczos64(tl.where(tl.abs(a) == inf, 1.0, a))
    # On the left by reflection, the sine of the distance from the nearest pole.
    distance = tl.abs(X - tl.floor(X + 0.5))
    sine = tl.abs(tl.sin(3.141592653589793 * distance))
    y = tl.where(X < 0.5, 1.1447298858494002 - tl.log(sine) - right, right)
    y = tl.where((X <= 0.0) & (tl.floor(X) == X), inf, y)
    y = tl.where(tl.abs(X) == inf, inf, y)
    return tl.where(x != x, x, y.to(x.dtype))


@triton.jit
def cosh64(X):
    return tl.exp(X) + tl.exp(X * -1.0)


@triton.jit
def i0_64(x):
    # (1/pi) int_0^pi exp(x cos t) dt by the trapezoid rule on 64 points, folded by symmetry.
    X = tl.abs(x.to(tl.float64))
    s = 0.5 * cosh64(X) + 1.0
    s = s + cosh64(X * 0.9951847266721969)
    s = s + cosh64(X * 0.9807852804032304)
    s = s + cosh64(X * 0.9569403357322088)
    s = s + cosh64(X * 0.9238795325112867)
    s = s + cosh64(X * 0.881921264348355)
    s = s + cosh64(X * 0.8314696123025452)
    s = s + cosh64(X * 0.773010453362737)
    s = s + cosh64(X * 0.7071067811865476)
    s = s + cosh64(X * 0.6343932841636455)
    s = s + cosh64(X * 0.5555702330196023)
    s = s + cosh64(X * 0.4713967368259978)
    s = s + cosh64(X * 0.38268343236508984)
    s = s + cosh64(X * 0.29028467725446233)
    s = s + cosh64(X * 0.19509032201612833)
    s = s + cosh64(X * 0.09801714032956077)
    return tl.where(x != x, x, (s * 0.03125).to(x.dtype))


@triton.jit
def sinh64(X):
    return tl.exp(X) - tl.exp(X * -1.0)


@triton.jit
def i1_64(x):
    # As i0_64, with the integrand times cos t.
    X = x.to(tl.float64)
    s = 0.5 * sinh64(X)
    s = s + 0.9951847266721969 * sinh64(X * 0.9951847266721969)
    s = s + 0.9807852804032304 * sinh64(X * 0.9807852804032304)
    s = s + 0.9569403357322088 * sinh64(X * 0.9569403357322088)
    s = s + 0.9238795325112867 * sinh64(X * 0.9238795325112867)
    s = s + 0.881921264348355 * sinh64(X * 0.881921264348355)
    s = s + 0.8314696123025452 * sinh64(X * 0.8314696123025452)
    s = s + 0.773010453362737 * sinh64(X * 0.773010453362737)
    s = s + 0.7071067811865476 * sinh64(X * 0.7071067811865476)
    s = s + 0.6343932841636455 * sinh64(X * 0.6343932841636455)
    s = s + 0.5555702330196023 * sinh64(X * 0.5555702330196023)
    s = s + 0.4713967368259978 * sinh64(X * 0.4713967368259978)
    s = s + 0.38268343236508984 * sinh64(X * 0.38268343236508984)
    s = s + 0.29028467725446233 * sinh64(X * 0.29028467725446233)
    s = s + 0.19509032201612833 * sinh64(X * 0.19509032201612833)
    s = s + 0.09801714032956077 * sinh64(X * 0.09801714032956077)
    y = tl.where(tl.abs(X) < 1e-7, X * 0.5, s * 0.03125)
    return tl.where(x != x, x, y.to(x.dtype))


@triton.jit
def digamma_64(x):
    X = x.to(tl.float64)
    inf = float("inf")
    # On the left by reflection; then up to where the asymptotic series holds.
    z = tl.where(X < 0.5, 1.0 - X, X)
    z = tl.where(z == inf, 1.0, z)
    s = z * 0.0
    for _ in tl.static_range(10):
        s = s - tl.where(z < 10.0, 1.0 / z, 0.0)
        z = tl.where(z < 10.0, z + 1.0, z)
    r = 1.0 / (z * z)
    series = r * (
        0.08333333333333333
        - r
        * (
            0.008333333333333333
            - r
            * (
                0.003968253968253968
                - r
                * (
                    0.004166666666666667
                    - r * (0.007575757575757576 - r * (0.021092796092796094 - r * 0.08333333333333333))
                )
            )
        )
    )
    y = s + tl.log(z) - 0.5 / z - series
    part = X - tl.floor(X)
    angle = 3.141592653589793 * tl.where(part == 0.0, 0.5, part)
    y = tl.where(X < 0.5, y - 3.141592653589793 * tl.cos(angle) / tl.sin(angle), y)
    y = tl.where((X < 0.0) & (part == 0.0), float("nan"), y)
    y = tl.where(X == 0.0, copysign32(x * 0.0 + inf, x * -1.0).to(tl.float64), y)
    y = tl.where(X == inf, inf, tl.where(X == -inf, float("nan"), y))
    return tl.where(x != x, x, y.to(x.dtype))
