"""The functions that `triton.call` names: those of triton.language, of libdevice, and of our own library.

All compute as PyTorch does in the type of their arguments; how a device approximates them is not imitated.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

import torch

from helion_ir.interpreter.elementwise import divide, fmod, remainder
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.philox import random_words, uniform
from helion_ir.interpreter.views import flipped

Call = Callable[..., torch.Tensor]


def _numeric(on_floats: Call, on_others: Call) -> Call:
    return lambda a, b: (on_floats if a.dtype.is_floating_point else on_others)(a, b)


_larger = _numeric(torch.fmax, torch.maximum)
_smaller = _numeric(torch.fmin, torch.minimum)


def _half_away(x: torch.Tensor) -> torch.Tensor:
    """Rounding of halves away from zero, C's round."""
    whole = x.trunc()
    return torch.where((x - whole).abs() >= 0.5, whole + torch.copysign(torch.ones_like(x), x), whole)


def _cbrt(x: torch.Tensor) -> torch.Tensor:
    return torch.copysign(x.abs().double().pow(1 / 3), x.double()).to(x.dtype)


def _floordiv(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    quotient = divide(a, b)
    return torch.where((b != 0) & (quotient * b != a) & ((a < 0) != (b < 0)), quotient - 1, quotient)


def _clamped(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    return _smaller(_larger(x, low), high)


def _saturated(dtype: torch.dtype) -> Call:
    def convert(x: torch.Tensor) -> torch.Tensor:
        limits = torch.iinfo(dtype)
        whole = torch.nan_to_num(x.double(), nan=0.0, posinf=torch.inf, neginf=-torch.inf).trunc()
        inside = whole.clamp(float(limits.min), float(limits.max))
        # The greatest int64 is no double: lanes above are set apart.
        exact = torch.where(whole >= float(limits.max), 0.0, inside).to(dtype)
        return torch.where(whole >= float(limits.max), limits.max, exact)

    return convert


def _to_e4m3(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(-448.0, 448.0).to(torch.float8_e4m3fn)


def _sortkey(x: torch.Tensor) -> torch.Tensor:
    bits = (x + 0.0).view(torch.int32)
    return torch.where(x.isnan(), 2147483647, bits ^ ((bits >> 31) & 0x7FFFFFFF))


def _unsortkey(k: torch.Tensor) -> torch.Tensor:
    bits = k ^ ((k >> 31) & 0x7FFFFFFF)
    return torch.where(k == 2147483647, torch.nan, bits.view(torch.float32))


def _gather(x: torch.Tensor, index: torch.Tensor, axis: int) -> torch.Tensor:
    # Inactive lanes may hold any index, and which those are is not known here.
    return torch.gather(x, axis, index.long().clamp(0, x.shape[axis] - 1))


def _sortpair(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    return (_sortkey(x).long() << 32) | (position.long() & 0xFFFFFFFF)


def _umulhi(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return ((a.long() & 0xFFFFFFFF) * (b.long() & 0xFFFFFFFF) >> 32).to(a.dtype)


_MATH: dict[str, Call] = {
    "abs": torch.abs, "acos": torch.acos, "acosh": torch.acosh, "asin": torch.asin, "asinh": torch.asinh,
    "atan": torch.atan, "atan2": torch.atan2, "atanh": torch.atanh, "cbrt": _cbrt, "ceil": torch.ceil,
    "copysign": torch.copysign, "cos": torch.cos, "cosh": torch.cosh, "cyl_bessel_i0": torch.i0,
    "cyl_bessel_i1": torch.special.i1, "digamma": torch.digamma, "div_rn": torch.div, "erf": torch.erf,
    "erfc": torch.erfc, "erfinv": torch.erfinv, "exp": torch.exp, "exp2": torch.exp2,
    "exp10": lambda x: torch.pow(10.0, x), "expm1": torch.expm1, "fabs": torch.abs, "fast_expf": torch.exp,
    "fast_logf": torch.log, "fast_tanhf": torch.tanh, "fast_sinf": torch.sin, "fast_cosf": torch.cos,
    "fast_dividef": torch.div, "fdiv": torch.div, "floor": torch.floor, "fma": lambda a, b, c: _fma(a, b, c),
    "fmax": torch.fmax, "fmin": torch.fmin, "fmod": fmod, "gcd": torch.gcd, "hypot": torch.hypot,
    "i0": torch.i0, "i1": torch.special.i1, "isinf": torch.isinf, "isinfd": torch.isinf, "isnan": torch.isnan,
    "isfinite": torch.isfinite, "finitef": torch.isfinite, "ldexp": torch.ldexp, "lgamma": torch.lgamma,
    "log": torch.log, "log10": torch.log10, "log1p": torch.log1p, "log2": torch.log2, "nearbyint": torch.round,
    "nextafter": torch.nextafter, "pow": torch.pow, "powf": torch.pow, "powi": torch.pow, "rcp_rn": torch.reciprocal,
    "reciprocal": torch.reciprocal, "remainder": lambda a, b: a - b * torch.round(a / b), "rint": torch.round,
    "round": _half_away, "rsqrt": torch.rsqrt, "sigmoid": torch.sigmoid, "sign": torch.sign,
    "signbit": torch.signbit, "signbitf": torch.signbit, "sin": torch.sin, "sinh": torch.sinh, "sqrt": torch.sqrt,
    "sqrt_rn": torch.sqrt, "tan": torch.tan, "tanh": torch.tanh, "tgamma": lambda x: _tgamma(x),
    "trunc": torch.trunc,
}  # fmt: skip
"""Functions by the names of libdevice, most of which triton.language and our library share."""


def _fma(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    if a.dtype in (torch.float64,) or not a.dtype.is_floating_point:
        return a * b + c
    # A product of two f32 is exact in f64, so that only the sum and the last step round.
    return (a.double() * b.double() + c.double()).to(a.dtype)


def _tgamma(x: torch.Tensor) -> torch.Tensor:
    wide = x.double()
    sign = torch.where((wide < 0) & (wide.floor().remainder(2.0) != 0), -1.0, 1.0)
    return (sign * torch.exp(torch.lgamma(wide))).to(x.dtype)


def _first(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
    return x


def _max_nan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.maximum(a, b)


def _min_nan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.minimum(a, b)


_TL: dict[str, Call] = {
    "cdiv": lambda a, b: -_floordiv(-a, b),
    "clamp": _clamped,
    "flip": lambda x, dim=None: flipped(x, (int(dim) if dim is not None else x.ndim - 1,)),
    "gather": lambda x, index, axis: _gather(x, index, int(axis)),
    "max_contiguous": _first,
    "max_constancy": _first,
    "maximum": _larger,
    "minimum": _smaller,
    "multiple_of": _first,
    "rand": lambda seed, offset, n_rounds=10: uniform(random_words(seed, offset)),
    "randint": lambda seed, offset, n_rounds=10: random_words(seed, offset).to(torch.int32),
    "ravel": lambda x: x.reshape(-1),
    "sort": lambda x, dim=None, descending=False: torch.sort(x, -1, descending=bool(descending)).values,
    "trans": lambda x, *order: x.permute([int(i) for i in order]) if order else x.transpose(-1, -2),
    "umulhi": _umulhi,
    "where": torch.where,
    "interleave": lambda a, b: torch.stack([a, b], -1).flatten(-2),
    "cat": lambda a, b, can_reorder=True, dim=0: torch.cat([a, b], int(dim)),
    "zeros_like": torch.zeros_like,
}

_PLAIN: dict[str, Call] = {
    "add2": torch.add,
    "and2": torch.bitwise_and,
    "bitcast": _first,
    "div_floor_f32": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "div_trunc_f32": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "f2i_sat32": _saturated(torch.int32),
    "f2i_sat64": _saturated(torch.int64),
    "floordiv_i": _floordiv,
    "fmax_nan": _max_nan,
    "fmin_nan": _min_nan,
    "from_bf16": lambda x: x.to(torch.float32),
    "from_e4m3": lambda x: x.to(torch.float32),
    "from_e5m2": lambda x: x.to(torch.float32),
    "max2": _max_nan,
    "min2": _min_nan,
    "mul2": torch.mul,
    "neg32": torch.neg,
    "or2": torch.bitwise_or,
    "pymod_i": remainder,
    "rem_f32": torch.remainder,
    "shl_i": torch.bitwise_left_shift,
    "shr_i": torch.bitwise_right_shift,
    "sortkey32": _sortkey,
    "sortpair32": _sortpair,
    "sortpair_i": lambda x, position: (x << 32) | (position.long() & 0xFFFFFFFF),
    "sortpair_high": lambda pair: pair >> 32,
    "sortpair_position": lambda pair: pair & 0xFFFFFFFF,
    "sortpair_value": lambda pair: _unsortkey((pair >> 32).to(torch.int32)),
    "to_bf16_rne": lambda x: x.to(torch.bfloat16),
    "to_e4m3": _to_e4m3,
    "to_e5m2": lambda x: x.to(torch.float8_e5m2),
    "unsortkey32": _unsortkey,
    "xor2": torch.bitwise_xor,
    "random_word": lambda seed, offset, word: random_words(seed, offset, word).to(torch.int32),
    "rand": lambda seed, offset: uniform(random_words(seed, offset)),
    "randint": lambda seed, offset: random_words(seed, offset).to(torch.int32),
}

# Our library has versions of a function by the width of the arithmetic inside: tanh_32, tanh_64, rint32, fmod_bits.
_VERSION = re.compile(r"_?(32|64|f32|f64|bits|i|rne|rn)$")


@functools.cache
def _named(callee: str) -> Call | None:
    library, _, name = callee.partition(".")
    own = {"tl": _TL, "libdevice": {}, "plain": _PLAIN}.get(library)
    if own is None:
        return None
    if (name := name.removeprefix("math.").removeprefix("extra.")) in own:
        return own[name]
    if name in _MATH:
        return _MATH[name]
    if library == "plain" and (shorter := _VERSION.sub("", name)) != name:
        return _PLAIN.get(shorter) or _MATH.get(shorter)
    return None


def resolve(callee: str, keywords: Mapping[str, str]) -> Call:
    """The function of tensors that a callee names. Raises InterpreterError for a callee it does not know.

    >>> resolve("libdevice.tanh", {})(torch.ones(1))
    tensor([0.7616])
    """
    function = _named(callee)
    if function is None:
        raise InterpreterError(f"the interpreter knows no function named {callee}")
    known = dict(keywords)
    if known.pop("propagate_nan", "").endswith("ALL"):
        function = {_larger: torch.maximum, _smaller: torch.minimum}.get(function, function)
    for accuracy in ("ieee_rounding", "_semantic", "can_reorder", "n_rounds"):
        known.pop(accuracy, None)
    if not known:
        return function
    values = {key: _literal(text) for key, text in known.items()}
    return lambda *tensors: function(*tensors, **values)


def _literal(text: str) -> bool | int | float | None:
    named = {"True": True, "False": False, "None": None}
    if text in named:
        return named[text]
    try:
        return float(text) if re.search(r"[.einf]", text) else int(text)
    except ValueError:
        raise InterpreterError(f"the interpreter cannot evaluate the keyword {text!r}") from None


def combine_function(name: str) -> Call:
    """The binary function of a reduction or scan."""
    aliases = {"tl.sum": torch.add, "tl.xor_sum": torch.bitwise_xor, "tl.max": _larger, "tl.min": _smaller}
    return aliases.get(name) or resolve(name, {})
