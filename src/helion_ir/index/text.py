"""The printed form of index expressions; `dialects/index.py` parses it back."""

from __future__ import annotations

import functools

import sympy
from sympy import Expr, Symbol

from helion_ir.index.expr import And, CeilDiv, Eq, FloorDiv, IndexFunction, Le, Lt, Mod, Ne, Not, Or

BINARY: dict[type[Expr], int] = {Or: 1, And: 2, Eq: 4, Ne: 4, Lt: 4, Le: 4, FloorDiv: 20, CeilDiv: 20, Mod: 20}
"""Infix functions and their precedence; `+ -` are 10, `*` is 20, all left-associative."""


@functools.cache
def expr_text(e: Expr, precedence: int = 0) -> str:
    """Text of `e` in a fixed order, so that equal expressions print alike.

    >>> from helion_ir.index.expr import knob, symbol
    >>> expr_text(knob("bm") * symbol("pid") + FloorDiv(symbol("n"), knob("bm")))
    '@bm * pid + n floordiv @bm'
    """

    def wrap(text: str, own: int) -> str:
        return f"({text})" if own < precedence else text

    if e.is_Integer:
        return wrap(str(int(e)), 100 if int(e) >= 0 else 9)
    if isinstance(e, Symbol):
        return e.name
    if isinstance(e, sympy.Add):
        parts = sorted((_signed(t) for t in e.args), key=lambda p: (p[1].lstrip("-").isdigit(), p[0] < 0, p[1]))  # pyright: ignore
        first, *rest = parts
        text = ("-" if first[0] < 0 else "") + first[1]
        return wrap(text + "".join(f" {'-' if s < 0 else '+'} {t}" for s, t in rest), 10 if first[0] > 0 else 9)
    if isinstance(e, sympy.Mul):
        coefficient, rest = e.as_coeff_Mul()
        if coefficient.is_Rational and not coefficient.is_Integer:
            return wrap(f"{expr_text(coefficient.p * rest, 21)} floordiv {coefficient.q}", 20)  # pyright: ignore
        factors = sorted(expr_text(f, 21) for f in sympy.Mul.make_args(rest))  # pyright: ignore
        if coefficient == -1:
            return wrap("-" + " * ".join(factors), 9)
        if coefficient != 1:
            factors.append(expr_text(coefficient, 21))  # pyright: ignore
        return wrap(" * ".join(factors), 20)
    if isinstance(e, sympy.Pow) and e.exp.is_Integer and int(e.exp) > 0:
        return wrap(" * ".join([expr_text(e.base, 21)] * int(e.exp)), 20)  # pyright: ignore
    if isinstance(e, Not):
        return wrap(f"not {expr_text(e.args[0], 4)}", 3)  # pyright: ignore
    if (own := BINARY.get(type(e))) is not None:
        left, right = e.args
        return wrap(f"{expr_text(left, own)} {e.text} {expr_text(right, own + 1)}", own)  # pyright: ignore
    if isinstance(e, IndexFunction):
        return f"{e.text}({', '.join(expr_text(a) for a in e.args)})"  # pyright: ignore
    raise ValueError(f"not an index expression: {sympy.srepr(e)}")


def _signed(term: Expr) -> tuple[int, str]:
    coefficient, _ = term.as_coeff_Mul()
    return (-1, expr_text(-term, 11)) if coefficient.is_negative else (1, expr_text(term, 11))
