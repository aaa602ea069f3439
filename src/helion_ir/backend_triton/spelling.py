"""How types, constants and index expressions are spelled in Python text. All of it is cached: it runs once a line."""

from __future__ import annotations

import functools
import json
import keyword
import math
import re
from collections.abc import Sequence

import sympy
from sympy import Expr, Symbol
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.triton.types import PointerType
from helion_ir.dialects.types import NumberAttr, TileType, bf16, f8e4m3, f8e5m2, f16, f32, f64, is_float
from helion_ir.index.expr import (
    COMPARE,
    NONE,
    And,
    CeilDiv,
    FloorDiv,
    Max,
    Min,
    Mod,
    NextPow2,
    Not,
    Or,
    free_names,
    is_string,
)

_FLOATS: dict[Attribute, tuple[str, str]] = {
    f64: ("tl.float64", "fp64"),
    f32: ("tl.float32", "fp32"),
    f16: ("tl.float16", "fp16"),
    bf16: ("tl.bfloat16", "bf16"),
    f8e4m3: ("tl.float8e4nv", "fp8e4nv"),
    f8e5m2: ("tl.float8e5", "fp8e5"),
}

RESERVED = frozenset({"tl", "triton", "torch", "libdevice", "min", "max", "float", *keyword.kwlist})
"""Names that a value of a kernel may not have; the library's functions begin with `plain_`."""


@functools.cache
def dtype_text(element: Attribute) -> str:
    """An element type as an attribute of triton.language.

    >>> from helion_ir.dialects.types import bf16, u8
    >>> dtype_text(bf16), dtype_text(u8)
    ('tl.bfloat16', 'tl.uint8')
    """
    if element in _FLOATS:
        return _FLOATS[element][0]
    if isinstance(element, IntegerType):
        return f"tl.{'u' if _unsigned(element) else ''}int{element.width.data}"
    raise TritonPrintError(f"Triton has no element type {element}")


@functools.cache
def signature_text(type_: Attribute) -> str:
    """The type of a kernel's parameter in Triton's signatures: `*bf16`, `i32`.

    >>> from helion_ir.dialects.types import SCALAR_F32
    >>> signature_text(SCALAR_F32)
    'fp32'
    """
    element = type_.element_type if isinstance(type_, TileType) else type_
    if isinstance(element, PointerType):
        return "*" + signature_text(element.pointee)
    if element in _FLOATS:
        return _FLOATS[element][1]
    if isinstance(element, IntegerType):
        return f"{'u' if _unsigned(element) else 'i'}{element.width.data}"
    raise TritonPrintError(f"a kernel cannot take a parameter of type {type_}")


def _unsigned(element: IntegerType) -> bool:
    return element.signedness.data.name == "UNSIGNED"


@functools.cache
def number_text(value: NumberAttr, element: Attribute) -> str:
    """A constant of an element type; Python has no literal for infinities and NaN.

    >>> from helion_ir.dialects.types import f32
    >>> number_text(NumberAttr(-math.inf), f32), number_text(NumberAttr(2), f32)
    ('float("-inf")', '2.0')
    """
    data = float(value.data) if is_float(element) else value.data
    if isinstance(data, float) and not math.isfinite(data):
        return f'float("{data}")'
    return repr(data)


def literal_text(value: KnobValue) -> str:
    """A knob's value as Python.

    >>> literal_text("flat"), literal_text((1, 0)), literal_text(None)
    ('"flat"', '(1, 0)', 'None')
    """
    return json.dumps(value) if isinstance(value, str) else repr(value)


def argument_value(value: KnobValue) -> KnobValue:
    """A knob's value as a kernel's argument: Triton compares no tuples.

    >>> argument_value((1, 0)), argument_value(64)
    ('1,0', 64)
    """
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


@functools.cache
def identifier(hint: str) -> str:
    """A value's name hint as a Python name.

    >>> identifier("acc"), identifier("x.1"), identifier("in")
    ('acc', 'x_1', 'in_')
    """
    name = hint if hint.isidentifier() else re.sub(r"\W", "_", hint)
    return name + "_" if name in RESERVED else name


@functools.cache
def is_atom(text: str) -> bool:
    """Whether an expression can be an operand without parentheses.

    >>> is_atom("x.size(0)"), is_atom("a + b"), is_atom("-1")
    (True, False, False)
    """
    return re.fullmatch(r"[\w.]+(\([^()]*\))?", text) is not None


def call_text(function: str, arguments: Sequence[str], indent: str = "") -> str:
    """A call or a function's head, an argument a line where it is too long for one.

    >>> call_text("f", ["a", "b"])
    'f(a, b)'
    """
    text = f"{function}({', '.join(arguments)})"
    if len(indent) + len(text) <= _WIDTH:
        return text
    inner = f",\n{indent}    ".join(arguments)
    return f"{function}(\n{indent}    {inner},\n{indent})"


_WIDTH = 119
_INFIX: dict[type[Expr], tuple[str, int]] = {
    FloorDiv: ("//", 20),
    Mod: ("%", 20),
    **{kind: (text, 4) for kind, text in COMPARE.items()},
}
_OPERAND = re.compile(r"d\d+")
_PLACE = re.compile(r"{(\d+)}")


@functools.cache
def kernel_format(e: Expr, constexprs: frozenset[str], constant: bool = False) -> str:
    """An index expression in a kernel, operands left as `{0}`, `{1}`, … for `str.format`.

    `constexprs` are the names whose values Triton knows when it compiles: among them Python's own min, max and logic
    do, while tensors need Triton's. `constant`: the result must be known then too, as an extent must; Triton 3.6 calls
    `tl.cdiv` at run time.

    >>> from helion_ir.index.expr import operand, symbol
    >>> kernel_format(operand(0) * symbol("bm") + operand(1), frozenset({"bm"}))
    'bm * {0} + {1}'
    """
    return _Speller(constexprs, "" if constant else "tl.cdiv").text(e, 0)


@functools.cache
def host_text(e: Expr, names: tuple[tuple[str, str], ...] = ()) -> str:
    """An index expression in the host's function, its symbols replaced by Python expressions.

    >>> from helion_ir.index.expr import CeilDiv, symbol
    >>> host_text(CeilDiv(symbol("m"), symbol("n")), (("m", "x.size(0)"),))
    'triton.cdiv(x.size(0), n)'
    """
    return _Speller(free_names(e), "triton.cdiv", dict(names)).text(e, 0)


def _place(term: tuple[int, str, int]) -> tuple[bool, bool, int, str]:
    """Where a term of a sum stands, given its sign, text and precedence: by its last operand, constants at the end.

    Operands come in the order in which they are known, and sums are added from the left.
    """
    sign, text, _ = term
    return text.isdigit(), sign < 0, max(map(int, _PLACE.findall(text)), default=-1), text


class _Speller:
    def __init__(self, constexprs: frozenset[str], cdiv: str, rename: dict[str, str] | None = None):
        self.constexprs = constexprs
        self.cdiv = cdiv
        self.rename = rename or {}

    def text(self, e: Expr, outer: int) -> str:
        text, own = self.spell(e)
        return f"({text})" if own < outer else text

    def constant(self, e: Expr) -> bool:
        return free_names(e) <= self.constexprs

    def spell(self, e: Expr) -> tuple[str, int]:
        """The text, and the precedence of its outermost operator."""
        if e.is_Integer:
            return str(int(e)), 100 if int(e) >= 0 else 30
        if isinstance(e, Symbol):
            return self.symbol(e), 100
        if isinstance(e, sympy.Add):
            terms = sorted((self.term(t) for t in e.args), key=_place)  # pyright: ignore
            first, *rest = terms
            head = "-" + self.wrap(first[1], 30, first[2]) if first[0] < 0 else first[1]
            return head + "".join(f" {'-' if s < 0 else '+'} {self.wrap(t, 11, p)}" for s, t, p in rest), 10
        if isinstance(e, sympy.Mul):
            return self.product(e)
        if isinstance(e, sympy.Pow) and e.exp.is_Integer and int(e.exp) > 0:
            return " * ".join([self.text(e.base, 21)] * int(e.exp)), 20  # pyright: ignore
        args: tuple[Expr, ...] = e.args  # pyright: ignore
        if (infix := _INFIX.get(type(e))) is not None:
            # Comparisons do not associate in Python: a < b < c is another thing.
            sign, own = infix
            return f"{self.text(args[0], own + (own == 4))} {sign} {self.text(args[1], own + 1)}", own
        if isinstance(e, CeilDiv):
            if not self.cdiv:
                a, b = self.text(args[0], 10), self.text(args[1], 30)
                return f"({a} + {b} - 1) // {b}", 20
            return f"{self.cdiv}({self.list(args)})", 100
        if isinstance(e, NextPow2):
            # Triton's own gives 0 for 0, of which there is no tile.
            of = self.list(args) if self.cdiv != "triton.cdiv" else f"max({self.list(args)}, 1)"
            return f"triton.next_power_of_2({of})", 100
        if isinstance(e, Min | Max):
            kind = "min" if isinstance(e, Min) else "max"
            return f"{kind if self.constant(e) else f'tl.{kind}imum'}({self.list(args)})", 100
        if isinstance(e, Not):
            return (f"not {self.text(args[0], 3)}", 3) if self.constant(e) else (f"{self.text(args[0], 5)} == 0", 4)
        if isinstance(e, And | Or):
            word, own = ("and", 2) if isinstance(e, And) else ("or", 1)
            if not self.constant(e):
                word, own = ("&", 7) if isinstance(e, And) else ("|", 5)
            return f"{self.text(args[0], own)} {word} {self.text(args[1], own + 1)}", own
        raise TritonPrintError(f"not an index expression: {sympy.srepr(e)}")

    def symbol(self, e: Symbol) -> str:
        if is_string(e):
            return json.dumps(e.name[1:-1])
        if e is NONE:
            return "None"
        if e.name.startswith("@"):
            raise TritonPrintError(f"{e.name} is open: give the printer an assignment, or run materialize-config first")
        if (other := self.rename.get(e.name)) is not None:
            return other if is_atom(other) else f"({other})"
        return f"{{{e.name[1:]}}}" if _OPERAND.fullmatch(e.name) else e.name

    def list(self, args: tuple[Expr, ...]) -> str:
        return ", ".join(self.text(a, 0) for a in args)

    def wrap(self, text: str, outer: int, own: int) -> str:
        return f"({text})" if own < outer else text

    def term(self, e: Expr) -> tuple[int, str, int]:
        coefficient, _ = e.as_coeff_Mul()
        sign = -1 if coefficient.is_negative else 1
        return (sign, *self.spell(-e if sign < 0 else e))

    def product(self, e: Expr) -> tuple[str, int]:
        coefficient, rest = e.as_coeff_Mul()
        if coefficient.is_Rational and not coefficient.is_Integer:
            return f"{self.text(coefficient.p * rest, 20)} // {coefficient.q}", 20  # pyright: ignore
        factors = sorted(self.text(f, 21) for f in sympy.Mul.make_args(rest))  # pyright: ignore
        if coefficient == -1:
            return "-" + self.wrap(" * ".join(factors), 30, 20 if len(factors) > 1 else 100), 30
        if coefficient != 1:
            factors.append(self.text(coefficient, 21))  # pyright: ignore
        return " * ".join(factors), 20
