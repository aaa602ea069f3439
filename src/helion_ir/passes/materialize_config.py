"""materialize-config: bind what is still open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Region

from helion_ir.dialects.host import BindOp, PythonOp
from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import ChooseOp, DeclareOp, KnobValue, RequireOp, RuledOutOp, ValueAttr, YieldOp
from helion_ir.index.expr import as_expr, compiled, free_names, knob, knobs_of, substitute
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import Assignment, check_structure, complete, parse_assignment
from helion_ir.passes.copying import Copier


@dataclass(frozen=True)
class MaterializeConfig(Pass):
    """Replace every knob by its value and every `knob.choose` by the alternative chosen; no knob is left.

    ```mlir
    %v = knob.choose <@load.x.indexing> -> (t) case "pointer" { … knob.yield %a : t } case "tensor_descriptor" { … }
    // with config '{"load.x.indexing": "pointer"}' becomes the ops of the first case, and users take %a
    ```

    `config` is a JSON object; knobs it leaves out have their defaults. One walk builds the new module. Does not handle:
    a config of another structure than the template's, which is an error. Runs after everything that needs a knob.
    """

    name = "materialize-config"

    config: str = "{}"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        assignment = complete(op, parse_assignment(self.config))
        made = materialize(op, assignment)
        for old in list(op.body.block.ops):
            old.detach()
            old.erase(safe_erase=False)
        for new in list(made.body.block.ops):
            new.detach()
            op.body.block.add_op(new)


def materialize(template: ModuleOp, assignment: Assignment) -> ModuleOp:
    """A module in which no knob is left; the template stays as it is.

    Raises ValueError if the assignment's structure is not the template's.
    """
    check_structure(template, assignment)
    binder = _Binder(assignment)
    body = Block()
    binder.block(template.body.block, body)
    made = ModuleOp(Region(body))  # pyright: ignore
    made.attributes.update(template.attributes)
    made.location = template.location
    return made


class _Binder(Copier):
    """Copies IR under an assignment."""

    def __init__(self, assignment: Mapping[str, KnobValue]):
        super().__init__()
        self.assignment = assignment

    def expression(self, a: ExprAttr) -> Attribute:
        e = a.data
        names = knobs_of(e)
        if not names:
            return a
        if len(free_names(e)) > len(names):  # run-time symbols stay
            numbers = {knob(n): as_expr(self.assignment[n]) for n in names}
            return expr_attr(substitute(e, numbers))
        value = compiled(e)(self.assignment)
        return expr_attr(int(value)) if isinstance(value, int) and not isinstance(value, bool) else ValueAttr(value)

    def block(self, source: Block, target: Block) -> None:
        for op in source.ops:
            if isinstance(op, DeclareOp | RequireOp | RuledOutOp):
                continue
            if isinstance(op, ChooseOp):
                self.choose(op, target)
            elif isinstance(op, BindOp) and isinstance(bound := self.expression(op.value), ValueAttr):
                # No integer, hence no index expression: it is text from here on, as host code is.
                statement = PythonOp(f"{op.variable.data} = {bound.data!r}")
                statement.location = op.location
                target.add_op(statement)
            elif not isinstance(op, YieldOp):
                target.add_op(self.op(op))

    def choose(self, op: ChooseOp, target: Block) -> None:
        kept = op.alternative(compiled(op.selector.data)(self.assignment)).block
        self.block(kept, target)
        assert kept.last_op is not None
        for result, value in zip(op.results, kept.last_op.operands):
            self.values[result] = self.values.get(value, value)
