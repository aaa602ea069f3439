"""The contracts of templates over every example: two ways to a text, the knobs read, and how few texts there are.

`HELION_IR_CONFIGS=200` sets how many random configurations each example is tried with; CI tries a sample.
"""

from __future__ import annotations

import functools
import os
import random
from typing import Any

import pytest
from examples import registry

from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.knob import ChooseOp, knobs_read
from helion_ir.runtime.stages import Stages

CONFIGS = int(os.environ.get("HELION_IR_CONFIGS", "3"))
TARGET = os.environ.get("HELION_IR_TARGET", "h200")
NAMES = registry.names() if CONFIGS > 3 else registry.CORE


@functools.lru_cache(maxsize=4)
def stages_of(name: str) -> Stages:
    example = registry.load(name)
    return example.kernel.bind(example.cases[0].blank()).stages_for(TARGET)


def configurations(stages: Stages, name: str) -> list[Any]:
    rng = random.Random(name)
    return [stages.space.legal_default(), *[stages.space.sample(rng) for _ in range(CONFIGS)]]


@pytest.mark.parametrize("name", NAMES)
def test_fast_text_is_the_materialized_text(name: str) -> None:
    """Printing the template with a configuration, and printing the IR of that configuration, in which no knob is left."""
    stages = stages_of(name)
    for assignment in configurations(stages, name):
        concrete = stages.concrete(assignment)
        concrete.verify()
        assert not knobs_read(concrete) and not any(isinstance(op, ChooseOp) for op in concrete.walk())
        assert print_module(concrete).text == stages.printed(assignment).text


@pytest.mark.parametrize("name", NAMES)
def test_templates_read_what_is_declared(name: str) -> None:
    """No template reads a knob that the configuration's structure does not have."""
    stages = stages_of(name)
    for assignment in configurations(stages, name):
        read = knobs_read(stages.template(assignment))
        assert read <= set(stages.space.knobs)
        active = stages.space.active(assignment)
        other = {
            n: next((v for v in stages.space[n].values if v != assignment[n]), assignment[n])
            for n in stages.space.knobs
            if n not in active
        }
        # What is not active changes nothing: configurations are the same where the knobs they use are.
        assert stages.space.project({**assignment, **other}) == stages.space.project(assignment)


def test_configurations_share_texts() -> None:
    """Numbers that a configuration sets are parameters: changing only those gives the text there was."""
    stages = stages_of("matmul")
    base = stages.space.legal_default()
    text = stages.printed(base).kernel_text
    same = {"num_warps": 8, "num_stages": 2, "load.x.eviction": "evict_last", "loop.inner.num_stages": 3}
    assert stages.printed({**base, **same}).kernel_text == text
    # All but the defaults share one that has every alternative.
    ways = {"rows_columns.loop_order": (1, 0), "rows_columns.l2_grouping": 4, "load.x.indexing": "tensor_descriptor"}
    whole = {stages.printed({**base, **same, name: value}).kernel_text for name, value in ways.items()}
    assert whole == {stages.printed({**base, **ways}).kernel_text} != {text}
    persistent = {**base, "pid_type": "persistent_blocked"}
    options = {"loop.rows_columns.num_stages": 3, "loop.rows_columns.flatten": True, "num_sm_multiplier": 4}
    assert stages.printed({**persistent, **options}).kernel_text == stages.printed(persistent).kernel_text
