"""hoist-descriptors: each tensor descriptor is made once, when the kernel begins."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import ChooseOp, KnobValue, YieldOp
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.dialects.triton.memory import MakeDescriptorOp, UndefinedOp
from helion_ir.index.expr import And, Eq, Not, Or, string
from helion_ir.passes.base import Pass

Key = tuple[SSAValue, Attribute, Attribute, Attribute]
"""Base, shape, strides and block: accesses that have these in common share a descriptor."""


@dataclass(frozen=True)
class HoistDescriptors(Pass):
    """Make the descriptors that loops use before the first loop, one for all accesses of a tensor by the same block.

    ```mlir
    triton.for … { knob.choose <@load.x.indexing> … case "tensor_descriptor" {
      %d = triton.make_descriptor %x …
      %v = triton.descriptor_load %d[%m, %k] … } }
    // becomes
    %d = knob.choose <@load.x.indexing eq "tensor_descriptor"> -> (!triton.descriptor<…>)
      case 1 { triton.make_descriptor %x … } case 0 { triton.undefined }
    triton.for … { knob.choose <@load.x.indexing> … case "tensor_descriptor" { %v = triton.descriptor_load %d[%m, %k] … } }
    ```

    A program writes a descriptor to global memory and waits until the copy engine sees it, which costs as much as
    loading several blocks; and Triton pipelines only loops that make none. All it is made of is known when the kernel
    begins. Does not handle: descriptors that the host makes. Runs after cse and dce, which leave one `make_descriptor`
    an access, and before assign-names.
    """

    name = "hoist-descriptors"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in [k for k in op.walk() if isinstance(k, KernelOp)]:
            made: dict[Key, list[MakeDescriptorOp]] = {}
            for inner in kernel.walk():
                if isinstance(inner, MakeDescriptorOp) and inner.base.owner is kernel.body.block:
                    key = (inner.base, inner.shape, inner.strides, inner.block)
                    made.setdefault(key, []).append(inner)
            first = kernel.body.block.first_op
            for makers in made.values():
                self._hoist(kernel.body.block, makers, first)

    def _hoist(self, entry: Block, makers: list[MakeDescriptorOp], first: Operation | None) -> None:
        condition: Expr = Integer(0)
        for maker in makers:
            condition = Or(condition, _kept(maker))
        kept = makers[0]
        if condition == 1:
            new = self._copy(kept)
        else:
            alternatives = [
                Region(Block(ops)) for ops in (_yielding(self._copy(kept)), _yielding(UndefinedOp(kept.result.type)))
            ]
            new = ChooseOp(expr_attr(condition), [1, 0], alternatives, [kept.result.type])
        self.located(kept, [new])
        value = new.results[0]
        value.name_hint = kept.result.name_hint
        # Before what stood first, so that descriptors keep the order of their accesses.
        if first is None:
            entry.add_op(new)
        else:
            entry.insert_op_before(new, first)
        for maker in makers:
            maker.result.replace_all_uses_with(value)
            block = maker.parent_block()
            assert block is not None
            block.erase_op(maker)

    def _copy(self, op: MakeDescriptorOp) -> MakeDescriptorOp:
        made = MakeDescriptorOp(op.base, op.shape, op.strides, op.block)
        made.result.name_hint = op.result.name_hint
        return made


def _yielding(op: Operation) -> list[Operation]:
    return [op, YieldOp(op.results[0])]


def _kept(op: Operation) -> Expr:
    """The condition, over knobs, under which the alternatives around an op are the ones kept."""
    condition: Expr = Integer(1)
    inner = op
    while (outer := inner.parent_op()) is not None:
        if isinstance(outer, ChooseOp):
            case = next(c.data for c, r in zip(outer.cases, outer.alternatives) if r is inner.parent_region())
            condition = And(condition, _selects(outer.selector.data, case))
        inner = outer
    return condition


def _selects(selector: Expr, case: KnobValue) -> Expr:
    if isinstance(case, str):
        return Eq(selector, string(case))
    if case in (0, 1) and not selector.is_Symbol:  # a condition
        return selector if case else Not(selector)
    assert isinstance(case, int)
    return Eq(selector, Integer(case))
