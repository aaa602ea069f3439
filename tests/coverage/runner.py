"""Runs kernels of the closed set's calls: tile level, with explicit masks, as a template, and printed as Triton."""

from __future__ import annotations

from typing import Any

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


def built(name: str, dtype: str, layout: str, special: bool, target: str = "cpu") -> tuple[kernels.Kernel, Any]:
    """The kernel of one call and its operands. Raises Refused, or what the frontend says."""
    operands = inputs(DTYPES[dtype], LAYOUTS[layout], special)
    return kernels.build({name: call(name)}, operands, LAYOUTS[layout], target), operands


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
    kernel, operands = built(name, dtype, layout, special, target)
    wanted = references(kernel, name, operands)
    wrong: list[str] = []
    assignment = kernels.assignment_of(kernel)

    def callback(stage: str, module: Any) -> None:
        if stage in STAGES:
            out = kernel.empty()
            run_module(module, [*operands.values(), *out], assignment)
            if text := difference(out, wanted, DTYPES[dtype], special and name not in UNSIGNED_ZERO):
                wrong.append(f"{stage}: {text}")

    lowered(kernel, callback)
    return wrong[0] if wrong else ""


def check_triton(name: str, dtype: str, layout: str, special: bool = False) -> str:
    """What is wrong with what the printed Triton computes in Triton's interpreter. Raises Refused."""
    kernel, operands = built(name, dtype, layout, special)
    wanted = references(kernel, name, operands)
    template, assignment = lowered(kernel)
    out = kernel.empty()
    load(print_module(template, assignment))(*operands.values(), *out)
    return difference(out, wanted, DTYPES[dtype], special and name not in UNSIGNED_ZERO)


def failures_in_triton(cases: list[list[Any]]) -> list[str]:
    """What is wrong with each case, (name, dtype, layout, special); runs where Triton interprets."""
    found: list[str] = []
    for case in cases:
        try:
            found.append(check_triton(*case))
        except Refused as error:
            found.append(f"refused: {error}")
        except Exception as error:  # Triton's interpreter raises classes of every kind
            found.append(f"{type(error).__name__}: {error}")
    return found
