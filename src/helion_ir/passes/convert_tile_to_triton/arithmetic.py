"""Elementwise ops, each spelled so that it is right on every target and in Triton's interpreter.

The tables give (with libdevice, without). `plain.` functions are backend_triton's own, from plain `tl` ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
)
from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.tile import elementwise as tile
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import (
    EMULATED_FLOATS,
    NARROW_FLOATS,
    TileType,
    bit_width,
    f32,
    f64,
    i1,
    i32,
    i64,
    is_float,
    tile_type,
    u32,
)
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers

FUNCTIONS: dict[type[tile.ElementwiseOp], tuple[str, str]] = {
    tile.AcosOp: ("libdevice.acos", "plain.acos_64"),
    tile.AcoshOp: ("libdevice.acosh", "plain.acosh_64"),
    tile.AsinOp: ("libdevice.asin", "plain.asin_64"),
    tile.AsinhOp: ("libdevice.asinh", "plain.asinh_64"),
    tile.AtanOp: ("libdevice.atan", "plain.atan_64"),
    tile.AtanhOp: ("libdevice.atanh", "plain.atanh_64"),
    tile.CeilOp: ("tl.ceil", "tl.ceil"),
    tile.CosOp: ("tl.cos", "tl.cos"),
    tile.DigammaOp: ("plain.digamma_64", "plain.digamma_64"),
    tile.CoshOp: ("libdevice.cosh", "plain.cosh_64"),
    tile.ErfOp: ("tl.erf", "tl.erf"),
    tile.ErfcOp: ("libdevice.erfc", "plain.erfc_64"),
    tile.ErfinvOp: ("libdevice.erfinv", "plain.erfinv_64"),
    tile.ExpOp: ("libdevice.exp", "tl.exp"),
    tile.Exp2Op: ("tl.exp2", "tl.exp2"),
    tile.Expm1Op: ("libdevice.expm1", "plain.expm1_64"),
    tile.FloorOp: ("tl.floor", "tl.floor"),
    tile.I0Op: ("libdevice.cyl_bessel_i0", "plain.i0_64"),
    tile.I1Op: ("libdevice.cyl_bessel_i1", "plain.i1_64"),
    tile.LgammaOp: ("libdevice.lgamma", "plain.lgamma_64"),
    tile.LogOp: ("tl.log", "tl.log"),
    tile.Log10Op: ("libdevice.log10", "plain.log10_64"),
    tile.Log1pOp: ("libdevice.log1p", "plain.log1p_64"),
    tile.Log2Op: ("tl.log2", "tl.log2"),
    tile.RsqrtOp: ("tl.rsqrt", "tl.rsqrt"),
    tile.SinOp: ("tl.sin", "tl.sin"),
    tile.SinhOp: ("libdevice.sinh", "plain.sinh_64"),
    tile.TanOp: ("libdevice.tan", "plain.tan_64"),
    tile.TanhOp: ("libdevice.tanh", "plain.tanh_64"),
    tile.Atan2Op: ("libdevice.atan2", "plain.atan2_64"),
    tile.CopysignOp: ("libdevice.copysign", "plain.copysign32"),
    tile.HypotOp: ("libdevice.hypot", "plain.hypot_64"),
    tile.NextafterOp: ("libdevice.nextafter", "plain.nextafter32"),
    tile.PowOp: ("libdevice.pow", "plain.pow_64"),
    tile.FmodOp: ("libdevice.fmod", "plain.fmod_bits"),
}

APPROXIMATIONS: dict[type[tile.ElementwiseOp], str] = {tile.ExpOp: "tl.exp", tile.SqrtOp: "tl.sqrt"}
"""Of f32, by the instructions that the hardware has; `/` is one as it is."""

INTEGER_OPERATORS: dict[type[tile.ElementwiseOp], str] = {
    tile.AddOp: "+", tile.SubOp: "-", tile.MulOp: "*", tile.BitwiseAndOp: "&", tile.BitwiseOrOp: "|", tile.BitwiseXorOp: "^",
}  # fmt: skip
BOOLEAN_OPERATORS = {tile.AddOp: "|", tile.MulOp: "&", tile.SubOp: "^", tile.MaximumOp: "|", tile.MinimumOp: "&"}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _result(op: tile.ElementwiseOp) -> Attribute:
    type_ = op.results[0].type
    assert isinstance(type_, TileType)
    return type_.element_type


def _element(op: tile.ElementwiseOp) -> Attribute:
    """The type that the result is computed in: f32 for narrower floats, since Triton's functions take f32 and f64 only,
    devices would round in between, and the interpreter computes with the bits of some of them."""
    element = _result(op)
    return f32 if type(element) in NARROW_FLOATS else element


def _operands(lower: Lowering, op: tile.ElementwiseOp) -> list[SSAValue]:
    return [to_element(lower, x, f32) if type(_of(x)) in NARROW_FLOATS else x for x in map(lower.get, op.operands)]


def _of(x: SSAValue) -> Attribute:
    assert isinstance(x.type, TileType)
    return x.type.element_type


def unsigned(element: Attribute) -> bool:
    """Whether a type is of integers without a sign."""
    return isinstance(element, IntegerType) and element.signedness.data.name == "UNSIGNED"


def computes(*ops: type[tile.ElementwiseOp]) -> Callable[[Callable], Callable]:
    """As `lowers`, for a function that gives the result in the type it is computed in."""

    def register(function: Callable) -> Callable:
        @lowers(*ops)
        def rounded(lower: Lowering, op: tile.ElementwiseOp) -> Sequence[SSAValue]:
            return [to_element(lower, x, _result(op)) for x in function(lower, op)]

        return function

    return register


@computes(*FUNCTIONS)
def function(lower: Lowering, op: tile.ElementwiseOp) -> Sequence[SSAValue]:
    operands, element = _operands(lower, op), _element(op)
    if not is_float(element):  # those of integers; others, such as floor, leave them as they are
        callee = {tile.FmodOp: "plain.fmod_i", tile.PowOp: "plain.pow_i"}.get(type(op))
        return (lower.call(callee, operands),) if callee else operands[:1]
    if element == f64 and isinstance(op, tile.FmodOp) and not lower.target.libdevice:
        return (lower.binary("%", operands[0], operands[1]),)  # exact where Triton interprets
    if isinstance(op, tile.ApproximableOp) and op.approximate is not None:
        return (lower.call(APPROXIMATIONS[type(op)], operands),)
    return (lower.call(FUNCTIONS[type(op)][0 if lower.target.libdevice else 1], operands),)


@computes(tile.GcdOp)
def gcd(lower: Lowering, op: tile.GcdOp) -> Sequence[SSAValue]:
    return (lower.call("plain.gcd_i", _operands(lower, op)),)


@computes(*INTEGER_OPERATORS)
def operator(lower: Lowering, op: tile.ElementwiseOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    if _element(op) == i1 and type(op) in BOOLEAN_OPERATORS:  # i1 + i1 is exclusive or on a device
        return (lower.binary(BOOLEAN_OPERATORS[type(op)], lhs, rhs),)
    return (lower.binary(INTEGER_OPERATORS[type(op)], lhs, rhs),)


@computes(tile.DivOp)
def divide(lower: Lowering, op: tile.DivOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    element = _element(op)
    if element == f32 and op.approximate is None:
        return (lower.call("tl.div_rn", [lhs, rhs]),)  # `/` is off by 2 ulp
    return (lower.binary("/" if is_float(element) else "//", lhs, rhs),)


@computes(tile.ReciprocalOp)
def reciprocal(lower: Lowering, op: tile.ReciprocalOp) -> Sequence[SSAValue]:
    (x,) = _operands(lower, op)
    one = lower.full(1, x)
    exact = _element(op) == f32 and op.approximate is None
    return (lower.call("tl.div_rn", [one, x]) if exact else lower.binary("/", one, x),)


@computes(tile.RemainderOp)
def remainder(lower: Lowering, op: tile.RemainderOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    if not is_float(_element(op)):
        return (lower.call("plain.pymod_i", [lhs, rhs]),)  # Triton's % has the dividend's sign
    if lower.target.libdevice:
        left = lower.call("libdevice.fmod", [lhs, rhs])
    elif _element(op) == f64:
        left = lower.binary("%", lhs, rhs)
    else:
        return (lower.call("plain.rem_f32", [lhs, rhs]),)
    zero = lower.full(0, left)
    signs = lower.binary("!=", lower.binary("<", left, zero, i1), lower.binary("<", rhs, zero, i1))
    wrong = lower.binary("&", lower.binary("!=", left, zero, i1), signs)
    return (lower.call("tl.where", [wrong, lower.binary("+", left, rhs), left], _element(op)),)


@computes(tile.SqrtOp)
def square_root(lower: Lowering, op: tile.SqrtOp) -> Sequence[SSAValue]:
    exact = _element(op) == f32 and op.approximate is None
    return (lower.call("tl.sqrt_rn" if exact else APPROXIMATIONS[tile.SqrtOp], _operands(lower, op)),)


@computes(tile.AbsOp)
def absolute(lower: Lowering, op: tile.AbsOp) -> Sequence[SSAValue]:
    return (lower.call("tl.abs", _operands(lower, op)),)


@computes(tile.NegOp)
def negate(lower: Lowering, op: tile.NegOp) -> Sequence[SSAValue]:
    (x,) = _operands(lower, op)
    if is_float(_element(op)):  # -x is 0 - x up to Triton 3.7, which loses the sign of zero
        return (lower.binary("*", x, lower.full(-1, x)),)
    return (lower.add(triton.UnaryOp("-", x)),)


@computes(tile.BitwiseNotOp)
def complement(lower: Lowering, op: tile.BitwiseNotOp) -> Sequence[SSAValue]:
    x = lower.get(op.operand)
    if _element(op) == i1:
        return (lower.binary("==", x, lower.full(0, x)),)
    element = _element(op)
    if unsigned(element):
        # ~x is x ^ -1 to Triton's interpreter, and -1 is no unsigned integer.
        return (lower.binary("^", x, lower.full((1 << bit_width(element)) - 1, x)),)
    return (lower.add(triton.UnaryOp("~", x)),)


@computes(tile.SignOp)
def sign(lower: Lowering, op: tile.SignOp) -> Sequence[SSAValue]:
    (x,) = _operands(lower, op)
    if _element(op) == i1:
        return (x,)
    element, zero = _element(op), lower.full(0, x)
    above = to_element(lower, lower.binary(">", x, zero, i1), element)
    below = to_element(lower, lower.binary("<", x, zero, i1), element)
    return (lower.binary("-", above, below),)


@lowers(tile.SignbitOp)
def sign_bit(lower: Lowering, op: tile.SignbitOp) -> Sequence[SSAValue]:
    x = lower.get(op.operand)
    assert isinstance(x.type, TileType)
    if is_float(x.type.element_type):
        bits = IntegerType(bit_width(x.type.element_type))
        x = lower.add(triton.BitcastOp(x, bits))
    return (lower.binary("<", x, lower.full(0, x), i1),)


@computes(tile.RoundOp)
def nearest(lower: Lowering, op: tile.RoundOp) -> Sequence[SSAValue]:
    operands = _operands(lower, op)
    if not is_float(_element(op)):
        return operands
    # libdevice.round is half away from zero, and rint is missing on AMD in Triton 3.6.
    if _element(op) != f64:
        return (lower.call("plain.rint32", operands),)
    return (lower.call("libdevice.nearbyint" if lower.target.libdevice else "plain.rint64", operands),)


@computes(tile.TruncOp)
def truncate(lower: Lowering, op: tile.TruncOp) -> Sequence[SSAValue]:
    operands = _operands(lower, op)
    if not is_float(_element(op)):
        return operands
    return (lower.call("libdevice.trunc" if lower.target.libdevice else "plain.trunc32", operands),)


@computes(tile.MaximumOp, tile.MinimumOp)
def extremum(lower: Lowering, op: tile.BinaryOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    if _element(op) == i1:
        return (lower.binary(BOOLEAN_OPERATORS[type(op)], lhs, rhs),)
    callee = "tl.maximum" if isinstance(op, tile.MaximumOp) else "tl.minimum"
    return (lower.call(callee, [lhs, rhs], propagate_nan="tl.PropagateNan.ALL"),)


@computes(tile.FmaxOp, tile.FminOp)
def extremum_of_numbers(lower: Lowering, op: tile.BinaryOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    wins = lower.binary(">" if isinstance(op, tile.FmaxOp) else "<", lhs, rhs, i1)
    if is_float(_element(op)):  # the second operand is no number
        wins = lower.binary("|", lower.binary("!=", rhs, rhs, i1), wins)
    return (lower.call("tl.where", [wins, lhs, rhs], _element(op)),)


@computes(tile.ShiftLeftOp, tile.ShiftRightOp)
def shift(lower: Lowering, op: tile.BinaryOp) -> Sequence[SSAValue]:
    """Shifts of as many bits as there are, or more, differ between devices."""
    x, count = _operands(lower, op)
    element = _element(op)
    width = bit_width(element)
    zero, limit, most = lower.full(0, count), lower.full(width, count), lower.full(width - 1, count)
    legal = lower.binary("&", lower.binary(">=", count, zero, i1), lower.binary("<", count, limit, i1))
    if isinstance(op, tile.ShiftLeftOp):
        shifted = lower.binary("<<", x, lower.binary("&", count, most))
        return (lower.call("tl.where", [legal, shifted, lower.full(0, x)], element),)
    safe = lower.call("tl.where", [legal, count, most], element)
    shifted = lower.binary(">>", x, safe)
    if unsigned(element):  # of signed integers the sign is left
        shifted = lower.call("tl.where", [legal, shifted, lower.full(0, x)], element)
    return (shifted,)


@lowers(tile.CompareOp)
def compare(lower: Lowering, op: tile.CompareOp) -> Sequence[SSAValue]:
    lhs, rhs = _operands(lower, op)
    return (lower.binary(COMPARISONS[op.predicate.data], lhs, rhs, i1),)


@lowers(tile.WhereOp)
def where(lower: Lowering, op: tile.WhereOp) -> Sequence[SSAValue]:
    return (lower.call("tl.where", [lower.get(x) for x in op.operands], _result(op)),)


@lowers(tile.BitcastOp)
def bitcast(lower: Lowering, op: tile.BitcastOp) -> Sequence[SSAValue]:
    return (lower.add(triton.BitcastOp(lower.get(op.operand), _result(op))),)


@lowers(tile.CastOp)
def cast(lower: Lowering, op: tile.CastOp) -> Sequence[SSAValue]:
    return (to_element(lower, lower.get(op.operand), _result(op)),)


EIGHT_BITS = frozenset([Float8E4M3FNType, Float8E5M2Type])
ROUNDED = {BFloat16Type: "plain.to_bf16_rne", Float8E4M3FNType: "plain.to_e4m3"}
READ = {Float8E4M3FNType: "plain.from_e4m3", Float8E5M2Type: "plain.from_e5m2"}


def to_element(lower: Lowering, x: SSAValue, element: Attribute) -> SSAValue:
    """A value converted as PyTorch does it, by the casts that are exact everywhere."""
    assert isinstance(x.type, TileType)
    if x.type.element_type == element:
        return x
    source, wanted = type(x.type.element_type), type(element)  # floats are told apart by their classes
    if element == i1:
        if source in EMULATED_FLOATS:
            x = to_element(lower, x, f32)
        return lower.binary("!=", x, lower.full(0, x), i1)
    if source in READ and not lower.target.rounds_bf16:
        x = lower.add(triton.CallOp(READ[source], [x], tile_type(x.type.dims, f32), {}))
        return to_element(lower, x, element)
    if wanted in NARROW_FLOATS:
        if source is not Float32Type and (source is not Float16Type or wanted in EIGHT_BITS):
            x = to_element(lower, x, f32)  # casts from f64 and from integers go wrong or fail
        if wanted is Float8E5M2Type:  # a device saturates where PyTorch overflows to infinity
            return lower.call("plain.to_e5m2", [x], element)
        if wanted in ROUNDED and not lower.target.rounds_bf16:
            return lower.call(ROUNDED[wanted], [to_element(lower, x, f32)], element)
        return lower.cast(x, element)
    from_float = is_float(x.type.element_type)
    if from_float and isinstance(element, IntegerType) and element.width.data < 32:
        wide = lower.cast(to_element(lower, x, f32) if source is not Float64Type else x, i32)
        return lower.cast(wide, element)
    if from_float and element == u32:  # a device would make 0 of negative numbers
        return lower.cast(lower.cast(to_element(lower, x, f32) if source is not Float64Type else x, i64), element)
    if source in EMULATED_FLOATS and wanted is not Float32Type:
        x = lower.cast(x, f32)
    return lower.cast(x, element)
