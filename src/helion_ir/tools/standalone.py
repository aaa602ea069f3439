"""One Python file of a kernel's variants: it imports torch and triton only, and chooses by the arguments of a call."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.author_names import AuthorNames

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config
    from helion_ir.runtime.bound_kernel import BoundKernel


class ExportError(ValueError):
    """A kernel cannot be written as a file of its own."""


@dataclass(frozen=True)
class Variant:
    """A kernel, bound, with the configuration to write."""

    bound: BoundKernel
    args: Sequence[Any]
    config: Config | None = None
    """None: the default."""
    target: str = ""
    """The target to lower for; by default that of the arguments' device."""


def standalone(variants: Sequence[Variant]) -> str:
    """The text of the file. Raises `ExportError` where host code needs what no file of its own can have."""
    name = variants[0].bound.kernel.name
    parts: list[str] = []
    imports: dict[str, None] = {"import torch": None, "import triton": None, "import triton.language as tl": None}
    table: list[str] = []
    helpers: dict[str, str] = {}
    for number, variant in enumerate(variants):
        stages = variant.bound.stages_for(variant.target or variant.bound.target)
        space = stages.space
        assignment = space.legal_default() if variant.config is None else space.encode(variant.config)
        text = stages.printed(assignment).text
        for statement in _author_statements(text, variant.bound.kernel.fn.__globals__):
            imports[statement] = None
        body, used = _split(text)
        imports |= dict.fromkeys(used)
        parts.append(_renamed(body, number, helpers))
        table.append(f"    {_key(variant.args)!r}: {name}_{number},")
    parameters = list(variants[0].bound.kernel.signature.parameters.values())
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    signature = ", ".join(f"{p.name}={defaults[p.name]!r}" if p.name in defaults else p.name for p in parameters)
    names = ", ".join(p.name for p in parameters)
    dispatch = _DISPATCH.format(name=name, table="\n".join(table), signature=signature, names=names)
    head = f'"""{name}, made by helion-ir: kernels, their configurations, and which is for what arguments."""'
    return "\n\n\n".join([head, "\n".join(sorted(imports)), *helpers.values(), *parts, dispatch])


def _split(text: str) -> tuple[list[str], list[str]]:
    """The top-level statements of a printed module, and its imports."""
    lines = text.splitlines()
    body: list[str] = []
    imports: list[str] = []
    for node in ast.parse(text).body:
        first = node.lineno
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            first = node.decorator_list[0].lineno
        source = "\n".join(lines[first - 1 : node.end_lineno])
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            if (module or "").split(".")[0] not in ("torch", "triton", "math", "__future__"):
                raise ExportError(f"the generated code imports {module}, which the file would need")
            imports.append(source)
        else:
            body.append(source)
    return body, imports


def _author_statements(text: str, namespace: Mapping[str, Any]) -> list[str]:
    """Statements that define the author's names that host code uses."""
    names = AuthorNames.used_by(text, namespace)
    out = []
    for name, module in names.modules.items():
        if module.split(".")[0] not in ("torch", "triton", "math"):
            raise ExportError(
                f"host code uses the module {name} ({module}), and a standalone file has torch and triton only"
            )
        out.append(f"import {module} as {name}" if name != module else f"import {module}")
    parameters = {a.arg for f in ast.walk(ast.parse(text)) if isinstance(f, ast.FunctionDef) for a in f.args.args}
    for name, value in names.values.items():
        if name in parameters:
            continue
        if not isinstance(value, bool | int | float | str | None):
            raise ExportError(f"host code uses {name}, a {type(value).__name__} of the author's module")
        out.append(f"{name} = {value!r}")
    return out


def _renamed(body: Sequence[str], number: int, helpers: dict[str, str]) -> str:
    """The functions of one variant with its number at the end of their names; what all variants share is kept apart."""
    functions = {n.name: source for source in body for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    shared = {n for n, source in functions.items() if _is_host_helper(n, source) or _is_library(source, functions)}
    for n in shared:
        if helpers.setdefault(n, functions[n]) != functions[n]:
            shared = shared - {n}
    own = functions.keys() - shared
    kept = [source for source in body if not any(source == functions[n] for n in shared)]
    return "\n\n\n".join(_with_names(source, {n: f"{n}_{number}" for n in own}) for source in kept)


def _is_host_helper(name: str, source: str) -> bool:
    """Whether a function is one of those that the printer puts before a host function: launchers and what they call."""
    return name.startswith("_") and "triton.jit" not in source


def _is_library(source: str, functions: Mapping[str, str]) -> bool:
    """Whether a function is a library function: jitted, and calling none of the others."""
    called = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    own = {n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    return "triton.jit" in source and not (called & functions.keys()) - own and not own & _launched(functions)


def _launched(functions: Mapping[str, str]) -> set[str]:
    """Functions that are launched: those that a host function names."""
    hosts = [s for s in functions.values() if "triton.jit" not in s]
    return {n.id for s in hosts for n in ast.walk(ast.parse(s)) if isinstance(n, ast.Name)} & functions.keys()


def _with_names(source: str, names: Mapping[str, str]) -> str:
    """The source with names replaced, attributes and keywords of calls left alone."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    lines = source.splitlines(keepends=True)
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token.type != tokenize.NAME or token.string not in names:
            continue
        before, after = tokens[i - 1].string if i else "", tokens[i + 1].string
        if before == "." or (after == "=" and before in ("(", ",")):
            continue
        row, column = token.start
        line = lines[row - 1]
        lines[row - 1] = line[:column] + names[token.string] + line[column + len(token.string) :]
    return "".join(lines)


def _key(args: Sequence[Any]) -> tuple[Any, ...]:
    """What a call must have in common with the one that a variant was made for; `_key` of the file does the same."""
    import torch

    return tuple(
        (str(a.dtype), tuple(a.shape), tuple(a.stride())) if isinstance(a, torch.Tensor)
        else type(a).__name__ if isinstance(a, (bool, int, float))
        else repr(a)
        for a in args
    )  # fmt: skip


_DISPATCH = """\
def _key(args):
    return tuple(
        (str(a.dtype), tuple(a.shape), tuple(a.stride())) if isinstance(a, torch.Tensor)
        else type(a).__name__ if isinstance(a, (bool, int, float))
        else repr(a)
        for a in args
    )


_VARIANTS = {{
{table}
}}


def {name}({signature}):
    key = _key(({names},))
    found = _VARIANTS.get(key)
    if found is None:
        made_for = "\\n  ".join(map(str, _VARIANTS))
        raise ValueError(f"{name} is not made for {{key}}; it is for\\n  {{made_for}}")
    return found({names})
"""
