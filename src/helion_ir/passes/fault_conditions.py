"""The conditions of `helion_ir.targets.faults` on a tile module: when a value of a knob meets the fault.

Each gives an expression over knobs, for the knob of that name: 1 where the kernel always has the fault, 0 where never.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from helion_ir.dialects.knob import declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import NONE, And, FloorDiv, Le, Lt, Min, Ne, Or, any_of, as_expr, knob, string
from helion_ir.index.facts import decide
from helion_ir.passes.access_order import in_order, loops_around, writes
from helion_ir.passes.base import target_of
from helion_ir.passes.carried_reductions import is_moved, is_sum_of_loop
from helion_ir.passes.chained_products import is_chained, registers_of_result
from helion_ir.passes.choose_indexing import access_name
from helion_ir.passes.plan_memory.loops import Loop, loops_of
from helion_ir.passes.plan_memory.products import suits_groups
from helion_ir.passes.scope import domains_of, kernel_of, physical

LEAST_WARPS, MOST_WARPS = 4, 8
"""Warps of a launch whose warps take roles."""
LEAST_ROWS = 64
"""Rows of a product in tensor memory."""
BESIDE_RESULT = 16
"""Registers a thread needs at least beside those of a product's result."""


@dataclass
class Subject:
    """A module in which faults are looked for, with what is asked of it for several knobs."""

    module: ModuleOp

    @functools.cached_property
    def declared(self) -> frozenset[str]:
        """Names of the knobs."""
        return frozenset([d.sym_name.data for d in declarations(self.module)])

    @functools.cached_property
    def products(self) -> list[compute.DotOp]:
        return [op for op in self.module.walk() if isinstance(op, compute.DotOp)]

    @functools.cached_property
    def loops(self) -> dict[Operation, Loop]:
        return {x.op: x for x in loops_of(self.module.walk(), self.declared)}

    def by_groups(self, product: compute.DotOp) -> Expr:
        """Whether groups of warps do a product together and keep its result in registers, given the warps for it."""
        target = target_of(self.module)
        return Integer(0) if target.tensor_memory else as_expr(suits_groups(product, target.staging))

    @functools.cached_property
    def roots(self) -> list[control.ParallelOp]:
        return [op for op in self.module.walk() if isinstance(op, control.ParallelOp)]

    @functools.cached_property
    def after_writes(self) -> list[tuple[Operation, Operation]]:
        """Accesses that write, with those of the same program that have to come after them."""
        pairs = [pair for root in self.roots for pair in in_order(root, kernel_of(root))]
        return [(pair.first, pair.second) for pair in pairs if writes(pair.first)]


def always(subject: Subject, name: str) -> Expr:
    return Integer(1)


def cache_modifier(subject: Subject, name: str) -> Expr:
    """Whether the load of an eviction knob has a cache modifier."""
    cache = f"{name.removesuffix('.eviction')}.cache"
    return Ne(knob(cache), string("")) if cache in subject.declared else Integer(0)


def more_registers_for_products(subject: Subject, name: str) -> Expr:
    """Whether a thread's share of a product's result leaves too few of the registers the knob allows."""
    target, warps = target_of(subject.module), knob("num_warps")
    needs: list[Expr] = []
    for product in subject.products:
        chained = And(subject.by_groups(product), is_chained(product, subject.loops))
        elements = registers_of_result(product, chained, warps)
        needs.append(Lt(knob(name) - BESIDE_RESULT, FloorDiv(elements, warps * target.warp_size)))
    return And(Ne(knob(name), NONE), any_of(needs))


def results_for_all_registers(subject: Subject, name: str) -> Expr:
    """Whether a product of warp groups has a result that takes all registers its threads can have."""
    target, warps = target_of(subject.module), knob(name)
    most = Min(warps * (target.warp_size * target.max_registers_per_thread), Integer(target.registers))
    needs: list[Expr] = []
    for product in subject.products:
        takes_all, largest = (
            And(subject.by_groups(product), Le(most, registers_of_result(product, chained, warps)))
            for chained in (is_chained(product, subject.loops), Integer(1))
        )
        # The largest has fewer knobs, so that this is decided where it never happens.
        if decide(largest, domains_of(subject.module)) != 0:
            needs.append(takes_all)
    return any_of(needs)


def warps_for_no_roles(subject: Subject, name: str) -> Expr:
    warps = knob("num_warps")
    return Or(Lt(warps, Integer(LEAST_WARPS)), Lt(Integer(MOST_WARPS), warps))


def products_of_few_rows(subject: Subject, name: str) -> Expr:
    return any_of([Lt(physical(_type(p.lhs).dims[-2]), Integer(LEAST_ROWS)) for p in subject.products])


def persistent_root(subject: Subject, name: str) -> Expr:
    roots = {f"loop.{op.label.data}.warp_specialize" for op in subject.roots}
    return Integer(int(name in roots))


def unrolled_loop(subject: Subject, name: str) -> Expr:
    """Whether the loop of a knob is unrolled in part."""
    unroll = f"{name.rpartition('.')[0]}.loop_unroll_factor"
    return Ne(knob(unroll), NONE) if unroll in subject.declared else Integer(0)


def product_added_to_another_in_its_loop(subject: Subject, name: str) -> Expr:
    """Whether the loop of a knob adds a product to the result of another one of the same iteration."""
    pairs = [(p, p.acc.owner) for p in subject.products if isinstance(p.acc.owner, compute.DotOp)]
    loops = [second.parent_op() for second, first in pairs if first.parent is second.parent]
    labels = [loop.label.data for loop in loops if isinstance(loop, control.ForOp)]
    return Integer(int(name.rpartition(".")[0] in [f"loop.{label}" for label in labels]))


def loop_that_sums_what_it_loads(subject: Subject, name: str) -> Expr:
    """Whether the loop of a knob carries the sum, or another reduction, of tiles that it loads."""
    reductions = [op for op in subject.module.walk() if isinstance(op, compute.ReduceOp)]
    loops = [op.parent_op() for op in reductions if is_moved(op) and is_sum_of_loop(op)]
    labels = [loop.label.data for loop in loops if isinstance(loop, control.ForOp)]
    return Integer(int(name.rpartition(".")[0] in [f"loop.{label}" for label in labels]))


def later_access_to_what_is_written(subject: Subject, name: str) -> Expr:
    """Whether the access of an indexing knob writes, or comes after one that does, and has to come after it."""
    return Integer(int(any(name in (_indexing(first), _indexing(second)) for first, second in subject.after_writes)))


def loop_that_reads_what_it_stores(subject: Subject, name: str) -> Expr:
    """Whether the loop of a knob, of products where it is the launch's, writes what it may read afterwards."""
    for write, load in subject.after_writes:
        if writes(load):  # which are done in their places
            continue
        for loop in loops_around(write):
            if loop not in loops_around(load) or isinstance(loop, control.WhileOp):  # which is never pipelined
                continue
            products = any(isinstance(op, compute.DotOp) for op in loop.walk())
            if name == f"loop.{loop.label.data}.num_stages" or (name == "num_stages" and products):
                return Integer(1)
    return Integer(0)


CONDITIONS: dict[str, Callable[[Subject, str], Expr]] = {
    f.__name__.replace("_", " "): f
    for f in (
        always, cache_modifier, more_registers_for_products, results_for_all_registers, warps_for_no_roles,
        products_of_few_rows, persistent_root, unrolled_loop, product_added_to_another_in_its_loop, loop_that_sums_what_it_loads, later_access_to_what_is_written, loop_that_reads_what_it_stores,
    )
}  # fmt: skip
"""By the names that the table calls them."""


def _indexing(op: Operation) -> str:
    return f"{access_name(op)}.indexing" if isinstance(op, memory.AccessOp) else ""


def _type(value: object) -> TileType:
    type_ = value.type  # pyright: ignore
    assert isinstance(type_, TileType)
    return type_
