"""Quotients and remainders of sizes that may be negative.

An index expression's `floordiv` and `mod` round as Python's do, and are printed as `//` and `%`, which on a device round
toward zero. Sizes are never negative; an integer argument may be, and the difference of two sizes. Of those, divisions
are ops of the kernel, which are lowered with Python's signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.ir import SSAValue

from helion_ir.dialects.tile.binary import AddOp, DivOp, RemainderOp, SubOp
from helion_ir.dialects.tile.elementwise import CastOp
from helion_ir.dialects.tile.unary import NegOp
from helion_ir.dialects.types import i64
from helion_ir.frontend import polynomial
from helion_ir.frontend.polynomial import Atom, Poly

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture

_DIVISIONS = ("floordiv", "ceildiv", "mod")


def divides_negative(poly: Poly) -> bool:
    """Whether a size has a quotient or remainder of what may be negative, and is no matter of the configuration alone,
    which Python computes."""
    return any(_divides_negative(a) for a in poly.atoms() if a.function)


def _divides_negative(atom: Atom) -> bool:
    if any(divides_negative(a) for a in atom.args):
        return True
    negative = any(polynomial.bounds(a)[0] < 0 for a in atom.args)
    return negative and atom.function in _DIVISIONS and not all(_configured(a) for a in atom.args)


def _configured(poly: Poly) -> bool:
    return all(all(_configured(x) for x in a.args) if a.function else a.text.startswith("@") for a in poly.atoms())


def with_signs(cap: Capture, poly: Poly, operands: list[SSAValue]) -> Poly:
    """The size over `d0, d1, …`, which are appended to `operands`, in the place of such quotients and remainders."""
    out = Poly({})
    for factors, coefficient in poly.terms.items():
        term = Poly.const(coefficient)
        for atom in factors:
            term = term * _with_signs(cap, atom, operands)
        out = out + term
    return out


def _with_signs(cap: Capture, atom: Atom, operands: list[SSAValue]) -> Poly:
    if not atom.function or not divides_negative(Poly.atom(atom)):
        return Poly.atom(atom)
    if atom.function not in _DIVISIONS:
        return polynomial.FUNCTIONS[atom.function](*[with_signs(cap, a, operands) for a in atom.args])
    over, by = (cap.size(a) for a in atom.args)
    if over.type != by.type:
        over, by = (cap.emit(CastOp(v, i64)) for v in (over, by))
    if atom.function == "mod":
        value = cap.emit(RemainderOp(over, by))
    elif atom.function == "floordiv":
        value = cap.emit(DivOp(cap.emit(SubOp(over, cap.emit(RemainderOp(over, by)))), by))
    else:
        rest = cap.emit(RemainderOp(cap.emit(NegOp(over)), by))
        value = cap.emit(DivOp(cap.emit(AddOp(over, rest)), by))
    operands.append(value)
    low, high = polynomial.atom_bounds(atom, 1)
    return Poly.atom(Atom("", name=f"d{len(operands) - 1}", bounds=(int(low), int(high))))
