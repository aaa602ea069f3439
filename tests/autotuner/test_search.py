"""Every search on spaces whose best configuration is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.autotuner.printing_bound import SPACE, space_of

from helion_ir.autotuner import surrogate_search
from helion_ir.autotuner.config_model import ConfigModel
from helion_ir.autotuner.effort import Plan
from helion_ir.autotuner.proposals import Proposals
from helion_ir.autotuner.protocol import Measurement, assignment_key
from helion_ir.autotuner.search import FiniteSearch, RepeatedSearch, SearchOptions
from helion_ir.autotuner.search_choice import SEARCHES, search_named

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


needs_sklearn = pytest.mark.skipif(not surrogate_search.available(), reason="scikit-learn is an extra")
ALL = [pytest.param(n, marks=needs_sklearn if n == "surrogate" else ()) for n in SEARCHES]
LEARNING = [p for p in ALL if p.values[0] != "random"]


def make(name: str, text: str = LARGE, *, seed: int = 0, seeds: Any = (), hopeless: Any = None, **options: Any) -> Any:
    space = space_of(text)
    model = ConfigModel(space)
    if hopeless is not None:
        model.hopeless = hopeless  # pyright: ignore[reportAttributeAccessIssue]
    return search_named(name, space, model, Plan(SearchOptions(**options), seed), seed, seeds)


def drive(
    search: Any, cost: Callable[[dict[str, Any]], float | None], *, batch: int = 16, most: int = 100_000
) -> list[Measurement]:
    """As a tuner with `batch` places does: results come one at a time, the oldest first."""
    rows: list[Measurement] = []
    under_way: list[Any] = []
    while len(rows) < most:
        under_way += search.ask(batch - len(under_way))
        if not under_way:
            break
        candidate = under_way.pop(0)
        value = cost(dict(candidate.assignment))
        rows.append(Measurement(candidate.assignment, value, "ok" if value is not None else "compile"))
        search.tell(rows[-1:])
    return rows


def best_of(rows: list[Measurement]) -> float:
    return min((r.milliseconds for r in rows if r.milliseconds is not None), default=math.inf)


@pytest.mark.parametrize("name", LEARNING)
def test_gets_near_the_best_of_a_large_space(name: str) -> None:
    # 9 · 9 · 9 · 5 · 6 · 6 · 27 = 3.5 million, of which 300 by chance come to about 1.9.
    found = best_of(drive(make(name, seed=1, patience=1000), large_cost, most=300))
    assert found <= {"surrogate": 1.25, "pattern": 1.2, "evolution": 1.7}[name]


@pytest.mark.parametrize("name", LEARNING)
def test_survives_failures(name: str) -> None:
    # Every configuration with eight warps or more fails; the best of the others is found.
    def cost(a: dict[str, Any]) -> float | None:
        return None if a["num_warps"] >= 8 else large_cost(a)

    rows = drive(make(name, seed=1, population=50), cost, most=200)
    assert sum(not r.ok for r in rows) > 5
    best = min((r for r in rows if r.ok), key=lambda r: r.milliseconds or math.inf)
    assert best.assignment["num_warps"] in (1, 2, 4) and (best.milliseconds or math.inf) <= 2.0


@needs_sklearn
def test_the_model_learns_what_fails() -> None:
    rows = drive(make("surrogate", seed=1), lambda a: None if a["num_stages"] >= 3 else large_cost(a), most=180)
    early, late = rows[:60], rows[-60:]
    assert sum(not r.ok for r in late) < sum(not r.ok for r in early) / 2


@pytest.mark.parametrize("name", LEARNING)
def test_all_failing_ends(name: str) -> None:
    assert len(drive(make(name, population=20), lambda a: None)) == 20


@pytest.mark.parametrize("name", ALL)
def test_never_asks_twice_nor_for_inactive_variants(name: str) -> None:
    search = make(name, SPACE, seed=3)
    rows = drive(search, lambda a: 1.0 + a["num_warps"], most=150)
    keys = [r.key for r in rows]
    assert len(keys) == len(set(keys)) > 60
    for row in rows:
        assert search.space.project(row.assignment) == row.assignment
        if row.assignment["pid_type"] == "flat":
            assert row.assignment["num_sm_multiplier"] == 1


@pytest.mark.parametrize("name", ALL)
def test_small_space_is_used_up(name: str) -> None:
    rows = drive(make(name, 'knob.declare @bm : pow2 1 to 8 = 2 by "frontend" doc "rows"'), lambda a: float(a["bm"]))
    assert sorted(r.assignment["bm"] for r in rows) == [1, 2, 4, 8]  # pyright: ignore[reportArgumentType]
    assert rows[0].assignment == {"bm": 2}


@pytest.mark.parametrize("name", ALL)
def test_replays_from_what_was_asked_and_told(name: str) -> None:
    def record(seed: int) -> list[tuple[Any, ...]]:
        search, log, under_way = make(name, seed=seed, population=20), [], []
        for step in range(60):
            room = 6 - len(under_way)
            asked = search.ask(room)
            log.append(("ask", room, [c.key for c in asked]))
            under_way += asked
            # Answers come in any order.
            c = under_way.pop((step * 7) % len(under_way))
            row = Measurement(c.assignment, large_cost(dict(c.assignment)))
            log.append(("tell", row))
            search.tell([row])
        return log

    log = record(5)
    again = make(name, seed=5, population=20)
    for what, *rest in log:
        if what == "ask":
            assert [c.key for c in again.ask(rest[0])] == rest[1]
        else:
            again.tell(rest)
    assert record(6) != log


@pytest.mark.parametrize("name", LEARNING)
def test_stagnation_ends_the_search(name: str) -> None:
    rows = drive(make(name, population=20, patience=40), lambda a: 1.0)
    assert 41 <= len(rows) < 41 + 16 + 12


def test_generations_end_the_search() -> None:
    rows = drive(make("pattern", population=20, generations=3, parents=4, moves=5), large_cost)
    assert 80 <= len(rows) < 100


@pytest.mark.parametrize("name", ALL)
def test_seeds_come_first_and_illegal_ones_do_not(name: str) -> None:
    bad = {**BEST, "t0.block_size": 256, "t1.block_size": 256}
    search = make(name, seeds=[BEST, bad, BEST])
    asked = search.ask(40)
    assert [dict(c.assignment) for c in asked[:2]] == [search.space.default(), BEST]
    assert assignment_key(bad) not in {c.key for c in asked}
    assert len(asked) == 40


@pytest.mark.parametrize("name", ALL)
def test_the_hopeless_are_left_out_and_counted(name: str) -> None:
    def hopeless(a: Any) -> str | None:
        return "too many stages" if a["num_stages"] > 3 else None

    search: Proposals = make(name, hopeless=hopeless, seeds=[BEST])
    rows = drive(search, large_cost, most=100)
    # A wish is a wish.
    assert [r.assignment for r in rows if hopeless(r.assignment)] == [BEST]
    assert search.rejected["too many stages"] > 0 or name == "surrogate"


def test_finite_search() -> None:
    rows = drive(FiniteSearch([{"a": 1}, {"a": 2}, {"a": 1}, {"a": True}]), lambda a: float(a["a"]), batch=2)
    assert [dict(r.assignment) for r in rows] == [{"a": 1}, {"a": 2}, {"a": True}]
    assert type(rows[2].assignment["a"]) is bool


def test_repeated_searches_come_one_after_the_other() -> None:
    small = 'knob.declare @bm : pow2 1 to 8 = 2 by "frontend" doc "rows"'
    rows = drive(RepeatedSearch([make("pattern", small, seed=i) for i in range(2)]), lambda a: float(a["bm"]), batch=3)
    assert [r.assignment["bm"] for r in rows[::4]] == [2, 2] and len(rows) == 8


def test_an_unknown_search_is_named() -> None:
    with pytest.raises(ValueError, match="a search is one of surrogate, pattern, evolution, random; got 'luck'"):
        make("luck")
