"""avoid-faults: what the toolchain gets wrong is no configuration."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import (
    DeclareOp,
    DomainAttr,
    KnobValue,
    RequireOp,
    RuledOutOp,
    ValueAttr,
    declarations,
    one_of,
)
from helion_ir.index.expr import And, Eq, Ne, Not, any_of, as_expr, knob
from helion_ir.index.facts import decide
from helion_ir.passes.base import Pass, target_of
from helion_ir.passes.fault_conditions import CONDITIONS, Subject
from helion_ir.passes.scope import domains_of
from helion_ir.targets.faults import Fault, faults_of, triton_version


@dataclass(frozen=True)
class AvoidFaults(Pass):
    """Take from the knobs what the table of toolchain faults says of this kernel, target and version of Triton.

    ```mlir
    knob.declare @num_ctas : one_of 1, 2, 4 = 1 …
    // becomes
    knob.ruled_out @num_ctas : 2, 4, "clusters: kernels of several thread blocks leave elements unwritten, …" by "avoid-faults"
    ```

    Where other knobs decide whether a value meets the fault, it is a `knob.require`. A knob left with one value goes,
    unless its place in a list of `Config` must stay. Does not handle: faults that only the printed program shows. The table is
    `helion_ir.targets.faults`, the conditions are `helion_ir.passes.fault_conditions`.
    Runs after declare-schedules, whose knobs these are.
    """

    name = "avoid-faults"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        subject, declared_knobs = Subject(op), list(declarations(op))
        met = [
            (fault, d, CONDITIONS[fault.when](subject, d.sym_name.data))
            for fault in faults_of(target_of(op), triton_version())
            for d in declared_knobs
            if fault.knob == d.sym_name.data or d.sym_name.data.endswith(f".{fault.knob}")
        ]
        # What goes altogether goes first: no requirement may read a knob that is not there any more.
        for always in (True, False):
            for fault, declared, condition in met:
                if declared.parent is not None:
                    self._avoid(op, declared, fault, decide(condition, domains_of(op)), always)

    def _avoid(self, module: ModuleOp, declared: DeclareOp, fault: Fault, condition: Expr, always: bool) -> None:
        name = declared.sym_name.data
        values: list[KnobValue] = [v for v in fault.values if v in declared.domain.data]
        if not values or set(declared.domain.data.values) == set(values) or condition == 0:
            return
        if (condition == 1 and declared.default.data not in values) is not always:
            return
        if always:
            self._remove(declared, values, fault.reason)
            return
        rest = [v for v in declared.domain.data.values if ValueAttr(v) not in map(ValueAttr, values)]
        bad: Expr = any_of([Eq(knob(name), as_expr(v)) for v in values])
        if len(rest) == 1:
            bad = Ne(knob(name), as_expr(rest[0]))
        rule = decide(Not(And(bad, condition)), domains_of(module))
        if rule != 1:
            self._insert(declared, RequireOp(expr_attr(rule), fault.reason, owner=self.name))

    def _remove(self, declared: DeclareOp, values: list[KnobValue], reason: str) -> None:
        self._insert(declared, RuledOutOp(declared.sym_name.data, values, reason, owner=self.name))
        rest = [v for v in declared.domain.data.values if ValueAttr(v) not in map(ValueAttr, values)]
        if len(rest) == 1 and declared.field is None:
            declared.detach()
            declared.erase()
        else:
            declared.properties["domain"] = DomainAttr(one_of(*rest))

    def _insert(self, declared: DeclareOp, made: Operation) -> None:
        made.location = declared.location
        block = declared.parent_block()
        assert block is not None
        block.insert_op_before(made, declared)
