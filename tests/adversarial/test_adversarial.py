"""Kernels over inconvenient tensors, as traced, as prepared and as lowered, against PyTorch in float64."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch
from tests.adversarial.cases import CASES, Arguments, expected

from helion_ir.interpreter import run_module


@pytest.mark.parametrize("name", CASES)
def test_every_stage_is_right(name: str) -> None:
    kernel, make, _ = CASES[name]
    want = expected(name)
    bound = kernel.bind(make())
    stages = bound.stages_for("h200")
    globals = kernel.fn.__globals__

    def check(module: Any, assignment: Any) -> None:
        got = run_module(module, make(), assignment, globals=globals)
        torch.testing.assert_close(got.double(), want.double(), rtol=1e-6, atol=0)

    assignment = stages.space.legal_default()
    check(stages.tile, assignment)
    check(stages.declared, assignment)
    check(stages.template(assignment), assignment)
    other = stages.space.sample(random.Random(name))
    check(stages.template(other), other)


def loads(kernel: Any, make: Arguments) -> int:
    from helion_ir.dialects.tile.memory import LoadOp

    return sum(isinstance(op, LoadOp) for op in kernel.bind(make()).stages_for("h200").declared.walk())


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("store then load", 1),  # x
        ("through a view", 2),  # and out, which flat is
        ("arguments that are not", 2),  # x twice: y may be x
        ("written in a loop", 2),
        ("repeated indices", 3),
    ],
)
def test_loads_that_are_left(name: str, left: int) -> None:
    kernel, make, _ = CASES[name]
    assert loads(kernel, make) == left


@pytest.mark.parametrize("name", ["faded sums", "the largest of sums"])
def test_reductions_that_triton_would_move_out_of_their_loop(name: str) -> None:
    """It moves those of a last dimension, and is right only about a loop's sums (docs/toolchain.md)."""
    kernel, make, _ = CASES[name]
    bound = kernel.bind(make())
    text = bound.to_triton_code(bound.config_spec.default_config())
    (axis,) = re.findall(r"= tl\.sum\(\w+, (\d)\)", text)
    assert axis == "0"
