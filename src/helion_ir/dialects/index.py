"""The `index` dialect: `#index.expr<…>`, the one expression type of the IR, and `index.apply`, which evaluates it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xdsl.ir import Attribute, Data, Dialect, SSAValue
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.operation import Op
from helion_ir.dialects.text_parser import remembered

if TYPE_CHECKING:
    from sympy import Expr

_CALLS = ("min", "max", "next_power_of_2", "where")
_INFIX = {
    "or": 1,
    "and": 2,
    "eq": 4,
    "ne": 4,
    "lt": 4,
    "le": 4,
    "+": 10,
    "-": 10,
    "*": 20,
    "floordiv": 20,
    "ceildiv": 20,
    "mod": 20,
}
_INFIX_BY_FIRST = {first: [op for op in _INFIX if op[0] == first] for first in {op[0] for op in _INFIX}}
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def parse_expr(parser: AttrParser) -> Expr:
    """An index expression; the inverse of `index.text.expr_text`."""
    return remembered(parser, lambda: _parse_operators(parser, 0))


def _parse_operators(parser: AttrParser, precedence: int) -> Expr:
    """A Pratt parser over xDSL's public parser methods."""
    left = _parse_primary(parser)
    while True:
        # Most of what follows an expression starts no operator: looking first spares a dozen attempts.
        for op in _INFIX_BY_FIRST.get(_first(parser), ()):
            own = _INFIX[op]
            if own <= precedence:
                continue
            found = parser.parse_optional_keyword(op) if op.isalpha() else parser.parse_optional_punctuation(op)  # pyright: ignore
            if found is not None:
                break
        else:
            return left
        right = _parse_operators(parser, own)
        if op in _ARITHMETIC:
            left = _ARITHMETIC[op](left, right)
        else:
            from helion_ir.index.expr import FUNCTIONS

            left = FUNCTIONS[op](left, right)


def _first(parser: AttrParser) -> str:
    """The first character of the next token, or ""."""
    at = parser.pos
    return parser.lexer.input.content[at : at + 1]


def _parse_primary(parser: AttrParser) -> Expr:
    first = _first(parser)
    if (
        first.isdigit()
        and (value := parser.parse_optional_integer(allow_boolean=False, allow_negative=False)) is not None
    ):
        from sympy import Integer

        return Integer(value)
    if first == "-" and parser.parse_optional_punctuation("-") is not None:
        return -_parse_operators(parser, 11)
    if first == "(":
        parser.parse_punctuation("(")
        inner = _parse_operators(parser, 0)
        parser.parse_punctuation(")")
        return inner

    from helion_ir.index.expr import FUNCTIONS, Not, as_expr, knob, string, symbol

    if first == "@" and (name := parser.parse_optional_symbol_name()) is not None:
        return knob(name.data)
    if first == '"' and (text := parser.parse_optional_str_literal()) is not None:
        return string(text)
    if first == "[":
        return as_expr(tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)))
    if first == "n" and parser.parse_optional_keyword("not") is not None:
        return Not(_parse_operators(parser, 3))
    name = parser.parse_identifier(" in an index expression")
    if name in _CALLS:
        args = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: _parse_operators(parser, 0))
        return FUNCTIONS[name](*args)
    return symbol(name)


@irdl_attr_definition
class ExprAttr(Data[Any]):
    """An index expression: `#index.expr<@tile_m.block_size * d0 + 4>`. The payload is a sympy expression."""

    name = "index.expr"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Expr:
        with parser.in_angle_brackets():
            return parse_expr(parser)

    def print_parameter(self, printer: Printer) -> None:
        from helion_ir.index.text import expr_text

        with printer.in_angle_brackets():
            printer.print_string(expr_text(self.data))

    def __hash__(self) -> int:
        return hash(self.data)


@functools.cache
def expr_attr(value: Expr | int) -> ExprAttr:
    """The attribute of an expression or integer; equal expressions give the same object."""
    from helion_ir.index.expr import as_expr

    return ExprAttr(as_expr(value))


def print_expr(printer: Printer, attr: ExprAttr) -> None:
    from helion_ir.index.text import expr_text

    printer.print_string(expr_text(attr.data))


def parse_expr_attr(parser: AttrParser) -> ExprAttr:
    return expr_attr(parse_expr(parser))


@irdl_op_definition
class ApplyOp(Op):
    """Evaluate an expression of scalars or tiles, which broadcast as PyTorch's do.

    `%r = index.apply <d0 * 1024 + d1>(%rows, %columns) : (t0, t1) -> t2`. Arithmetic is that of the result's
    element type; a truth value has element type i1. Operands are `d0, d1, …`.
    """

    name = "index.apply"

    expr = prop_def(ExprAttr)
    arguments = var_operand_def()
    result = result_def()

    traits = traits_def(Pure())

    def __init__(self, expr: Expr | int, arguments: Sequence[SSAValue], result_type: Attribute):
        super().__init__(operands=[list(arguments)], result_types=[result_type], properties={"expr": expr_attr(expr)})

    def verify_(self) -> None:
        from helion_ir.index.expr import free_names

        for name in free_names(self.expr.data):
            if name[0] == "d" and name[1:].isdigit() and int(name[1:]) >= len(self.arguments):
                raise VerifyException(f"{name} has no operand: {len(self.arguments)} given")

    @classmethod
    def parse(cls, parser: Parser) -> ApplyOp:
        with parser.in_angle_brackets():
            expr = parse_expr(parser)
        arguments = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        parser.parse_punctuation(":")
        type_ = parser.parse_function_type()
        operands = parser.resolve_operands(arguments, type_.inputs.data, parser.pos)
        return cls(expr, operands, type_.outputs.data[0])

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        with printer.in_angle_brackets():
            print_expr(printer, self.expr)
        with printer.in_parens():
            printer.print_list(self.arguments, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_function_type([a.type for a in self.arguments], [self.result.type])


Index = Dialect("index", [ApplyOp], [ExprAttr])
