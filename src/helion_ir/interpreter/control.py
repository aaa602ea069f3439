"""Loops, branches and choices of both dialects."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from xdsl.ir import Block, SSAValue

from helion_ir.dialects import knob
from helion_ir.dialects.tile import control as tile_control
from helion_ir.dialects.triton import control as triton_control
from helion_ir.dialects.triton.switch import SwitchOp
from helion_ir.dialects.types import RangeType
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.registry import Frame, Step, controls
from helion_ir.interpreter.scope import Body, Scope
from helion_ir.interpreter.values import block_of, scalar


@controls(tile_control.ParallelOp)
def parallel(op: tile_control.ParallelOp, scope: Scope) -> Step:
    lows = [scope.evaluator(e, op.symbols) for e in op.lower]
    highs = [scope.evaluator(e, op.symbols) for e in op.upper]
    blocks = [_block(a, scope) for a in op.body.block.args]
    body = scope.block(op.body.block)
    slots = [scope.slot(a) for a in op.body.block.args]

    def step(frame: Frame) -> None:
        dims = [_iterations(lo(frame), hi(frame), b) for lo, hi, b in zip(lows, highs, blocks)]
        for position in itertools.product(*dims):
            for slot, value in zip(slots, position):
                frame[slot] = value
            body(frame)

    return step


def _block(argument: SSAValue, scope: Scope) -> int | None:
    """The block size of a loop argument, None for a scalar."""
    if not isinstance(argument.type, RangeType):
        return None
    block = scope.value(argument.type.block)
    if block < 1:
        raise InterpreterError(f"a block of {block} indices")
    return block


def _iterations(low: int, high: int, block: int | None, step: int = 1) -> Iterable[Any]:
    if block is None:
        return range(low, high, step)
    return [block_of(begin, block, high) for begin in range(low, high, block)]


@controls(tile_control.ForOp)
def tile_for(op: tile_control.ForOp, scope: Scope) -> Step:
    low, high = scope.evaluator(op.lower, op.symbols), scope.evaluator(op.upper, op.symbols)
    stride = scope.evaluator(op.step, op.symbols) if op.step is not None else lambda _: 1
    block = _block(op.body.block.args[0], scope)
    carried = _Carried(op.body.block, op.iter_args, op.results, scope)

    def step(frame: Frame) -> None:
        carried.run(frame, _iterations(low(frame), high(frame), block, stride(frame)))

    return step


@controls(triton_control.ForOp)
def triton_for(op: triton_control.ForOp, scope: Scope) -> Step:
    low, high, stride = (scope.evaluator(e, op.symbols) for e in (op.lower, op.upper, op.step))
    carried = _Carried(op.body.block, op.iter_args, op.results, scope)

    def step(frame: Frame) -> None:
        carried.run(frame, range(low(frame), high(frame), stride(frame)))

    return step


class _Carried:
    """The body of a sequential loop with its carried values."""

    def __init__(self, block: Block, initial: Sequence[SSAValue], results: Sequence[SSAValue], scope: Scope):
        self.initial = [scope.slot(v) for v in initial]
        self.body = scope.block(block)
        self.index, *self.carried = (scope.slot(a) for a in block.args)
        self.results = [scope.define(r) for r in results]

    def run(self, frame: Frame, iterations: Iterable[Any]) -> None:
        values = [frame[slot] for slot in self.initial]
        for iteration in iterations:
            frame[self.index] = iteration
            for slot, value in zip(self.carried, values):
                frame[slot] = value
            values = self.body(frame)
        for slot, value in zip(self.results, values):
            frame[slot] = value


@controls(tile_control.IfOp, triton_control.IfOp)
def branch(op: tile_control.IfOp | triton_control.IfOp, scope: Scope) -> Step:
    condition = scope.slot(op.condition)
    then, orelse = _optional(op.then.blocks, scope), _optional(op.orelse.blocks, scope)
    results = [scope.define(r) for r in op.results]

    def step(frame: Frame) -> None:
        values = (then if scalar(frame[condition]) else orelse)(frame)
        for slot, value in zip(results, values, strict=True):
            frame[slot] = value

    return step


def _optional(blocks: Sequence[Block], scope: Scope) -> Body:
    return scope.block(blocks[0]) if blocks else lambda _: []


@controls(tile_control.WhileOp, triton_control.WhileOp)
def while_(op: tile_control.WhileOp | triton_control.WhileOp, scope: Scope) -> Step:
    initial = [scope.slot(v) for v in op.inits]
    before, after = scope.block(op.before.block), scope.block(op.after.block)
    before_slots = [scope.slot(a) for a in op.before.block.args]
    after_slots = [scope.slot(a) for a in op.after.block.args]
    results = [scope.define(r) for r in op.results]

    def step(frame: Frame) -> None:
        values = [frame[slot] for slot in initial]
        while True:
            for slot, value in zip(before_slots, values):
                frame[slot] = value
            condition, *values = before(frame)
            if not scalar(condition):
                break
            for slot, value in zip(after_slots, values):
                frame[slot] = value
            values = after(frame)
        for slot, value in zip(results, values):
            frame[slot] = value

    return step


@controls(knob.ChooseOp)
@controls(SwitchOp)
def choose(op: knob.AlternativesOp, scope: Scope) -> Step:
    value = scope.value(op.selector)
    try:
        region = op.alternative(value)
    except KeyError:
        cases = ", ".join(knob.value_text(c.data) for c in op.cases)
        raise InterpreterError(f"no alternative for {knob.value_text(value)}, there are {cases}") from None
    body = scope.block(region.block)
    results = [scope.define(r) for r in op.results]

    def step(frame: Frame) -> None:
        for slot, value in zip(results, body(frame), strict=True):
            frame[slot] = value

    return step


@controls(tile_control.BarrierOp)
def barrier(op: tile_control.BarrierOp, scope: Scope) -> Step:
    # Programs run one after another, and so do loops.
    return lambda frame: None


@controls(triton_control.ProgramLoopOp)
def program_loop(op: triton_control.ProgramLoopOp, scope: Scope) -> Step:
    kind = scope.attribute(op.kind)
    if kind == "xyz":
        return _grid(op, scope)
    total = scope.evaluator(op.total, op.symbols)
    multiplier = scope.attribute(op.multiplier) if op.multiplier is not None else 1
    reserved = scope.attribute(op.reserved) if op.reserved is not None else 0
    launched = max(scope.target.compute_units - reserved, 1) * multiplier
    body = scope.block(op.body.block)
    slot = scope.slot(op.body.block.args[0])

    def step(frame: Frame) -> None:
        for position in _programs(kind, total(frame), launched):
            frame[slot] = position
            body(frame)

    return step


def _grid(op: triton_control.ProgramLoopOp, scope: Scope) -> Step:
    """Programs on several axes, the first the fastest. The number of a program is left unknown, as it is there."""
    if op.axes is None:
        raise InterpreterError("a program loop of kind xyz says how many programs there are along each axis")
    counts = [scope.value(n) for n in op.axes]
    body = scope.block(op.body.block)
    slots = [scope.slot(a) for a in op.body.block.args[1:]]

    def step(frame: Frame) -> None:
        for position in itertools.product(*[range(n) for n in reversed(counts)]):
            for slot, at in zip(slots, reversed(position)):
                frame[slot] = at
            body(frame)

    return step


def _programs(kind: str, total: int, launched: int) -> Iterable[int]:
    """Virtual programs in the order in which `launched` programs, run one after another, take them."""
    if kind == "flat":
        return range(total)
    if kind == "persistent_interleaved":
        return [v for program in range(launched) for v in range(program, total, launched)]
    if kind == "persistent_blocked":
        share = -(-total // launched)
        return [v for p in range(launched) for v in range(p * share, min((p + 1) * share, total))]
    raise InterpreterError(f"no such kind of program loop: {kind!r}")
