"""Runs kernels of the closed set's calls: tile level, with explicit masks, as a template, and printed as Triton."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from tests.coverage import kernels
from tests.coverage.cases import DTYPES, UNSIGNED_ZERO, call, difference, inputs, references

from helion_ir.backend_triton.loader import load
from helion_ir.backend_triton.printer import print_module
from helion_ir.interpreter import run_module
from helion_ir.passes.pipeline import lower

LAYOUTS = {x.name: x for x in (kernels.PARTIAL, kernels.AXIS, kernels.FULL)}
STAGES = ("bind-structure", "make-masks", "assign-names")


class Refused(Exception):
    """The compiler says that it cannot."""


def built(
    names: Sequence[str], dtype: str, layout: str, special: bool, target: str = "cpu"
) -> tuple[kernels.Kernel, Any]:
    """The kernel that makes some calls, and its operands. Raises Refused, or what the frontend says."""
    operands = inputs(DTYPES[dtype], LAYOUTS[layout], special)
    return kernels.build({n: call(n) for n in names}, operands, LAYOUTS[layout], target), operands


def lowered(kernel: kernels.Kernel, callback: Any = None) -> tuple[Any, dict[str, Any]]:
    """The template and the configuration. Raises Refused."""
    from helion_ir.exc import BackendUnsupported

    assignment = kernels.assignment_of(kernel)
    try:
        template = lower(kernel.module, assignment, callback)
    except BackendUnsupported as error:
        raise Refused(str(error)) from error
    if broken := kernels.broken_requirements(template, assignment):
        raise Refused(broken[0])
    return template, assignment


def check_stages(name: str, dtype: str, layout: str, special: bool = False, target: str = "cpu") -> str:
    """What is wrong first, and after which pass; "" where nothing is. Raises Refused."""
    return stages_of([name], dtype, layout, special, target).get(name, "")


def stages_of(
    names: Sequence[str], dtype: str, layout: str, special: bool = False, target: str = "cpu"
) -> dict[str, str]:
    """What is wrong first with each call of one kernel, and after which pass. Raises Refused."""
    kernel, operands = built(names, dtype, layout, special, target)
    compare = _comparison(kernel, names, operands, dtype, special)
    wrong: dict[str, str] = {}
    assignment = kernels.assignment_of(kernel)

    def callback(stage: str, module: Any) -> None:
        if stage in STAGES:
            out = kernel.empty()
            run_module(module, [*operands.values(), *out], assignment)
            for name, text in compare(out).items():
                wrong.setdefault(name, f"{stage}: {text}")

    lowered(kernel, callback)
    return wrong


def triton_of(names: Sequence[str], dtype: str, layout: str, special: bool = False) -> dict[str, str]:
    """What is wrong with what the printed Triton of a kernel computes in Triton's interpreter. Raises Refused."""
    kernel, operands = built(names, dtype, layout, special)
    template, assignment = lowered(kernel)
    out = kernel.empty()
    load(print_module(template, assignment))(*operands.values(), *out)
    return _comparison(kernel, names, operands, dtype, special)(out)


def _comparison(
    kernel: kernels.Kernel, names: Sequence[str], operands: Any, dtype: str, special: bool
) -> Callable[[Sequence[torch.Tensor]], dict[str, str]]:
    """Says which calls have wrong results, and how."""
    wanted = {name: references(kernel, name, operands) for name in names}
    assert sorted(i for name in names for i in kernel.of(name)) == list(range(len(kernel.outputs)))

    def compare(out: Sequence[torch.Tensor]) -> dict[str, str]:
        found = {
            name: difference(
                [out[i] for i in kernel.of(name)], wanted[name], DTYPES[dtype], special and name not in UNSIGNED_ZERO
            )
            for name in names
        }
        return {name: text for name, text in found.items() if text}

    return compare


def each(check: Callable[..., dict[str, str]], names: Sequence[str], *rest: Any) -> dict[str, str]:
    """What is wrong with calls that share a kernel; where anything is, with each in a kernel of its own, too."""
    together = _tried(check, names, *rest)
    if not together:
        return {}
    alone = {key: text for name in names for key, text in _tried(check, [name], *rest).items()}
    return {**{f"{name}, beside others": text for name, text in together.items()}, **alone}


def _tried(check: Callable[..., dict[str, str]], names: Sequence[str], *rest: Any) -> dict[str, str]:
    try:
        return check(names, *rest)
    except Refused as error:
        return {", ".join(names): f"refused: {error}"}
    except Exception as error:  # Triton's interpreter raises classes of every kind
        return {", ".join(names): f"{type(error).__name__}: {error}"}


def failures_in_triton(groups: list[list[Any]]) -> dict[str, str]:
    """What is wrong with groups of calls, (names, dtype, layout, special); runs where Triton interprets."""
    found: dict[str, str] = {}
    for names, *rest in groups:
        found |= {f"{name} {rest}": text for name, text in each(triton_of, names, *rest).items()}
    return found
