"""Which of the folding rules some calls apply: the `return` statements of `index/fold.py` that they come to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from helion_ir.index import fold

RULES = ("_fold_one", "_floordiv", "_mod", "_ceildiv", "_compare", "_divided", "_conjunction", "_recombine", "_moduli")
"""The functions that have rules."""


def all_of_them() -> dict[int, str]:
    """Every line that gives what a rule makes, with its text."""
    text = open(fold.__file__, encoding="utf-8").read()
    lines = text.splitlines()
    found: dict[int, str] = {}
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and function.name in RULES:
            for node in ast.walk(function):
                if isinstance(node, ast.Return | ast.Assign) and _makes(node):
                    found[node.lineno] = f"{function.name}: {lines[node.lineno - 1].strip()}"
    return found


def _makes(node: ast.Return | ast.Assign) -> bool:
    """Whether a statement gives the result, or in a branch a part of it, another form than `e`, or than `Mod(a, d)`."""
    assert node.value is not None
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in ("FloorDiv", "CeilDiv", "Mod")
    return ast.unparse(node.value) not in ("e", "FloorDiv(a, d)", "Mod(a, d)", "CeilDiv(a, d)")


def reached(calls: Callable[[], Any]) -> set[int]:
    """The lines of `all_of_them` that calls come to."""
    lines: set[int] = set()

    def local(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            lines.add(frame.f_lineno)
        return local

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        return local if code.co_filename == fold.__file__ and code.co_name in RULES else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        calls()
    finally:
        sys.settrace(before)
    return lines & all_of_them().keys()
