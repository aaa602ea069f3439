"""Index expressions over a call's integers as Python, for guards that are evaluated on every call."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, Integer, Symbol

from helion_ir.index.expr import CeilDiv, FloorDiv, Max, Min, Mod


def host_text(e: Expr, texts: Mapping[str, str]) -> str | None:
    """`e` as a Python expression, its symbols replaced by texts; None where one has none, such as a knob.

    >>> from helion_ir.index.expr import symbol
    >>> host_text(CeilDiv(symbol("m"), 4 * symbol("n")), {"m": "x.size(0)", "n": "k"})
    '-(-x.size(0) // (4 * k))'
    """
    if e.is_Integer:
        return str(int(e)) if e >= 0 else f"({int(e)})"  # pyright: ignore
    if isinstance(e, Symbol):
        return texts.get(e.name)
    parts = [host_text(a, texts) for a in e.args]  # pyright: ignore
    if None in parts:
        return None
    match e:
        case sympy.Add():
            return f"({' + '.join(sorted(parts))})"  # pyright: ignore
        case sympy.Mul():
            return f"({' * '.join(sorted(parts))})"  # pyright: ignore
        case sympy.Pow():
            return f"{parts[0]} ** {parts[1]}"
        case FloorDiv():
            return f"({parts[0]} // {parts[1]})"
        case CeilDiv():
            return f"-(-{parts[0]} // {parts[1]})"
        case Mod():
            return f"({parts[0]} % {parts[1]})"
        case Min() | Max():
            return f"{e.text}({parts[0]}, {parts[1]})"
    return None


def upper_bound(e: Expr) -> Expr:
    """Something `e` does not exceed, without block sizes where they only divide; all symbols count as at least 0.

    >>> from helion_ir.index.expr import knob, symbol
    >>> upper_bound(CeilDiv(symbol("m"), knob("bm")) * symbol("n") - 1)
    m*n
    """
    if isinstance(e, sympy.Add):
        terms = [upper_bound(t) for t in e.args if not t.as_coeff_Mul()[0].is_negative]  # pyright: ignore
        return sympy.Add(*terms)
    if isinstance(e, sympy.Mul | sympy.Pow):
        return e.func(*[upper_bound(a) for a in e.args])  # pyright: ignore
    if isinstance(e, CeilDiv | FloorDiv):
        return upper_bound(e.args[0])  # pyright: ignore
    return Max(*[upper_bound(a) for a in e.args]) if isinstance(e, Max) else e  # pyright: ignore


def last_offset(dims: tuple[Expr, ...], strides: tuple[Expr, ...]) -> Expr:
    """The offset of a tensor's last element; meaningless where it has none."""
    return sympy.expand(sum(((d - 1) * without_empty(s) for d, s in zip(dims, strides)), Integer(0)))


def without_empty(stride: Expr) -> Expr:
    """A stride without the `max(1, n)` that PyTorch has for tensors without elements."""
    if isinstance(stride, Max) and stride.args[0] == 1:
        return stride.args[1]  # pyright: ignore
    return stride.func(*[without_empty(a) for a in stride.args]) if stride.args else stride  # pyright: ignore
