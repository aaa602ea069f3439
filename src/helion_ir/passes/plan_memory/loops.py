"""The loops of a kernel as Triton's software pipeliner sees them: which are left, which are innermost, how many stages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from xdsl.ir import Operation

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.tile import control
from helion_ir.dialects.triton.control import ProgramLoopOp
from helion_ir.dialects.types import RangeType
from helion_ir.index.expr import (
    NONE,
    And,
    CeilDiv,
    Eq,
    Le,
    Mod,
    Not,
    Or,
    Where,
    any_of,
    free_names,
    knob,
    knobs_of,
    string,
)
from helion_ir.passes.loop_knobs import PERSISTENT
from helion_ir.passes.plan_memory.footprint import SYMBOLIC, Size, Terms, is_number


@dataclass
class Loop:
    """One loop; every expression is over knobs, or a number where its terms are those of one configuration."""

    op: Operation
    outer: Loop | None
    runs: Size
    """Whether a loop of its unrolled body is left: a single iteration is folded away."""
    remains: Size
    """Whether a loop of what unrolling leaves over is left, which is not pipelined."""
    stages: Size
    explicit: Size
    """Whether its stages are its own rather than the launch's, which is when loads are pipelined without products."""
    unroll: Size
    trips: Size
    """Iterations, where they are known, else 0."""
    flatten: Size
    """Whether it is asked to become one loop with those inside."""
    specialized: Size = 0
    """Whether its warps take roles."""
    static: Size = 0
    """Whether Python runs it, so that the program has its iterations one after the other."""
    inner: list[Loop] = field(default_factory=list)

    @property
    def innermost(self) -> Size:
        """Whether it is a loop without another inside, the only kind that is pipelined."""
        return And(self.runs, Not(any_of([x.any_runs for x in self.inner]))) if self.inner else self.runs

    @property
    def fused(self) -> Size:
        """Whether it becomes one loop with those inside."""
        return And(self.flatten, any_of([x.any_runs for x in self.inner])) if self.inner else 0

    @property
    def any_runs(self) -> Size:
        return any_of([self.runs, self.remains, *[x.any_runs for x in self.inner]])

    def copies(self, op: Operation) -> Size:
        """How often an op inside stands in the body that is pipelined, where this loop is the innermost."""
        out, at = self.unroll, self.enclosing(op)
        while at is not None and at is not self:
            out = out * Where(Eq(at.trips, 0), 1, at.trips)
            at = at.outer
        return out

    def enclosing(self, op: Operation) -> Loop | None:
        """The innermost loop around an op, of this one and those inside it."""
        for x in self.inner:
            if (found := x.enclosing(op)) is not None:
                return found
        return self if self.holds(op) else None

    def holds(self, op: Operation) -> bool:
        """Whether an op is inside."""
        at = op.parent_op()
        while at is not None and at is not self.op:
            at = at.parent_op()
        return at is self.op


def loops_of(ops: Iterable[Operation], declared: Collection[str], terms: Terms = SYMBOLIC) -> list[Loop]:
    """The loops among the ops of a kernel, given in program order; those of its programs are loops too."""
    made: dict[Operation, Loop] = {}
    for op in [op for op in ops if op.regions]:
        match op:
            case ProgramLoopOp():
                loop = _of_programs(op, _around(op, made), declared, terms)
            case control.ForOp():
                loop = _of_tiles(op, _around(op, made), declared, terms)
            case control.WhileOp():
                zero, one, stages = 0, 1, _launch_stages(declared, terms)
                loop = Loop(op, _around(op, made), one, zero, stages, zero, one, zero, zero)
            case _:
                continue
        made[op] = loop
        if loop.outer is not None:
            loop.outer.inner.append(loop)
    return list(made.values())


def _around(op: Operation, loops: Mapping[Operation, Loop]) -> Loop | None:
    """The innermost of these loops around an op."""
    at = op.parent_op()
    while at is not None:
        if (found := loops.get(at)) is not None:
            return found
        at = at.parent_op()
    return None


def _of_programs(op: ProgramLoopOp, outer: Loop | None, declared: Collection[str], terms: Terms) -> Loop:
    kind = terms.of(op.kind.data) if isinstance(op.kind, ExprAttr) else string("flat")
    persistent = Or(*[Eq(kind, string(k)) for k in PERSISTENT])
    options = {} if op.options is None else op.options.data
    own = {k: terms.of(v.data) for k, v in options.items() if isinstance(v, ExprAttr)}
    stages, explicit = _stages(own.get("num_stages"), declared, terms)
    unroll, flatten = _number(own.get("loop_unroll_factor")), And(persistent, _true(own.get("flatten")))
    zero = 0
    return Loop(op, outer, persistent, zero, stages, explicit, unroll, zero, flatten)


def _of_tiles(op: control.ForOp, outer: Loop | None, declared: Collection[str], terms: Terms) -> Loop:
    prefix = f"loop.{op.label.data}."
    own = {
        k: terms.of(knob(prefix + k))
        for k in ("num_stages", "loop_unroll_factor", "flatten", "static", "warp_specialize")
        if prefix + k in declared
    }
    stages, explicit = _stages(own.get("num_stages"), declared, terms)
    unroll = _number(own.get("loop_unroll_factor"))
    extent = op.upper.data if op.lower.data == 0 else op.upper.data - op.lower.data
    runs, remains, trips, static = 1, 0, 0, _true(own.get("static"))
    range_type = op.body.block.args[0].type
    if len(free_names(extent)) == len(knobs_of(extent)) and isinstance(range_type, RangeType):
        trips = CeilDiv(terms.of(extent), terms.of(range_type.block.data))
        runs, remains = Le(2 * unroll, trips), Le(2, Mod(trips, unroll))
        if "static" in own:
            runs, remains = And(Not(static), runs), And(Not(static), remains)
    flatten, specialized = _true(own.get("flatten")), _true(own.get("warp_specialize"))
    return Loop(op, outer, runs, remains, stages, explicit, unroll, trips, flatten, specialized, static)


def _launch_stages(declared: Collection[str], terms: Terms) -> Size:
    return terms.of(knob("num_stages")) if "num_stages" in declared else 1


def _stages(own: Size | None, declared: Collection[str], terms: Terms) -> tuple[Size, Size]:
    whole = _launch_stages(declared, terms)
    if own is None:
        return whole, 0
    if is_number(own) or own == NONE:
        return (whole, 0) if own == NONE else (own, 1)
    return Where(Eq(own, NONE), whole, own), Not(Eq(own, NONE))


def _number(own: Size | None) -> Size:
    return 1 if own is None else Where(Eq(own, NONE), 1, own)


def _true(own: Size | None) -> Size:
    return 0 if own is None else Eq(own, 1)
