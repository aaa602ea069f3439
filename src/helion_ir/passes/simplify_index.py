"""simplify-index: fold index expressions with what is known about their operands."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr, Integer, Symbol
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.editing import replace
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.triton import compute, control, memory
from helion_ir.dialects.types import SCALAR_I32, TileType, i1, number
from helion_ir.index.expr import FloorDiv, Max, Mod, free_names, operand, substitute
from helion_ir.index.facts import ANYTHING, BOOLEAN, Fact, KnownFacts, fact_of
from helion_ir.index.fold import fold
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.scope import knob_facts

INDEX_OPS = (
    ApplyOp, compute.ArangeOp, compute.FullOp, compute.CastOp, compute.ExpandDimsOp, compute.BroadcastToOp, compute.ReshapeOp
)  # fmt: skip
"""Ops that indices are made of: what they compute changes with their operands alone."""


@dataclass(frozen=True)
class SimplifyIndex(Pass):
    """Fold every `index.apply` with the ranges and divisors of its operands, and share constants with its users.

    ```mlir
    %q = index.apply <d0 mod 8>(%pid) : …          // a program loop of 8: %pid is from 0 to 7
    // becomes
    %q = index.apply <d0>(%pid) : …                // and users take %pid
    ```

    The operands of a sum are put in the order of the loops that change them, the outermost first, in which the sum is
    printed: what a loop does not change is then added up first, and Triton moves it out. Does not handle: facts about
    values read from memory.
    Runs after convert-tile-to-triton, when offsets are spelled out; before lift-constexprs, which hides the knobs.
    """

    name = "simplify-index"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        facts = knob_facts(op)
        for kernel in kernels(op, control.KernelOp):
            known: dict[SSAValue, Fact] = {}
            depths: dict[SSAValue | Block, int] = {}
            for inner in list(kernel.walk()):
                self._visit(inner, known, facts, depths)

    def _visit(
        self, op: Operation, known: dict[SSAValue, Fact], facts: KnownFacts, depths: dict[SSAValue | Block, int]
    ) -> None:
        match op:
            case ApplyOp():
                self._apply(op, known, facts, depths)
            case compute.ExpandDimsOp() | compute.BroadcastToOp() | compute.ReshapeOp() | compute.CastOp():
                if op.operand in known:
                    known[op.result] = known[op.operand]
            case memory.LoadOp() | memory.StoreOp():
                self._unmask(op)
            case control.ProgramLoopOp():
                inner = _operand_facts(op.symbols, known, facts)
                counts = [op.total, *(op.axes or ())]
                for argument, count in zip(op.body.block.args, counts, strict=True):
                    known[argument] = Fact(0, max(0, fact_of(count.data, inner).high - 1))
            case control.ForOp():
                self._loop(op, known, facts)
            case compute.ArangeOp():
                known[op.result] = Fact(0, fact_of(op.size.data, facts).high - 1)
            case _:
                pass

    def _loop(self, op: control.ForOp, known: dict[SSAValue, Fact], facts: KnownFacts) -> None:
        inner = _operand_facts(op.symbols, known, facts)
        # The end may be held at the beginning. What an iteration knows is that it comes before the end itself.
        upper = op.upper.data
        if upper.func is Max and upper.args[0] == op.lower.data:
            upper = upper.args[1]
        low, high, step = (fact_of(e, inner) for e in (op.lower.data, upper, op.step.data))
        if fact_of(upper - op.lower.data, inner).low >= 0:
            op.upper = expr_attr(upper)
        divisor = math.gcd(low.divisor, step.divisor)
        known[op.body.block.args[0]] = Fact(low.low, max(low.low, high.high - 1), divisor)

    def _apply(
        self, op: ApplyOp, known: dict[SSAValue, Fact], facts: KnownFacts, depths: dict[SSAValue | Block, int]
    ) -> None:
        before, given, result = op.expr.data, list(op.arguments), op.results[0]
        type_ = result.type
        assert isinstance(type_, TileType)
        expr, arguments = _inline(before, given)
        about, inner = arguments, _operand_facts(arguments, known, facts)
        expr = fold(expr, inner)
        together, sources = _coordinates(expr, arguments)
        if sources != arguments and not _divides(folded := fold(together, _operand_facts(sources, known, facts))):
            expr, arguments = folded, sources
        expr, arguments = _outermost_first(*_prune(expr, arguments), depths)
        if arguments != about:
            inner = _operand_facts(arguments, known, facts)
        known[result] = BOOLEAN if type_.element_type == i1 else fact_of(expr, inner)
        if expr is operand(0) and arguments[0].type == type_:
            replace(op, arguments[:1])
            return
        if (expr is before or expr == before) and arguments == given:
            return
        if expr.is_Integer and type_.dims:
            _put_instead(op, compute.FullOp(number(int(expr), type_.element_type), type_))
        # An operand that gave the result its shape must stay, even if its value does not matter.
        elif _broadcast_dims(arguments) == type_.dims:
            op.expr = expr_attr(expr)
            op.operands = arguments

    def _unmask(self, op: memory.LoadOp | memory.StoreOp) -> None:
        """Drop a mask that is true in every lane."""
        owner = op.mask.owner if op.mask is not None else None
        if not isinstance(owner, compute.FullOp) or owner.value.data != 1:
            return
        made = memory.StoreOp(op.pointer, op.value) if isinstance(op, memory.StoreOp) else memory.LoadOp(op.pointer)
        made.properties.update({k: v for k, v in op.properties.items() if k != "operandSegmentSizes"})
        _put_instead(op, made)


def _put_instead(op: Operation, made: Operation) -> None:
    made.location = op.location
    block = op.parent_block()
    assert block is not None
    block.insert_op_before(made, op)
    replace(op, made.results)


def _operand_facts(arguments: Sequence[SSAValue], known: dict[SSAValue, Fact], facts: KnownFacts) -> KnownFacts:
    return facts.with_operands([known.get(a, ANYTHING) for a in arguments])


def _inline(expr: Expr, arguments: list[SSAValue]) -> tuple[Expr, list[SSAValue]]:
    """Put constants and other i32 scalars' expressions over the same few operands in the place of operands."""
    values: dict[Symbol, Expr] = {}
    places: dict[SSAValue, int] = {}
    for i, a in enumerate(arguments):
        owner = a.owner
        if isinstance(owner, ApplyOp) and not owner.arguments and a.type == SCALAR_I32:
            values[operand(i)] = owner.expr.data
        elif (place := places.setdefault(a, len(places))) != i:
            values[operand(i)] = operand(place)
    return substitute(expr, values), list(places)


@functools.cache
def _divides(expr: Expr) -> bool:
    """Whether an expression has quotients or remainders."""
    return expr.has(FloorDiv, Mod)


def _coordinates(expr: Expr, arguments: list[SSAValue]) -> tuple[Expr, list[SSAValue]]:
    """The expression over what several operands are quotients and remainders of, in which they may cancel."""
    if len(arguments) < 2:
        return expr, arguments
    made: dict[int, ApplyOp] = {}
    for i, a in enumerate(arguments):
        owner = a.owner
        if isinstance(owner, ApplyOp) and len(owner.arguments) == 1 and owner.arguments[0].type == a.type:
            if _divides(owner.expr.data):
                made[i] = owner
    shared = [op.arguments[0] for op in made.values()]
    made = {i: op for i, op in made.items() if shared.count(op.arguments[0]) > 1}
    if not made:
        return expr, arguments
    out = list(dict.fromkeys(made[i].arguments[0] if i in made else a for i, a in enumerate(arguments)))
    values = {
        operand(i): substitute(made[i].expr.data, {operand(0): operand(out.index(made[i].arguments[0]))})
        if i in made
        else operand(out.index(a))
        for i, a in enumerate(arguments)
    }
    return substitute(expr, values), out


def _prune(expr: Expr, arguments: Sequence[SSAValue]) -> tuple[Expr, list[SSAValue]]:
    """Drop operands that the expression no longer names."""
    names = free_names(expr)
    used = [i for i in range(len(arguments)) if f"d{i}" in names]
    if len(used) == len(arguments):
        return expr, list(arguments)
    moved = {operand(i): operand(n) for n, i in enumerate(used)}
    return substitute(expr, moved), [arguments[i] for i in used]


def _outermost_first(
    expr: Expr, arguments: list[SSAValue], depths: dict[SSAValue | Block, int]
) -> tuple[Expr, list[SSAValue]]:
    """The operands of a sum in the order of the loops that change them, the outermost first, and scalars before tiles.

    Sums are printed in this order and added from the left, so that what a loop does not change is a part of its own.
    """
    if len(arguments) < 3:
        return expr, arguments
    places = [(_depth(a, depths), a.type != SCALAR_I32) for a in arguments]
    order = sorted(range(len(places)), key=places.__getitem__)
    if order == sorted(order):
        return expr, arguments
    moved = {operand(i): operand(n) for n, i in enumerate(order) if i != n}
    return substitute(expr, moved), [arguments[i] for i in order]


def _depth(value: SSAValue, depths: dict[SSAValue | Block, int]) -> int:
    """How many loops change a value, wherever it is computed."""
    if (known := depths.get(value)) is None:
        owner = value.owner
        if isinstance(owner, INDEX_OPS):
            known = max([_depth(o, depths) for o in owner.operands], default=0)
        else:
            known = _loops(owner if isinstance(owner, Block) else owner.parent_block(), depths)
        depths[value] = known
    return known


def _loops(block: Block | None, depths: dict[SSAValue | Block, int]) -> int:
    """How many loops a block is in."""
    parent = None if block is None else block.parent_op()
    if block is None or parent is None:
        return 0
    if (known := depths.get(block)) is None:
        loop = isinstance(parent, control.ForOp | control.WhileOp)  # most programs have one block to compute
        known = depths[block] = loop + _loops(parent.parent_block(), depths)
    return known


def _broadcast_dims(arguments: Sequence[SSAValue]) -> tuple[Expr, ...]:
    dims: list[Expr] = []
    for a in arguments:
        assert isinstance(a.type, TileType)
        own = list(a.type.dims)
        rank = max(len(own), len(dims))
        own = [Integer(1)] * (rank - len(own)) + own
        dims = [Integer(1)] * (rank - len(dims)) + dims
        dims = [x if x != 1 else y for x, y in zip(dims, own)]
    return tuple(dims)
