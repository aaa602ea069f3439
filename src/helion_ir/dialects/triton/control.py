"""Kernels, loops and branches of the triton dialect.

In the template an open decision is an index expression over knobs where the concrete IR has a value; both are
attributes in the same place, so that one printer serves both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr
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
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, NoTerminator, Pure, RecursiveMemoryEffect, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.index import ExprAttr, expr_attr, parse_expr_attr, print_expr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.tile.control import parse_symbols, print_argument, print_extra, print_symbols
from helion_ir.dialects.types import SCALAR_I32, TileType, string_attr

if TYPE_CHECKING:
    from sympy import Expr


@irdl_op_definition
class KernelOp(Op):
    """A `@triton.jit` function.

    `arg_names` are its run-time parameters. `constexprs` are its `tl.constexpr` parameters with the value each is
    launched with; their names may be used in expressions. `scalars` are likewise i32 parameters, which the host
    computes. Either may be expressions over `arg_names`: a constexpr then has a value of its own in every call, so that
    only what a shape depends on is one. `launch` are the options of the launch: num_warps, ….
    """

    name = "triton.kernel"

    sym_name = prop_def(StringAttr)
    arg_names = prop_def(ArrayAttr[StringAttr])
    constexprs = prop_def(DictionaryAttr)
    launch = prop_def(DictionaryAttr)
    memory = opt_prop_def(DictionaryAttr)
    """Bytes it needs, expressions over knobs; from plan-memory."""
    scalars = opt_prop_def(DictionaryAttr)
    hints = opt_prop_def(DictionaryAttr)
    """Values of run-time scalars in the call that was traced, for what must pick a number without a call."""
    programmatic = opt_prop_def(ArrayAttr[StringAttr])
    """Its part in programmatic dependent launches: see `tile.kernel`."""
    body = region_def("single_block")

    traits = traits_def(SymbolOpInterface(), NoTerminator(), IsolatedFromAbove())

    def __init__(
        self,
        name: str,
        arg_names: Sequence[str],
        body: Region,
        constexprs: Mapping[str, Attribute] | None = None,
        launch: Mapping[str, Attribute] | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": string_attr(name),
                "arg_names": ArrayAttr([string_attr(a) for a in arg_names]),
                "constexprs": DictionaryAttr(dict(constexprs or {})),
                "launch": DictionaryAttr(dict(launch or {})),
            },
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
        parser.parse_keyword("constexprs")
        constexprs = parser.parse_optional_attr_dict()
        parser.parse_keyword("launch")
        launch = parser.parse_optional_attr_dict()
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        op = cls(name, names, parser.parse_region(args), constexprs, launch)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} ")
        with printer.in_parens():
            printer.print_list(self.body.block.args, lambda a: print_argument(printer, a))
        printer.print_string(" names [")
        printer.print_list(self.arg_names, lambda n: printer.print_string_literal(n.data))
        printer.print_string("] constexprs ")
        printer.print_attr_dict(self.constexprs.data)
        printer.print_string(" launch ")
        printer.print_attr_dict(self.launch.data)
        print_extra(printer, self, ("sym_name", "arg_names", "constexprs", "launch"))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


TOTAL = "total_programs"
"""The parameter that says how many blocks the program loop of a kernel has."""


def total_parameter(position: int) -> str:
    """The same of one of several program loops, by its position among them.

    >>> total_parameter(0), total_parameter(2)
    ('total_programs', 'total_programs_2')
    """
    return f"{TOTAL}_{position}" if position else TOTAL


@irdl_op_definition
class ProgramLoopOp(Op):
    """Runs its body once a virtual program, of which there are `total`; it owns the launch grid.

    `triton.program_loop %pid of <1000 ceildiv @tile_m.block_size> kind #index.expr<@pid_type> { … }`. Kinds: "flat"
    launches `total` programs; "persistent_blocked" and "persistent_interleaved" launch one a multiprocessor (`reserved`
    of which stay free) times `multiplier`, which take a contiguous or a strided share. `options` are those of the
    persistent loop's tl.range. A total read on the device, `of <d0> with (%n : t)`, is for the persistent kinds.

    Several loops in one kernel share its launch, whose kind they agree on: the first has the programs from 0, each
    other those after the loop before. `%pid` counts from 0 in each.

    `axes (%i of <4>, %j of <7>)` are the positions along the axes of the grid that the kind "xyz" launches, the only
    kind under which they are known, and `%pid` is not; of a single loop.
    """

    name = "triton.program_loop"

    total = prop_def(ExprAttr)
    kind = prop_def(Attribute)
    multiplier = opt_prop_def(Attribute)
    options = opt_prop_def(DictionaryAttr)
    axes = opt_prop_def(ArrayAttr[ExprAttr])
    """How many programs there are along each axis."""
    reserved = opt_prop_def(Attribute)
    symbols = var_operand_def()
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def __init__(
        self,
        total: Expr | int,
        kind: Attribute,
        body: Region,
        multiplier: Attribute | None = None,
        options: Mapping[str, Attribute] | None = None,
        *,
        symbols: Sequence[SSAValue] = (),
        axes: Sequence[Expr | int] = (),
        reserved: Attribute | None = None,
    ):
        super().__init__(
            operands=[list(symbols)],
            properties={
                "total": expr_attr(total),
                "kind": kind,
                "axes": ArrayAttr([expr_attr(n) for n in axes]) if axes else None,
                "reserved": reserved,
                "multiplier": multiplier,
                "options": DictionaryAttr(dict(options)) if options is not None else None,
            },
            regions=[body],
        )

    def verify_(self) -> None:
        if len(self.body.block.args) != 1 + len(self.axes or ()):
            raise VerifyException("one argument for the program, and one an axis")

    @classmethod
    def parse(cls, parser: Parser) -> ProgramLoopOp:
        def counted() -> tuple[Parser.Argument, Expr]:
            arg = parser.parse_unresolved_operand()
            parser.parse_keyword("of")
            with parser.in_angle_brackets():
                return Parser.Argument(arg.span, SCALAR_I32), parse_expr_attr(parser).data

        pid, total = counted()
        axes: list[tuple[Parser.Argument, Expr]] = []
        if parser.parse_optional_keyword("axes") is not None:
            axes = parser.parse_comma_separated_list(parser.Delimiter.PAREN, counted)
        symbols = parse_symbols(parser)
        parser.parse_keyword("kind")
        kind = parser.parse_attribute()
        extra = parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") else {}
        body = parser.parse_region([pid, *[a for a, _ in axes]])
        op = cls(total, kind, body, symbols=symbols, axes=[n for _, n in axes])
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        def counted(pair: tuple[SSAValue, ExprAttr]) -> None:
            printer.print_ssa_value(pair[0])
            printer.print_string(" of <")
            print_expr(printer, pair[1])
            printer.print_string(">")

        pid, *axes = self.body.block.args
        printer.print_string(" ")
        counted((pid, self.total))
        if self.axes is not None:
            printer.print_string(" axes (")
            printer.print_list(list(zip(axes, self.axes)), counted)
            printer.print_string(")")
        print_symbols(printer, self.symbols)
        printer.print_string(" kind ")
        printer.print_attribute(self.kind)
        print_extra(printer, self, ("total", "kind", "axes"))
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


@irdl_op_definition
class ForOp(Op):
    """`for iv in tl.range(lower, upper, step, **options)`, the induction variable an i32 scalar.

    Where `static` is true it is `tl.static_range`, which has no options and unrolls the loop.

    `%r = triton.for %k = <0> to <1024> step <k_block_size> iter_args (%acc = %zero : t) options {num_stages = …} { … }`
    """

    name = "triton.for"

    lower = prop_def(ExprAttr)
    upper = prop_def(ExprAttr)
    step = prop_def(ExprAttr)
    options = prop_def(DictionaryAttr)
    static = opt_prop_def(Attribute)
    symbols = var_operand_def()
    iter_args = var_operand_def()
    res = var_result_def()
    body = region_def("single_block")

    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(
        self,
        lower: Expr | int,
        upper: Expr | int,
        step: Expr | int,
        iter_args: Sequence[SSAValue],
        body: Region,
        symbols: Sequence[SSAValue] = (),
        options: Mapping[str, Attribute] | None = None,
        static: Attribute | None = None,
    ):
        super().__init__(
            operands=[list(symbols), list(iter_args)],
            result_types=[[a.type for a in iter_args]],
            properties={
                "lower": expr_attr(lower),
                "upper": expr_attr(upper),
                "step": expr_attr(step),
                "options": DictionaryAttr(dict(options or {})),
                "static": static,
            },
            regions=[body],
        )

    def verify_(self) -> None:
        types = [a.type for a in self.iter_args]
        last = self.body.block.last_op
        if not isinstance(last, YieldOp) or [a.type for a in last.arguments] != types:
            raise VerifyException(f"the body must yield ({', '.join(map(str, types))})")

    @classmethod
    def parse(cls, parser: Parser) -> ForOp:
        arg = parser.parse_unresolved_operand()
        parser.parse_punctuation("=")
        bounds: list[ExprAttr] = []
        for keyword in ("to", "step", ""):
            with parser.in_angle_brackets():
                bounds.append(parse_expr_attr(parser))
            if keyword:
                parser.parse_keyword(keyword)
        symbols = parse_symbols(parser)
        rows: list[tuple[Parser.Argument, SSAValue]] = []

        def carried() -> tuple[Parser.Argument, SSAValue]:
            name = parser.parse_unresolved_operand()
            parser.parse_punctuation("=")
            init = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            type_ = parser.parse_type()
            return Parser.Argument(name.span, type_), parser.resolve_operand(init, type_)

        if parser.parse_optional_keyword("iter_args") is not None:
            rows = parser.parse_comma_separated_list(parser.Delimiter.PAREN, carried)
        parser.parse_keyword("options")
        options = parser.parse_optional_attr_dict()
        static = parser.parse_attribute() if parser.parse_optional_keyword("static") is not None else None
        iv_type = SCALAR_I32
        if parser.parse_optional_punctuation(":") is not None:
            iv_type = parser.parse_type()
        body = parser.parse_region([Parser.Argument(arg.span, iv_type), *[a for a, _ in rows]])
        low, high, step = (b.data for b in bounds)
        return cls(low, high, step, [i for _, i in rows], body, symbols, options, static)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        first, *carried = self.body.block.args
        printer.print_ssa_value(first)
        printer.print_string(" = <")
        print_expr(printer, self.lower)
        printer.print_string("> to <")
        print_expr(printer, self.upper)
        printer.print_string("> step <")
        print_expr(printer, self.step)
        printer.print_string(">")
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
        printer.print_string(" options ")
        printer.print_attr_dict(self.options.data)
        if self.static is not None:
            printer.print_string(" static ")
            printer.print_attribute(self.static)
        if first.type != SCALAR_I32:
            printer.print_string(" : ")
            printer.print_attribute(first.type)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)


@irdl_op_definition
class YieldOp(Op):
    """The values that a loop carries on, or that a branch or combine function gives."""

    name = "triton.yield"

    arguments = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($arguments^ `:` type($arguments))?"

    def __init__(self, *arguments: SSAValue):
        super().__init__(operands=[list(arguments)])


@irdl_op_definition
class IfOp(Op):
    """`if condition: … else: …`, values merged by name."""

    name = "triton.if"

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
    """`while condition:`; the first region computes the condition and ends in `triton.condition`."""

    name = "triton.while"

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
    """Ends the first region of a `triton.while`."""

    name = "triton.condition"

    condition = operand_def(TileType)
    arguments = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "$condition `:` type($condition) (`,` $arguments^ `:` type($arguments))? attr-dict"

    def __init__(self, condition: SSAValue, *arguments: SSAValue):
        super().__init__(operands=[condition, list(arguments)])


CONTROL = [KernelOp, ProgramLoopOp, ForOp, YieldOp, IfOp, WhileOp, ConditionOp]
