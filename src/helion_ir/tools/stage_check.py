"""Runs the IR after every pass and compares, so that the pass that breaks a number is known."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import KnobValue
from helion_ir.interpreter import run_module
from helion_ir.tools.kernel_file import KernelFile


@dataclass(frozen=True)
class StageResult:
    """How far the results of a stage are from those they are compared with; `problem` is "" if they agree."""

    stage: str
    error: float
    problem: str = ""


def check_stages(file: KernelFile, stages: list[tuple[str, str]], assignment: Mapping[str, KnobValue]) -> Iterator[StageResult]:  # fmt: skip
    """Run the text of every stage on the file's arguments.

    Results, and what the kernel wrote into its arguments, are compared with the file's reference if it has one, else
    with those of the first stage.

    Args:
        file: the kernel and its arguments, on the CPU.
        stages: (stage, IR text) in order, as `BoundKernel.stages` gives them.
        assignment: the values of the knobs.

    Yields:
        A result a stage whose text differs from the one before it.
    """
    expected: list[torch.Tensor] | None = None
    if file.reference is not None:
        expected = _tensors(file.reference(*copy.deepcopy(file.args)))
    last = ""
    for stage, text in stages:
        if text == last:
            continue
        last = text
        args = copy.deepcopy(file.args)
        try:
            result = run_module(parse_module(text, stage), args, assignment, globals=file.kernel.fn.__globals__)
        except Exception as error:  # whatever an op raises: it belongs to this stage
            yield StageResult(stage, math.inf, f"{type(error).__name__}: {error}")
            continue
        actual = _tensors(result)
        if file.reference is None:
            actual += _tensors(args)
        expected = actual if expected is None else expected
        yield _compared(stage, actual, expected)


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [t for item in value for t in _tensors(item)]
    return []


def _compared(stage: str, actual: list[torch.Tensor], expected: list[torch.Tensor]) -> StageResult:
    if len(actual) != len(expected):
        return StageResult(stage, math.inf, f"{len(actual)} tensors where {len(expected)} are expected")
    worst = 0.0
    for position, (a, e) in enumerate(zip(actual, expected)):
        if a.shape != e.shape:
            return StageResult(stage, math.inf, f"result {position} is {tuple(a.shape)}, expected {tuple(e.shape)}")
        if not a.dtype.is_floating_point:
            if not torch.equal(a, e.to(a.dtype)):
                return StageResult(stage, math.inf, f"result {position}: integers differ")
            continue
        a64, e64 = a.double(), e.double()
        if not torch.equal(a64.isfinite(), e64.isfinite()) or not torch.equal(a64.isnan(), e64.isnan()):
            return StageResult(stage, math.inf, f"result {position}: infinities or NaNs differ")
        finite = e64.isfinite()
        norm = float(e64[finite].norm())
        error = float((a64 - e64)[finite].norm()) / (norm or 1.0)
        worst = max(worst, error)
        # One rounding to the result's type, and sums in float32 in whatever order.
        allowed = torch.finfo(a.dtype).eps + 64 * torch.finfo(torch.float32).eps
        if error > allowed:
            return StageResult(stage, error, f"result {position}: relative error {error:.2g} is over {allowed:.2g}")
    return StageResult(stage, worst)
