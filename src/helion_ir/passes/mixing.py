"""Ops of the tile dialect that mix lanes, and what an inactive lane must hold for each to be as if it were absent."""

from __future__ import annotations

import math
from collections.abc import Iterator

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Operation, SSAValue

from helion_ir.dialects.tile import compute
from helion_ir.dialects.tile.scaled import DotScaledOp
from helion_ir.dialects.types import NumberAttr, TileType, is_float

MIXING = (
    compute.ReduceOp, compute.ScanOp, compute.SortOp, compute.DotOp, DotScaledOp, compute.CustomReduceOp,
)  # fmt: skip
"""The classes of such ops."""


def mixed(op: Operation) -> Iterator[tuple[int, tuple[int, ...], float | int]]:
    """The operands whose lanes an op mixes: number, the dimensions along which it does, the value of inactive lanes.

    A scan by a function is not among them, since there is no value that every function ignores.
    """
    if not isinstance(op, MIXING):
        return
    match op:
        case compute.ReduceOp():
            yield 0, op.dims, neutral(op.kind.data, _type(op.operand).element_type)
        case compute.ScanOp():
            yield 0, (op.dim.value.data,), neutral(op.kind.data, _type(op.operand).element_type)
        case compute.SortOp():
            element, descending = _type(op.operand).element_type, bool(op.descending.value.data)
            value = neutral("max" if descending else "min", element)
            if is_float(element) and not descending:
                value = math.nan  # which comes after infinity; of equal elements the first lane comes first
            yield 0, (_type(op.operand).rank - 1,), value
        case compute.DotOp():
            yield 0, (_type(op.lhs).rank - 1,), 0
            yield 1, (_type(op.rhs).rank - 2,), 0
        case DotScaledOp():
            yield 0, (1,), 0
            yield 2, (0,), 0
        case compute.CustomReduceOp():
            for i, other in enumerate(op.other):
                assert isinstance(other, NumberAttr)
                yield i, (op.dim.value.data,), other.data
        case _:
            pass


def neutral(kind: str, element: Attribute) -> float | int:
    """What a lane must hold so that a reduction or scan does not notice it."""
    match kind:
        case "sum" | "any":
            return 0
        case "prod" | "all":
            return 1
        case "max" | "argmax" | "min" | "argmin":
            low = kind in ("max", "argmax")
            if is_float(element):
                return -math.inf if low else math.inf
            assert isinstance(element, IntegerType)
            bits = element.width.data
            if bits == 1:
                return 0 if low else 1
            unsigned = element.signedness.data.name == "UNSIGNED"
            least, most = (0, (1 << bits) - 1) if unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)
            return least if low else most
    raise ValueError(f"no neutral element for {kind}")


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type
