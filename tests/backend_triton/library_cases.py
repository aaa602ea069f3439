"""Every function of the library on hard inputs, against torch; run by interpreted.py where Triton interprets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from helion_ir.backend_triton.loader import load
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.types import DTYPE_NAMES, ELEMENTS

INF, NAN = math.inf, math.nan


def apply(name: str, inputs: list[torch.Tensor], result: torch.dtype) -> torch.Tensor:
    """A function of the library on tensors of a power of two of elements, printed and run as a module."""
    (n,) = inputs[0].shape

    def element(dtype: torch.dtype) -> Any:
        return ELEMENTS[str(dtype).removeprefix("torch.")]

    def tile(dtype: torch.dtype, pointer: bool = False, shape: str = "") -> str:
        inner = f"!triton.ptr<{element(dtype)}>" if pointer else str(element(dtype))
        return f"!tile.tile<[{shape}], {inner}>"

    names = [f"a{i}" for i in range(len(inputs))]
    types = [t.dtype for t in inputs]
    head = [f"%{a}: {tile(t, pointer=True)}" for a, t in zip(names, types)]
    body = [f"%i = triton.arange <{n}> : !tile.tile<[{n}], i32>"]
    for a, t in zip(names, types):
        many = tile(t, True, str(n))
        body.append(f"%p_{a} = triton.addptr %{a}, %i : {tile(t, True)}, !tile.tile<[{n}], i32> -> {many}")
        body.append(f"%v_{a} = triton.load %p_{a} : {many} -> {tile(t, shape=str(n))}")
    arguments = ", ".join(f"%v_{a}" for a in names)
    signature = ", ".join(tile(t, shape=str(n)) for t in types)
    body.append(f'%r = triton.call "plain.{name}"({arguments}) {{}} : ({signature}) -> {tile(result, shape=str(n))}')
    many = tile(result, True, str(n))
    body.append(f"%p = triton.addptr %out, %i : {tile(result, True)}, !tile.tile<[{n}], i32> -> {many}")
    body.append(f"triton.store %p, %r : {many}, {tile(result, shape=str(n))}")
    quoted = ", ".join(f'"{a}"' for a in names)
    text = f"""builtin.module {{
      host.func @f [{quoted}, "out"] {{ host.launch @_f [{quoted}, "out"] }}
      triton.kernel @_f ({", ".join(head)}, %out: {tile(result, True)}) names [{quoted}, "out"] constexprs {{}} launch {{}} {{
        {chr(10).join(body)}
      }}
    }}"""
    out = torch.full((n,), 77, dtype=torch.float32).to(result)
    load(print_module(parse_module(text)))(*inputs, out)
    return out


def ulps(got: torch.Tensor, exact: torch.Tensor) -> float:
    """The largest error in units of fp32's last place; NaN and infinities must be where they are exactly."""
    rounded = exact.float()
    if not torch.equal(got.isnan(), rounded.isnan()):
        at = (got.isnan() != rounded.isnan()).nonzero()[0, 0]
        raise AssertionError(f"NaN at {int(at)}: got {got[at]}, expected {rounded[at]}")
    # What rounds to infinity, or just does not, is one unit apart.
    finite = rounded.isfinite() & got.isfinite()
    other = ~finite & ~rounded.isnan()
    if not torch.equal(got[other], rounded[other]):
        raise AssertionError(f"infinities: got {got[other][:4]}, expected {rounded[other][:4]}")
    unit = torch.clamp(2.0 ** (torch.floor(torch.log2(rounded[finite].double().abs())) - 23), min=2.0**-149)
    return float(((got[finite].double() - exact[finite]).abs() / unit).max())


def floats(n: int = 2048, seed: int = 0) -> torch.Tensor:
    """Special values, subnormals, and numbers of every size, shuffled."""
    g = torch.Generator().manual_seed(seed)
    special = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 0.5, -0.5, 1.5, 2.5, -2.5, 8388608.0, 8388607.5, 3.4e38, -3.4e38]
    special += [1e-45, -1e-45, 1.1754944e-38, 1e-40, 0.99999994, 1.0000001, -0.99999994, 2.0, 3.0, 1e-20]
    parts = [torch.tensor(special, dtype=torch.float32)]
    scales = (1.0, 10.0, 90.0, 1000.0)
    each = (n - len(special)) // (len(scales) + 1)
    parts += [(torch.rand(each, generator=g) * 2 - 1) * s for s in scales]
    rest = n - len(special) - each * len(scales)
    sign = torch.sign(torch.rand(rest, generator=g) - 0.5)
    parts.append(sign * torch.exp((torch.rand(rest, generator=g) * 2 - 1) * 40))
    values = torch.cat(parts)
    return values[torch.randperm(n, generator=g)]


def unary(name: str, exact: Callable[[torch.Tensor], torch.Tensor], limit: float = 0.51, **keep: Any):
    def run() -> float:
        x = floats()
        if (kept := keep.get("where")) is not None:
            x = torch.where(kept(x), x, torch.tensor(0.37))
        got = apply(name, [x], torch.float32)
        want = exact(x.double())
        zero = (want == 0) & (x == 0)
        assert torch.equal(torch.signbit(got[zero]), torch.signbit(want[zero])), "the sign of zero"
        error = ulps(got, want)
        assert error <= limit, f"{error} ulp"
        return error

    return name, run


def binary(name: str, exact: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], limit: float = 0.51, **keep: Any):
    def run() -> float:
        x, y = floats(seed=1), floats(seed=2)
        y[:64] = x[:64]
        if (kept := keep.get("where")) is not None:
            fine = kept(x) & kept(y)
            x, y = torch.where(fine, x, torch.tensor(5.5)), torch.where(fine, y, torch.tensor(-1.25))
        error = ulps(apply(name, [x, y], torch.float32), exact(x.double(), y.double()))
        assert error <= limit, f"{error} ulp"
        return error

    return name, run


def same(name: str, inputs: Callable[[], list[torch.Tensor]], expected: Callable[..., torch.Tensor], label: str = ""):
    """Bits must be equal; all NaN count as one."""

    def run() -> float:
        given = inputs()
        want = expected(*given)
        got = apply(name, given, want.dtype)
        if want.is_floating_point():
            nan = want.float().isnan()
            assert torch.equal(got.float().isnan(), nan), "NaN"
            width = {4: torch.int32, 2: torch.int16, 1: torch.int8}[want.element_size()]
            got, want = got.view(width)[~nan], want.view(width)[~nan]
        wrong = (got != want).nonzero()
        assert len(wrong) == 0, f"{len(wrong)} differ, such as number {int(wrong[0, 0])}: {got[wrong[0, 0]]}"
        return 0.0

    return f"{name}{label}", run


def integers(dtype: torch.dtype, seed: int, low: int | None = None, high: int | None = None) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    info = torch.iinfo(dtype)
    lowest, highest = max(info.min + 1, -(2**40)), min(info.max, 2**40)
    values = torch.randint(lowest if low is None else low, highest if high is None else high, (256,), generator=g)
    return torch.where(values == 0, 3, values).to(dtype) if low is None else values.to(dtype)


def shifted(a: torch.Tensor, b: torch.Tensor, left: bool) -> torch.Tensor:
    """By Python's integers, in which no shift is too far."""
    width = a.element_size() * 8
    out = []
    for x, n in zip(a.tolist(), b.tolist()):
        n = n if 0 <= n < width else width
        wide = (x << n) & ((1 << width) - 1) if left else x >> n
        out.append(wide - (1 << width) if left and wide >= 1 << (width - 1) else wide)
    return torch.tensor(out, dtype=a.dtype)


def reduced(combine: str, x: torch.Tensor, result: torch.dtype, index: bool = False) -> torch.Tensor:
    """A [rows, columns] tensor reduced along its columns by a function of the library."""
    m, n = x.shape
    element, out = (ELEMENTS[str(t).removeprefix("torch.")] for t in (x.dtype, result))
    square = f"!tile.tile<[{m}, {n}], {element}>"
    if index:
        reduce = f"""%ii = triton.broadcast_to %c1 shape [#index.expr<{m}>, #index.expr<{n}>] : !tile.tile<[1, {n}], i32> -> !tile.tile<[{m}, {n}], i32>
        %r = triton.arg_reduce "{combine}" 1 : i64 %v, %ii : {square}, !tile.tile<[{m}, {n}], i32> -> !tile.tile<[{m}], {out}>"""
    else:
        reduce = f'%r = triton.reduce "{combine}" 1 : i64 %v : {square} -> !tile.tile<[{m}], {out}>'
    text = f"""builtin.module {{
      host.func @f ["x", "out"] {{ host.launch @_f ["x", "out"] }}
      triton.kernel @_f (%x: !tile.tile<[], !triton.ptr<{element}>>, %out: !tile.tile<[], !triton.ptr<{out}>>) names ["x", "out"] constexprs {{}} launch {{}} {{
        %r0 = triton.arange <{m}> : !tile.tile<[{m}], i32>
        %c0 = triton.arange <{n}> : !tile.tile<[{n}], i32>
        %r1 = triton.expand_dims <1> %r0 : !tile.tile<[{m}], i32> -> !tile.tile<[{m}, 1], i32>
        %c1 = triton.expand_dims <0> %c0 : !tile.tile<[{n}], i32> -> !tile.tile<[1, {n}], i32>
        %o = index.apply <d0 * {n} + d1>(%r1, %c1) : (!tile.tile<[{m}, 1], i32>, !tile.tile<[1, {n}], i32>) -> !tile.tile<[{m}, {n}], i32>
        %p = triton.addptr %x, %o : !tile.tile<[], !triton.ptr<{element}>>, !tile.tile<[{m}, {n}], i32> -> !tile.tile<[{m}, {n}], !triton.ptr<{element}>>
        %v = triton.load %p : !tile.tile<[{m}, {n}], !triton.ptr<{element}>> -> {square}
        {reduce}
        %q = triton.addptr %out, %r0 : !tile.tile<[], !triton.ptr<{out}>>, !tile.tile<[{m}], i32> -> !tile.tile<[{m}], !triton.ptr<{out}>>
        triton.store %q, %r : !tile.tile<[{m}], !triton.ptr<{out}>>, !tile.tile<[{m}], {out}>
      }}
    }}"""
    given = torch.full((m,), 77, dtype=torch.float32).to(result)
    load(print_module(parse_module(text)))(x, given)
    return given


def reduction(name: str, x: Callable[[], torch.Tensor], expected: Callable[[torch.Tensor], torch.Tensor]):
    def run() -> float:
        given = x()
        want = expected(given)
        got = reduced(f"plain.{name}", given, want.dtype, index=name.startswith("arg"))
        assert torch.equal(got.isnan(), want.isnan())
        close = torch.allclose(got.nan_to_num(), want.nan_to_num(), rtol=1e-6, atol=0)
        assert close, f"{got[:8]} instead of {want[:8]}"
        return 0.0

    return name, run


def with_nan() -> torch.Tensor:
    x = torch.randn(16, 32, generator=torch.Generator().manual_seed(3))
    x[3, 7] = x[3, 9] = x[5, 31] = NAN
    x[6] = -2.5
    x[7, 4], x[7, 20] = INF, INF
    return x


def small_ints() -> torch.Tensor:
    return torch.randint(-100, 100, (16, 32), generator=torch.Generator().manual_seed(4), dtype=torch.int32)


def folded(f: Callable[[int, int], int]) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(x: torch.Tensor) -> torch.Tensor:
        rows = []
        for row in x.tolist():
            value = row[0]
            for v in row[1:]:
                value = f(value, v)
            rows.append(value)
        return torch.tensor(rows, dtype=x.dtype)

    return run


def sorted_pairs() -> list[torch.Tensor]:
    return [floats(256, 7), torch.arange(256, dtype=torch.int32)]


def pairs(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """The order of the packed pairs must be that of a stable sort."""
    packed = apply("sortpair32", [x, at], torch.int64)
    return torch.sort(packed).values


def stable() -> float:
    x, at = sorted_pairs()
    packed = pairs(x, at)
    values, order = torch.sort(x, stable=True)
    assert torch.equal(apply("sortpair_position", [packed], torch.int64), order)
    got = apply("sortpair_value", [packed], torch.float32)
    assert torch.equal(got.isnan(), values.isnan())
    assert torch.equal(got[~got.isnan()], values[~values.isnan()])
    return 0.0


def stable_integers() -> float:
    x = torch.randint(-9, 9, (256,), generator=torch.Generator().manual_seed(3)) * (2**27 + 1)
    packed = torch.sort(apply("sortpair_i", [x, torch.arange(256, dtype=torch.int32)], torch.int64)).values
    values, order = torch.sort(x, stable=True)
    assert torch.equal(apply("sortpair_position", [packed], torch.int64), order)
    assert torch.equal(apply("sortpair_high", [packed], torch.int64), values)
    return 0.0


def nearest_doubles() -> float:
    x = floats().double()
    x[:6] = torch.tensor([4503599627370495.5, 0.5, -1.5, 2.5, 1e300, -0.25], dtype=torch.float64)
    got, want = apply("rint64", [x], torch.float64), torch.round(x)
    nan = want.isnan()
    assert torch.equal(got.isnan(), nan)
    assert torch.equal(got[~nan].view(torch.int64), want[~nan].view(torch.int64))
    return 0.0


def integer_power(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """What is below one rounds toward zero; only 1 and -1 have powers of negative exponents."""
    whole = torch.pow(a, b.clamp(min=0))
    units = torch.where(a == 1, 1, torch.where(a == -1, 1 - 2 * (b.abs() % 2), 0)).to(a.dtype)
    return torch.where(b < 0, units, whole)


def library_cases() -> Iterator[tuple[str, Callable[[], float]]]:
    t = torch
    yield unary("trunc32", t.trunc, 0)
    yield unary("rint32", t.round, 0)
    yield unary("neg32", t.neg, 0)
    yield unary("sign32", t.sign, 0)
    yield unary("expm1_64", t.expm1)
    yield unary("exp_64", t.exp)
    yield unary("log_64", t.log)
    yield unary("log1p_64", t.log1p)
    yield unary("log10_64", t.log10)
    yield unary("rsqrt_64", t.rsqrt)
    yield unary("tan_64", t.tan)
    yield unary("asin_64", t.asin)
    yield unary("acos_64", t.acos)
    yield unary("atan_64", t.atan)
    yield unary("sinh_64", t.sinh)
    yield unary("cosh_64", t.cosh)
    yield unary("tanh_64", t.tanh)
    # A result below the least normal number is 0, since exp overflows on the way.
    yield unary("sigmoid_32", t.sigmoid, 3, where=lambda x: ~(x < -85))
    yield unary("tanh_32", t.tanh, 4)
    yield unary("asinh_64", t.asinh)
    yield unary("acosh_64", t.acosh)
    yield unary("atanh_64", t.atanh)
    yield unary("erfc_64", t.erfc)
    yield unary("erfinv_64", t.erfinv)
    yield unary("lgamma_64", t.lgamma)
    # torch.i0 of infinity is NaN.
    yield unary("i0_64", t.special.i0, where=t.isfinite)
    # torch.special.i1 of -0.0 is +0.0, though the function is odd.
    yield unary("i1_64", t.special.i1, where=lambda x: t.isfinite(x) & (x != 0))
    yield unary("digamma_64", t.digamma, where=lambda x: t.isfinite(x) & (x > 0))
    yield binary("atan2_64", t.atan2)
    yield binary("hypot_64", t.hypot)
    yield binary("pow_64", t.pow)
    yield binary("fmod_bits", t.fmod, 0)
    yield binary("rem_f32", t.remainder)
    two = lambda: [floats(seed=1), floats(seed=2)]  # noqa: E731
    yield same("copysign32", two, t.copysign)
    yield same("nextafter32", two, t.nextafter)
    normal = lambda: [t.where(x.abs() > 1e-30, x, t.tensor(1.5)) for x in two()]  # noqa: E731
    yield same("div_floor_f32", normal, lambda a, b: t.div(a, b, rounding_mode="floor"))
    yield same("div_trunc_f32", normal, lambda a, b: t.div(a, b, rounding_mode="trunc"))
    many = lambda: [floats(4096, 5)]  # noqa: E731
    yield same("to_bf16_rne", many, lambda x: x.to(t.bfloat16))
    yield same("to_e4m3", many, lambda x: x.to(t.float8_e4m3fn))
    yield same("to_e5m2", many, lambda x: x.to(t.float8_e5m2))
    codes = t.arange(-128, 128).to(t.int8)
    yield same("from_e4m3", lambda: [codes.view(t.float8_e4m3fn)], lambda x: x.to(t.float32))
    yield same("from_e5m2", lambda: [codes.view(t.float8_e5m2)], lambda x: x.to(t.float32))
    every = t.arange(-(2**15), 2**15).to(t.int16)
    yield same("from_bf16", lambda: [every.view(t.bfloat16)], lambda x: x.to(t.float32))
    yield same("bits32", lambda: [floats()], lambda x: x.view(t.int32).to(t.int64).bitwise_and(2**32 - 1).to(t.uint32))
    finite = lambda x: t.nan_to_num(x.double(), nan=0.0).clamp(-(2.0**31), 2.0**31 - 1).to(t.int32)  # noqa: E731
    yield same("f2i_sat32", lambda: [floats() * 1e6], finite)
    for d in (t.int8, t.int16, t.int32, t.int64):
        both = lambda d=d: [integers(d, 1), integers(d, 2)]  # noqa: E731
        label = f" {DTYPE_NAMES[ELEMENTS[str(d).removeprefix('torch.')]]}"
        yield same("floordiv_i", both, lambda a, b: t.div(a, b, rounding_mode="floor"), label)
        yield same("pymod_i", both, t.remainder, label)
        yield same("fmod_i", both, t.fmod, label)
        yield same("gcd_i", lambda d=d: [integers(d, 1, -99, 99), integers(d, 2, -99, 99)], t.gcd, label)
        powers = lambda d=d: [integers(d, 5, -9, 9), integers(d, 6, -3, 12)]  # noqa: E731
        yield same("pow_i", powers, integer_power, label)
        counts = lambda d=d: [integers(d, 3), integers(d, 4, -3, t.iinfo(d).bits + 3)]  # noqa: E731
        yield same("shl_i", counts, lambda a, b: shifted(a, b, True), label)
        yield same("shr_i", counts, lambda a, b: shifted(a, b, False), label)
    yield reduction("fmax_nan", with_nan, lambda x: x.amax(1))
    yield reduction("fmin_nan", with_nan, lambda x: x.amin(1))
    yield reduction("argmax_nan", with_nan, lambda x: x.argmax(1).to(t.int32))
    yield reduction("argmin_nan", with_nan, lambda x: x.argmin(1).to(t.int32))
    yield reduction("mul2", lambda: with_nan()[8:], lambda x: x.double().prod(1).float())
    yield reduction("add2", small_ints, lambda x: x.sum(1).to(t.int32))
    yield reduction("max2", small_ints, lambda x: x.amax(1))
    yield reduction("min2", small_ints, lambda x: x.amin(1))
    yield reduction("and2", small_ints, folded(lambda a, b: a & b))
    yield reduction("or2", small_ints, folded(lambda a, b: a | b))
    yield reduction("xor2", small_ints, folded(lambda a, b: a ^ b))
    yield same("unsortkey32", lambda: [apply("sortkey32", [floats() + 0.0], t.int32)], lambda k: floats() + 0.0)
    yield "sortpair32", stable
    yield "sortpair_i", stable_integers
    yield "sortpair_high", stable_integers
    yield "rint64", nearest_doubles
