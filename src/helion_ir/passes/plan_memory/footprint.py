"""Bytes and elements of tiles, as expressions over knobs."""

from __future__ import annotations

import functools

import sympy
from sympy import Expr, Integer
from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.types import TileType, bit_width
from helion_ir.index.expr import Max, scalars_of
from helion_ir.passes.scope import physical


@functools.lru_cache(4096)
def elements_of(type_: Attribute) -> Expr:
    """Lanes of a tile, padding included."""
    assert isinstance(type_, TileType)
    # What a call may shrink to one element rules nothing out.
    return sympy.Mul(*[Integer(1) if scalars_of(d) else physical(d) for d in type_.dims])


@functools.lru_cache(4096)
def bytes_of(type_: Attribute) -> Expr:
    """Bytes of a tile's lanes; elements narrower than a byte count as one."""
    assert isinstance(type_, TileType)
    return elements_of(type_) * max(1, bit_width(type_.element_type) // 8)


def is_tile(value: SSAValue) -> bool:
    """Whether a value is spread over threads: a tile that is not a scalar."""
    return isinstance(value.type, TileType) and value.type.rank > 0


def most(a: Expr, b: Expr) -> Expr:
    """The larger of two sizes; the one that is not 0 where the other is."""
    return b if a == 0 else a if b == 0 else Max(a, b)
