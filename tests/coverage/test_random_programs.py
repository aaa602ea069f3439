"""Random programs against eager PyTorch: 300, or `HELION_IR_PROGRAMS` of them."""

from __future__ import annotations

import os

import pytest
from tests.coverage.check_programs import check
from tests.coverage.programs import Program, program

COUNT = int(os.environ.get("HELION_IR_PROGRAMS", "300"))
CHUNK = 20


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_programs(first: int) -> None:
    wrong: dict[int, str] = {}
    for seed in range(first, min(first + CHUNK, COUNT)):
        found = check(program(seed))
        if found and not found.startswith("refused"):
            wrong[seed] = found
    assert not wrong


def test_programs_for_a_device() -> None:
    """The functions and casts that a device has, in our interpreter."""
    for seed in range(20):
        found = check(program(seed), "h200")
        assert not found or found.startswith("refused"), f"{seed}: {found}"


def test_a_seed_is_a_program() -> None:
    assert program(3).source == program(3).source != program(4).source


def test_a_changed_program_is_seen() -> None:
    """The kernel computes one thing and PyTorch another."""
    seen = 0
    for seed in range(12):
        made = program(seed)
        if "hl.zeros" not in made.source or 0 in made.sizes.values():
            continue
        changed = made.eager.replace("torch.tanh(", "torch.sin(1 + ")
        other = Program(made.seed, made.sizes, made.source, changed, made.args, made.tolerance, made.outputs)
        seen += bool(check(other))
    assert seen >= 5
