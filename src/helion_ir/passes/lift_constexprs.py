"""lift-constexprs: what a configuration sets becomes a parameter of the kernel."""

from __future__ import annotations

import functools
import keyword
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.dialects.editing import replace
from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import ChooseOp
from helion_ir.dialects.operation import ops_of
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
            loops = [o for o in ops_of(kernel.body.block) if isinstance(o, ProgramLoopOp)]
            totals = {loop: total_parameter(i) for i, loop in enumerate(loops)}
            lift = _Lift({*totals.values(), *(a.data for a in kernel.arg_names)})
            ops = list(kernel.walk())[1:]
            printed = _deciding(ops)
            for inner in ops:
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
        replace(op, switch.results)


def _deciding(ops: Sequence[Operation]) -> frozenset[str]:
    """The knobs that decide what is printed: the kinds of the program loops, and which loops are static."""
    names: set[str] = set()
    for op in [op for op in ops if op.regions]:
        attr = op.kind if isinstance(op, ProgramLoopOp) else op.static if isinstance(op, ForOp) else None
        if isinstance(attr, ExprAttr):
            names |= knobs_of(attr.data)
    return frozenset(names)


def _takes_from_host(op: ChooseOp) -> bool:
    """Whether one of the alternatives is a parameter that the others have not."""
    return any(isinstance(o, HostDescriptorOp) for r in op.alternatives for o in r.block.ops)


@functools.cache
def _extents(e: Expr) -> tuple[Expr, ...]:
    """The outermost powers of two in `e` that a call or a configuration fixes: Triton 3.6 cannot compute them in a kernel."""
    if isinstance(e, NextPow2):
        return (e,) if scalars_of(e) or knobs_of(e) else ()
    return tuple([x for a in e.args for x in _extents(a)])  # pyright: ignore


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
        self.named: set[str] = set()
        self.knobs: dict[Symbol, Expr] = {}
        """The parameters that stand for knobs, of those named."""
        self.substituted: dict[Expr, Expr] = {}
        self.lifted: dict[Expr | Attribute, Attribute] = {}

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
        if found := _extents(e):
            e = _replaced(e, {x: symbol(self.name(x, _name(scalars_of(x) | knobs_of(x)) + "_block")) for x in found})
        for n in sorted(knobs_of(e) - self.named):
            self.named.add(n)
            self.knobs[knob(n)] = symbol(self.name(knob(n), _name([n])))
        return substitute(e, self.knobs, self.substituted)

    def attr(self, a: Attribute) -> Attribute:
        kind = type(a)
        if kind is ExprAttr:
            return self.expr_attr(a)  # pyright: ignore
        if kind is not ArrayAttr and kind is not DictionaryAttr:
            return a
        if (known := self.lifted.get(a)) is None:
            if isinstance(a, ArrayAttr):
                known = ArrayAttr([self.attr(x) for x in a.data])  # pyright: ignore
            else:
                known = DictionaryAttr({k: self.attr(v) for k, v in a.data.items()})  # pyright: ignore
            self.lifted[a] = known
        return known

    def expr_attr(self, a: ExprAttr) -> Attribute:
        e: Expr = a.data
        if e.is_Integer:
            return a
        if (known := self.lifted.get(e)) is None:
            known = self.lifted[e] = expr_attr(self.expr(e)) if knobs_of(e) or scalars_of(e) else a
        return known


def _name(of: Iterable[str]) -> str:
    """A parameter's name, from those of run-time scalars and knobs."""
    return "_".join(sorted([n.replace(".", "_") for n in of]))
