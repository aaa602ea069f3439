"""Ops of the tile dialect that mix lanes: reductions, scans, products, sorts.

While masks are implied, lanes outside of a range count as absent: they are replaced by the neutral element first. With
explicit masks nothing is replaced, so that a mask that make-masks forgot shows in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from helion_ir.dialects.tile.compute import DotOp, ReduceOp, ScanOp, SortOp
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.elementwise import widened
from helion_ir.interpreter.registry import Reading, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import Range, as_tensor, dtype_of, highest, lowest
from helion_ir.interpreter.views import flipped

Reduction = Callable[[torch.Tensor, tuple[int, ...]], torch.Tensor]


def with_neutral(x: torch.Tensor, axes: Sequence[int], ranges: Sequence[Range], neutral: float | int) -> torch.Tensor:
    """`x` with the inactive lanes of each axis replaced; `x` itself where there are none."""
    copied = False
    for axis, r in zip(axes, ranges):
        if r.active < r.block:
            # contiguous, since an expanded tile cannot be written
            x = x if copied else x.clone(memory_format=torch.contiguous_format)
            copied = True
            x.narrow(axis, r.active, r.block - r.active).fill_(neutral)
    return x


def _sum(x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    return torch.sum(x, axes, dtype=x.dtype)


def _prod(x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, dtype=x.dtype)
    return x


def _arg(function: Callable[..., torch.Tensor]) -> Reduction:
    def position(x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        (axis,) = axes
        return function(x.to(torch.uint8) if x.dtype == torch.bool else x, axis)

    return position


def _logical(function: Callable[..., torch.Tensor]) -> Reduction:
    return lambda x, axes: function(x, axes).to(x.dtype)


REDUCTIONS: dict[str, tuple[Reduction, Callable[[torch.dtype], float | int]]] = {
    "sum": (_sum, lambda _: 0),
    "prod": (_prod, lambda _: 1),
    "max": (torch.amax, lowest),
    "min": (torch.amin, highest),
    "any": (_logical(torch.any), lambda _: 0),
    "all": (_logical(torch.all), lambda _: 1),
    "argmax": (_arg(torch.argmax), lowest),
    "argmin": (_arg(torch.argmin), highest),
}
"""Each reduction with its neutral element."""


@implements(ReduceOp)
def reduce(op: ReduceOp, scope: Scope) -> Reading:
    assert isinstance(op.operand.type, TileType) and isinstance(op.result.type, TileType)
    plain, neutral = REDUCTIONS[op.kind.data]
    dtype = dtype_of(op.operand.type.element_type)
    function, value = widened(plain, dtype, 1), neutral(dtype)
    dims, result = op.dims, dtype_of(op.result.type.element_type)
    partial = scope.partial(op.operand.type, dims)
    axes = [axis for axis, _ in partial]

    def reduced(x: torch.Tensor, *ranges: Range) -> torch.Tensor:
        if not x.numel():  # of no elements along a dimension the result is neutral; PyTorch has none for some kinds
            x = x.new_full([1 if i in dims and not n else n for i, n in enumerate(x.shape)], value)
        return function(with_neutral(x, axes, ranges, value), dims).to(result)

    return Reading(reduced, [r for _, r in partial])


SCANS: dict[str, tuple[Callable[[torch.Tensor, int], torch.Tensor], Callable[[torch.dtype], float | int]]] = {
    "sum": (lambda x, dim: torch.cumsum(x, dim, dtype=x.dtype), lambda _: 0),
    "prod": (lambda x, dim: torch.cumprod(x, dim, dtype=x.dtype), lambda _: 1),
    "max": (lambda x, dim: torch.cummax(x, dim).values, lowest),
    "min": (lambda x, dim: torch.cummin(x, dim).values, highest),
}


def scanned(kind: str, x: torch.Tensor, dim: int, reverse: bool) -> torch.Tensor:
    """The inclusive scan of all lanes."""
    if not reverse:
        return SCANS[kind][0](x, dim)
    return flipped(SCANS[kind][0](flipped(x, (dim,)), dim), (dim,))


@implements(ScanOp)
def scan(op: ScanOp, scope: Scope) -> Reading:
    assert isinstance(op.operand.type, TileType)
    kind, dim, reverse = op.kind.data, op.dim.value.data, bool(op.reverse.value.data)
    neutral = SCANS[kind][1](dtype_of(op.operand.type.element_type))
    # Inactive lanes come last: only a scan from the end passes through them.
    partial = scope.partial(op.operand.type, (dim,)) if reverse else []

    def run(x: torch.Tensor, *ranges: Range) -> torch.Tensor:
        return scanned(kind, with_neutral(x, (dim,), ranges, neutral), dim, reverse)

    return Reading(run, [r for _, r in partial])


@implements(SortOp)
def sort(op: SortOp, scope: Scope) -> Reading:
    assert isinstance(op.operand.type, TileType)
    descending = bool(op.descending.value.data)
    partial = scope.partial(op.operand.type, (op.operand.type.rank - 1,))

    def run(x: torch.Tensor, *ranges: Range) -> tuple[torch.Tensor, torch.Tensor]:
        active = ranges[0].active if ranges else x.shape[-1]
        values, positions = torch.sort(x[..., :active], dim=-1, descending=descending, stable=True)
        if active == x.shape[-1]:
            return values, positions
        rest = torch.arange(active, x.shape[-1], device=x.device).expand(*x.shape[:-1], -1)
        return torch.cat([values, x[..., active:]], -1), torch.cat([positions, rest], -1)

    return Reading(run, [r for _, r in partial])


def dot(a: torch.Tensor, b: torch.Tensor, acc: torch.Tensor) -> torch.Tensor:
    """acc + a @ b: floats accumulated in f32 or more (f64 if the accumulator is), integers exactly."""
    if not acc.dtype.is_floating_point:
        # Products of 8-bit integers are exact in f64, whose matrix product is fast.
        wide = torch.float64 if a.itemsize == 1 and b.itemsize == 1 else torch.int64
        return (torch.matmul(a.to(wide), b.to(wide)).to(torch.int64) + acc).to(acc.dtype)
    # A GPU may have been told to multiply f32 in TF32, and is quick in f64.
    wide = torch.float32 if a.is_cpu and acc.dtype != torch.float64 else torch.float64
    return (torch.matmul(a.to(wide), b.to(wide)) + acc).to(acc.dtype)


@implements(DotOp)
def dot_(op: DotOp, scope: Scope) -> Reading:
    assert isinstance(op.lhs.type, TileType) and isinstance(op.rhs.type, TileType)
    left = scope.partial(op.lhs.type, (op.lhs.type.rank - 1,))
    right = scope.partial(op.rhs.type, (op.rhs.type.rank - 2,))
    rank = op.lhs.type.rank
    dtype = dtype_of(op.result.type.element_type)  # pyright: ignore

    def run(a: torch.Tensor, b: torch.Tensor, acc: Any, *ranges: Range) -> torch.Tensor:
        if left:
            a = with_neutral(a, (rank - 1,), ranges[:1], 0)
        if right:
            b = with_neutral(b, (rank - 2,), ranges[len(left) :], 0)
        return dot(a, b, as_tensor(acc, dtype, scope.device))

    return Reading(run, [r for _, r in left + right])
