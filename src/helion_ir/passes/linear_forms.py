"""Tiles of integers as linear forms of ranges and scalars: `i - j + 3` of `rows.index[:, None] - columns.index + 3`."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import TileType

VIEWS = (compute.ReshapeOp, compute.BroadcastOp, compute.PermuteOp)
"""Ops that move elements and leave them as they are."""


@dataclass(frozen=True)
class LinearForm:
    """`constant + sum(coefficient * source)`: a source is a range, for its indices lane by lane, or a scalar.

    The constant is an expression over knobs and the kernel's scalar parameters.
    """

    constant: Expr
    terms: tuple[tuple[SSAValue, int], ...] = ()

    def plus(self, other: LinearForm, times: int = 1) -> LinearForm:
        """The sum with a multiple of another form; terms that cancel go."""
        sums = dict(self.terms)
        for source, coefficient in other.terms:
            sums[source] = sums.get(source, 0) + coefficient * times
        return LinearForm(self.constant + other.constant * times, tuple((s, c) for s, c in sums.items() if c))

    def coefficient(self, source: SSAValue) -> int:
        return dict(self.terms).get(source, 0)

    def without(self, source: SSAValue) -> LinearForm:
        return LinearForm(self.constant, tuple(t for t in self.terms if t[0] is not source))


def number_form(number: int) -> LinearForm:
    return LinearForm(Integer(number))


def linear_form(value: SSAValue) -> LinearForm | None:
    """A tile of integers, or a scalar, as a linear form; None where an op in it is not linear.

    Sums are taken to stay within their type, as the addresses made of them have to.
    """
    owner, type_ = value.owner, value.type
    if not isinstance(type_, TileType) or not isinstance(type_.element_type, IntegerType):
        return None
    if not isinstance(owner, Operation):
        return LinearForm(Integer(0), ((value, 1),)) if type_.rank == 0 else None
    match owner:
        case control.IndexOp():
            return _indices(owner.range)
        case compute.FullOp():
            return number_form(int(owner.value.data))
        case ApplyOp() if not owner.arguments:
            return LinearForm(owner.expr.data)
        case elementwise.AddOp() | elementwise.SubOp():
            lhs, rhs = linear_form(owner.lhs), linear_form(owner.rhs)
            return lhs and rhs and lhs.plus(rhs, 1 if isinstance(owner, elementwise.AddOp) else -1)
        case elementwise.MulOp():
            lhs, rhs = linear_form(owner.lhs), linear_form(owner.rhs)
            if lhs is None or rhs is None:
                return None
            for form, factor in ((lhs, rhs), (rhs, lhs)):
                if not factor.terms and factor.constant.is_Integer:
                    return number_form(0).plus(form, int(factor.constant))
            return None
        case elementwise.NegOp():
            inner = linear_form(owner.operand)
            return inner and number_form(0).plus(inner, -1)
        case elementwise.CastOp() if _widens(owner):
            return linear_form(owner.operand)
        case compute.ReshapeOp() | compute.BroadcastOp() | compute.PermuteOp() if _keeps_dims(owner):
            return linear_form(owner.operand)
        case _:
            return LinearForm(Integer(0), ((value, 1),)) if type_.rank == 0 else None


def _indices(source: SSAValue) -> LinearForm | None:
    if isinstance(source.owner, control.ShiftOp):
        base, offset = _indices(source.owner.range), linear_form(source.owner.offset)
        return base and offset and base.plus(offset)
    return LinearForm(Integer(0), ((source, 1),))


def _widens(op: elementwise.CastOp) -> bool:
    before, after = op.operand.type, op.result.type
    assert isinstance(before, TileType) and isinstance(after, TileType)
    a, b = before.element_type, after.element_type
    return isinstance(a, IntegerType) and isinstance(b, IntegerType) and 1 < a.width.data <= b.width.data


def _keeps_dims(op: compute.ReshapeOp | compute.BroadcastOp | compute.PermuteOp) -> bool:
    """Whether a dimension of a range stays one: a reshape may only add and drop extents of 1."""
    if not isinstance(op, compute.ReshapeOp):
        return True
    before, after = op.operand.type, op.result.type
    assert isinstance(before, TileType) and isinstance(after, TileType)
    return [d for d in before.dims if d != 1] == [d for d in after.dims if d != 1]
