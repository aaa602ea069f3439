"""The search on spaces whose best configuration is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.autotuner.printing_bound import SPACE, space_of

from helion_ir.autotuner.protocol import Measurement, assignment_key
from helion_ir.autotuner.search import FiniteSearch, LocalSearch, SearchOptions

LARGE = "\n".join(
    [
        *(
            f'knob.declare @t{i}.block_size : pow2 1 to 256 = 16 in "block_sizes" by "frontend" doc "d"'
            for i in range(3)
        ),
        'knob.declare @num_warps : pow2 1 to 16 = 4 by "triton" doc "warps"',
        'knob.declare @num_stages : int 1 to 6 = 2 by "triton" doc "stages"',
        'knob.declare @root.loop_order : permutation 3 = [0, 1, 2] in "loop_orders" by "map-grid" doc "order"',
        *(
            f'knob.declare @load.{n}.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" = "pointer" '
            f'in "indexing" by "choose-indexing" doc "how"'
            for n in "abc"
        ),
        'knob.require <@t0.block_size * @t1.block_size le 16384>, "too many elements" by "frontend"',
    ]
)
BEST = {
    "t0.block_size": 128, "t1.block_size": 64, "t2.block_size": 32, "num_warps": 8, "num_stages": 4,
    "root.loop_order": (1, 0, 2), "load.a.indexing": "tensor_descriptor", "load.b.indexing": "tensor_descriptor",
    "load.c.indexing": "pointer",
}  # fmt: skip


def large_cost(a: dict[str, Any]) -> float:
    """1 at BEST, rising with the distance; warps interact with the size of the tile."""
    cost = 1.0
    for i in range(3):
        cost += 0.3 * abs(math.log2(a[f"t{i}.block_size"] / BEST[f"t{i}.block_size"]))
    tile = math.log2(a["t0.block_size"] * a["t1.block_size"])
    cost += 0.2 * abs(math.log2(a["num_warps"]) - (tile - 10))
    cost += 0.1 * abs(a["num_stages"] - 4)
    cost += sum(
        0.15 for k in ("root.loop_order", "load.a.indexing", "load.b.indexing", "load.c.indexing") if a[k] != BEST[k]
    )
    return cost


def drive(
    search: Any, cost: Callable[[dict[str, Any]], float | None], *, batch: int = 16, most: int = 100_000
) -> list[Measurement]:
    rows: list[Measurement] = []
    while len(rows) < most and (asked := search.ask(batch)):
        told = []
        for c in asked:
            value = cost(dict(c.assignment))
            told.append(Measurement(c.assignment, value, "ok" if value is not None else "compile"))
        rows += told
        search.tell(told)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_regret(seed: int) -> None:
    space = space_of(LARGE)
    assert large_cost(BEST) == 1.0
    assert space.size() > 1_000_000
    search = LocalSearch(space, seed=seed, options=SearchOptions(population=60, generations=25))
    rows = drive(search, large_cost)
    assert len(rows) < 1600
    assert min(r.milliseconds or math.inf for r in rows) <= 1.15


def test_better_than_chance() -> None:
    import random

    space, rng = space_of(LARGE), random.Random(5)
    rows = drive(LocalSearch(space, seed=5, options=SearchOptions(population=40, generations=8)), large_cost)
    random_best = min(large_cost(space.sample(rng)) for _ in rows)
    assert min(r.milliseconds or math.inf for r in rows) < random_best - 0.2


def test_survives_failures() -> None:
    # Every configuration with eight warps or more fails; the best of the others is found.
    def cost(a: dict[str, Any]) -> float | None:
        return None if a["num_warps"] >= 8 else large_cost(a)

    rows = drive(LocalSearch(space_of(LARGE), seed=1, options=SearchOptions(population=60)), cost)
    assert sum(not r.ok for r in rows) > 5
    best = min((r for r in rows if r.ok), key=lambda r: r.milliseconds or math.inf)
    assert best.assignment["num_warps"] in (2, 4) and (best.milliseconds or math.inf) <= 1.5


def test_all_failing_ends() -> None:
    rows = drive(LocalSearch(space_of(LARGE), options=SearchOptions(population=20)), lambda a: None)
    assert len(rows) == 20


def test_never_asks_twice_nor_for_inactive_variants() -> None:
    space = space_of(SPACE)
    rows = drive(LocalSearch(space, seed=3), lambda a: 1.0 + a["num_warps"])
    keys = [r.key for r in rows]
    assert len(keys) == len(set(keys))
    for row in rows:
        assert space.project(row.assignment) == row.assignment
        if row.assignment["pid_type"] == "flat":
            assert row.assignment["num_sm_multiplier"] == 1


def test_small_space_is_used_up() -> None:
    space = space_of('knob.declare @bm : pow2 1 to 8 = 2 by "frontend" doc "rows"')
    rows = drive(LocalSearch(space), lambda a: float(a["bm"]))
    assert sorted(r.assignment["bm"] for r in rows) == [1, 2, 4, 8]
    assert rows[0].assignment == {"bm": 2}


def test_deterministic_for_a_seed() -> None:
    def run(seed: int) -> list[Any]:
        options = SearchOptions(population=30, generations=4)
        return [r.key for r in drive(LocalSearch(space_of(LARGE), seed=seed, options=options), large_cost)]

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_order_of_results_does_not_matter() -> None:
    def run(flip: bool) -> list[Any]:
        search = LocalSearch(space_of(LARGE), seed=2, options=SearchOptions(population=24, generations=3))
        keys = []
        while asked := search.ask(8):
            rows = [Measurement(c.assignment, large_cost(dict(c.assignment))) for c in asked]
            keys += [r.key for r in rows]
            search.tell(rows[::-1] if flip else rows)
        return keys

    assert run(False) == run(True)


def test_stagnation_ends_the_search() -> None:
    options = SearchOptions(population=20, generations=1000, patience=3)
    search = LocalSearch(space_of(LARGE), seed=0, options=options)
    rows = drive(search, lambda a: 1.0)
    assert search.generation == 3
    assert len(rows) < 400


def test_seeds_come_first_and_illegal_ones_do_not() -> None:
    space = space_of(LARGE)
    bad = {**BEST, "t0.block_size": 256, "t1.block_size": 256}
    asked = LocalSearch(space, seeds=[BEST, bad, BEST]).ask(40)
    assert [dict(c.assignment) for c in asked[:2]] == [space.default(), BEST]
    assert assignment_key(bad) not in {c.key for c in asked}
    assert len(asked) == 40


def test_finite_search() -> None:
    rows = drive(FiniteSearch([{"a": 1}, {"a": 2}, {"a": 1}, {"a": True}]), lambda a: float(a["a"]), batch=2)
    assert [dict(r.assignment) for r in rows] == [{"a": 1}, {"a": 2}, {"a": True}]
    assert type(rows[2].assignment["a"]) is bool
