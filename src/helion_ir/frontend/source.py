"""The author's source: syntax trees in the coordinates of their file, and stretches of text."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import site
import sysconfig
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from helion_ir.exc import Place, StatementNotSupported

PACKAGE = str(Path(__file__).parents[1])
_FOREIGN = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {*site.getsitepackages(), site.getusersitepackages(), PACKAGE}
)
"""Folders whose code is nobody's kernel: the standard library, installed packages and this compiler."""

FunctionNode = ast.FunctionDef | ast.Lambda


@functools.cache
def is_author_file(file: str) -> bool:
    """Whether a file holds an author's code, so that its lines are worth showing and its functions worth walking."""
    if file.startswith("<"):
        return file.startswith("<ipython") or bool(linecache.getlines(file))
    return not file.startswith(tuple(folder + os.sep for folder in _FOREIGN if folder))


@functools.lru_cache(maxsize=256)
def _functions(text: str, file: str) -> tuple[FunctionNode, ...]:
    """The functions and lambdas of a file. Their trees are shared by all traces, so nobody may change them."""
    return tuple(n for n in ast.walk(ast.parse(text, file)) if isinstance(n, FunctionNode))


def file_lines(file: str, module_globals: dict | None = None) -> list[str]:
    """The lines of a source file with their newlines; empty if it cannot be found."""
    linecache.checkcache(file)
    return linecache.getlines(file, module_globals)


def function_node(function: FunctionType) -> FunctionNode:
    """The syntax tree of a function or lambda. Raises StatementNotSupported if there is no source."""
    code = function.__code__
    text = "".join(file_lines(code.co_filename, function.__globals__))
    if not text:
        raise StatementNotSupported(f"the source of {function.__name__} cannot be found; define it in a file")
    found: FunctionNode | None = None
    for node in _functions(text, code.co_filename):
        if isinstance(node, ast.Lambda) and function.__name__ == "<lambda>":
            if node.lineno == code.co_firstlineno and _same_lambda(node, code):
                return node
        elif isinstance(node, ast.FunctionDef) and node.name == function.__name__:
            first = min([node.lineno, *[d.lineno for d in node.decorator_list]])
            if first == code.co_firstlineno:
                found = node
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise StatementNotSupported(f"{function.__name__} is an `async def`; write it with `def`")
    if found is None:
        raise StatementNotSupported(f"the source of {function.__name__} has changed since it was imported")
    return found


def _same_lambda(node: ast.Lambda, code: CodeType) -> bool:
    """Several lambdas may begin on one line; instructions know their columns."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    if list(code.co_varnames[: code.co_argcount]) != names:
        return False
    body = node.body
    inside = [p for p in code.co_positions() if p[0] is not None and p[2] is not None and (p[3] or 0) > (p[2] or 0)]
    return all(
        (body.lineno, body.col_offset) <= (p[0], p[2]) and (p[1], p[3]) <= (body.end_lineno, body.end_col_offset)
        for p in inside
    )


def copied(node: Any) -> Any:
    """A copy of a syntax tree, many times faster than copy.deepcopy."""
    if isinstance(node, list):
        return [copied(n) for n in node]
    if not isinstance(node, ast.AST):
        return node
    made = type(node)(**{f: copied(getattr(node, f, None)) for f in node._fields})
    for name in node._attributes:
        if hasattr(node, name):
            setattr(made, name, getattr(node, name))
    return made


def place_of_node(file: str, node: ast.AST) -> Place:
    """Where a node stands; a statement of several lines is shown by its first."""
    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    end = getattr(node, "end_col_offset", column + 1) if getattr(node, "end_lineno", line) == line else 10**6
    text = linecache.getline(file, line).rstrip("\n")
    return Place(file, line, column + 1, min(end or column + 1, len(text)) + 1, text)


def place_of_instruction(code: CodeType, instruction: int) -> Place:
    """Where the instruction at byte offset `instruction` of a code object stands."""
    line, end_line, column, end = list(code.co_positions())[instruction // 2]
    line = line or code.co_firstlineno
    text = linecache.getline(code.co_filename, line).rstrip("\n")
    stop = (end or 0) if end_line == line else len(text)
    return Place(code.co_filename, line, (column or 0) + 1, stop + 1, text)


Edit = tuple[ast.expr, str]
"""A node and the text to print in its place."""


class HostText:
    """The statements of a function as text: verbatim with the comments before them, dedented."""

    def __init__(self, lines: Sequence[str]):
        self._lines = [line.encode() for line in lines]  # columns of syntax trees count bytes

    def statement(self, node: ast.stmt, after: int, edits: Iterable[Edit] = ()) -> str:
        """The text of a statement and of the comments between line `after` and it.

        Args:
            node: The statement.
            after: The last line of what comes before, 1-based.
            edits: Expressions inside of it to be printed differently.
        """
        first, last = node.lineno, node.end_lineno or node.lineno
        rows = list(self._lines[first - 1 : last])
        end = (node.end_col_offset or 0, len(rows[-1]))
        tail = rows[-1][end[0] :].strip()
        if tail and not tail.startswith(b"#"):
            rows[-1] = rows[-1][: end[0]]
        # later edits first, so that the columns of the earlier ones stay right
        for inner, text in sorted(edits, key=lambda e: (e[0].lineno, e[0].col_offset), reverse=True):
            row, stop = inner.lineno - first, (inner.end_lineno or inner.lineno) - first
            rest = rows[stop][inner.end_col_offset or 0 :]
            rows[row : stop + 1] = [rows[row][: inner.col_offset] + text.encode() + rest]
            rows[row + 1 : row + 1] = [b""] * (stop - row)
        head, rows[0] = rows[0][: node.col_offset], rows[0][node.col_offset :]
        indent = b" " * node.col_offset if not head.strip() else b""
        comments = [c for c in self._lines[after : first - 1] if c.strip().startswith(b"#")]
        if head.strip():
            comments = []
        text = b"".join([*comments, indent + rows[0], *[r if r else b"" for r in rows[1:]]]).decode()
        return textwrap.dedent(text).strip("\n")


def source_of(lines: Sequence[str], node: ast.expr) -> str:
    """The text of an expression."""
    return ast.get_source_segment("".join(lines), node) or ast.unparse(node)
