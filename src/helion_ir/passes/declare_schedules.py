"""declare-schedules: every knob the pipeline will read, before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnknownLoc
from xdsl.rewriter import InsertPoint, Rewriter

from helion_ir.dialects.knob import DeclareOp, RuledOutOp, declarations, requirements
from helion_ir.dialects.tile import control
from helion_ir.dialects.types import RangeType
from helion_ir.passes.base import Pass


@dataclass(frozen=True)
class DeclareSchedules(Pass):
    """Ask each pass of the pipeline for its knobs, and write them and the open schedules into the module.

    ```mlir
    %n = tile.axis "n" 0 to 1021 : !tile.range<1021>
    // becomes, under a new `knob.declare @reduction.n : one_of none, 64, 128 = none …`
    %n = tile.axis "n" 0 to 1021 attributes {schedule = #index.expr<@reduction.n ne none>} : !tile.range<1021>
    ```

    Does not handle: knobs that exist only after another knob is bound, other than by a `when` condition.
    Runs on the tile module, once a kernel, before bind-structure: from here on the space is complete.
    """

    name = "declare-schedules"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        from helion_ir.passes.pipeline import pipeline

        _locate_blocks(op)
        kernel = next((k for k in op.body.block.ops if isinstance(k, control.KernelOp)), op)
        known = {d.sym_name.data for d in declarations(op)}
        last: DeclareOp | RuledOutOp | None = None
        for d in declarations(op):
            last = d
        for p in pipeline():
            for declared in p.declare(op):
                if isinstance(declared, DeclareOp):
                    if declared.sym_name.data in known:
                        continue
                    known.add(declared.sym_name.data)
                if isinstance(declared.location, UnknownLoc):  # a launch's; it is the kernel that has it
                    declared.location = kernel.location
                first = op.body.block.first_op
                point = (
                    InsertPoint.after(last)
                    if last is not None
                    else InsertPoint.before(first)
                    if first
                    else InsertPoint.at_end(op.body.block)
                )
                Rewriter.insert_op(declared, point)
                last = declared


def _locate_blocks(module: ModuleOp) -> None:
    """Give the frontend's block sizes, and what it requires of them, the author's line of the loop that they are of."""
    from helion_ir.index.expr import knobs_of

    unknown = {d.sym_name.data: d for d in declarations(module) if isinstance(d.location, UnknownLoc)}
    rules = [(r, knobs_of(r.condition.data)) for r in requirements(module) if isinstance(r.location, UnknownLoc)]
    for op in module.walk():
        if isinstance(op, control.ParallelOp | control.ForOp):
            for argument in op.body.block.args:
                if isinstance(argument.type, RangeType):
                    sizes = knobs_of(argument.type.block.data)
                    for name in sizes & unknown.keys():
                        unknown.pop(name).location = op.location
                    for rule, names in rules:
                        if sizes & names:  # the innermost loop is the last
                            rule.location = op.location
