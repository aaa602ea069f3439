"""lift-constexprs: what a configuration sets becomes a parameter of the kernel."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Expr
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import ChooseOp
from helion_ir.dialects.triton.control import ForOp, KernelOp, ProgramLoopOp, YieldOp, total_parameter
from helion_ir.dialects.triton.memory import HostDescriptorOp
from helion_ir.dialects.triton.switch import SwitchOp
from helion_ir.index.expr import NextPow2, knob, knobs_of, scalars_of, substitute, symbol
from helion_ir.passes.base import Pass, kernels


@dataclass(frozen=True)
class LiftConstexprs(Pass):
    """Replace knobs by `tl.constexpr` parameters wherever they would be printed, so that configs share a text.

    ```mlir
    triton.kernel @k (…) constexprs {} { %a = triton.arange <@m.block_size> : !tile.tile<[@m.block_size], i32>
    // becomes
    triton.kernel @k (…) constexprs {m_block_size = #index.expr<@m.block_size>} { %a = triton.arange <m_block_size> : …
    ```

    A `knob.choose` becomes a `triton.switch`, an `if` of which Triton compiles one branch. So does a physical extent that
    a call fixes, `next_power_of_2(n)`, become `n_block`: Triton's shapes are constants, and the host computes it.

    Types stay over knobs, which are not printed. So do the kind and grid of the program loop, whether a loop is static,
    and who makes a descriptor, which say what is printed; and each `knob.choose` between alternatives that only some of
    these have. Does not handle: knobs in host code and in descriptors that the host makes, which are bound there. Runs
    after simplify-index, whose rules need the knobs' domains.
    """

    name = "lift-constexprs"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, KernelOp):
            loops = [o for o in kernel.body.block.ops if isinstance(o, ProgramLoopOp)]
            totals = {loop: total_parameter(i) for i, loop in enumerate(loops)}
            lift = _Lift({*totals.values(), *(a.data for a in kernel.arg_names)})
            printed = _deciding(kernel)
            for inner in list(kernel.walk()):
                if inner is kernel:
                    continue
                if isinstance(inner, ProgramLoopOp):
                    if inner.symbols:  # computed on the device
                        inner.properties["total"] = lift.attr(inner.total)
                    else:
                        # Over run-time scalars it differs from call to call: a constexpr would be compiled for each.
                        table = lift.scalars if scalars_of(inner.total.data) else lift.table
                        table[totals[inner]] = inner.total
                    if inner.options is not None:  # of programs that persist; the others do not print them
                        inner.properties["options"] = lift.attr(inner.options)
                    continue
                if isinstance(inner, HostDescriptorOp):
                    continue
                if isinstance(inner, ChooseOp):
                    if not (knobs_of(inner.selector.data) & printed or _takes_from_host(inner)):
                        self._switch(inner, expr_attr(lift.expr(inner.selector.data)))
                    continue
                for key, value in inner.properties.items():
                    if key != "static":
                        inner.properties[key] = lift.attr(value)
            kernel.properties["constexprs"] = DictionaryAttr({**kernel.constexprs.data, **lift.table})
            if lift.scalars:
                kernel.properties["scalars"] = DictionaryAttr(lift.scalars)

    def _switch(self, op: ChooseOp, selector: ExprAttr) -> None:
        regions = [op.detach_region(r) for r in list(op.alternatives)]
        for region in regions:
            last = region.block.last_op
            assert last is not None
            made = YieldOp(*last.operands)
            made.location = self.tagged(last.location)
            region.block.insert_op_before(made, last)
            region.block.erase_op(last)
        switch = SwitchOp(selector, [c.data for c in op.cases], [], [r.type for r in op.results])
        switch.location = self.tagged(op.location)
        for region in regions:
            switch.add_region(region)
        block = op.parent_block()
        assert block is not None
        block.insert_op_before(switch, op)
        for old, new in zip(op.results, switch.results):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        block.erase_op(op)


def _deciding(kernel: KernelOp) -> frozenset[str]:
    """The knobs that decide what is printed: the kinds of the program loops, and which loops are static."""
    names: set[str] = set()
    for op in kernel.walk():
        attr = op.kind if isinstance(op, ProgramLoopOp) else op.static if isinstance(op, ForOp) else None
        if isinstance(attr, ExprAttr):
            names |= knobs_of(attr.data)
    return frozenset(names)


def _takes_from_host(op: ChooseOp) -> bool:
    """Whether one of the alternatives is a parameter that the others have not."""
    return any(isinstance(o, HostDescriptorOp) for r in op.alternatives for o in r.block.ops)


def _extents(e: Expr) -> list[Expr]:
    """The outermost powers of two in `e` that a call or a configuration fixes: Triton 3.6 cannot compute them in a kernel."""
    if not _names(e):
        return []
    if isinstance(e, NextPow2):
        return [e]
    return [x for a in e.args for x in _extents(a)]  # pyright: ignore


def _names(e: Expr) -> list[str]:
    """Run-time scalars and knobs, as parts of a parameter's name."""
    return sorted(n.replace(".", "_") for n in scalars_of(e) | knobs_of(e))


def _replaced(e: Expr, values: Mapping[Expr, Expr]) -> Expr:
    if e in values:
        return values[e]
    return e.func(*[_replaced(a, values) for a in e.args]) if e.args else e  # pyright: ignore


class _Lift:
    def __init__(self, taken: set[str]):
        self.taken = taken
        self.table: dict[str, Attribute] = {}
        """The constexpr parameters."""
        self.scalars: dict[str, Attribute] = {}
        """The parameters that the host computes for each call."""
        self.names: dict[Expr, str] = {}
        self.memo: dict[Attribute, Attribute] = {}

    def name(self, of: Expr, name: str) -> str:
        """The parameter that stands for a knob or an extent."""
        if of not in self.names:
            while name in self.taken or keyword.iskeyword(name) or name in ("tl", "triton", "libdevice"):
                name += "_"
            self.taken.add(name)
            self.names[of] = name
            self.table[name] = expr_attr(of)
        return self.names[of]

    def expr(self, e: Expr) -> Expr:
        extents = {x: symbol(self.name(x, f"{'_'.join(_names(x))}_block")) for x in _extents(e)}
        e = _replaced(e, extents) if extents else e
        return substitute(e, {knob(n): symbol(self.name(knob(n), n.replace(".", "_"))) for n in sorted(knobs_of(e))})

    def attr(self, a: Attribute) -> Attribute:
        if isinstance(a, StringAttr):
            return a
        if (known := self.memo.get(a)) is None:
            known = self.memo[a] = self._attr(a)
        return known

    def _attr(self, a: Attribute) -> Attribute:
        if isinstance(a, ExprAttr):
            return expr_attr(self.expr(a.data)) if knobs_of(a.data) or scalars_of(a.data) else a
        if isinstance(a, ArrayAttr):
            return ArrayAttr([self.attr(x) for x in a])  # pyright: ignore
        if isinstance(a, DictionaryAttr):
            return DictionaryAttr({k: self.attr(v) for k, v in a.data.items()})
        return a
