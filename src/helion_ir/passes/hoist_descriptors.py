"""hoist-descriptors: each tensor descriptor is made once, when the kernel begins or by the host before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.editing import replace
from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import (
    BOOLEAN,
    ChooseOp,
    DeclareOp,
    KnobValue,
    RuledOutOp,
    YieldOp,
    declarations,
)
from helion_ir.dialects.tile import memory
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.dialects.triton.memory import DescriptorMaker, HostDescriptorOp, MakeDescriptorOp, UndefinedOp
from helion_ir.dialects.types import RefType
from helion_ir.index.expr import And, Eq, Not, Or, any_of, knob, string
from helion_ir.passes.access_forms import why_no_host_descriptor
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.choose_indexing import DESCRIPTOR, access_name

ON_HOST = "host_tensor_descriptors"
"""The knob, and the field of `Config`, of who makes the descriptors."""

Key = tuple[SSAValue, Attribute, Attribute, Attribute]
"""Base, shape, strides and block: accesses that have these in common share a descriptor."""


@dataclass(frozen=True)
class HoistDescriptors(Pass):
    """Make the descriptors that loops use before the first loop or on the host, one for all accesses of a tensor by the same block.

    ```mlir
    triton.for … { knob.choose <@load.x.indexing> … case "tensor_descriptor" {
      %d = triton.make_descriptor %x …
      %v = triton.descriptor_load %d[%m, %k] … } }
    // becomes
    %d = knob.choose <@host_tensor_descriptors> -> (!triton.descriptor<…>)
      case 1 { triton.host_descriptor %x … when #index.expr<@load.x.indexing eq "tensor_descriptor"> }
      case 0 { knob.choose <@load.x.indexing eq "tensor_descriptor"> case 1 { triton.make_descriptor %x … } case 0 { triton.undefined } }
    triton.for … { knob.choose <@load.x.indexing> … case "tensor_descriptor" { %v = triton.descriptor_load %d[%m, %k] … } }
    ```

    A program writes a descriptor to global memory and waits until the copy engine sees it, which costs as much as
    loading several blocks; and Triton pipelines only loops that make none. All it is made of is known when the kernel
    begins, and to the host when it launches: it then makes the descriptor once for all programs, for some microseconds
    more a launch. Does not handle: descriptors of tensors whose base a kernel computes. Runs after cse and dce, which leave one `make_descriptor`
    an access, and before assign-names.
    """

    name = "hoist-descriptors"
    alternatives = frozenset({ON_HOST})

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        domains = {d.sym_name.data: d.domain.data for d in declarations(module)}
        users: list[Expr] = []
        without: set[str] = set()
        for op in module.walk():
            if not isinstance(op, memory.LoadOp | memory.StoreOp | memory.AtomicOp):
                continue
            name = f"{access_name(op)}.indexing"
            if name not in domains or DESCRIPTOR not in domains[name]:
                continue
            assert isinstance(op.ref.type, RefType)
            if reason := why_no_host_descriptor(op.ref.type.dims, op.ref.type.element_type):
                made = RuledOutOp(ON_HOST, [True], f"not for {access_name(op)}: {reason}", owner=self.name)
                if made.reason.data not in without:
                    without.add(made.reason.data)
                    made.location = op.location
                    yield made
            else:
                users.append(Eq(knob(name), string(DESCRIPTOR)))
        if users:
            yield DeclareOp(
                ON_HOST, BOOLEAN, False, owner=self.name, when=expr_attr(any_of(users)),
                doc="whether the host makes the tensor descriptors, once a launch, or each program does",
            )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, KernelOp):
            made: dict[Key, list[MakeDescriptorOp]] = {}
            for inner in kernel.walk():
                if (
                    isinstance(inner, MakeDescriptorOp)
                    and inner.base.owner is kernel.body.block
                    and not _is_hoisted(inner)
                ):
                    key = (inner.base, inner.shape, inner.strides, inner.block)
                    made.setdefault(key, []).append(inner)
            first = kernel.body.block.first_op
            for makers in made.values():
                self._hoist(kernel.body.block, makers, first, _may_be_on_host(op))

    def _hoist(self, entry: Block, makers: list[MakeDescriptorOp], first: Operation | None, on_host: bool) -> None:
        condition: Expr = Integer(0)
        for maker in makers:
            condition = Or(condition, _kept(maker))
        kept = makers[0]
        new: Operation = _copy(kept, MakeDescriptorOp)
        if condition != 1:
            new = _choice(condition, new, UndefinedOp(kept.result.type))
        shape = [e.data for e in kept.shape]
        if on_host and not why_no_host_descriptor(shape, kept.result.type.element_type):  # pyright: ignore
            passed = _copy(kept, HostDescriptorOp)
            if condition != 1:
                passed.properties["when"] = expr_attr(condition)
            new = _choice(knob(ON_HOST), passed, new)
        self.located(kept, [new])
        value = new.results[0]
        value.name_hint = kept.result.name_hint
        # Before what stood first, so that descriptors keep the order of their accesses.
        if first is None:
            entry.add_op(new)
        else:
            entry.insert_op_before(new, first)
        for maker in makers:
            replace(maker, [value])


def _may_be_on_host(module: ModuleOp) -> bool:
    return any(d.sym_name.data == ON_HOST and True in d.domain.data for d in declarations(module))


def _is_hoisted(op: MakeDescriptorOp) -> bool:
    """Whether a descriptor is one of the alternatives that this pass has made, as in a dump that is resumed."""
    return any(isinstance(use.operation, YieldOp) for use in op.result.uses)


def _copy(op: MakeDescriptorOp, kind: type[DescriptorMaker]) -> DescriptorMaker:
    made = kind(op.base, op.shape, op.strides, op.block)
    made.result.name_hint = op.result.name_hint
    return made


def _choice(condition: Expr, then: Operation, otherwise: Operation) -> ChooseOp:
    regions = [Region(Block([op, YieldOp(op.results[0])])) for op in (then, otherwise)]
    return ChooseOp(expr_attr(condition), [1, 0], regions, [then.results[0].type])


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
