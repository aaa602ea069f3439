"""Errors as they are shown: `file:line:col: error: …`, the line, a caret, and notes. No traceback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Span

from helion_ir.dialects.locations import author_location
from helion_ir.tools.source import describe


@dataclass
class Failure(Exception):
    """An error to show and to end with.

    `where` is `file:line:col` or a word for what has no position; `excerpt` is the source line, `column` counts from 1.
    """

    message: str
    where: str = "helion-ir-opt"
    excerpt: str | None = None
    column: int = 1
    width: int = 1
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.where}: error: {self.message}"]
        if self.excerpt is not None:
            lines += [f"  {self.excerpt}", "  " + " " * (self.column - 1) + "^" * max(self.width, 1)]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def at_span(span: Span[str], message: str, notes: tuple[str, ...] = (), line_offset: int = 0) -> Failure:
    """The failure at a piece of text; the caret covers what of it stands in its first line."""
    text = span.input
    start = min(span.start, len(text))
    first, last = text.get_start_of_line(start), text.get_end_of_line(start)
    line = text.content.count(text.newline, 0, first) + 1 + span.line_offset + line_offset
    column = start - first + 1
    width = max(1, min(span.end, last) - start)
    excerpt = str(text.content[first:last]).rstrip("\r").replace("\t", " ")
    return Failure(message, f"{text.name}:{line}:{column}", excerpt, column, width, notes)


def from_parse_error(error: ParseError, line_offset: int = 0) -> Failure:
    """The failure for malformed text."""
    message = error.msg.strip().splitlines()[0] if error.msg.strip() else "malformed text"
    return at_span(cast(Span[str], error.span), message, line_offset=line_offset)


def verify(module: ModuleOp, spans: Mapping[Operation, Span], stage: str, line_offset: int = 0) -> None:
    """Verify a module.

    Args:
        module: what to verify.
        spans: where ops stand in the text they were parsed from; pass an empty mapping once passes have run.
        stage: the name of the pass that ran last, or "" before the first one.
        line_offset: lines of the file before the text that was parsed.

    Raises:
        Failure: naming the op, innermost first.
    """
    try:
        module.verify()
    except Exception as error:
        op, message = _culprit(module, error)
        if op in spans:
            raise at_span(spans[op], f"{op.name}: {message}", line_offset=line_offset) from error
        author = author_location(op.location)
        after = f"after pass '{stage}' " if stage else ""
        line = op_line(op)
        column = max(line.find(op.name), 0) + 1
        message = f"{after}'{op.name}' is not valid: {message}"
        raise Failure(message, author or "helion-ir-opt", line, column, len(op.name)) from error


def _culprit(module: ModuleOp, error: Exception) -> tuple[Operation, str]:
    for op in module.walk(region_first=True):
        try:
            op.verify(verify_nested_ops=False)
        except Exception as own:
            return op, _reason(own)
    return module, _reason(error)


def _reason(error: Exception) -> str:
    # xDSL's message of an op is "Operation does not verify: reason"; the reason says it.
    return describe(error).removeprefix("Operation does not verify: ")


def op_line(op: Operation) -> str:
    """The first line of an op's text, without what nests in it."""
    try:
        text = str(op).splitlines()[0]
    except Exception as error:  # an op that does not verify may not print either
        return f"{op.name} (cannot be printed: {describe(error)})"
    return text if len(text) <= 200 else text[:197] + "..."


def pipeline_failure(pipeline: str, name: str, message: str) -> Failure:
    """The failure of a pass named in `-p`, with a caret below its name."""
    column = max(pipeline.find(name), 0) + 1
    return Failure(message, f"-p:1:{column}", pipeline, column, len(name))
