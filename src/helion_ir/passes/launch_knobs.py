"""The options of a kernel's launch as knobs: warps, stages, and what else the target's compiler takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sympy import Integer
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, integers, one_of, pow2
from helion_ir.dialects.tile import compute
from helion_ir.index.expr import NONE, Eq, Le, Or, knob
from helion_ir.targets import Target
from helion_ir.targets.launch import REGISTERS


def launch_knobs(module: ModuleOp, target: Target, owner: str) -> Iterator[DeclareOp]:
    """num_warps, num_stages, and the target's own options that mean something for this kernel."""
    products = any(isinstance(op, compute.DotOp) for op in module.walk())
    yield DeclareOp("num_warps", pow2(1, min(32, target.max_warps)), 4, owner=owner, doc="warps of one program")
    yield DeclareOp(
        "num_stages", integers(1, 6), 2 if products else 1, owner=owner, doc="depth of software pipelines"
    )  # fmt: skip
    for option in target.launch_options:
        if products or not option.products:
            yield DeclareOp(option.name, one_of(*option.values), option.values[0], owner=owner, doc=option.doc)


def launch_options(target: Target, declared: Collection[str]) -> dict[str, Attribute]:
    """The options that have a knob, as a kernel's `launch`."""
    names = ("num_warps", "num_stages", *(o.name for o in target.launch_options))
    return {name: expr_attr(knob(name)) for name in names if name in declared}


def launch_requirements(target: Target, declared: Collection[str], owner: str) -> Iterator[RequireOp]:
    """What the options ask of one another."""
    if REGISTERS.name in declared:
        most = knob(REGISTERS.name)
        fits = Le(knob("num_warps") * target.warp_size * most, Integer(target.registers))
        reason = f"registers: {target.registers} of one compute unit, for all threads of a program"
        yield RequireOp(expr_attr(Or(Eq(most, NONE), fits)), reason, owner=owner)
