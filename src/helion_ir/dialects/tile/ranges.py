"""Ranges of indices in the tile dialect: what makes them, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from helion_ir.dialects.index import ExprAttr, expr_attr, parse_expr_attr, print_expr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.tile.syntax import parse_symbols, print_extra, print_symbols
from helion_ir.dialects.types import SCALAR_I32, RangeType, TileType, range_type, string_attr, tile_type

if TYPE_CHECKING:
    from sympy import Expr


@irdl_op_definition
class AxisOp(Op):
    """A whole axis or slice of one, `:` or `a:b` with constant bounds: `%n = tile.axis "n" 0 to 1021 : !tile.range<1021>`.

    `schedule`, when set, is the open decision of how reductions over this extent run (declare-schedules, bind-structure).
    """

    name = "tile.axis"

    label = prop_def(StringAttr)
    lower = prop_def(ExprAttr)
    upper = prop_def(ExprAttr)
    schedule = opt_prop_def(Attribute)
    result = result_def(RangeType)

    traits = traits_def(Pure())

    def __init__(self, label: str, lower: Expr | int, upper: Expr | int, schedule: Attribute | None = None):
        low, high = expr_attr(lower), expr_attr(upper)
        super().__init__(
            properties={"label": string_attr(label), "lower": low, "upper": high, "schedule": schedule},
            result_types=[range_type(high.data - low.data)],
        )

    @classmethod
    def parse(cls, parser: Parser) -> AxisOp:
        label = parser.parse_str_literal()
        low = parse_expr_attr(parser)
        parser.parse_keyword("to")
        high = parse_expr_attr(parser)
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        parser.parse_punctuation(":")
        type_ = parser.parse_type()
        op = cls.create(
            properties={"label": string_attr(label), "lower": low, "upper": high, **extra}, result_types=[type_]
        )
        return op  # pyright: ignore

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.label.data)
        printer.print_string(" ")
        print_expr(printer, self.lower)
        printer.print_string(" to ")
        print_expr(printer, self.upper)
        print_extra(printer, self, ("label", "lower", "upper"))
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class BlockOp(Op):
    """The block number `%i` of the indices from `lower` to `upper`; map-grid turns loop arguments into these.

    `%m = tile.block %i of 0 to 1000 : !tile.range<@tile_m.block_size>`
    """

    name = "tile.block"

    position = operand_def(TileType)
    lower = prop_def(ExprAttr)
    upper = prop_def(ExprAttr)
    symbols = var_operand_def()
    result = result_def(RangeType)

    traits = traits_def(Pure())

    def __init__(
        self,
        position: SSAValue,
        lower: Expr | int,
        upper: Expr | int,
        type_: Attribute,
        symbols: Sequence[SSAValue] = (),
    ):
        super().__init__(
            operands=[position, list(symbols)],
            properties={"lower": expr_attr(lower), "upper": expr_attr(upper)},
            result_types=[type_],
        )

    @classmethod
    def parse(cls, parser: Parser) -> BlockOp:
        position = parser.resolve_operand(parser.parse_unresolved_operand(), SCALAR_I32)
        parser.parse_keyword("of")
        low = parse_expr_attr(parser)
        parser.parse_keyword("to")
        high = parse_expr_attr(parser)
        symbols = parse_symbols(parser)
        parser.parse_punctuation(":")
        return cls(position, low.data, high.data, parser.parse_type(), symbols)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.position)
        printer.print_string(" of ")
        print_expr(printer, self.lower)
        printer.print_string(" to ")
        print_expr(printer, self.upper)
        print_symbols(printer, self.symbols)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class ShiftOp(Op):
    """A range moved by a scalar, `tile + k`: its lanes stay active where the original's are."""

    name = "tile.shift"

    range = operand_def(RangeType)
    offset = operand_def(TileType)
    result = result_def(RangeType)

    traits = traits_def(Pure())
    assembly_format = "$range `by` $offset attr-dict `:` type($range) `,` type($offset) `->` type($result)"

    def __init__(self, range: SSAValue, offset: SSAValue):
        super().__init__(operands=[range, offset], result_types=[range.type])


@irdl_op_definition
class PartOp(Op):
    """One of the equal parts of a range, `%h = tile.part %n at <1> : !tile.range<@n> -> !tile.range<@n floordiv 2>`.

    It begins `at` times its own extent after the range does, and its lanes are active where the range's are. `at` may be
    computed: `tile.part %n at <d0> with (%i : t)`.
    """

    name = "tile.part"

    at = prop_def(ExprAttr)
    range = operand_def(RangeType)
    symbols = var_operand_def()
    result = result_def(RangeType)

    traits = traits_def(Pure())

    def __init__(self, range: SSAValue, at: Expr | int, block: Expr | int, symbols: Sequence[SSAValue] = ()):
        super().__init__(
            operands=[range, list(symbols)], properties={"at": expr_attr(at)}, result_types=[range_type(block)]
        )

    @classmethod
    def parse(cls, parser: Parser) -> PartOp:
        name = parser.parse_unresolved_operand()
        parser.parse_keyword("at")
        with parser.in_angle_brackets():
            at = parse_expr_attr(parser)
        symbols = parse_symbols(parser)
        parser.parse_punctuation(":")
        source = parser.resolve_operand(name, parser.parse_type())
        parser.parse_punctuation("->")
        type_ = parser.parse_type()
        assert isinstance(type_, RangeType)
        return cls(source, at.data, type_.block.data, symbols)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.range)
        printer.print_string(" at <")
        print_expr(printer, self.at)
        printer.print_string(">")
        print_symbols(printer, self.symbols)
        printer.print_string(" : ")
        printer.print_attribute(self.range.type)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)


class RangeScalarOp(Op):
    """Base of what a range says about itself, as an i32 scalar."""

    range = operand_def(RangeType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$range attr-dict `:` type($range) `->` type($result)"

    def __init__(self, range: SSAValue):
        super().__init__(operands=[range], result_types=[SCALAR_I32])


@irdl_op_definition
class BeginOp(RangeScalarOp):
    """The first index of a range."""

    name = "tile.begin"


@irdl_op_definition
class EndOp(RangeScalarOp):
    """One past the last active index of a range: min(begin + block, upper bound)."""

    name = "tile.end"


@irdl_op_definition
class IdOp(RangeScalarOp):
    """begin floordiv block, counted from index 0 whatever the lower bound."""

    name = "tile.id"


@irdl_op_definition
class IndexOp(Op):
    """The indices of a range as a tile: `%i = tile.index %m : !tile.range<@bm> -> !tile.tile<[@bm], i32>`."""

    name = "tile.index"

    range = operand_def(RangeType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$range attr-dict `:` type($range) `->` type($result)"

    def __init__(self, range: SSAValue, element: Attribute):
        assert isinstance(range.type, RangeType)
        super().__init__(operands=[range], result_types=[tile_type((range.type.block.data,), element)])


@irdl_op_definition
class MaskOp(Op):
    """Which lanes of the ranges are active: `%b = tile.mask(%m, %k) partial <1000 mod @bm ne 0> : …`.

    The ranges stand, in order, for the dimensions of the result whose extent is not the constant 1.

    Every lane is active whenever `partial` is false, so that a configuration may do without the mask. Made by make-masks.
    """

    name = "tile.mask"

    ranges = var_operand_def(RangeType)
    partial = prop_def(ExprAttr)
    result = result_def(TileType)

    traits = traits_def(Pure())

    def __init__(self, ranges: Sequence[SSAValue], partial: Expr | int, result_type: Attribute):
        super().__init__(
            operands=[list(ranges)], properties={"partial": expr_attr(partial)}, result_types=[result_type]
        )

    @classmethod
    def parse(cls, parser: Parser) -> MaskOp:
        names = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        parser.parse_keyword("partial")
        with parser.in_angle_brackets():
            partial = parse_expr_attr(parser)
        parser.parse_punctuation(":")
        type_ = parser.parse_function_type()
        return cls(parser.resolve_operands(names, type_.inputs.data, parser.pos), partial.data, type_.outputs.data[0])

    def print(self, printer: Printer) -> None:
        with printer.in_parens():
            printer.print_list(self.ranges, printer.print_ssa_value)
        printer.print_string(" partial <")
        print_expr(printer, self.partial)
        printer.print_string("> : ")
        printer.print_function_type([r.type for r in self.ranges], [self.result.type])
