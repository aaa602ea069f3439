"""`tune` from end to end: a stand-in for a bound kernel, CPU tensors, processes of its own where it matters."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.autotuner.printing_bound import GOOD, SPACE, FakeBound, cost_of, space_of

from helion_ir import exc
from helion_ir.autotuner import Config, tune
from helion_ir.autotuner.keys import store_key
from helion_ir.autotuner.progress import Reporter
from helion_ir.autotuner.protocol import Candidate, Measurement, Source
from helion_ir.autotuner.run import Tuned
from helion_ir.autotuner.store import MemoryStore, SqliteStore
from helion_ir.autotuner.timeline import Timeline
from helion_ir.targets import get_target

ARGS = (torch.linspace(-1.0, 2.0, 64),)
MEASURE = "tests.autotuner.printing_bound:cost_measure"
INLINE = SimpleNamespace(autotune_benchmark_subprocess=False)


def mostly_bad(a: dict[str, Any]) -> str:
    """Wrong where it would be fastest, deadly and hanging where it is not."""
    text = GOOD.format(cost=cost_of(a))
    if a["num_warps"] == 8 and a["tile_m.block_size"] != 128:
        return text.replace("3.0", "2.0").replace(repr(cost_of(a)), "0.001")
    if a["tile_m.block_size"] == 1 and a["num_warps"] == 2:
        return text.replace("    out =", "    import os; os.kill(os.getpid(), 11)\n    out =")
    if a["tile_m.block_size"] == 2 and a["num_warps"] == 1:
        return text.replace("    out =", "    import time; time.sleep(60)\n    out =")
    if a["tile_m.block_size"] == 128:
        raise NotImplementedError("tiles of 128 rows")
    return text


def test_isolated(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    bound = FakeBound(body=mostly_bad, settings=SimpleNamespace(autotune_benchmark_timeout=2))
    best = tune(bound, ARGS, effort="full", seed=3, measure=MEASURE, store=store)
    assert best == Config(block_sizes=[64], num_warps=4) or best == Config(block_sizes=[64], num_warps=16)
    rows = store.rows(store_key(bound))
    stages = {(r.assignment["tile_m.block_size"], r.assignment["num_warps"]): r.stage for r in rows}
    assert len(rows) == len(stages) == 40
    assert {s for (b, w), s in stages.items() if w == 8 and b != 128} == {"wrong"}
    assert stages[1, 2] == "crash" and stages[1, 4] == "ok"
    assert stages[2, 1] == "timeout" and stages[128, 4] == "compile"
    assert store.best(store_key(bound)).milliseconds == pytest.approx(1.3)  # pyright: ignore
    said = capsys.readouterr().err
    assert "results are held against the interpreter" in said
    assert f"@helion.kernel(config={best!r})" in said
    assert "NotImplementedError: tiles of 128 rows" in said and "Traceback" not in said


def test_default_configuration_as_reference() -> None:
    def fail(args: Any) -> Any:
        raise NotImplementedError

    bound = FakeBound(body=mostly_bad, reference=fail, settings=INLINE)
    bound.config_space = space_of(
        'knob.declare @tile_m.block_size : pow2 4 to 64 = 16 in "block_sizes" by "f" doc "d"\n'
        'knob.declare @num_warps : pow2 2 to 16 = 4 by "t" doc "d"'
    )
    best = tune(bound, ARGS, effort="quick", seed=0, measure=MEASURE, store=MemoryStore())
    assert best.num_warps != 8 and best.block_sizes == [64]
    bound.body = lambda a: "def scale(x): raise RuntimeError('no')"
    with pytest.raises(exc.InvalidConfig, match="default configuration fails .run: RuntimeError: no."):
        tune(bound, ARGS, effort="quick", measure=MEASURE, store=MemoryStore())


def run_inline(bound: FakeBound, **options: Any) -> Config:
    bound.settings = SimpleNamespace(**{**vars(INLINE), **vars(bound.settings)})
    options = {"effort": "quick", "seed": 0, "measure": MEASURE, "store": MemoryStore(), **options}
    return tune(bound, ARGS, **options)


def test_results_are_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.sqlite"
    best = run_inline(FakeBound(), store=SqliteStore(path))
    again = FakeBound()
    assert run_inline(again, store=SqliteStore(path), force=False) == best
    assert again.printed_count == 0
    assert "known configuration, not tuned again" in capsys.readouterr().err
    changed = FakeBound(source="def scale(x): ...  # changed")
    assert run_inline(changed, store=SqliteStore(path), force=False) == best and changed.printed_count > 0
    assert "no stored result fits; the nearest differs in: the kernel's program" in capsys.readouterr().err


def test_other_shapes_begin_with_what_was_found(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.sqlite")
    best = run_inline(FakeBound(), store=store)
    other = FakeBound()
    other.cache_key = lambda: "f32[128]"  # pyright: ignore[reportAttributeAccessIssue]
    run_inline(other, store=store, evaluations=2)
    rows = store.rows(store_key(other))
    assert [other.config_space.decode(r.assignment) for r in rows] == [Config(block_sizes=[16], num_warps=4), best]


def test_other_domains_are_another_space(tmp_path: Path) -> None:
    store = MemoryStore()
    run_inline(FakeBound(), store=store)
    narrow = FakeBound()
    narrow.config_space = space_of(
        'knob.declare @tile_m.block_size : pow2 1 to 32 = 16 in "block_sizes" by "frontend" doc "rows"\n'
        'knob.declare @num_warps : pow2 1 to 16 = 4 by "triton" doc "warps"'
    )
    assert run_inline(narrow, store=store, force=False).block_sizes == [32]


def test_same_seed_same_candidates() -> None:
    def keys(seed: int) -> list[Any]:
        store = MemoryStore()
        bound = FakeBound()
        run_inline(bound, store=store, seed=seed, evaluations=20)
        rows = store.rows(store_key(bound))
        assert len(rows) == 20
        return [r.key for r in rows]

    assert keys(1) == keys(1) != keys(2)


def test_effort_none_measures_nothing() -> None:
    bound = FakeBound()
    assert run_inline(bound, effort="none") == Config(block_sizes=[16], num_warps=4)
    assert bound.printed_count == 0
    with pytest.raises(ValueError, match="autotune_effort is one of none, quick, full; got 'huge'"):
        run_inline(bound, effort="huge")


def test_none_works() -> None:
    bound = FakeBound(body=lambda a: "def scale(x): raise RuntimeError('never')")
    with pytest.raises(
        exc.NoConfigFound, match="(?s)none of 16 configurations works.*run, 16 times: RuntimeError: never"
    ):
        run_inline(bound)


def test_given_configurations_only() -> None:
    bound = FakeBound()
    given = [Config(block_sizes=[8], num_warps=4), {"block_sizes": [32], "num_warps": 1}]
    assert run_inline(bound, configs=given) == Config(block_sizes=[32], num_warps=1)
    assert run_inline(bound, configs=given, effort="none") == Config(block_sizes=[32], num_warps=1)
    with pytest.raises(exc.NotEnoughConfigs):
        run_inline(bound, configs=given[:1])


def test_settings_reach_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    forced = FakeBound(settings=SimpleNamespace(autotune_config_overrides={"num_warps": 2}))
    assert run_inline(forced) == Config(block_sizes=[64], num_warps=2)
    few = FakeBound(settings=SimpleNamespace(autotune_config_filter=lambda c: c if c.block_sizes[0] <= 16 else None))
    assert run_inline(few) == Config(block_sizes=[16], num_warps=8)
    seeded = FakeBound(settings=SimpleNamespace(autotune_seed_configs=Config(block_sizes=[64], num_warps=8)))
    assert run_inline(seeded, evaluations=2) == Config(block_sizes=[64], num_warps=8)
    timed = FakeBound(
        settings=SimpleNamespace(autotune_benchmark_fn=lambda fns, *, repeat, desc=None: [2.0 for _ in fns])
    )
    store = MemoryStore()
    run_inline(timed, store=store, measure=None, evaluations=3)
    assert [r.milliseconds for r in store.rows(store_key(timed))] == [2.0, 2.0, 2.0]
    monkeypatch.setenv("HELION_DISALLOW_AUTOTUNING", "1")
    with pytest.raises(exc.AutotuningDisallowedInEnvironment):
        run_inline(FakeBound())


def test_best_of_k_and_log(tmp_path: Path) -> None:
    bound = FakeBound(settings=SimpleNamespace(autotune_best_of_k=2, autotune_log=f"{tmp_path}/log"))
    store = MemoryStore()
    assert run_inline(bound, store=store) == Config(block_sizes=[64], num_warps=8)
    rows = store.rows(store_key(bound))
    assert rows[0].assignment == bound.config_space.default() and len(rows) > 60
    assert sum(r.assignment == rows[0].assignment for r in rows) == 2
    with open(tmp_path / "log.csv") as f:
        logged = list(csv.DictReader(f))
    assert [r["perf_ms"] for r in logged] == [str(r.milliseconds) for r in rows]
    assert logged[0]["config"] == "helion.Config(block_sizes=[16], num_warps=4)" and logged[0]["status"] == "ok"


def test_forced_persistent() -> None:
    bound = FakeBound(settings=SimpleNamespace(autotune_force_persistent=True))
    bound.config_space = space_of(SPACE)
    store = MemoryStore()
    assert run_inline(bound, store=store).pid_type == "persistent_blocked"
    for row in store.rows(store_key(bound)):
        assert (row.stage == "rejected") == (row.assignment["pid_type"] == "flat")


def test_equal_texts_are_tried_once() -> None:
    tried: list[float] = []

    def benchmark_fn(fns: Sequence[Any], *, repeat: int, desc: str | None = None) -> list[float]:
        tried.append(1.0)
        return [1.0]

    bound = FakeBound(body=lambda a: GOOD.format(cost=a["num_warps"]))
    bound.settings = SimpleNamespace(autotune_benchmark_fn=benchmark_fn)
    store = MemoryStore()
    run_inline(bound, store=store, measure=None, evaluations=30)
    assert len(store.rows(store_key(bound))) == 30
    # Five texts, and the finalists, which are all alike, nine times over.
    assert len(tried) <= 5 + 9 * 5


def test_workers_that_do_not_start(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from helion_ir.autotuner import compile_pool

    with pytest.raises(exc.AutotuneError, match="nothing can be measured: .*benchmark_worker does not start: Module"):
        run_inline(FakeBound(settings=SimpleNamespace(autotune_benchmark_subprocess=True)), measure="no.such:clock")
    # Without compiling processes it goes on.
    monkeypatch.setattr(compile_pool.CompilePool.__init__, "__kwdefaults__", {
        **(compile_pool.CompilePool.__init__.__kwdefaults__ or {}), "compiler": "no.such:compiler", "jobs": 1,
    })  # fmt: skip
    bound = FakeBound(target=get_target("h200"))
    assert run_inline(bound) == Config(block_sizes=[64], num_warps=8)
    assert "compiling where configurations are tried" in capsys.readouterr().err


class Scripted:
    """An executor with times of its own; `interrupt_after` rows, Ctrl-C."""

    def __init__(self, interrupt_after: int = 10**9, noise: dict[int, float] | None = None, slow: float = 0.0):
        self.interrupt_after, self.noise, self.slow = interrupt_after, noise or {}, slow
        self.rows = 0
        self.closed = False

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        while asked := source(3):
            for c in asked:
                if self.rows >= self.interrupt_after:
                    raise KeyboardInterrupt
                if deadline is not None and time.monotonic() >= deadline:
                    return
                time.sleep(self.slow)
                self.rows += 1
                noise = self.noise.get(c.assignment["tile_m.block_size"], 0.0)  # pyright: ignore
                yield Measurement(c.assignment, cost_of(dict(c.assignment)) + noise)

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        for c in candidates:
            yield Measurement(c.assignment, cost_of(dict(c.assignment)))

    def close(self) -> None:
        self.closed = True


def test_interrupt_gives_the_best_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    store, bound = MemoryStore(), FakeBound()
    best = run_inline(bound, executor=Scripted(interrupt_after=11), store=store)
    rows = store.rows(store_key(bound))
    assert len(rows) == 11
    assert best == bound.config_space.decode(min(rows, key=lambda r: r.milliseconds or 9e9).assignment)
    assert "interrupted; the best so far is used" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        run_inline(bound, executor=Scripted(interrupt_after=0))


def test_the_last_word_is_a_longer_measurement() -> None:
    # One lucky measurement puts 32 rows first; measured again, 64 rows win.
    best = run_inline(FakeBound(), executor=Scripted(noise={32: -0.55}), effort="full")
    assert best == Config(block_sizes=[64], num_warps=8)


def test_budget() -> None:
    start = time.monotonic()
    executor = Scripted(slow=0.02)
    run_inline(FakeBound(), executor=executor, budget_seconds=0.3, effort="full")
    assert time.monotonic() - start < 2.0 and 0 < executor.rows <= 20
    assert run_inline(FakeBound(), executor=Scripted(), budget_seconds=0) == Config(block_sizes=[16], num_warps=4)


SCRIPT = """
import sys
import torch
from helion_ir.autotuner import tune
from helion_ir.autotuner.run import Tuned
from helion_ir.autotuner.store import MemoryStore
from tests.autotuner.printing_bound import FakeBound, GOOD, cost_of
slow = "    time.sleep(0.3)\\n    print('ran', file=open({ran!r}, 'a'))\\n    out[:]"
text = "import time\\n" + GOOD.replace("    out[:]", slow)
bound = FakeBound(body=lambda a: text.format(cost=cost_of(a), ran=sys.argv[1]))
store = MemoryStore()
print("result", tune(bound, (torch.ones(64),), measure="tests.autotuner.printing_bound:cost_measure", store=store))
"""


def test_ctrl_c_in_a_script_without_a_guard(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = tmp_path / "ran"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(ran)], env=environment, text=True, stdout=-1, stderr=-1
    )
    # When the fifth runs the search has been told of some; a dozen that take as long each are still to come.
    until = time.monotonic() + 60
    while time.monotonic() < until and not (ran.exists() and len(ran.read_text().splitlines()) >= 5):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.startswith("result helion.Config("), err
    assert process.returncode == 0 and "interrupted; the best so far is used" in err
    assert list(tmp_path.glob("helion_ir_tune_*")) == []


def test_summary_of_failures() -> None:
    stream = io.StringIO()
    report = Reporter("rows", stream=stream)
    row = Measurement({"a": 1}, 0.5)
    for m in (row, replace(row, milliseconds=0.25), *[Measurement({"a": 2}, None, "wrong", "[bold] off")] * 3):
        report.row(m)
    report.row(Measurement({"a": 3}, None, "rejected", "filter"))
    timeline = Timeline()
    for worker in (1, 2):
        timeline.add("compile", 0.0, 1.25, f"compiler {worker}")
    best = report.best or row
    rejected = Counter({"too large": 7})
    report.summary("@helion.kernel(config=…)", Tuned(Config(), best, row, True, (), timeline, False, rejected))
    text = stream.getvalue()
    for part in (
        "5 in ", "3: 3 × [bold] off", "1: filter", "compile 1.2 (2.5 of processes)", "0.2500 ms, estimated and not measured", "0.5000 ms, a tie",
        "7 before compiling: 7 × too large", "@helion.kernel(config=…)",
    ):  # fmt: skip
        assert part in text, (part, text)
    quiet = io.StringIO()
    silent = Reporter("rows", level=0, stream=quiet)
    silent.say("x")
    silent.summary("d", Tuned(Config(), row))
    assert quiet.getvalue() == ""
