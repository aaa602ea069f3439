"""Ranges and what they say about themselves, and index.apply."""

from __future__ import annotations

import functools
import operator
from typing import Any

import torch

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.tile.control import AxisOp, BeginOp, BlockOp, EndOp, IdOp, IndexOp, MaskOp, PartOp, ShiftOp
from helion_ir.dialects.types import RangeType, TileType
from helion_ir.index.expr import compiled
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.expressions import compiled_on_tensors
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, block_of, dtype_of, lanes, scalar, wrapped


@implements(AxisOp)
def axis(op: AxisOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, RangeType)
    whole = block_of(scope.value(op.lower), scope.value(op.result.type.block), scope.value(op.upper))
    return lambda: whole


@implements(BlockOp)
def block(op: BlockOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, RangeType)
    size = scope.value(op.result.type.block)
    low, high = compiled(op.lower.data), compiled(op.upper.data)
    symbols = len(op.symbols)
    known = scope.known(op.lower.data, symbols) | scope.known(op.upper.data, symbols)

    def at(position: Any, *operands: Any) -> Range:
        names = known | {f"d{i}": scalar(v) for i, v in enumerate(operands)} if operands else known
        return block_of(low(names) + scalar(position) * size, size, high(names))

    return at


@implements(ShiftOp)
def shift(op: ShiftOp, scope: Scope) -> Function:
    return lambda r, offset: Range(r.begin + scalar(offset), r.block, r.active)


@implements(PartOp)
def part(op: PartOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, RangeType)
    size = scope.value(op.result.type.block)
    at, known = compiled(op.at.data), scope.known(op.at.data, len(op.symbols))

    def part_at(r: Range, *operands: Any) -> Range:
        before = at(known | {f"d{i}": scalar(v) for i, v in enumerate(operands)}) * size
        return Range(r.begin + before, size, min(max(r.active - before, 0), size))

    return part_at


@implements(BeginOp)
def begin(op: BeginOp, scope: Scope) -> Function:
    return operator.attrgetter("begin")


@implements(EndOp)
def end(op: EndOp, scope: Scope) -> Function:
    return lambda r: r.begin + r.active


@implements(IdOp)
def id_(op: IdOp, scope: Scope) -> Function:
    return lambda r: r.begin // r.block


@implements(IndexOp)
def index(op: IndexOp, scope: Scope) -> Function:
    dtype = dtype_of(op.result.type.element_type)  # pyright: ignore
    return lambda r: torch.arange(r.begin, r.begin + r.block, dtype=dtype, device=scope.device)


@implements(MaskOp)
def mask(op: MaskOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, TileType)
    rank = op.result.type.rank
    axes = [i for i, d in enumerate(op.result.type.dims) if d != 1]
    if len(axes) != len(op.ranges):
        raise InterpreterError(f"{len(op.ranges)} ranges for a mask with {len(axes)} dimensions of extent other than 1")
    places = [[-1 if i == axis else 1 for i in range(rank)] for axis in axes]
    claimed_full = not scope.value(op.partial)

    def active(*ranges: Range) -> torch.Tensor:
        if claimed_full and any(r.active < r.block for r in ranges):
            raise InterpreterError("the mask is said to be full, yet a range ends inside its block")
        parts = [lanes(r.block, r.active, scope.device).reshape(place) for r, place in zip(ranges, places)]
        return functools.reduce(torch.logical_and, parts)

    return active


@implements(ApplyOp)
def apply(op: ApplyOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, TileType)
    dtype = dtype_of(op.result.type.element_type)
    expr, count = op.expr.data, len(op.arguments)
    known = scope.known(expr, count)
    if not count:
        constant = scope.value(expr)
        return lambda: constant
    on_tensors = compiled_on_tensors(expr)

    def tensors(values: tuple[Any, ...]) -> torch.Tensor:
        # A comparison computes in the type of its operands, all else in that of the result.
        names = dict(known)
        for i, v in enumerate(values):
            names[f"d{i}"] = v.to(dtype) if isinstance(v, torch.Tensor) and dtype != torch.bool else v
        out = on_tensors(names)
        return out.to(dtype) if isinstance(out, torch.Tensor) else torch.tensor(out, dtype=dtype, device=scope.device)

    if op.result.type.rank:
        shape = scope.shape(op.result.type)
        return lambda *values: tensors(values).expand(shape)
    on_integers = compiled(expr)

    def scalars(*values: Any) -> Any:
        if any(isinstance(v, torch.Tensor) and v.ndim for v in values):
            return tensors(values)
        out = on_integers(known | {f"d{i}": scalar(v) for i, v in enumerate(values)})
        return wrapped(out, dtype) if type(out) is int else out

    return scalars
