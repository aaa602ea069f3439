"""Which block of each dimension a program computes: loop orders, L2 grouping and axes of the grid; and its indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sympy import Expr, Integer
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.editing import append, take_name
from helion_ir.dialects.index import ApplyOp, ExprAttr, expr_attr
from helion_ir.dialects.knob import ChooseOp, KnobValue, ValueAttr, YieldOp
from helion_ir.dialects.tile import control
from helion_ir.dialects.tile.elementwise import CastOp
from helion_ir.dialects.types import SCALAR_I32, SCALAR_I64, RangeType, TileType, i64
from helion_ir.index.expr import (
    CeilDiv,
    Eq,
    FloorDiv,
    Lt,
    Max,
    Min,
    Mod,
    as_expr,
    free_names,
    knob,
    operand,
    product,
    string,
    substitute,
)

Order = tuple[int, ...]
"""The dimensions, the fastest first."""

MOST_IN_TEMPLATE = 3
"""Dimensions of which every order is an alternative in the template; with more, the order is bound before."""
ORDERED_AT_MOST = 6
"""Dimensions of which every order is in the knob's domain, 720 of them."""


Orders = list[Order] | tuple[Expr, list[Order]]
"""One order, or the knob that chooses and its values."""


def orders_of(loop: control.ParallelOp, declared: Mapping[str, tuple[object, ...]]) -> Orders:
    """The order of a root loop's dimensions, as a list of one, or a knob and its values.

    Args:
        loop: the root loop.
        declared: the values of every knob.
    """
    n = len(loop.body.block.args)
    name = f"{loop.label.data}.loop_order"
    schedule = loop.schedule
    if isinstance(schedule, ExprAttr):
        raise ValueError(f"bind-structure must run before map-grid: the order of {loop.label.data} is open")
    if isinstance(schedule, ValueAttr):
        return [schedule.data]
    if n == 1 or name not in declared:
        return [tuple(range(n))]
    values: list[Order] = list(declared[name])  # pyright: ignore[reportAssignmentType] - a permutation's values
    return (knob(name), values) if len(values) > 1 else values


def grouping_of(loop: control.ParallelOp, declared: Mapping[str, tuple[object, ...]]) -> Expr | None:
    """How many blocks of the fastest dimension run together, where they may."""
    name = f"{loop.label.data}.l2_grouping"
    first, *others = declared.get(name, (1,))
    return knob(name) if others else None if first == 1 else as_expr(first)


def block_indices(body: Block, loop: control.ParallelOp, places: Sequence[SSAValue]) -> list[SSAValue]:
    """What the arguments of a root loop are at given blocks along its dimensions: ranges, or scalars.

    Args:
        body: where the ops are added.
        loop: the root loop.
        places: the block numbers.
    """
    out: list[SSAValue] = []
    for argument, place, lo, hi in zip(loop.body.block.args, places, loop.lower, loop.upper):
        if isinstance(argument.type, RangeType):
            made: Operation = control.BlockOp(place, lo.data, hi.data, argument.type, loop.symbols)
            append(body, made)
        else:
            moved = {operand(i): operand(i + 1) for i in range(len(loop.symbols))}
            made = _scalar(body, place, substitute(lo.data, moved), argument.type, loop.symbols)
        take_name(made.results[0], argument)
        out.append(made.results[0])
    return out


def _scalar(body: Block, place: SSAValue, lower: Expr, type_: Attribute, symbols: Sequence[SSAValue]) -> Operation:
    """The index `place + lower`, computed in 64 bits where an operand has as many or the result must."""
    used = [s for i, s in enumerate(symbols, 1) if f"d{i}" in free_names(lower)]
    wide = type_ == SCALAR_I64 or any(s.type == SCALAR_I64 for s in used)
    if wide:
        cast = CastOp(place, i64)
        body.add_op(cast)
        place = cast.result
    operands = [place, *symbols] if used else [place]
    made: Operation = ApplyOp(operand(0) + lower, operands, SCALAR_I64 if wide else SCALAR_I32)
    body.add_op(made)
    if made.results[0].type != type_:
        assert isinstance(type_, TileType)
        made = CastOp(made.results[0], type_.element_type)
        body.add_op(made)
    return made


def positions(
    body: Block,
    arguments: Sequence[SSAValue],
    counts: Sequence[Expr],
    orders: Orders,
    group: Expr | None,
    axes: Sequence[SSAValue] = (),
    chiplets: int = 1,
) -> list[SSAValue]:
    """The block number along each dimension.

    Args:
        body: where the ops are added.
        arguments: the program id, then the operands `d1, d2, …` of `counts`.
        counts: blocks along each dimension.
        orders: one order, or the knob that chooses and its values.
        group: how many blocks of the fastest dimension run together, where that is open.
        axes: the positions on the grid, one a dimension, where the kind of loop that has them is open.
        chiplets: to how many L2s programs are dealt, where `@xcd_remap` decides what that means.
    """
    n = len(counts)

    def in_order(block: Block) -> list[SSAValue]:
        first, *rest = arguments
        if chiplets > 1:
            first = remapped(block, arguments, product(counts), chiplets)
        return [first] if n == 1 else _ordered(block, [first, *rest], counts, orders, group)

    results: list[SSAValue]
    if not axes:
        results = in_order(body)
        if n == 1:
            return results
    else:
        linear, grid = Block(), Block()
        linear.add_op(YieldOp(*in_order(linear)))
        grid.add_op(YieldOp(*axes))
        selector = expr_attr(Eq(knob("pid_type"), string("xyz")))
        choice = ChooseOp(selector, [0, 1], [Region(linear), Region(grid)], [SCALAR_I32] * n)
        body.add_op(choice)
        results = [*choice.results]
    for i, r in enumerate(results):
        r.name_hint = f"pid{i}"
    return results


def remapped(body: Block, arguments: Sequence[SSAValue], total: Expr, chiplets: int) -> SSAValue:
    """The program's number, or with `@xcd_remap` one that counts through the programs of a chiplet first.

    The hardware deals programs to chiplets in turn: program p runs on chiplet p mod n, and becomes block p div n of that
    chiplet's share. Shares are equal but for the last ones, which have one less.

    Args:
        body: where the ops are added.
        arguments: the program id, then the operands `d1, d2, …` of `total`.
        total: how many programs there are.
        chiplets: how many L2s they are dealt to.
    """
    share = CeilDiv(total, chiplets)
    full = total - (share - 1) * chiplets  # chiplets whose share is whole
    chiplet, turn = Mod(operand(0), chiplets), FloorDiv(operand(0), chiplets)
    together, dealt = Block(), Block()
    together.add_op(
        YieldOp(*_apply_all(together, arguments, [chiplet * share - Max(chiplet - full, Integer(0)) + turn]))
    )
    dealt.add_op(YieldOp(arguments[0]))
    choice = ChooseOp(expr_attr(knob("xcd_remap")), [0, 1], [Region(dealt), Region(together)], [SCALAR_I32])
    body.add_op(choice)
    choice.results[0].name_hint = "block"
    return choice.results[0]


def _ordered(
    body: Block,
    arguments: Sequence[SSAValue],
    counts: Sequence[Expr],
    orders: Orders,
    group: Expr | None,
) -> list[SSAValue]:
    if isinstance(orders, list):
        (order,) = orders
        return _grouped(body, arguments, counts, _whole(order, counts), group)
    selector, values = orders
    regions: list[Region] = []
    for order in values:
        block = Block()
        block.add_op(YieldOp(*_grouped(block, arguments, counts, _whole(order, counts), group)))
        regions.append(Region(block))
    cases: list[KnobValue] = list(values)
    choice = ChooseOp(expr_attr(selector), cases, regions, [SCALAR_I32] * len(counts))
    body.add_op(choice)
    return list(choice.results)


def _whole(order: Order, counts: Sequence[Expr]) -> Order:
    """An order with the dimensions that a pass has added to the loop, which come last."""
    return (*order, *range(len(order), len(counts)))


def _grouped(
    body: Block, arguments: Sequence[SSAValue], counts: Sequence[Expr], order: Order, group: Expr | None
) -> list[SSAValue]:
    if group is None:
        return _apply_all(body, arguments, plain_order(counts, order))
    if group.is_Integer:
        return _in_groups(body, arguments, counts, order, group)
    plain, together = Block(), Block()
    plain.add_op(YieldOp(*_apply_all(plain, arguments, plain_order(counts, order))))
    together.add_op(YieldOp(*_in_groups(together, arguments, counts, order, group)))
    choice = ChooseOp(
        expr_attr(Lt(Integer(1), group)), [0, 1], [Region(plain), Region(together)], [SCALAR_I32] * len(counts)
    )
    body.add_op(choice)
    return list(choice.results)


def plain_order(counts: Sequence[Expr], order: Order) -> list[Expr]:
    """The block numbers of program `d0`, dimension by dimension in this order."""
    return _digits([Integer(0)] * len(counts), counts, order, Integer(1))


def _in_groups(
    block: Block, arguments: Sequence[SSAValue], counts: Sequence[Expr], order: Order, group: Expr
) -> list[SSAValue]:
    """Groups of `group` rows of the first dimension, walked column by column (Triton's matmul tutorial)."""

    def apply(e: Expr, *operands: SSAValue, hint: str | None = None) -> SSAValue:
        made = ApplyOp(e, [*arguments, *operands], SCALAR_I32)
        made.result.name_hint = hint
        block.add_op(made)
        return made.result

    first, second = order[:2]
    plane = counts[first] * counts[second]
    inner = Mod(operand(0), plane) if len(order) > 2 else operand(0)
    size = group * counts[second]
    a, b = operand(len(arguments)), operand(len(arguments) + 1)
    start = apply(FloorDiv(inner, size) * group, hint="group_start")
    rows = apply(Min(counts[first] - a, group), start, hint="group_rows")
    place = apply(Mod(inner, size), hint="group_place")
    last = _digits([Integer(0)] * len(counts), counts, order[2:], plane)
    out: list[SSAValue] = []
    for dim, digit in enumerate(last):
        if dim == first:
            out.append(apply(a + Mod(b, operand(len(arguments) + 2)), start, place, rows))
        elif dim == second:
            out.append(apply(FloorDiv(a, b), place, rows))
        else:
            out.append(apply(digit))
    return out


def _digits(out: list[Expr], counts: Sequence[Expr], order: Order, stride: Expr) -> list[Expr]:
    """Fill in the digits of `d0 // stride`, whose last needs no modulus."""
    for dim in order:
        position = FloorDiv(operand(0), stride)
        if dim == order[-1]:
            out[dim] = position
        else:
            out[dim] = Mod(position, counts[dim])
            stride = stride * counts[dim]
    return out


def _apply_all(block: Block, arguments: Sequence[SSAValue], exprs: Sequence[Expr]) -> list[SSAValue]:
    made = [ApplyOp(e, arguments, SCALAR_I32) for e in exprs]
    for op in made:
        append(block, op)
    return [m.result for m in made]
