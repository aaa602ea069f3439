"""plan-memory against Triton's own answers, kept by benchmarks.memory_model: nothing that fits is ruled out."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from benchmarks.memory_model import ANSWERS, TARGETS, error, kept, predicted

EXAMPLES = ("matmul", "attention", "softmax")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    lines = [line for line in ANSWERS.read_text().splitlines() if any(f'"example": "{e}"' in line for e in EXAMPLES)]
    return [predicted(row) for row in kept(lines) if "failed" not in row]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_bound_is_one(rows: list[dict[str, Any]], example: str, target: str) -> None:
    mine = [r for r in rows if (r["example"], r["target"]) == (example, target)]
    assert len(mine) >= 10
    assert [r for r in mine if r["least"] > r["shared"]] == []
    assert statistics.median(error(r) for r in mine) < 0.15


def test_most_of_what_does_not_fit_is_ruled_out(rows: list[dict[str, Any]]) -> None:
    not_fit = [r for r in rows if not r["fits"]]
    assert len(not_fit) > 30
    assert sum(r["ruled_out"] for r in not_fit) >= 0.8 * len(not_fit)
