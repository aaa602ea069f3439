"""The `host` dialect: the Python that runs around the kernels, so that a dump is a whole program."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import Dialect, Region
from xdsl.irdl import irdl_op_definition, prop_def, region_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator, SymbolOpInterface

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.operation import Op


@irdl_op_definition
class FuncOp(Op):
    """The author's function: `host.func @matmul ["x", "y"] imports ["import math"] { … }`.

    `parameters` are the names it takes, `imports` the statements that make the modules and functions it reads known.
    """

    name = "host.func"

    sym_name = prop_def(StringAttr)
    parameters = prop_def(ArrayAttr[StringAttr])
    imports = prop_def(ArrayAttr[StringAttr])
    body = region_def("single_block")

    traits = traits_def(SymbolOpInterface(), NoTerminator())

    def __init__(self, name: str, parameters: Sequence[str], body: Region, imports: Sequence[str] = ()):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "parameters": ArrayAttr([StringAttr(p) for p in parameters]),
                "imports": ArrayAttr([StringAttr(i) for i in imports]),
            },
            regions=[body],
        )

    @classmethod
    def parse(cls, parser: Parser) -> FuncOp:
        name = parser.parse_symbol_name().data
        parameters = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_str_literal)
        imports: list[str] = []
        if parser.parse_optional_keyword("imports") is not None:
            imports = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_str_literal)
        return cls(name, parameters, parser.parse_region(), imports)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} [")
        printer.print_list(self.parameters, lambda p: printer.print_string_literal(p.data))
        printer.print_string("] ")
        if self.imports.data:
            printer.print_string("imports [")
            printer.print_list(self.imports, lambda i: printer.print_string_literal(i.data))
            printer.print_string("] ")
        printer.print_region(self.body)


@irdl_op_definition
class PythonOp(Op):
    """Statements of the author's, verbatim, dedented: `host.python "out = torch.empty_like(x)"`."""

    name = "host.python"

    source = prop_def(StringAttr)
    assembly_format = "$source attr-dict"

    def __init__(self, source: str):
        super().__init__(properties={"source": StringAttr(source)})


@irdl_op_definition
class BindOp(Op):
    """A host variable that a configuration sets: `host.bind "split_k" = <@split_k>`."""

    name = "host.bind"

    variable = prop_def(StringAttr)
    value = prop_def(ExprAttr)
    assembly_format = "$variable `=` $value attr-dict"

    def __init__(self, variable: str, value: ExprAttr):
        super().__init__(properties={"variable": StringAttr(variable), "value": value})


@irdl_op_definition
class LaunchOp(Op):
    """Launch a kernel: `host.launch @_matmul ["x", "y", "out"]`; one Python expression an argument of the kernel.

    The grid stands on the kernel's `triton.program_loop`.
    """

    name = "host.launch"

    kernel = prop_def(StringAttr)
    arguments = prop_def(ArrayAttr[StringAttr])

    def __init__(self, kernel: str, arguments: Sequence[str]):
        super().__init__(
            properties={"kernel": StringAttr(kernel), "arguments": ArrayAttr([StringAttr(a) for a in arguments])}
        )

    @classmethod
    def parse(cls, parser: Parser) -> LaunchOp:
        name = parser.parse_symbol_name().data
        return cls(name, parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_str_literal))

    def print(self, printer: Printer) -> None:
        printer.print_string(f" @{self.kernel.data} [")
        printer.print_list(self.arguments, lambda a: printer.print_string_literal(a.data))
        printer.print_string("]")


Host = Dialect("host", [FuncOp, PythonOp, BindOp, LaunchOp], [])
