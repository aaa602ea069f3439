"""Bytes and elements of tiles: as expressions over knobs, or as the numbers of one configuration."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import sympy
from sympy import Expr, Integer, Symbol
from xdsl.ir import Attribute, Operation, SSAValue

from helion_ir.dialects.types import TileType, bit_width
from helion_ir.index.expr import Max, as_expr, scalars_of, value_of
from helion_ir.index.text import expr_text
from helion_ir.passes.scope import physical

Size = Expr | int
"""A size, or a truth value: an expression over knobs, or the number that it is in one configuration."""


class Terms:
    """What a plan is made of: expressions over knobs, which hold for every configuration."""

    estimated = True
    """Whether likely sizes are asked for, beside those that are sure."""

    def of(self, e: Expr) -> Size:
        """What stands for an expression over knobs."""
        return e

    def extent(self, dim: Expr) -> Size:
        """Lanes along a dimension, padding included."""
        return self.of(physical(dim))

    def elements(self, type_: Attribute) -> Size:
        """Lanes of a tile, padding included."""
        return elements_of(type_)

    def bytes(self, type_: Attribute) -> Size:
        """Bytes of a tile's lanes; elements narrower than a byte count as one."""
        return bytes_of(type_)

    def distinct(self, sizes: Iterable[tuple[Size, Operation]]) -> list[tuple[Size, Operation]]:
        """Each of several sizes with the first op that has it, in the order of their text."""
        return sorted(_firsts(sizes).items(), key=lambda item: expr_text(as_expr(item[0])))


class Numbers(Terms):
    """The same of one configuration, whose every sum and product is a number.

    A first configuration asks only whether it fits, for which building expressions would be most of the work.
    """

    estimated = False

    def __init__(self, values: Mapping[str, Any]):
        self.values = values
        self._elements: dict[Attribute, int] = {}

    def of(self, e: Expr) -> Size:
        if e.is_Integer:
            return int(e)
        if isinstance(e, Symbol) and e.name[0] == "@":
            value = self.values[e.name[1:]]
        elif scalars_of(e):  # what only a run knows is no number
            return e
        else:
            value = value_of(e, self.values)
        return int(value) if isinstance(value, int) else as_expr(value)

    def elements(self, type_: Attribute) -> Size:
        return self._lanes(type_)

    def bytes(self, type_: Attribute) -> Size:
        assert isinstance(type_, TileType)
        return self._lanes(type_) * _bytes_each(type_)

    def distinct(self, sizes: Iterable[tuple[Size, Operation]]) -> list[tuple[Size, Operation]]:
        return list(_firsts(sizes).items())

    def _lanes(self, type_: Attribute) -> int:
        if (known := self._elements.get(type_)) is None:
            assert isinstance(type_, TileType)
            known = math.prod([int(self.extent(d)) for d in type_.dims if not scalars_of(d)])
            self._elements[type_] = known
        return known


SYMBOLIC = Terms()


@functools.lru_cache(4096)
def elements_of(type_: Attribute) -> Expr:
    """Lanes of a tile, padding included, as an expression over knobs."""
    assert isinstance(type_, TileType)
    # What a call may shrink to one element rules nothing out.
    return as_expr(product_of([physical(d) for d in type_.dims if not scalars_of(d)]))


@functools.lru_cache(4096)
def bytes_of(type_: Attribute) -> Expr:
    """Bytes of a tile's lanes, as an expression over knobs; elements narrower than a byte count as one."""
    assert isinstance(type_, TileType)
    return as_expr(product_of([elements_of(type_), _bytes_each(type_)]))


def _bytes_each(type_: TileType) -> int:
    return max(1, bit_width(type_.element_type) // 8)


def _firsts(sizes: Iterable[tuple[Size, Operation]]) -> dict[Size, Operation]:
    found: dict[Size, Operation] = {}
    for size, op in sizes:
        found.setdefault(size, op)
    return found


def is_tile(value: SSAValue) -> bool:
    """Whether a value is spread over threads: a tile that is not a scalar."""
    return isinstance(value.type, TileType) and value.type.rank > 0


def most(a: Size, b: Size) -> Size:
    """The larger of two sizes; the one that is not 0 where the other is."""
    return b if a == 0 else a if b == 0 else Max(a, b)


def total(sizes: Iterable[Size]) -> Size:
    """The sum of sizes, added up once."""
    terms = [s for s in sizes if s != 0]
    if len(terms) < 2:
        return terms[0] if terms else 0
    return sum(map(int, terms)) if all(map(is_number, terms)) else sympy.Add(*terms)


def product_of(sizes: Iterable[Size]) -> Size:
    """The product of sizes, multiplied once."""
    factors = [s for s in sizes if s != 1]
    if len(factors) < 2:
        return factors[0] if factors else 1
    return math.prod(map(int, factors)) if all(map(is_number, factors)) else sympy.Mul(*factors)


def is_number(size: Size) -> bool:
    """Whether a size does not depend on the configuration, or is that of one."""
    return type(size) is int or isinstance(size, Integer)
