"""A part of the closed set compiled for real devices; tests/coverage/cross.py compiles all of it."""

from __future__ import annotations

import pytest
from tests.coverage.cross import TARGETS, compile_calls

MIXED = """sort;topk;cummax;flip;roll;cat;narrow;unbind;gather;argmax(dim);var(dim);logcumsumexp;gcd int;digamma;special.i1
;remainder;floor_divide int;round;linear;bmm;softmax(dim);bitwise_left_shift int""".replace("\n", "").split(";")


@pytest.mark.parametrize("target", TARGETS)
def test_calls_compile(target: str) -> None:
    assert not (error := compile_calls(MIXED, "bfloat16", "axis", target)), error
