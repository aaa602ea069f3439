"""What generated files contain besides the program: a caller that makes arguments like those of a call."""

from __future__ import annotations

import inspect
import re
import textwrap
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class OutputCodeOptions:
    """Options of `BoundKernel.to_code`, as in Helion; generated files import torch and triton alone in any case."""

    allow_helion_deps: bool = True


def described(args: Sequence[Any]) -> tuple[str, ...]:
    """Python expressions that make arguments like these: tensors of the same shape, strides, dtype and device."""
    return tuple([_expression(a) for a in args])


def _expression(value: Any) -> str:
    match value:
        case torch.Tensor():
            return f"_like({tuple(value.shape)}, {value.stride()}, {value.dtype}, {str(value.device)!r})"
        case tuple() if hasattr(value, "_fields"):
            return f"({', '.join(map(_expression, value))},)"
        case tuple():
            return f"({', '.join(map(_expression, value))}{',' if len(value) == 1 else ''})"
        case list():
            return f"[{', '.join(map(_expression, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{k!r}: {_expression(v)}' for k, v in value.items())}}}"
        case torch.device():
            return f"torch.device({str(value)!r})"
        case None | bool() | int() | float() | str() | torch.dtype():
            return f"float({str(value)!r})" if value != value or value in (_INF, -_INF) else repr(value)
    return f"NotImplemented  # {type(value).__name__}: fill this in"


_INF = float("inf")

_CALLER = '''

def _like(shape, strides, dtype, device):
    """Random contents in the memory layout of an argument."""
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if all(shape) else 0
    if dtype.is_floating_point:
        data = torch.randn(extent, device=device).to(dtype)
    else:
        data = torch.randint(0, 2, (extent,), device=device).to(dtype)
    return data.as_strided(shape, strides)


def call():
    """Call the program on arguments like those that it was generated for."""
    return {name}({arguments})


if __name__ == "__main__":
    print(call())
'''


def caller_text(name: str, signature: inspect.Signature, arguments: Sequence[str]) -> str:
    """Text to append to a generated program, so that running the file calls it."""
    given = [f"\n        {a},  # {p}" for p, a in zip(signature.parameters, arguments)]
    return _CALLER.replace("{name}", name).replace("{arguments}", "".join(given) + ("\n    " if given else ""))


def repro_text(
    function: types.FunctionType, decorator: str, signature: inspect.Signature, arguments: Sequence[str]
) -> str:
    """A program of its own: a kernel's source under this decorator, and a call with arguments like those given."""
    imports = ["import torch", "import helion_ir as helion", "import helion_ir.language as hl"]
    parts: dict[str, str] = {}
    _collect(function, imports, parts)
    kernel = f"{decorator}\n{_source(function)}{caller_text(function.__name__, signature, arguments)}"
    return "\n\n\n".join(["\n".join(dict.fromkeys(imports)), *parts.values(), kernel])


def _source(function: types.FunctionType) -> str:
    """The text of a function without its decorators."""
    source = textwrap.dedent(inspect.getsource(function))
    return source[re.search(r"^def ", source, re.MULTILINE).start() :] if "def " in source else source  # pyright: ignore


def _collect(function: types.FunctionType, imports: list[str], parts: dict[str, str]) -> None:
    """What a function reads of its module, as far as text can say it: modules, functions, numbers and strings."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            imports.append(f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}")
        elif isinstance(value, types.FunctionType) and name not in parts:
            if value.__module__ == function.__module__:
                parts[name] = ""  # its place, also for one that calls itself
                _collect(value, imports, parts)
                parts[name] = _source(value)
            else:
                imports.append(f"from {value.__module__} import {value.__name__} as {name}")
        elif isinstance(value, bool | int | float | str):
            parts[name] = f"{name} = {value!r}"
