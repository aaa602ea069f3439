"""One configuration for several argument sets: what counts is all of their times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.autotuner.printing_bound import FakeBound, space_of

from helion_ir import exc
from helion_ir.autotuner import Config
from helion_ir.autotuner.multi import tune_multi
from helion_ir.autotuner.protocol import Candidate, Measurement
from helion_ir.autotuner.store import MemoryStore

ARGS = [(torch.ones(8),), (torch.ones(64),)]


class Timed:
    """An executor with times of its own."""

    def __init__(self, cost: Callable[[dict[str, Any]], float | None]):
        self.cost = cost
        self.closed = False

    def submit(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        for c in candidates:
            value = self.cost(dict(c.assignment))
            stage = "ok" if value is not None else "run"
            yield Measurement(c.assignment, value, stage, "" if value is not None else "no")

    remeasure = submit

    def close(self) -> None:
        self.closed = True


def rows(a: dict[str, Any]) -> float:
    return float(math.log2(a["tile_m.block_size"]))


# The first set is slow and wants small tiles, the second is fast and wants large ones.
COSTS = [lambda a: 100.0 * (1 + rows(a)), lambda a: (2.0 + (7 - rows(a)) ** 2) * (3 if a["num_warps"] == 1 else 1)]


def best(bounds: Sequence[Any] | None = None, costs: Any = COSTS, **options: Any) -> Config:
    bounds = bounds or [FakeBound(), FakeBound()]
    executors = [Timed(c) for c in costs]
    order = iter(executors)
    out = tune_multi(
        bounds, ARGS, make_executor=lambda b, a: next(order), search="pattern", seed=1, store=MemoryStore(), **options
    )  # fmt: skip
    assert all(e.closed for e in executors)
    return out.config


def test_the_aggregation_decides() -> None:
    # By the largest time only the first set counts; relative to the default both do.
    assert best(aggregation="max").block_sizes == [1]
    everywhere = [2**n for n in range(8)]
    default = [c({"tile_m.block_size": 16, "num_warps": 4}) for c in COSTS]

    def joint(block: int) -> float:
        a = {"tile_m.block_size": block, "num_warps": 4}
        return max(c(a) / d for c, d in zip(COSTS, default))

    assert best(aggregation="max", relative_to="default").block_sizes == [min(everywhere, key=joint)]
    assert best().block_sizes == [
        min(everywhere, key=lambda b: math.prod(c({"tile_m.block_size": b, "num_warps": 4}) for c in COSTS))
    ]


def test_what_fails_for_one_fails_for_all() -> None:
    found = best(costs=[COSTS[0], lambda a: None if a["tile_m.block_size"] < 8 else 1.0])
    assert found.block_sizes == [8]


def test_a_baseline_is_a_unit() -> None:
    bounds = [FakeBound(settings=SimpleNamespace(autotune_baseline_fn=lambda x: x * 3.0)) for _ in ARGS]
    assert best(bounds, relative_to="baseline", aggregation="geomean") == best()


def test_misuse_is_named() -> None:
    other = FakeBound()
    other.config_space = space_of('knob.declare @n : pow2 1 to 2 = 1 by "f" doc "d"')
    for change, words in (
        ({"aggregation": "mean"}, "aggregation is geomean or max, not 'mean'"),
        ({"relative_to": "eager"}, "relative_to is None, default or baseline, not 'eager'"),
        ({"relative_to": "baseline"}, "needs an autotune_baseline_fn"),
        ({"bounds": [FakeBound(), other]}, "argument sets 0 and 1 have different configurations: .* n, num_warps"),
        ({"bounds": [FakeBound()]}, "2 argument sets for 1 bound kernels"),
    ):
        with pytest.raises(exc.InvalidAPIUsage, match=words):
            best(**change)  # pyright: ignore[reportArgumentType]
