"""The base of canonicalization patterns: each names the classes of op it applies to."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.tile.compute import FullOp
from helion_ir.dialects.triton import compute as triton
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import constant_of
from helion_ir.passes.canonicalization.numbers import wrap


class Canonicalization(RewritePattern, ABC):
    """A pattern for ops of the classes `ops`; its docstring shows before → after."""

    ops: ClassVar[tuple[type[Operation], ...]]


def constant(value: SSAValue) -> float | int | None:
    """The number that fills a tile, if its op says so."""
    owner, type_ = value.owner, value.type
    if isinstance(owner, FullOp | triton.FullOp):
        return owner.value.data
    if not isinstance(owner, ApplyOp) or not isinstance(type_, TileType) or owner.arguments:
        return None
    number = constant_of(owner.expr.data)
    if number is None or not isinstance(type_.element_type, IntegerType):
        return None
    return number if wrap(number, type_.element_type) == number else None


def tile(value: SSAValue) -> TileType:
    """The type of a value that is a tile."""
    assert isinstance(value.type, TileType)
    return value.type


def forward(rewriter: PatternRewriter, op: Operation, *values: SSAValue) -> None:
    """Replace the results of `op` by values that are there already."""
    rewriter.replace(op, [], list(values))
