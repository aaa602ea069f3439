"""What a function must be to become a kernel: checks made when it is decorated, and when it is first bound."""

from __future__ import annotations

import ast
import dis
import inspect
import types
from collections.abc import Callable
from typing import Any

from helion_ir import exc

RESERVED: dict[str, str | None] = {
    "math": "math",
    "operator": "operator",
    "torch": "torch",
    "helion": "helion_ir",
    "hl": "helion_ir.language",
    "triton": "triton",
    "tl": "triton.language",
    "libdevice": None,
    "triton_helpers": None,
    "tl_math": None,
    "_launcher": None,
    "_default_launcher": None,
}
"""Names that generated code uses, and the module that a global of the name may be."""


def checked_function(fn: Callable[..., Any]) -> types.FunctionType:
    """The function, if a kernel can be made of it.

    Raises AssertionError for what is no Python function, TypeError for parameters other than positional ones, and
    `exc.ClosuresNotSupported`.
    """
    assert isinstance(fn, types.FunctionType), f"a kernel is made of a Python function, not of {type(fn).__name__}"
    for p in inspect.signature(fn).parameters.values():
        if p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            raise TypeError(
                f"{fn.__name__}: parameter {p.name!r} of a kernel must be positional, not {p.kind.description}"
            )
    if fn.__closure__:
        names = ", ".join(fn.__code__.co_freevars)
        raise exc.ClosuresNotSupported(f"{fn.__name__} reads {names} of an enclosing function; pass them as arguments")
    return fn


def check_names(fn: types.FunctionType) -> None:
    """Raise `exc.NamingConflict` for a variable that has a name generated code needs."""
    for name in fn.__code__.co_varnames:
        if name in RESERVED:
            raise exc.NamingConflict(f"{fn.__name__}: generated code needs the name {name!r}; rename the variable")
    for instruction in dis.get_instructions(fn):
        name = instruction.argval
        if instruction.opname != "LOAD_GLOBAL" or name not in RESERVED or name not in fn.__globals__:
            continue
        value = fn.__globals__[name]
        if not isinstance(value, types.ModuleType) or RESERVED[name] not in (None, value.__name__):
            raise exc.NamingConflict(
                f"{fn.__name__}: generated code needs the name {name!r}, which is something else in {fn.__module__}"
            )


def check_decorators(fn: types.FunctionType, node: ast.AST, kernel: object) -> None:
    """Raise `exc.DecoratorAfterHelionKernelDecorator` where another decorator stands below the kernel's.

    `node` is the function's syntax tree and `kernel` the decorator, to be recognized under any name.
    """
    decorators = getattr(node, "decorator_list", [])
    ours = [_global(d, fn.__globals__) is kernel for d in decorators]
    if any(ours) and not ours[-1]:
        below = ast.unparse(decorators[-1])
        raise exc.DecoratorAfterHelionKernelDecorator(
            f"@{below} of {fn.__name__} stands below the kernel decorator; move it above"
        )


def _global(node: ast.AST, names: dict[str, Any]) -> object:
    """What a decorator's name stands for among globals, called or not; None for anything but names and attributes."""
    if isinstance(node, ast.Call):
        return _global(node.func, names)
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_global(node.value, names), node.attr, None)
    return None
