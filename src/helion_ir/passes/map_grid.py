"""map-grid: a root loop becomes programs of a one-dimensional grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region, SSAValue

from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.knob import ChooseOp, DeclareOp, KnobValue, YieldOp, declarations, one_of, permutations, pow2
from helion_ir.dialects.tile import control
from helion_ir.dialects.triton.control import ProgramLoopOp
from helion_ir.dialects.types import SCALAR_I32, RangeType
from helion_ir.index.expr import CeilDiv, FloorDiv, Lt, Min, Mod, Ne, knob, operand, string
from helion_ir.passes.base import Pass, target_of

PERSISTENT = ("persistent_blocked", "persistent_interleaved")


@dataclass(frozen=True)
class MapGrid(Pass):
    """Turn `tile.parallel` into a `triton.program_loop` over the blocks, numbered by loop order and L2 grouping.

    ```mlir
    tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) { … }
    // becomes
    triton.program_loop %pid of <1000 ceildiv @m.block_size> kind #index.expr<@pid_type> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@m.block_size> … }
    ```

    Does not handle: several root loops, root bounds read on the device, and grids of two or three axes.
    Runs after the passes that change a root loop's ranges, and before make-masks, which reads `tile.block`s.
    """

    name = "map-grid"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        for loop in _root_loops(module):
            n, label = len(loop.body.block.args), loop.label.data
            if n >= 2:
                orders = permutations(n) if n <= 3 else one_of(tuple(range(n)), tuple(reversed(range(n))))
                yield DeclareOp(
                    f"{label}.loop_order", orders, tuple(range(n)), owner=self.name, field="loop_orders",
                    doc="order of the dimensions of the grid, the fastest first",
                )  # fmt: skip
                yield DeclareOp(
                    f"{label}.l2_grouping", pow2(1, 64), 1, owner=self.name, field="l2_groupings",
                    doc="rows of blocks whose programs run together, so that they share what is in L2",
                )  # fmt: skip
        yield DeclareOp(
            "pid_type", one_of("flat", *PERSISTENT), "flat", owner=self.name,
            doc="one program a block, or one a multiprocessor that loops over blocks",
        )  # fmt: skip
        yield DeclareOp(
            "num_sm_multiplier", pow2(1, 8), 1, owner=self.name, doc="persistent programs a multiprocessor",
            when=expr_attr(Ne(knob("pid_type"), string("flat"))),
        )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        from helion_ir.exc import BackendUnsupported

        declared = {d.sym_name.data for d in declarations(op)}
        loops = _root_loops(op)
        for kernel in (k for k in op.walk() if isinstance(k, control.KernelOp)):
            if sum(loop.parent_op() is kernel for loop in loops) > 1:
                raise BackendUnsupported("several root loops in one kernel")
        for loop in loops:
            self._map(loop, declared, target_of(op).compute_units)

    def _map(self, loop: control.ParallelOp, declared: set[str], units: int) -> None:
        from helion_ir.exc import BackendUnsupported

        if loop.symbols:
            raise BackendUnsupported("bounds of a root loop that are read on the device")
        source = loop.body.block
        lower = [e.data for e in loop.lower]
        counts = [CeilDiv(u.data - lo, _block(a)) for u, lo, a in zip(loop.upper, lower, source.args)]
        body = Block(arg_types=[SCALAR_I32])
        pid = body.args[0]
        pid.name_hint = "pid"
        positions = self._positions(body, pid, counts, loop.label.data, declared)
        for argument, position, lo, hi in zip(source.args, positions, lower, loop.upper):
            if isinstance(argument.type, RangeType):
                made = control.BlockOp(position, lo, hi.data, argument.type)
            else:
                made = ApplyOp(operand(0) + lo, [position], argument.type)
            made.result.name_hint = argument.name_hint
            body.add_op(made)
            argument.replace_all_uses_with(made.result)
        for inner in list(source.ops):
            inner.detach()
            body.add_op(inner)
        kind = expr_attr(knob("pid_type")) if "pid_type" in declared else expr_attr(string("flat"))
        program = ProgramLoopOp(
            math.prod(counts, start=Integer(1)), kind, Region(body),
            expr_attr(knob("num_sm_multiplier")) if "num_sm_multiplier" in declared else expr_attr(1),
        )  # fmt: skip
        block = loop.parent_block()
        assert block is not None
        block.insert_op_before(program, loop)
        self.located(loop, [program])
        loop.detach()
        loop.erase()

    def _positions(
        self, body: Block, pid: SSAValue, counts: Sequence[Expr], label: str, declared: set[str]
    ) -> list[SSAValue]:
        """The block number along each dimension, from the program id."""
        n = len(counts)
        if n == 1:
            return [pid]
        if f"{label}.loop_order" not in declared:
            return _apply_all(body, pid, _plain_order(counts, tuple(range(n))))
        orders: list[KnobValue] = list(
            itertools.permutations(range(n)) if n <= 3 else (tuple(range(n)), tuple(reversed(range(n))))
        )
        group = knob(f"{label}.l2_grouping")

        def grouped(order: tuple[int, ...]) -> Region:
            plain, together = Block(), Block()
            plain.add_op(YieldOp(*_apply_all(plain, pid, _plain_order(counts, order))))
            together.add_op(YieldOp(*_apply_all(together, pid, _grouped_order(counts, order, group))))
            choice = ChooseOp(
                expr_attr(Lt(Integer(1), group)), [0, 1], [Region(plain), Region(together)], [SCALAR_I32] * n
            )
            return Region(Block([choice, YieldOp(*choice.results)]))

        regions = [grouped(o) for o in orders]  # pyright: ignore
        choice = ChooseOp(expr_attr(knob(f"{label}.loop_order")), orders, regions, [SCALAR_I32] * n)
        body.add_op(choice)
        for i, r in enumerate(choice.results):
            r.name_hint = f"pid{i}"
        return list(choice.results)


def _root_loops(module: ModuleOp) -> list[control.ParallelOp]:
    return [op for op in module.walk() if isinstance(op, control.ParallelOp)]


def _block(argument: SSAValue) -> Expr:
    return argument.type.block.data if isinstance(argument.type, RangeType) else Integer(1)


def _plain_order(counts: Sequence[Expr], order: tuple[int, ...]) -> list[Expr]:
    out: list[Expr] = [Integer(0)] * len(counts)
    stride: Expr = Integer(1)
    for place, dim in enumerate(order):
        position = FloorDiv(operand(0), stride)
        out[dim] = position if place == len(order) - 1 else Mod(position, counts[dim])
        stride = stride * counts[dim]
    return out


def _grouped_order(counts: Sequence[Expr], order: tuple[int, ...], group: Expr) -> list[Expr]:
    """Groups of `group` rows of the first dimension, walked column by column (Triton's matmul tutorial)."""
    first, second = order[:2]
    plane = counts[first] * counts[second]
    inner = Mod(operand(0), plane) if len(order) > 2 else operand(0)
    out: list[Expr] = [Integer(0)] * len(counts)
    size = group * counts[second]
    start = FloorDiv(inner, size) * group
    rows = Min(counts[first] - start, group)
    out[first] = start + Mod(Mod(inner, size), rows)
    out[second] = FloorDiv(Mod(inner, size), rows)
    stride = plane
    for place, dim in enumerate(order[2:], 2):
        position = FloorDiv(operand(0), stride)
        out[dim] = position if place == len(order) - 1 else Mod(position, counts[dim])
        stride = stride * counts[dim]
    return out


def _apply_all(block: Block, pid: SSAValue, exprs: Sequence[Expr]) -> list[SSAValue]:
    made = [ApplyOp(e, [pid], SCALAR_I32) for e in exprs]
    block.add_ops(made)
    return [m.result for m in made]
