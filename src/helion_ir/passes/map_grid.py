"""map-grid: a root loop becomes programs of a launch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Add, Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue

from helion_ir.dialects.editing import move_ops, replace_uses
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.knob import (
    BOOLEAN,
    DeclareOp,
    Domain,
    RequireOp,
    one_of,
    permutations,
    pow2,
)
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.tile import control
from helion_ir.dialects.tile.elementwise import CastOp
from helion_ir.dialects.triton.control import ProgramLoopOp
from helion_ir.dialects.types import SCALAR_I32, SCALAR_I64, RangeType, i32
from helion_ir.index.expr import (
    And,
    CeilDiv,
    Eq,
    Le,
    Max,
    Ne,
    Or,
    all_of,
    free_names,
    knob,
    knobs_of,
    operand,
    product,
    scalars_of,
    string,
    substitute,
)
from helion_ir.index.facts import Domains, decide, fact_of
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.block_order import (
    MOST_IN_TEMPLATE,
    ORDERED_AT_MOST,
    block_indices,
    grouping_of,
    orders_of,
    positions,
)
from helion_ir.passes.flatten_loops import unless_flattened
from helion_ir.passes.loop_knobs import PERSISTENT, loop_options, persistent
from helion_ir.passes.scope import INT32_MAX, domains_of, facts_about

RESERVED = "helion_ir.reserved_multiprocessors"
"""The module attribute that says how many multiprocessors persistent programs leave free."""

MOST_ON_LATER_AXES = 65535
"""Programs along the second and third axis of a grid, a limit of CUDA and HIP."""


@dataclass(frozen=True)
class MapGrid(Pass):
    """Turn `tile.parallel` into a `triton.program_loop` over the blocks, numbered by loop order and L2 grouping.

    ```mlir
    tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) { … }
    // becomes
    triton.program_loop %pid of <1000 ceildiv @m.block_size> kind #index.expr<@pid_type> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@m.block_size> … }
    ```

    The loops of several roots share one launch. Where a bound is read on the device, the number of blocks is computed
    before the loop, and programs must persist. Does not handle: barriers, at which split-phases makes new kernels.
    Runs after the passes that change a root loop's ranges, and before make-masks, which reads `tile.block`s.
    """

    name = "map-grid"
    alternatives = frozenset({"loop_orders", "l2_groupings", "pid_type"})

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        loops = _root_loops(module)
        kinds = ["flat", *PERSISTENT]
        if any(loop.symbols for loop in loops):
            kinds = list(PERSISTENT)
        elif len(loops) == 1 and len(loops[0].body.block.args) in (2, 3):
            kinds.insert(1, "xyz")
        for loop in loops:
            n, label = len(loop.body.block.args), loop.label.data
            if n >= 2:
                several = unless_flattened(module, loop)
                if "xyz" in kinds:
                    several = And(several, Ne(knob("pid_type"), string("xyz")))
                linear = None if several == 1 else expr_attr(several)
                yield DeclareOp(
                    f"{label}.loop_order", _orders(n), tuple(range(n)), owner=self.name, field="loop_orders",
                    doc="order of the dimensions of the grid, the fastest first", when=linear,
                )  # fmt: skip
                yield DeclareOp(
                    f"{label}.l2_grouping", pow2(1, 64), 1, owner=self.name, field="l2_groupings",
                    doc="rows of blocks whose programs run together, so that they share what is in L2", when=linear,
                )  # fmt: skip
            if n > MOST_IN_TEMPLATE:
                loop.properties["schedule"] = expr_attr(knob(f"{label}.loop_order"))
        yield DeclareOp(
            "pid_type", one_of(*kinds), kinds[0], owner=self.name,
            doc="one program a block, or one a multiprocessor that loops over blocks",
        )  # fmt: skip
        if target_of(module).xcds > 1:
            round_robin = Or(Eq(knob("pid_type"), string("flat")), Eq(knob("pid_type"), string(PERSISTENT[1])))
            yield DeclareOp(
                "xcd_remap", BOOLEAN, False, owner=self.name, when=expr_attr(round_robin),
                doc="whether the programs of one chiplet, which share an L2, run blocks that follow one another",
            )  # fmt: skip
        yield DeclareOp(
            "num_sm_multiplier", pow2(1, 128), 1, owner=self.name, doc="persistent programs a multiprocessor",
            when=persistent(),
        )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        declared = domains_of(op)
        for kernel in kernels(op, control.KernelOp):
            for loop in _roots_of(kernel):
                _Root(self, op, loop, declared).map()
            _bounds_first(kernel)


class _Root:
    """One root loop while it is mapped."""

    def __init__(self, owner: MapGrid, module: ModuleOp, loop: control.ParallelOp, declared: Domains):
        self.owner, self.module, self.loop, self.declared = owner, module, loop, declared
        self.label = loop.label.data
        self.before: list[Operation] = []
        """What the kernel computes ahead of the program loop."""
        self.symbols: list[SSAValue] = []
        """Numbers of blocks known on the device, the operands of the program loop."""

    def map(self) -> None:
        loop, source = self.loop, self.loop.body.block
        extents = [upper.data - lower.data for upper, lower in zip(loop.upper.data, loop.lower.data)]
        counts = [self._count(extent, argument) for extent, argument in zip(extents, source.args)]
        grid = len(counts) > 1 and "xyz" in self.declared.get("pid_type", ())
        body = Block(arg_types=[SCALAR_I32] * (1 + (len(counts) if grid else 0)))
        pid, *axes = body.args
        pid.name_hint = "pid"
        for axis, argument in zip(axes, source.args):
            axis.name_hint = f"{argument.name_hint or 'pid'}.axis"
        moved = {operand(i): operand(i + 1) for i in range(len(self.symbols))}
        inner = [substitute(c, moved) for c in counts]
        chiplets = target_of(self.module).xcds if True in self.declared.get("xcd_remap", ()) else 1
        places = positions(
            body,
            [pid, *self.symbols],
            inner,
            orders_of(loop, self.declared),
            grouping_of(loop, self.declared),
            axes,
            chiplets,
        )
        for argument, made in zip(source.args, block_indices(body, loop, places)):
            replace_uses(argument, made)
        move_ops(source, body)
        self._replace(body, extents, counts, grid)

    def _count(self, extent: Expr, argument: SSAValue) -> Expr:
        """The number of blocks along a dimension; one that is computed on the device becomes an operand."""
        count = CeilDiv(extent, argument.type.block.data if isinstance(argument.type, RangeType) else 1)
        names = free_names(extent)
        symbols = list(self.loop.symbols)
        if not any(f"d{i}" in names for i in range(len(symbols))):
            return Max(count, Integer(0)) if self._may_harm_below_zero(extent, argument) else count
        wide = any(s.type == SCALAR_I64 for s in symbols)
        made = ApplyOp(Max(count, Integer(0)), symbols, SCALAR_I64 if wide else SCALAR_I32)
        self.before.append(made)
        value = made.result
        if wide:
            value = CastOp(made.result, i32).result
            self.before.append(value.owner)  # pyright: ignore[reportArgumentType] - the op just made
        value.name_hint = f"{argument.name_hint or self.label}.blocks"
        self.symbols.append(value)
        return operand(len(self.symbols) - 1)

    def _may_harm_below_zero(self, extent: Expr, argument: SSAValue) -> bool:
        """Whether a count may be negative, and that would be more than a launch without programs.

        Two negative counts multiply to a positive one, which masks make harmless for tiles; and a negative total would
        shift the loops after it. A bare size is not negative, a bare integer of the author's may be.
        """
        if not scalars_of(extent):
            return False
        block = self.loop.parent_block()
        assert block is not None
        alone = sum(isinstance(op, control.ParallelOp | ProgramLoopOp) for op in block.ops) == 1
        open_ = sum(bool(scalars_of(u.data - lo.data)) for u, lo in zip(self.loop.upper, self.loop.lower))
        return not alone or open_ > 1 and (isinstance(extent, Add) or not isinstance(argument.type, RangeType))

    def _replace(self, body: Block, extents: Sequence[Expr], counts: Sequence[Expr], grid: bool) -> None:
        loop, declared = self.loop, self.declared
        kind = expr_attr(knob("pid_type")) if "pid_type" in declared else expr_attr(string("flat"))
        reserved = self.module.attributes.get(RESERVED)
        assert reserved is None or isinstance(reserved, IntegerAttr)
        options = loop_options(declared, self.label)
        program = ProgramLoopOp(
            product(counts), kind, Region(body),
            expr_attr(knob("num_sm_multiplier")) if "num_sm_multiplier" in declared else expr_attr(1), options or None,
            symbols=self.symbols, axes=counts if grid else (), reserved=reserved,
        )  # fmt: skip
        block = loop.parent_block()
        assert block is not None
        for op in (*self.before, program):
            block.insert_op_before(op, loop)
        self.owner.located(loop, [*self.before, program])
        loop.detach()
        loop.erase()
        # Counts that only a call or the device knows say nothing about configurations.
        settled = [c for c in counts if len(free_names(c)) == len(knobs_of(c))]
        known = product(settled)
        # There are no more blocks than indices.
        most = math.prod([int(e) for e in extents]) if all([e.is_Integer and int(e) > 0 for e in extents]) else math.inf
        if most > INT32_MAX and fact_of(known, facts_about(knobs_of(known), declared)).high > INT32_MAX:
            fits = decide(Le(known, Integer(INT32_MAX)), declared)
            self._require(fits, f"programs are counted in 32 bits: a launch has at most {INT32_MAX}")
        if grid:
            limit = Integer(MOST_ON_LATER_AXES)
            fits = all_of([decide(Le(c, limit), declared) for c in counts[1:] if c in settled])
            reason = f"the second and third axis of a grid hold {MOST_ON_LATER_AXES} programs"
            self._require(Or(Ne(knob("pid_type"), string("xyz")), fits), reason)

    def _require(self, condition: Expr, reason: str) -> None:
        if condition != 1:
            made = RequireOp(expr_attr(condition), reason, owner=self.owner.name)
            first = self.module.body.block.first_op
            assert first is not None
            self.module.body.block.insert_op_before(made, first)


def _bounds_first(kernel: control.KernelOp) -> None:
    """Compute every loop's bounds ahead of the first loop: a program's share is one of the blocks of all loops.

    No loop of a phase stores what a later one reads, so a bound has the same value there.
    """
    block = kernel.body.block
    first = next((op for op in ops_of(block) if isinstance(op, ProgramLoopOp)), None)
    at = first
    while first is not None and at is not None:
        following = at.next_op
        if not isinstance(at, ProgramLoopOp):
            at.detach()
            block.insert_op_before(at, first)
        at = following


def _root_loops(module: ModuleOp) -> list[control.ParallelOp]:
    return [loop for kernel in kernels(module, control.KernelOp) for loop in _roots_of(kernel)]


def _roots_of(kernel: control.KernelOp) -> list[control.ParallelOp]:
    return [op for op in ops_of(kernel.body.block) if isinstance(op, control.ParallelOp)]


def _orders(n: int) -> Domain:
    """Every order of a few dimensions; of more than a search could try, two."""
    identity = tuple(range(n))
    return permutations(n) if n <= ORDERED_AT_MOST else one_of(identity, identity[::-1])
