"""Searches and caches under the names that authors know (LANGUAGE 7.1 and 7.5), and tuning what is no kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from tests.autotuner.printing_bound import FakeBound, cost_of

import helion_ir as helion
from helion_ir import autotuner, exc
from helion_ir.autotuner import Config, IntegerFragment, PowerOfTwoFragment, local
from helion_ir.autotuner.effort import make_plan
from helion_ir.autotuner.keys import store_key
from helion_ir.autotuner.protocol import Candidate, Measurement, Source
from helion_ir.autotuner.store import MemoryStore, SqliteStore

ARGS = (0,)


class Costs:
    """An executor that reads times off the assignment, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        while asked := source(1):
            for c in asked:
                self.asked.append(dict(c.assignment))
                yield Measurement(c.assignment, cost_of(dict(c.assignment)))

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        return iter([Measurement(c.assignment, cost_of(dict(c.assignment))) for c in candidates])

    def close(self) -> None: ...


def quiet(**settings: Any) -> FakeBound:
    return FakeBound(settings=SimpleNamespace(autotune_log_level=0, autotune_random_seed=5, **settings))


BEST = Config(block_sizes=[64], num_warps=8)
ALGORITHMS = [n for n in autotuner.search_algorithms if "Finite" not in n]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_searches_find_the_best(name: str) -> None:
    executor, store = Costs(), MemoryStore()
    search = autotuner.search_algorithms[name](quiet(), ARGS, executor=executor, store=store)
    assert search.autotune(skip_cache=True) == BEST
    assert getattr(autotuner, name) is type(search)
    # What is stored is taken, unless it is to be skipped.
    asked = len(executor.asked)
    assert search.autotune() == BEST and len(executor.asked) == asked


def test_arguments_mean_what_they_meant() -> None:
    def tried(kind: Callable[..., Any], **options: Any) -> int:
        executor = Costs()
        kind(quiet(), ARGS, executor=executor, store=MemoryStore(), **options).autotune(skip_cache=True)
        return len(executor.asked)

    assert tried(autotuner.RandomSearch, count=7) == 7
    assert tried(autotuner.PatternSearch, initial_population=4, copies=1, max_generations=1) < 20
    assert tried(autotuner.DifferentialEvolutionSearch, population_size=6, copies=1, max_generations=1) < 40
    assert tried(autotuner.PatternSearch) > 30


def test_arguments_of_another_implementation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELION_CAP_AUTOTUNE_NUM_NEIGHBORS", "5")
    make_plan(quiet().settings)
    assert "HELION_CAP_AUTOTUNE_NUM_NEIGHBORS has no effect: a generation's size bounds" in capsys.readouterr().err
    monkeypatch.delenv("HELION_CAP_AUTOTUNE_NUM_NEIGHBORS")
    autotuner.LFBOTreeSearch(quiet(), ARGS, radius=3, quantile=0.2)
    text = "LFBOTreeSearch: quantile, radius of another implementation, which this search does without"
    assert capsys.readouterr().err == f"WARNING[SettingWithoutEffect]: {text}\n"
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        autotuner.LFBOTreeSearch(quiet(), ARGS, colour="red", store=MemoryStore()).autotune()


def test_finite_search() -> None:
    given = [Config(block_sizes=[2], num_warps=2), Config(block_sizes=[32], num_warps=8)]
    assert autotuner.FiniteSearch(quiet(), ARGS, given, executor=Costs(), store=MemoryStore()).autotune() == given[1]
    with pytest.raises(exc.NotEnoughConfigs, match="^1 given; tuning needs two configurations or more$"):
        autotuner.FiniteSearch(quiet(), ARGS, given[:1], executor=Costs(), store=MemoryStore()).autotune()


def test_from_cache_measures_what_did_well(tmp_path: Any) -> None:
    store = SqliteStore(tmp_path / "t.sqlite")
    other = quiet()
    other.cache_key = lambda: "f32[4096]"  # pyright: ignore[reportAttributeAccessIssue]
    good = other.config_space.encode(Config(block_sizes=[64], num_warps=4))
    store.set_best(store_key(other), Measurement(good, 1.0))
    executor = Costs()
    make = helion.from_cache(configs=[{"block_sizes": [2]}])
    found = make(quiet(), ARGS, store=store, executor=executor).autotune()
    assert found == Config(block_sizes=[64], num_warps=4)
    assert [a["tile_m.block_size"] for a in executor.asked] == [64, 2, 16]
    # With nothing to choose from, the default is taken and nothing measured.
    alone = helion.from_cache()(quiet(), ARGS, store=MemoryStore(), executor=executor).autotune()
    assert alone == Config(block_sizes=[16], num_warps=4) and len(executor.asked) == 3
    with pytest.raises(ValueError, match="max_configs is at least 1; got 0"):
        helion.from_cache(max_configs=0)


class Elsewhere(autotuner.RemoteCacheBackend):
    """A backend in memory, shared by all of its objects."""

    texts: dict[str, str] = {}  # noqa: RUF012
    broken = False

    def get(self, key: str) -> str | None:
        if Elsewhere.broken:
            raise ConnectionError("no route")
        return self.texts.get(key)

    def put(self, key: str, value: str) -> None:
        self.texts[key] = value


def test_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HELION_CACHE_DIR", str(tmp_path / "one"))
    monkeypatch.delenv("HELION_IR_CACHE_DIR", raising=False)
    monkeypatch.setenv("HELION_REMOTE_CACHE_BACKEND", f"{__name__}.Elsewhere")
    tuner = autotuner.RemoteAutotuneCache[autotuner.PatternSearch]
    executor = Costs()
    assert tuner(quiet(), ARGS, executor=executor).autotune() == BEST
    assert (tmp_path / "one" / "helion_ir" / "tuning.sqlite").exists() and len(Elsewhere.texts) == 1
    # Another machine has no file, and asks the backend.
    monkeypatch.setenv("HELION_CACHE_DIR", str(tmp_path / "two"))
    asked = len(executor.asked)
    assert tuner(quiet(), ARGS, executor=executor).autotune() == BEST and len(executor.asked) == asked
    # Another version of the compilers' files is another result.
    assert autotuner.StrictLocalAutotuneCache.key(quiet()) != autotuner.LocalAutotuneCache.key(quiet())
    Elsewhere.broken = True
    bound = quiet(autotune_cache="StrictRemoteAutotuneCache")
    assert autotuner.PatternSearch(bound, ARGS, executor=executor).autotune() == BEST
    assert "the remote cache fails: ConnectionError: no route" in capsys.readouterr().err
    monkeypatch.setenv("HELION_REMOTE_CACHE_BACKEND", "nowhere.Nothing")
    with pytest.raises(ValueError, match="HELION_REMOTE_CACHE_BACKEND='nowhere.Nothing' names no class"):
        tuner(quiet(), ARGS)


def test_the_space_is_said_where_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    path = tmp_path / "space.txt"
    bound = FakeBound(settings=SimpleNamespace(autotune_log_search_space_path=str(path)))
    autotuner.RandomSearch(bound, ARGS, 2, executor=Costs(), store=MemoryStore()).autotune()
    assert path.read_text().splitlines()[1] == "  tile_m.block_size: pow2 1 to 128 = 16"
    assert "knobs" not in capsys.readouterr().err
    bound.settings.autotune_log_search_space_verbose = True
    autotuner.RandomSearch(bound, ARGS, 2, executor=Costs(), store=MemoryStore()).autotune()
    assert "num_warps: pow2 1 to 16 = 4  (triton: warps)" in capsys.readouterr().err


def test_a_callable_is_tuned() -> None:
    tunables = {"n": PowerOfTwoFragment(1, 4, 4), "m": IntegerFragment(0, 2)}

    def make(config: Config) -> Callable[[int], int]:
        if config["m"] == 0:
            raise NotImplementedError("m = 0")
        return lambda x: sum(range(200 * config["n"])) * 0 + x + (config["m"] == 2)

    best = autotuner.autotune(
        tunables, make, (3,), baseline_fn=lambda x: x, autotune_log_level=0, count=9, algorithm="RandomSearch"
    )
    assert best["m"] == 1
    with pytest.raises(ValueError, match="algorithm is one of LFBOTreeSearch, .*; got 'Magic'"):
        autotuner.autotune(tunables, make, (3,), algorithm="Magic")
    with pytest.raises(ValueError, match="PatternSearch: .*'wide'"):
        autotuner.autotune(tunables, make, (3,), wide=True)
    with pytest.raises(ValueError, match="n: a tunable is a fragment such as"):
        autotuner.autotune({"n": 3}, make, (3,))  # pyright: ignore
    with pytest.raises(exc.NoConfigFound, match="m = 0"):
        autotuner.autotune({"m": IntegerFragment(0, 0), "n": IntegerFragment(1, 2)}, make, (3,), autotune_log_level=0)


def test_every_name_of_the_specification_is_there() -> None:
    names = """PowerOfTwoFragment IntegerFragment EnumFragment BooleanFragment ListOf ConfigSpec UserConfigSpec
        LFBOTreeSearch LFBOPatternSearch PatternSearch DifferentialEvolutionSearch DESurrogateHybrid RandomSearch
        FiniteSearch CachedFiniteSearch search_algorithms cache_classes initial_population_strategies
        InitialPopulationStrategy autotune RemoteCacheBackend NumThreadsFragment"""
    assert [n for n in names.split() if not hasattr(autotuner, n)] == []
    assert {*autotuner.cache_classes} <= {*dir(autotuner.caches)}
    with pytest.raises(exc.InvalidAPIUsage) as refused:
        autotuner.NumThreadsFragment(32, 128)
    assert refused.value.message == (
        "NumThreadsFragment is for backends whose programs deal out threads; Triton deals them out itself, of as many "
        "warps as num_warps of the Config says. For a number of your own use PowerOfTwoFragment"
    )
    for name in ("LLMGuidedSearch", "LLMSeededSearch", "LLMSeededLFBOTreeSearch"):
        with pytest.raises(exc.InvalidAPIUsage) as refused:
            getattr(autotuner, name)(FakeBound(), (1,))
        assert refused.value.message == (
            f"{name} asks a language model for configurations, which helion-ir has no connection to; use "
            "LFBOTreeSearch, the default, or one of LFBOPatternSearch, PatternSearch, DifferentialEvolutionSearch, "
            "DESurrogateHybrid, RandomSearch, FiniteSearch, CachedFiniteSearch"
        )
    with pytest.raises(exc.InvalidAPIUsage) as refused:
        autotuner.AOTAutotuneCache[autotuner.PatternSearch]
    assert refused.value.message == (
        "AOTAutotuneCache is what helion.aot_kernel makes of a kernel; decorate with helion.aot_kernel in place of "
        "helion.kernel"
    )


@pytest.mark.parametrize("variable", ["HELION_KEEP_CACHE", "HELION_KEEP_TRITON_CACHE"])
def test_what_triton_made_is_kept_where_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, variable: str
) -> None:
    monkeypatch.setattr(local, "compiles", lambda bound: True)
    for name in ("HELION_KEEP_CACHE", "HELION_KEEP_TRITON_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert local._worker_environment(quiet(), tmp_path) == {"TRITON_CACHE_DIR": str(tmp_path / "triton")}
    monkeypatch.setenv(variable, "1")
    assert local._worker_environment(quiet(), tmp_path) == {}
