"""declare-plain: configurations in which each choice between alternatives is the default are a structure of their own."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import declarations
from helion_ir.index.expr import Eq, all_of, as_expr, knob
from helion_ir.passes.base import Pass

PLAIN = "helion_ir.plain"
"""The module attribute with the condition, open until bind-structure decides it."""


@dataclass(frozen=True)
class DeclarePlain(Pass):
    """Say under which condition over knobs a configuration needs none of the alternatives that a template has.

    ```mlir
    knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "choose-indexing" …
    // the module gets an attribute, with all such knobs in it
    builtin.module attributes {helion_ir.plain = #index.expr<@load.x.indexing eq "pointer">} …
    ```

    A template with each way to address each access, and each order of programs, is three times the IR, and the text, of
    one with the defaults alone. A search wants the former, since its configurations share it; the first configuration
    of an untuned kernel has the defaults. Which knobs these are, the passes that build the alternatives say
    (`Pass.alternatives`). bind-structure leaves such knobs only their defaults where the condition holds; a template
    that it was not bound for serves every configuration. Does not handle: knobs that change sizes or options only,
    which cost a template nothing. Runs after set-defaults, whose defaults it reads.
    """

    name = "declare-plain"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        from helion_ir.passes.pipeline import pipeline

        alternatives = {(p.name, name) for p in pipeline() for name in p.alternatives}
        condition = all_of(
            [
                Eq(knob(d.sym_name.data), as_expr(d.default.data))
                for d in declarations(op)
                if (d.owner.data, d.field.data if d.field is not None else d.sym_name.data) in alternatives
                and len(d.domain.data.values) > 1
            ]
        )
        if condition != 1:
            op.attributes[PLAIN] = expr_attr(condition)
