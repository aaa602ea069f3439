"""Constants within index expressions: of `index.apply`, and of the bounds of loops and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sympy import Expr, Integer, Symbol
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerType, i32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter

from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.tile import control as tile_control
from helion_ir.dialects.triton import control as triton_control
from helion_ir.dialects.types import TileType, i1
from helion_ir.index.expr import operand, substitute
from helion_ir.passes.canonicalization.numbers import wrap
from helion_ir.passes.canonicalization.pattern import Canonicalization, constant, forward

BOUNDED = (
    tile_control.ParallelOp, tile_control.ForOp, tile_control.BlockOp, triton_control.ForOp,
)  # fmt: skip
"""Ops with expressions over their `symbols` operands."""

_EXPRESSIONS = ("lower", "upper", "step")


def constant_expr(value: SSAValue, element: Attribute | None = None) -> Expr | None:
    """The expression of a scalar integer that depends on no value, such as `<@bm * 4>`, as an operand of arithmetic.

    `element` is the element type of that arithmetic, None where it is exact. An expression over names moves only
    within one type, since how it would wrap is not known.
    """
    type_ = value.type
    if not isinstance(type_, TileType) or type_.rank or not isinstance(type_.element_type, IntegerType):
        return None
    if element is not None and not isinstance(element, IntegerType):
        return None
    if (number := constant(value)) is not None:
        fits = element in (None, i1) or wrap(int(number), element) == number  # pyright: ignore[reportArgumentType]
        return Integer(int(number)) if fits else None
    if not isinstance(value.owner, ApplyOp) or value.owner.arguments:
        return None
    return value.owner.expr.data if element in (None, i1, type_.element_type) else None


class SubstituteConstants(Canonicalization):
    """`%c = index.apply <4>()`, `index.apply <d0 * 8 + d1>(%c, %x)` → `index.apply <d0 + 32>(%x)`.

    Also drops scalar operands that the expression does not name, and merges those given twice; a tile may give the
    result its shape, so it stays.
    """

    ops: ClassVar = (ApplyOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, ApplyOp) and isinstance(op.result.type, TileType)
        new = _substituted(op.arguments, [op.expr.data], op.result.type.element_type)
        if new is not None:
            kept, (expr,) = new
            rewriter.replace(op, ApplyOp(expr, kept, op.result.type))


class ForwardOperand(Canonicalization):
    """`index.apply <d0>(%x) : (t) -> t` → `%x`."""

    ops: ClassVar = (ApplyOp,)

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        assert isinstance(op, ApplyOp)
        if len(op.arguments) == 1 and op.expr.data == operand(0) and op.arguments[0].type == op.result.type:
            forward(rewriter, op, op.arguments[0])


class SubstituteBounds(Canonicalization):
    """`tile.for "k" (%k = 0 to d0 : …) with (%c : …)` → `tile.for "k" (%k = 0 to 128 : …)`."""

    ops: ClassVar = BOUNDED

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        attrs = {name: a for name in _EXPRESSIONS if (a := op.properties.get(name)) is not None}
        flat = [e.data for a in attrs.values() for e in (a.data if isinstance(a, ArrayAttr) else (a,))]  # pyright: ignore
        found = _substituted(op.symbols, flat, None)  # pyright: ignore[reportAttributeAccessIssue] - BOUNDED have it
        if found is None:
            return
        kept, exprs = found
        new = iter(exprs)
        for name, a in attrs.items():
            many = isinstance(a, ArrayAttr)
            op.properties[name] = ArrayAttr([expr_attr(next(new)) for _ in a.data]) if many else expr_attr(next(new))  # pyright: ignore
        _set_symbols(op, kept)
        rewriter.notify_op_modified(op)


def _set_symbols(op: Operation, symbols: Sequence[SSAValue]) -> None:
    # xDSL has no setter for named operands. All of BOUNDED begin with their symbols but the block, after its position.
    start = 1 if isinstance(op, tile_control.BlockOp) else 0
    before, after = op.operands[:start], op.operands[start + len(op.symbols) :]  # pyright: ignore[reportAttributeAccessIssue]
    op.operands = [*before, *symbols, *after]
    if isinstance(sizes := op.properties.get("operandSegmentSizes"), DenseArrayBase):
        counts = [len(symbols), *list(sizes.iter_values())[1:]]
        op.properties["operandSegmentSizes"] = DenseArrayBase.from_list(i32, counts)


def _substituted(
    arguments: Sequence[SSAValue], exprs: Sequence[Expr], element: Attribute | None
) -> tuple[list[SSAValue], list[Expr]] | None:
    """The operands that remain, and the expressions with constants put in and operands renumbered; None if all remain."""
    used = frozenset[object]().union(*(e.free_symbols for e in exprs))
    kept: list[SSAValue] = []
    values: dict[Symbol, Expr] = {}
    for i, argument in enumerate(arguments):
        scalar = isinstance(argument.type, TileType) and not argument.type.rank
        if (known := constant_expr(argument, element)) is not None:
            values[operand(i)] = known
        elif operand(i) not in used and scalar:
            continue
        elif scalar and argument in kept:
            values[operand(i)] = operand(kept.index(argument))
        else:
            values[operand(i)] = operand(len(kept))
            kept.append(argument)
    if len(kept) == len(arguments):
        return None
    return kept, [substitute(e, values) for e in exprs]


PATTERNS: list[Canonicalization] = [SubstituteConstants(), ForwardOperand(), SubstituteBounds()]
