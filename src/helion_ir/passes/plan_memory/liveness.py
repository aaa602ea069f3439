"""Which tiles are live where: the values that a program holds in registers, point by point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.tile import compute, control, memory
from helion_ir.passes.plan_memory.footprint import Size, bytes_of, is_tile, most

VIEWS = (compute.PermuteOp, compute.ReshapeOp)
"""Ops whose result is their operand in another arrangement, which matrix units read through."""

REMADE = (compute.FullOp, compute.IotaOp, compute.BroadcastOp, control.MaskOp)
"""Ops whose results cost no more to compute again than to keep."""


@dataclass(frozen=True)
class Point:
    """A place in the program: after `op`, with these tiles live. Values that a loop carries are live in all of it."""

    op: Operation
    live: frozenset[SSAValue]

    @property
    def size(self) -> Expr:
        """Bytes of the live tiles."""
        return sympy.Add(*[bytes_of(v.type) for v in self.live])


def points_of(kernel: control.KernelOp) -> list[Point]:
    """A point after every op that makes or uses a tile, in program order."""
    reads: dict[Operation, set[SSAValue]] = {}
    for op in kernel.walk(reverse=True, region_first=True):
        # What an op reads, and the ops of its regions, which come before it in this order.
        inside = [reads[inner] for region in op.regions for block in region.blocks for inner in block.ops]
        reads[op] = set(op.operands).union(*inside)
    return list(_points(kernel.body.block, frozenset(), reads))


def peak(points: list[Point]) -> Size:
    """The most bytes live at any point, as an expression over knobs."""
    distinct: dict[frozenset[tuple[Expr, int]], Counter[Expr]] = {}
    for point in points:
        sizes: Counter[Expr] = Counter(bytes_of(v.type) for v in point.live)
        distinct.setdefault(frozenset(sizes.items()), sizes)
    out: Size = 0
    counts = list(distinct.values())
    for sizes in counts:
        # Every size is positive, so a multiset within another is never the larger.
        if not any(other is not sizes and sizes <= other for other in counts):
            out = most(out, sympy.Add(*[n * size for size, n in sizes.items()]))
    return out


def in_registers(value: SSAValue) -> bool:
    """Whether a value takes registers while it is live: not what is remade, nor what goes from memory to a matrix unit."""
    if not is_tile(value) or isinstance(value.owner, REMADE):
        return False
    if isinstance(value.owner, (memory.LoadOp, *VIEWS)):
        return not feeds_only_products(value)
    return True


def feeds_only_products(value: SSAValue) -> bool:
    """Whether a value is an operand of products and nothing else, views aside."""
    uses = [use.operation for use in value.uses]
    return bool(uses) and all(
        feeds_only_products(user.results[0]) if isinstance(user, VIEWS) else _multiplies(user, value) for user in uses
    )


def _multiplies(user: Operation, value: SSAValue) -> bool:
    return isinstance(user, compute.DotOp) and value is not user.acc


def _points(block: Block, after: frozenset[SSAValue], reads: Mapping[Operation, set[SSAValue]]) -> Iterator[Point]:
    """The points of a block, where `after` is live throughout."""
    last: dict[SSAValue, int] = {}
    ops = list(block.ops)
    for i, op in enumerate(ops):
        for value in reads[op]:
            last[value] = i
    live = set(a for a in block.args if in_registers(a) and a in last)
    for i, op in enumerate(ops):
        outside = after | {v for v in live if last.get(v, -1) >= i} if op.regions else after
        for inner in [b for region in op.regions for b in region.blocks]:
            # What the op reads from outside stays for every iteration.
            yield from _points(inner, frozenset(outside), reads)
        made = {r for r in op.results if in_registers(r)}
        live = {v for v in live | made if last.get(v, -1) > i}
        # A result takes registers at its op, even if nobody reads it.
        now = after | live | made
        if not isinstance(op, control.YieldOp) and any(is_tile(v) for v in (*op.operands, *op.results)):
            yield Point(op, frozenset(now))
