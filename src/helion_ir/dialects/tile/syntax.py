"""Parts of the syntax that several ops share: operands of expressions, arguments, further properties."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.parser import Parser
from xdsl.printer import Printer


def parse_symbols(parser: Parser) -> list[SSAValue]:
    """`with (%a, %b : t, t)`, or nothing."""
    if parser.parse_optional_keyword("with") is None:
        return []
    parser.parse_punctuation("(")
    names = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return list(parser.resolve_operands(names, types, parser.pos))


def print_symbols(printer: Printer, symbols: Sequence[SSAValue]) -> None:
    if symbols:
        printer.print_string(" with (")
        printer.print_list(symbols, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list(symbols, lambda s: printer.print_attribute(s.type))
        printer.print_string(")")


def print_argument(printer: Printer, argument: SSAValue) -> None:
    """`%x: t`, without the location that xDSL's own method adds and its parser of arguments refuses."""
    printer.print_ssa_value(argument)
    printer.print_string(": ")
    printer.print_attribute(argument.type)


def print_extra(printer: Printer, op: IRDLOperation, shown: Sequence[str]) -> None:
    rest = {k: v for k, v in op.properties.items() if k not in shown and k != "operandSegmentSizes"}
    if rest:
        printer.print_string(" attributes")
        printer.print_op_attributes(rest)
