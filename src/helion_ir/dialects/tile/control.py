"""Kernels, loops and branches of the tile dialect, and the ranges that loops yield.

Bounds are index expressions over knobs, kernel arguments and the op's `symbols` operands `d0, d1, …`, so that what is
known about them can be read off the op.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr, UnitAttr
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, NoTerminator, Pure, RecursiveMemoryEffect, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.index import ExprAttr, expr_attr, parse_expr_attr, print_expr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.tile.ranges import AxisOp, BeginOp, BlockOp, EndOp, IdOp, IndexOp, MaskOp, PartOp, ShiftOp
from helion_ir.dialects.tile.syntax import parse_symbols, print_argument, print_extra, print_symbols
from helion_ir.dialects.types import TileType, string_attr

__all__ = [
    "AxisOp",
    "BarrierOp",
    "BeginOp",
    "BlockOp",
    "CONTROL",
    "ConditionOp",
    "EndOp",
    "ForOp",
    "IdOp",
    "IfOp",
    "IndexOp",
    "KernelOp",
    "MaskOp",
    "ParallelOp",
    "PartOp",
    "ShiftOp",
    "WhileOp",
    "YieldOp",
    "parse_symbols",
    "print_argument",
    "print_extra",
    "print_symbols",
]

if TYPE_CHECKING:
    from sympy import Expr


def _parse_dims(parser: Parser) -> tuple[list[tuple[Parser.Argument, ExprAttr, ExprAttr]], list[Attribute]]:
    """`(%i = 0 to 1000 : t, %j = 0 to n : t)`"""

    def one() -> tuple[UnresolvedOperand, ExprAttr, ExprAttr, Attribute]:
        name = parser.parse_unresolved_operand()
        parser.parse_punctuation("=")
        low = parse_expr_attr(parser)
        parser.parse_keyword("to")
        high = parse_expr_attr(parser)
        parser.parse_punctuation(":")
        return name, low, high, parser.parse_type()

    rows = parser.parse_comma_separated_list(parser.Delimiter.PAREN, one)
    return [(Parser.Argument(n.span, t), lo, hi) for n, lo, hi, t in rows], [t for *_, t in rows]


def _print_dim(printer: Printer, arg: SSAValue, low: ExprAttr, high: ExprAttr) -> None:
    printer.print_ssa_value(arg)
    printer.print_string(" = ")
    print_expr(printer, low)
    printer.print_string(" to ")
    print_expr(printer, high)
    printer.print_string(" : ")
    printer.print_attribute(arg.type)


@irdl_op_definition
class KernelOp(Op):
    """A device function. `arg_names` are the names of its parameters; scalar arguments may be used by name in expressions.

    `tile.kernel @add (%x: !tile.ref<…>, %n: !tile.tile<[], i32>) { … }`
    """

    name = "tile.kernel"

    sym_name = prop_def(StringAttr)
    arg_names = prop_def(ArrayAttr[StringAttr])
    explicit_masks = opt_prop_def(UnitAttr)
    """Set by make-masks: from then on inactive lanes are masked only where the IR says so."""
    memory = opt_prop_def(DictionaryAttr)
    """Bytes it needs, expressions over knobs; written by plan-memory."""
    hints = opt_prop_def(DictionaryAttr)
    """Values of run-time scalars in the call that was traced, for what must pick a number without a call."""
    unaligned = opt_prop_def(ArrayAttr[StringAttr])
    """Tensors, by parameter, whose address need not be a multiple of 16 bytes."""
    wide = opt_prop_def(ArrayAttr[StringAttr])
    """Tensors, by parameter, whose elements 32 bits may not be able to count, beyond those whose type says so."""
    allocations = opt_prop_def(ArrayAttr[ArrayAttr[StringAttr]])
    """Tensors, by parameter, that the host function allocated: those of one allocation together. They share memory with
    no tensor of another allocation, and with no argument; of all other tensors nothing is known."""
    schedule = opt_prop_def(DictionaryAttr)
    """Decisions about the whole kernel by name, open (declare-schedules) or bound (bind-structure)."""
    programmatic = opt_prop_def(ArrayAttr[StringAttr])
    """Programmatic dependent launch: "wait" for the kernels before, which may still run when it begins; "launch" those
    after it when it begins, or "launch_last" when its programs are done. Devices without it order launches anyway."""
    body = region_def("single_block")

    traits = traits_def(SymbolOpInterface(), NoTerminator(), IsolatedFromAbove())

    def __init__(self, name: str, arg_names: Sequence[str], body: Region):
        super().__init__(
            properties={"sym_name": string_attr(name), "arg_names": ArrayAttr([string_attr(a) for a in arg_names])},
            regions=[body],
        )

    def verify_(self) -> None:
        if len(self.arg_names) != len(self.body.block.args):
            raise VerifyException("one name an argument")

    @classmethod
    def parse(cls, parser: Parser) -> KernelOp:
        name = parser.parse_symbol_name().data
        args = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        parser.parse_keyword("names")
        names = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_str_literal)
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        op = cls(name, names, parser.parse_region(args))
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} ")
        with printer.in_parens():
            printer.print_list(self.body.block.args, lambda a: print_argument(printer, a))
        printer.print_string(" names [")
        printer.print_list(self.arg_names, lambda n: printer.print_string_literal(n.data))
        printer.print_string("]")
        print_extra(printer, self, ("sym_name", "arg_names"))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


@irdl_op_definition
class ParallelOp(Op):
    """A root loop: unordered iterations, one program each.

    `tile.parallel "tile_m" (%m = 0 to 1000 : !tile.range<@tile_m.block_size>) { … }`. An argument is a range (hl.tile)
    or a scalar (hl.grid). `label` names the loop in knobs.
    """

    name = "tile.parallel"

    label = prop_def(StringAttr)
    lower = prop_def(ArrayAttr[ExprAttr])
    upper = prop_def(ArrayAttr[ExprAttr])
    schedule = opt_prop_def(Attribute)
    symbols = var_operand_def()
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def __init__(
        self,
        label: str,
        lower: Sequence[Expr | int],
        upper: Sequence[Expr | int],
        body: Region,
        symbols: Sequence[SSAValue] = (),
    ):
        super().__init__(
            operands=[list(symbols)],
            properties={
                "label": string_attr(label),
                "lower": ArrayAttr([expr_attr(e) for e in lower]),
                "upper": ArrayAttr([expr_attr(e) for e in upper]),
            },
            regions=[body],
        )

    def verify_(self) -> None:
        if not len(self.lower) == len(self.upper) == len(self.body.block.args):
            raise VerifyException("one lower and one upper bound a dimension")

    @classmethod
    def parse(cls, parser: Parser) -> ParallelOp:
        label = parser.parse_str_literal()
        dims, _ = _parse_dims(parser)
        symbols = parse_symbols(parser)
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        body = parser.parse_region([a for a, _, _ in dims])
        op = cls(label, [lo.data for _, lo, _ in dims], [hi.data for _, _, hi in dims], body, symbols)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.label.data)
        printer.print_string(" ")
        with printer.in_parens():
            printer.print_list(zip(self.body.block.args, self.lower, self.upper), lambda d: _print_dim(printer, *d))
        print_symbols(printer, self.symbols)
        print_extra(printer, self, ("label", "lower", "upper"))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


@irdl_op_definition
class BarrierOp(Op):
    """Between two root loops: what the loops before have stored is there for the loops after. `tile.barrier`"""

    name = "tile.barrier"

    assembly_format = "attr-dict"

    def __init__(self):
        super().__init__()


@irdl_op_definition
class ForOp(Op):
    """A sequential loop with carried values.

    `%r = tile.for "k" (%k = 0 to 1024 : !tile.range<@k.block_size>) iter_args (%acc = %zero : t) { … tile.yield %x : t }`.
    The argument is a range (hl.tile), or a scalar (hl.grid, range) with `step`. `label` names the loop in knobs.
    """

    name = "tile.for"

    label = prop_def(StringAttr)
    lower = prop_def(ExprAttr)
    upper = prop_def(ExprAttr)
    step = opt_prop_def(ExprAttr)
    """For a scalar argument; 1 if absent. A range steps by its block."""
    schedule = opt_prop_def(DictionaryAttr)
    """Decisions about the loop by name, open (declare-schedules) or bound (bind-structure)."""
    symbols = var_operand_def()
    iter_args = var_operand_def()
    res = var_result_def()
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        label: str,
        lower: Expr | int,
        upper: Expr | int,
        iter_args: Sequence[SSAValue],
        body: Region,
        symbols: Sequence[SSAValue] = (),
        step: Expr | int | None = None,
    ):
        super().__init__(
            operands=[list(symbols), list(iter_args)],
            result_types=[[a.type for a in iter_args]],
            properties={
                "label": string_attr(label),
                "lower": expr_attr(lower),
                "upper": expr_attr(upper),
                "step": None if step is None else expr_attr(step),
            },
            regions=[body],
        )

    def verify_(self) -> None:
        types = [a.type for a in self.iter_args]
        last = self.body.block.last_op
        if [a.type for a in self.body.block.args[1:]] != types or [r.type for r in self.results] != types:
            raise VerifyException("carried values change their type")
        if not isinstance(last, YieldOp) or [a.type for a in last.arguments] != types:
            raise VerifyException(f"the body must yield ({', '.join(map(str, types))})")

    @classmethod
    def parse(cls, parser: Parser) -> ForOp:
        label = parser.parse_str_literal()
        ((arg, low, high),), _ = _parse_dims(parser)
        step = None
        if parser.parse_optional_keyword("step") is not None:
            step = parse_expr_attr(parser).data
        symbols = parse_symbols(parser)

        def carried() -> tuple[Parser.Argument, SSAValue]:
            name = parser.parse_unresolved_operand()
            parser.parse_punctuation("=")
            init = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            type_ = parser.parse_type()
            return Parser.Argument(name.span, type_), parser.resolve_operand(init, type_)

        rows: list[tuple[Parser.Argument, SSAValue]] = []
        if parser.parse_optional_keyword("iter_args") is not None:
            rows = parser.parse_comma_separated_list(parser.Delimiter.PAREN, carried)
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        body = parser.parse_region([arg, *[a for a, _ in rows]])
        op = cls(label, low.data, high.data, [i for _, i in rows], body, symbols, step)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.label.data)
        printer.print_string(" ")
        first, *carried = self.body.block.args
        with printer.in_parens():
            _print_dim(printer, first, self.lower, self.upper)
        if self.step is not None:
            printer.print_string(" step ")
            print_expr(printer, self.step)
        print_symbols(printer, self.symbols)
        if carried:
            printer.print_string(" iter_args (")

            def one(pair: tuple[SSAValue, SSAValue]) -> None:
                printer.print_ssa_value(pair[0])
                printer.print_string(" = ")
                printer.print_ssa_value(pair[1])
                printer.print_string(" : ")
                printer.print_attribute(pair[1].type)

            printer.print_list(list(zip(carried, self.iter_args)), one)
            printer.print_string(")")
        print_extra(printer, self, ("label", "lower", "upper", "step"))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


@irdl_op_definition
class YieldOp(Op):
    """The values that a loop carries on, or that a branch gives."""

    name = "tile.yield"

    arguments = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($arguments^ `:` type($arguments))?"

    def __init__(self, *arguments: SSAValue):
        super().__init__(operands=[list(arguments)])


@irdl_op_definition
class IfOp(Op):
    """`%r = tile.if %condition : t -> (t1) { … tile.yield %a : t1 } else { … }`; the condition is a scalar bool."""

    name = "tile.if"

    condition = operand_def(TileType)
    res = var_result_def()
    then = region_def("single_block")
    orelse = region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())
    assembly_format = "$condition `:` type($condition) (`->` `(` type($res)^ `)`)? $then `else` $orelse attr-dict"

    def __init__(self, condition: SSAValue, then: Region, orelse: Region, result_types: Sequence[Attribute]):
        super().__init__(operands=[condition], regions=[then, orelse], result_types=[list(result_types)])


@irdl_op_definition
class WhileOp(Op):
    """`%r = tile.while (%inits : t) -> (t) { ^(%a): … tile.condition %c, %a } do { ^(%a): … tile.yield %b : t }`."""

    name = "tile.while"

    inits = var_operand_def()
    res = var_result_def()
    before = region_def("single_block")
    after = region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())
    assembly_format = "`(` ($inits^ `:` type($inits))? `)` (`->` `(` type($res)^ `)`)? $before `do` $after attr-dict"

    def __init__(self, inits: Sequence[SSAValue], before: Region, after: Region):
        super().__init__(operands=[list(inits)], regions=[before, after], result_types=[[i.type for i in inits]])


@irdl_op_definition
class ConditionOp(Op):
    """Ends the first region of a `tile.while`: go on with these values if the scalar bool holds."""

    name = "tile.condition"

    condition = operand_def(TileType)
    arguments = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "$condition `:` type($condition) (`,` $arguments^ `:` type($arguments))? attr-dict"

    def __init__(self, condition: SSAValue, *arguments: SSAValue):
        super().__init__(operands=[condition, list(arguments)])


CONTROL = [
    KernelOp, ParallelOp, BarrierOp, ForOp, YieldOp, IfOp, WhileOp, ConditionOp, AxisOp, BlockOp, ShiftOp, BeginOp, EndOp, IdOp,
    IndexOp, MaskOp, PartOp,
]  # fmt: skip
