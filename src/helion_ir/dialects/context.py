"""A context with every dialect of this project, and the two directions of text."""

from __future__ import annotations

import re

from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp

from helion_ir.dialects.host import Host
from helion_ir.dialects.index import Index
from helion_ir.dialects.knob import Knob
from helion_ir.dialects.text_parser import Known, TextParser
from helion_ir.dialects.text_printer import TextPrinter
from helion_ir.dialects.tile import Tile
from helion_ir.dialects.triton import Triton

DIALECTS = (Builtin, Index, Knob, Host, Tile, Triton)


def new_context() -> Context:
    """A context with the dialects loaded."""
    ctx = Context()
    for dialect in DIALECTS:
        ctx.load_dialect(dialect)
    return ctx


def module_text(module: ModuleOp) -> str:
    """The text of a module with its locations; `parse_module` gives the same module back."""
    printer = TextPrinter(print_debuginfo=True)
    printer.print_op(module)
    return _UNKNOWN.sub("", printer.text()) + "\n"


def canonical_text(module: ModuleOp) -> str:
    """The text of a module without locations: equal for equal programs, wherever their source stands."""
    printer = TextPrinter()
    printer.print_op(module)
    return printer.text() + "\n"


_KNOWN = Known()
_UNKNOWN = re.compile(r" loc\(unknown\)$", re.MULTILINE)


def parse_module(text: str, name: str = "<text>") -> ModuleOp:
    """Parse a module. Raises xdsl's ParseError, with file, line and caret, on malformed text."""
    return TextParser(new_context(), text, name, _KNOWN).parse_module()
