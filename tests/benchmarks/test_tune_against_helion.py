"""Reading a peer's log, and the table made of what the commands left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import tune_against_helion
from benchmarks.peer import times
from benchmarks.peer.curve import best_after, parse_config, read_helion_log
from benchmarks.peer.lanes import Step, lanes, run_lanes, steps
from benchmarks.peer.package import prepared
from benchmarks.peer.search import from_log

LOG = """run_id,timestamp_s,config_id,generation,status,perf_ms,compile_time_s,config
a,{0},0,0,ok,2.5,1.0,"helion.Config(block_sizes=[16, 32], num_warps=4)"
a,{1},1,0,error,,1.0,"helion.Config(block_sizes=[64, 32], num_warps=4)"
a,{2},2,1,ok,1.5,1.0,"{{""block_sizes"": [64, 64], ""pid_type"": ""flat""}}"
a,{3},3,1,ok,1.7,1.0,"helion.Config(block_sizes=[8, 8], **{{'load.x': 'pointer'}})"
"""


@pytest.mark.parametrize("start", [0.0, 1.8e9])
def test_the_best_after_some_seconds(tmp_path: Path, start: float) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.format(*(start + s for s in (4.0, 6.0, 20.0, 25.0))))
    curve = best_after(read_helion_log(path, started=start))
    assert curve["5"] == {"ms": 2.5, "config": {"block_sizes": [16, 32], "num_warps": 4}, "at": 4.0}
    assert curve["10"] == curve["5"]
    assert curve["30"] == {"ms": 1.5, "config": {"block_sizes": [64, 64], "pid_type": "flat"}, "at": 20.0}
    assert best_after([], (5,)) == {"5": None}


def test_a_configuration_is_read_and_never_run() -> None:
    assert parse_config("Config(a=[None, True], **{'b.c': 'x'})") == {"a": [None, True], "b.c": "x"}
    with pytest.raises(ValueError, match="malformed|no configuration"):
        parse_config("helion.Config(a=__import__('os').getcwd())")
    with pytest.raises(ValueError, match="no configuration: 3"):
        parse_config("3")


def test_the_missing_name_appears_when_the_module_is_imported(tmp_path: Path) -> None:
    module = tmp_path / "torch" / "_inductor" / "runtime" / "triton_compat.py"
    module.parent.mkdir(parents=True)
    for folder in (tmp_path / "torch", tmp_path / "torch" / "_inductor", module.parent):
        (folder / "__init__.py").write_text("")
    module.write_text("present = 1\n")
    code = "from torch._inductor.runtime.triton_compat import IntelGPUError as e, present; print(e.__mro__[1].__name__)"
    path = f"{tune_against_helion.SITE}:{tmp_path}"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.stdout.strip() == "RuntimeError", done.stderr


def test_timing_takes_turns() -> None:
    order: list[str] = []
    clock = {"a": iter([1.0, 9.0, 2.0, 2.0, 2.0]), "b": iter([4.0] * 5)}
    a, b = lambda: "a", lambda: "b"

    def tick(call: object) -> float:
        name = call()  # pyright: ignore[reportCallIssue]
        order.append(name)
        return next(clock[name])

    # What two names stand for is timed once.
    assert times.time_in_turns({"a": a, "b": b, "c": a}, tick) == {"a": 2.0, "b": 4.0, "c": 2.0}
    assert order == ["a", "b"] * 5


def test_the_table_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "softmax.ours.json").write_text(json.dumps({"tried": 200}))
    found = {"ours@60": 0.5, "helion@120": 1.0, "eager": 2.0}
    (tmp_path / "softmax.times.json").write_text(json.dumps({"times": found, "missing": {}}))
    text, data = tune_against_helion.table(tmp_path)
    line = next(line for line in text.splitlines() if "softmax" in line)
    assert [c.strip() for c in line.strip("|").split("|")] == [
        "softmax", "–", "–", "–", "0.5", "–", "–", "–", "–", "–", "1", "2", "–", "200", "–", "0.5",
    ]  # fmt: skip
    assert list(data) == ["softmax"]


WHATS = ["ours", "helion", "times"]


def test_kernels_have_equal_shares_of_the_time() -> None:
    (first, second) = lanes(["a", "b", "c"], 2, range(32), most=8)
    assert (first.kernels, first.processors) == (("a", "c"), tuple(range(8)))
    assert (second.kernels, second.processors) == (("b",), tuple(range(16, 24)))
    left = [585.0]
    seen: list[object] = []
    for step in steps(first, 120.0, lambda _: WHATS, lambda: left[0]):
        seen.append(step)
        assert isinstance(step, Step) and left[0] - step.limit >= (292.5 if step.kernel == "a" else 0.0)
        left[0] -= {"ours": 124.0, "helion": step.limit, "times": 20.0}[step.what]
    assert [(s.kernel, s.what) for s in seen] == [(k, w) for k in "ac" for w in WHATS]  # pyright: ignore
    (refused, *_) = steps(first, 120.0, lambda _: WHATS, lambda: 500.0)
    assert refused == "a: 250 s are left, 266 are needed to search"
    # Searches may take what the timing of their own kernel would need, not what those of the next do.
    left, said = [554.0], []
    for step in steps(first, 120.0, lambda _: WHATS, lambda: left[0]):
        said += [step] if isinstance(step, str) else []
        left[0] -= step.limit if isinstance(step, Step) else 0.0
    assert left == [0.0] and said == ["a: 11 s are left, too few to time what was found; run the command again"]
    only_times = list(steps(first, 120.0, lambda _: ["times"], lambda: 60.0))
    assert [s.limit for s in only_times] == [30.0, 60.0]  # pyright: ignore


def test_a_lane_has_processors_of_its_own() -> None:
    before = os.sched_getaffinity(0)
    seen: dict[int, set[int]] = {}
    work = lanes("ab", len(before), sorted(before))
    run_lanes(work, lambda lane: seen.setdefault(lane.gpu, os.sched_getaffinity(0)))
    assert seen == {lane.gpu: set(lane.processors) for lane in work}
    assert os.sched_getaffinity(0) == before


def test_a_package_is_compiled_where_it_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "source" / "helion").mkdir(parents=True)
    (tmp_path / "source" / "helion" / "__init__.py").write_text("x = 1\n")
    folder = prepared(tmp_path / "source", tmp_path / "out", workers=1)
    assert list((folder / "helion" / "__pycache__").glob("__init__*.pyc"))
    with pytest.raises(FileNotFoundError, match="no package helion"):
        prepared(tmp_path, tmp_path / "other")


def test_a_stopped_search_is_known_by_its_log(tmp_path: Path) -> None:
    (tmp_path / "matmul.helion.started").write_text("0.0")
    assert from_log("matmul", tmp_path)["tried"] == 0
    (tmp_path / "matmul-helion.csv").write_text(LOG.format(4.0, 6.0, 20.0, 25.0))
    found = from_log("matmul", tmp_path)
    assert (found["tried"], found["ok"], found["curve"]["60"]["ms"]) == (4, 3, 1.5)


def test_results_of_several_commands_are_merged(tmp_path: Path) -> None:
    for name, kernel in (("first", "matmul"), ("second", "softmax")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{kernel}.ours.json").write_text(json.dumps({"tried": 7}))
        (tmp_path / name / f"{kernel}.ours.trace.json").write_text("[]")
        (tmp_path / name / "tune_against_helion.json").write_text("{}")
    (tmp_path / "out").mkdir()
    tune_against_helion.merge([tmp_path / "first", tmp_path / "second"], tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["matmul.ours.json", "softmax.ours.json"]


def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "endless.py").write_text("print('begun', flush=True)\nimport time\ntime.sleep(60)\n")
    env = {"PYTHONPATH": str(tmp_path)}
    assert tune_against_helion.run(["endless"], env, 1.0, log) == "stopped after 1 s"
    (tmp_path / "failing.py").write_text("raise SystemExit('out of luck')\n")
    assert tune_against_helion.run(["failing"], env, 10.0, log) == "exit status 1: out of luck"
