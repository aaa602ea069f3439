"""The imports that the author's host code needs to stand in a file of its own."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def imports_of(sources: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """Import statements for the modules, functions and classes among the globals that host statements read.

    Args:
        sources: the statements, and the expressions of launches.
        names: the globals of the author's module.

    Returns:
        One statement a name, in order. Numbers and tensors are not imported: they may change, and are passed along.

    >>> import math
    >>> imports_of(["scale = math.sqrt(d)"], {"math": math})
    ['import math']
    """
    found: dict[str, None] = {}
    for name in sorted(set(_read(sources))):
        value = names.get(name)
        if isinstance(value, types.ModuleType):
            module = value.__name__
            found[f"import {module}" if module == name else f"import {module} as {name}"] = None
        elif isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
            module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
            if module and module not in ("__main__", "builtins") and own.isidentifier():
                found[f"from {module} import {own}" + ("" if own == name else f" as {name}")] = None
    return [text for text in found if text != "import torch"]


def _read(sources: Sequence[str]) -> Iterator[str]:
    for source in sources:
        # A `return` stands by itself here, which only a function's body may.
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
