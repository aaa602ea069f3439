"""How often an op of a kernel runs, as expressions over knobs: estimates, since bounds may be read at run time."""

from __future__ import annotations

from sympy import Expr, Integer, Symbol
from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.index import ApplyOp, ExprAttr
from helion_ir.dialects.knob import ChooseOp, ValueAttr
from helion_ir.dialects.tile import control
from helion_ir.dialects.triton.control import ProgramLoopOp
from helion_ir.dialects.types import RangeType
from helion_ir.index.expr import (
    CeilDiv,
    Eq,
    FloorDiv,
    Max,
    Min,
    Or,
    Where,
    as_expr,
    free_names,
    operand,
    string,
    substitute,
)
from helion_ir.index.expr import symbol as symbol_of
from helion_ir.passes.loop_knobs import PERSISTENT
from helion_ir.passes.scope import bounds_of
from helion_ir.targets import Target

UNKNOWN_SIZE = 1024
"""Stands for a number that only a run knows and that no call gave a hint for."""


class Repetition:
    """How many programs a kernel has, and how often each op runs in all of them together."""

    def __init__(self, kernel: control.KernelOp, target: Target):
        self.target = target
        self.hints: dict[Symbol, Expr] = {}
        for name, value in (kernel.hints.data if kernel.hints is not None else {}).items():
            if isinstance(value, IntegerAttr):
                self.hints[symbol_of(name)] = Integer(value.value.data)
        self.blocks: Expr = Integer(0)
        """Programs that a flat launch has."""
        self.programs: Expr = Integer(0)
        """Programs that are launched."""
        self._times: dict[Operation, Expr] = {}
        for op in kernel.body.block.ops:
            if isinstance(op, ProgramLoopOp):
                total = self.known(op.total.data, tuple(op.symbols))
                self.blocks = self.blocks + total
                self.programs = self.programs + self._launched(op, total)
                self._walk(op, total)
            else:
                self._walk(op, Integer(1))

    def of(self, op: Operation) -> Expr:
        """How often an op runs in one launch."""
        return self._times[op]

    def trips(self, loop: control.ForOp) -> Expr:
        """Iterations of a loop, each time it is entered."""
        extent = self.known(loop.upper.data - loop.lower.data, tuple(loop.symbols))
        argument = loop.body.block.args[0].type
        step = argument.block.data if isinstance(argument, RangeType) else loop.step.data if loop.step else Integer(1)
        trips = CeilDiv(extent, step)
        # Likely bounds may lie the wrong way round; then there is nothing between them.
        return trips if extent.is_Integer else Max(trips, Integer(0))

    def known(self, e: Expr, symbols: tuple[SSAValue, ...] = ()) -> Expr:
        """An expression in which a likely value stands for whatever only a run knows."""
        values: dict[Symbol, Expr] = {operand(i): self._likely(v) for i, v in enumerate(symbols)}
        for name in free_names(e):
            s = symbol_of(name)
            if not name.startswith("@") and s not in values:
                values[s] = self.hints.get(s, Integer(UNKNOWN_SIZE))
        return substitute(e, values)

    def _likely(self, value: SSAValue) -> Expr:
        owner = value.owner
        if isinstance(owner, control.BeginOp | control.EndOp):
            # On average a range is half way, as in a causal loop.
            b = bounds_of(owner.range)
            half = FloorDiv(self.known(b.upper - b.lower, b.symbols), Integer(2))
            return half if isinstance(owner, control.BeginOp) else half + b.block
        if isinstance(owner, ApplyOp):
            return self.known(owner.expr.data, tuple(owner.arguments))
        if isinstance(owner, ChooseOp) or (isinstance(owner, Block) and isinstance(owner.parent_op(), ProgramLoopOp)):
            return Integer(0)  # a program's place in the grid: the first is like the others
        if isinstance(owner, Block) and isinstance(loop := owner.parent_op(), control.ForOp):
            bounds = self.known(loop.lower.data + loop.upper.data, tuple(loop.symbols))
            return FloorDiv(bounds, Integer(2))  # half way
        return Integer(UNKNOWN_SIZE)

    def _launched(self, op: ProgramLoopOp, total: Expr) -> Expr:
        kind, multiplier = _expr(op.kind), _expr(op.multiplier) if op.multiplier is not None else Integer(1)
        persistent = Or(*[Eq(kind, string(k)) for k in PERSISTENT])
        return Where(persistent, Min(total, self.target.compute_units * multiplier), total)

    def _walk(self, op: Operation, times: Expr) -> None:
        self._times[op] = times
        inner = times * self.trips(op) if isinstance(op, control.ForOp) else times
        for region in op.regions:
            for child in [c for block in region.blocks for c in block.ops]:
                self._walk(child, inner)


def _expr(attr: object) -> Expr:
    if isinstance(attr, ExprAttr):
        return attr.data
    if isinstance(attr, ValueAttr):
        return as_expr(attr.data)
    assert isinstance(attr, StringAttr)
    return string(attr.data)
