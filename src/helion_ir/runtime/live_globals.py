"""Globals of the author's module, read anew on every call of a generated host function."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_FIXED = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)


def with_live_globals(run: Callable[..., Any], names: Mapping[str, Any]) -> Callable[..., Any]:
    """`run`, a Python function with globals of its own, seeing the current values of numbers and tensors in `names`.

    Modules, functions and classes stay what they were; where `run` reads nothing else it is returned as it is.
    """
    if not isinstance(run, types.FunctionType):
        return run
    scope = run.__globals__
    # What the generated code defines under a name of the module's is its own.
    read = [n for n in dict.fromkeys(_names(run.__code__)) if n in names and scope.get(n) is names[n]]
    varying = [n for n in read if not isinstance(names[n], _FIXED)]
    if not varying:
        return run

    def refreshed(*args: Any) -> Any:
        for name in varying:
            scope[name] = names[name]
        return run(*args)

    return refreshed


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
