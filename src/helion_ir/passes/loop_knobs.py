"""The options of a loop's tl.range as knobs: for sequential loops, and for the persistent loops of roots."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sympy import Expr, Integer
from xdsl.ir import Attribute

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import BOOLEAN, DeclareOp, one_of
from helion_ir.index.expr import And, CeilDiv, Eq, Le, Not, Or, constant_of, free_names, knob, knobs_of, string
from helion_ir.targets import Target

LOOP_OPTIONS = ("num_stages", "loop_unroll_factor", "disallow_acc_multi_buffer", "flatten", "warp_specialize")

PERSISTENT = ("persistent_blocked", "persistent_interleaved")
"""The values of `@pid_type` under which a program runs several blocks, in a loop."""


def persistent() -> ExprAttr:
    """The condition under which a root loop is a loop of its program."""
    blocked, interleaved = (Eq(knob("pid_type"), string(kind)) for kind in PERSISTENT)
    return expr_attr(Or(blocked, interleaved))


MOST_UNROLLED = 8
"""Iterations of a loop that may be unrolled entirely."""


def few_iterations(extent: Expr, block: Expr) -> Expr:
    """The condition over knobs under which a loop has so few iterations that it may be unrolled; 0 where none is known."""
    trips = CeilDiv(extent, block)
    return Le(trips, MOST_UNROLLED) if len(free_names(trips)) == len(knobs_of(trips)) else Integer(0)


def loop_knobs(
    label: str,
    target: Target,
    owner: str,
    when: ExprAttr | None,
    *,
    specialize: bool | None,
    unroll: Expr | None = None,
) -> Iterator[DeclareOp]:
    """The knobs of one loop.

    Args:
        label: the loop's name.
        target: says which options mean anything.
        owner: the pass that declares them.
        when: the condition under which there is such a loop, None for always.
        specialize: whether its warps may take roles, if the target can do that: False keeps the loop's place in the
            list of `Config` by a knob of one value, None has none.
        unroll: the condition under which it may be unrolled entirely; None or 0 for never.
    """
    prefix = f"loop.{label}."
    if unroll is not None and unroll != 0:
        condition = unroll if when is None else And(when.data, unroll)
        yield DeclareOp(
            prefix + "static", BOOLEAN, False, owner=owner, when=expr_attr(condition) if condition != 1 else None,
            # A config's list has the loops whose number of iterations is known without it.
            field="static_ranges" if constant_of(unroll) is not None else None,
            doc=f"whether loop {label} is unrolled entirely, at most {MOST_UNROLLED} iterations",
        )  # fmt: skip
        rolled = Not(knob(prefix + "static"))
        when = expr_attr(rolled if when is None else And(when.data, rolled))
    yield DeclareOp(
        prefix + "num_stages", one_of(None, 1, 2, 3, 4, 5), None, owner=owner, field="range_num_stages", when=when,
        doc=f"stages of the pipeline of loop {label}; none for the launch's",
    )  # fmt: skip
    yield DeclareOp(
        prefix + "loop_unroll_factor", one_of(None, 2, 3, 4), None, owner=owner, field="range_unroll_factors", when=when,
        doc=f"copies of the body of loop {label}",
    )  # fmt: skip
    if target.acc_multi_buffer:
        yield DeclareOp(
            prefix + "disallow_acc_multi_buffer", one_of(None, False, True), None, owner=owner,
            field="range_multi_buffers", when=when, doc=f"whether the accumulator of loop {label} has one buffer only",
        )  # fmt: skip
        yield DeclareOp(
            prefix + "flatten", one_of(None, False, True), None, owner=owner, field="range_flattens", when=when,
            doc=f"whether loop {label} is flattened with the loop around it",
        )  # fmt: skip
    if specialize is not None and target.warp_specialization:
        yield DeclareOp(
            prefix + "warp_specialize", BOOLEAN if specialize else one_of(False), False, owner=owner, field="range_warp_specializes", when=when,
            doc=f"whether the warps of loop {label} take roles",
        )  # fmt: skip


def loop_options(declared: Collection[str], label: str) -> dict[str, Attribute]:
    """The options of tl.range that have a knob for this loop, among the knobs `declared`."""
    names = [(o, f"loop.{label}.{o}") for o in LOOP_OPTIONS]
    return {option: expr_attr(knob(name)) for option, name in names if name in declared}


def static_option(declared: Collection[str], label: str) -> Attribute | None:
    """Whether the loop is unrolled entirely, if there is a knob for it."""
    name = f"loop.{label}.static"
    return expr_attr(knob(name)) if name in declared else None
