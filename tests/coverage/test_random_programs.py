"""Random programs against eager PyTorch: 2,000 in groups that share a kernel, or `HELION_IR_PROGRAMS` of them."""

from __future__ import annotations

import os

import pytest
from tests.coverage.check_programs import LAST, STAGES, check
from tests.coverage.programs import GROUP, Program, group, program

GROUPS = -(-int(os.environ.get("HELION_IR_PROGRAMS", "2000")) // GROUP)
LONG = max(30, GROUPS // 5)
"""Long programs, each a kernel of its own with loops and up to five outputs."""
CHUNK = 5


@pytest.mark.parametrize("first", range(0, GROUPS, CHUNK))
def test_groups(first: int) -> None:
    """After the last stage; of one group in five after stages on the way, too."""
    wrong: dict[int, str] = {}
    for seed in range(first, min(first + CHUNK, GROUPS)):
        made = group(seed)
        assert len(made.outputs) == GROUP
        if found := check(made, stages=LAST if seed % 5 else STAGES):
            wrong[seed] = found
    assert not wrong


@pytest.mark.parametrize("first", range(0, LONG, CHUNK))
def test_long_programs(first: int) -> None:
    wrong: dict[int, str] = {}
    for seed in range(first, min(first + CHUNK, LONG)):
        found = check(program(seed))
        if found and not found.startswith("refused"):
            wrong[seed] = found
    assert not wrong


def test_programs_for_a_device() -> None:
    """The functions and casts that a device has, in our interpreter."""
    for seed in range(6):
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
