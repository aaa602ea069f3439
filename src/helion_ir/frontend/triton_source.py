"""The source of a Triton function of the author's, with what it calls, as text that stands by itself."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Mapping
from typing import Any

from helion_ir import exc

_KNOWN = {"tl", "triton", "torch"}
"""Modules that generated code imports under these names."""


def called_function(function: Any, names: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of what hl.triton_kernel is given.

    Args:
        function: A `@triton.jit` function, the source of one, or the name of one among `names`.
        names: The globals of the kernel's module.

    Returns:
        The function's name, and the texts of what it reads and its own, in order.

    Raises:
        InvalidAPIUsage: it is none of these, or reads a global that text cannot hold.
    """
    if isinstance(function, str) and function.isidentifier():
        if function not in names:
            raise exc.InvalidAPIUsage(f"hl.triton_kernel: the module has no '{function}'")
        function = names[function]
    if isinstance(function, str):
        return _from_text(function)
    python = getattr(function, "fn", None)
    if not isinstance(python, types.FunctionType):
        raise exc.InvalidAPIUsage(
            f"hl.triton_kernel takes a @triton.jit function, its source or its name, not {type(function).__name__}"
        )
    found: dict[str, str] = {}
    _collect(python, found)
    return python.__name__, list(found.values())


def _from_text(source: str) -> tuple[str, list[str]]:
    source = textwrap.dedent(source).strip("\n")
    try:
        defined = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    except SyntaxError as wrong:
        raise exc.InvalidAPIUsage(f"the source of hl.triton_kernel: {wrong.msg} in line {wrong.lineno}") from None
    if not defined:
        raise exc.InvalidAPIUsage("the source of hl.triton_kernel defines no function")
    if not defined[-1].decorator_list:
        lines = source.split("\n")
        lines.insert(defined[-1].lineno - 1, "@triton.jit")
        source = "\n".join(lines)
    return defined[-1].name, [source]


def _collect(function: types.FunctionType, found: dict[str, str]) -> None:
    """Add a function after the globals that it reads."""
    name = function.__name__
    if name in found:
        return
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except OSError:
        raise exc.InvalidAPIUsage(
            f"hl.triton_kernel: the source of '{name}' cannot be found; pass it as text"
        ) from None
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    body = "\n".join(text.split("\n")[node.lineno - 1 :]).rstrip()
    found[name] = ""  # a function may call itself only in an error of Triton's
    read = sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)})
    for other in read:
        if other in function.__globals__ and other != name:
            _global(other, function.__globals__[other], name, found)
    del found[name]
    found[name] = f"@triton.jit\n{body}"


def _global(name: str, value: Any, reader: str, found: dict[str, str]) -> None:
    if isinstance(value, types.ModuleType):
        if name not in _KNOWN:
            found[name] = f"import {value.__name__} as {name}"
        return
    inner = getattr(value, "fn", None)
    if isinstance(inner, types.FunctionType):
        if inner.__module__.split(".")[0] == "triton":
            found[name] = f"from {inner.__module__} import {inner.__name__} as {name}"
        else:
            _collect(inner, found)
        return
    constant = getattr(value, "value", value)
    if type(constant) in (int, float, bool, str):
        found[name] = f"{name} = tl.constexpr({constant!r})"
        return
    raise exc.InvalidAPIUsage(f"hl.triton_kernel: '{reader}' reads the global '{name}', which is no number or function")
