"""Reductions and scans by a function of the author's, whose region of scalars runs on whole tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from xdsl.ir import Block, SSAValue

from helion_ir.dialects.knob import ValueAttr
from helion_ir.dialects.tile.compute import CustomReduceOp, CustomScanOp
from helion_ir.dialects.triton.compute import CustomReduceOp as TritonReduceOp
from helion_ir.dialects.triton.compute import CustomScanOp as TritonScanOp
from helion_ir.dialects.types import NumberAttr, TileType
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.mixing import with_neutral
from helion_ir.interpreter.registry import Frame, Step, controls
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, as_tensor, dtype_of
from helion_ir.interpreter.views import flipped

Tiles = list[torch.Tensor]
Combine = Callable[[Tiles, Tiles], Tiles]


def folded(tiles: Tiles, dim: int, combine: Combine) -> Tiles:
    """Reduce `dim` by combining neighbours, so that the order of the operands is kept."""
    while (extent := tiles[0].shape[dim]) > 1:
        even = extent - extent % 2
        left = [_strided(t, dim, 0, even) for t in tiles]
        right = [_strided(t, dim, 1, even) for t in tiles]
        last = [t.narrow(dim, even, extent - even) for t in tiles]
        tiles = [torch.cat(pair, dim) for pair in zip(combine(left, right), last)]
    return [t.squeeze(dim) for t in tiles]


def _strided(x: torch.Tensor, dim: int, start: int, stop: int) -> torch.Tensor:
    return x[(slice(None),) * dim + (slice(start, stop, 2),)]


def prefixes(tiles: Tiles, dim: int, combine: Combine) -> Tiles:
    """The inclusive scan along `dim`, in a logarithmic number of steps."""
    extent, distance = tiles[0].shape[dim], 1
    while distance < extent:
        earlier = [t.narrow(dim, 0, extent - distance) for t in tiles]
        later = [t.narrow(dim, distance, extent - distance) for t in tiles]
        heads = [t.narrow(dim, 0, distance) for t in tiles]
        tiles = [torch.cat(pair, dim) for pair in zip(heads, combine(earlier, later))]
        distance *= 2
    return tiles


class _Region:
    """A combine function compiled in the kernel's frame."""

    def __init__(self, block: Block, arguments: Sequence[SSAValue], scope: Scope):
        self.body = scope.block(block)
        self.slots = [scope.slot(a) for a in block.args]
        self.dtypes = [dtype_of(a.type.element_type) for a in arguments]  # pyright: ignore
        if len(self.slots) != 2 * len(arguments):
            raise InterpreterError(f"a combine function of {len(self.slots)} arguments for {len(arguments)} tiles")

    def on(self, frame: Frame) -> Combine:
        def combine(left: Tiles, right: Tiles) -> Tiles:
            for slot, value in zip(self.slots, [*left, *right]):
                frame[slot] = value
            shape, device = left[0].shape, left[0].device
            return [as_tensor(v, d, device).expand(shape).to(d) for v, d in zip(self.body(frame), self.dtypes)]

        return combine


@controls(CustomReduceOp)
def custom_reduce(op: CustomReduceOp, scope: Scope) -> Step:
    region = _Region(op.combine.block, op.arguments, scope)
    inputs, results = [scope.slot(a) for a in op.arguments], [scope.define(r) for r in op.res]
    dim = op.dim.value.data
    others = [_number(a) for a in op.other]
    type_ = op.arguments[0].type
    assert isinstance(type_, TileType)
    ranges = [scope.slot(r) for _, r in scope.partial(type_, (dim,))]

    def step(frame: Frame) -> None:
        active: list[Range] = [frame[slot] for slot in ranges]
        tiles = [with_neutral(frame[slot], (dim,), active, other) for slot, other in zip(inputs, others)]
        for slot, value in zip(results, folded(tiles, dim, region.on(frame)), strict=True):
            frame[slot] = value

    return step


def _number(attr: Any) -> Any:
    if isinstance(attr, NumberAttr | ValueAttr):
        return attr.data
    raise InterpreterError(f"{attr} is no number")


@controls(CustomScanOp)
def custom_scan(op: CustomScanOp, scope: Scope) -> Step:
    region = _Region(op.combine.block, op.arguments, scope)
    inputs, results = [scope.slot(a) for a in op.arguments], [scope.define(r) for r in op.res]
    dim, reverse = op.dim.value.data, bool(op.reverse.value.data)
    type_ = op.arguments[0].type
    assert isinstance(type_, TileType)
    # There is no neutral element: a scan from the end starts at the last active lane.
    ranges = [scope.slot(r) for _, r in scope.partial(type_, (dim,))] if reverse else []

    def step(frame: Frame) -> None:
        tiles = [frame[slot] for slot in inputs]
        extent = tiles[0].shape[dim]
        active = frame[ranges[0]].active if ranges else extent
        scanned = _scanned([t.narrow(dim, 0, active) for t in tiles], dim, reverse, region.on(frame))
        for slot, whole, part in zip(results, tiles, scanned, strict=True):
            rest = whole.narrow(dim, active, extent - active)
            frame[slot] = part if active == extent else torch.cat([part, rest], dim)

    return step


def _scanned(tiles: Tiles, dim: int, reverse: bool, combine: Combine) -> Tiles:
    if not reverse:
        return prefixes(tiles, dim, combine)
    return [flipped(t, (dim,)) for t in prefixes([flipped(t, (dim,)) for t in tiles], dim, combine)]


@controls(TritonReduceOp)
def triton_reduce(op: TritonReduceOp, scope: Scope) -> Step:
    region = _Region(op.combine.block, op.arguments, scope)
    inputs, results = [scope.slot(a) for a in op.arguments], [scope.define(r) for r in op.res]
    axis = op.axis.value.data

    def step(frame: Frame) -> None:
        values = folded([frame[slot] for slot in inputs], axis, region.on(frame))
        for slot, value in zip(results, values, strict=True):
            frame[slot] = value

    return step


@controls(TritonScanOp)
def triton_scan(op: TritonScanOp, scope: Scope) -> Step:
    region = _Region(op.combine.block, op.arguments, scope)
    inputs, results = [scope.slot(a) for a in op.arguments], [scope.define(r) for r in op.res]
    axis, reverse = op.axis.value.data, bool(op.reverse.value.data)

    def step(frame: Frame) -> None:
        values = _scanned([frame[slot] for slot in inputs], axis, reverse, region.on(frame))
        for slot, value in zip(results, values, strict=True):
            frame[slot] = value

    return step
