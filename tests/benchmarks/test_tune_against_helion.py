"""Reading a peer's log, and the table made of what the commands left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import tune_against_helion
from benchmarks.peer import times
from benchmarks.peer.curve import best_after, parse_config, read_helion_log

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

    def tick(call: object) -> float:
        name = call()  # pyright: ignore[reportCallIssue]
        order.append(name)
        return next(clock[name])

    assert times.time_in_turns({"a": lambda: "a", "b": lambda: "b"}, tick) == {"a": 2.0, "b": 4.0}
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


def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "endless.py").write_text("print('begun', flush=True)\nimport time\ntime.sleep(60)\n")
    env = {"PYTHONPATH": str(tmp_path)}
    assert tune_against_helion.run(["endless"], env, 1.0, log) == "stopped after 1 s"
    (tmp_path / "failing.py").write_text("raise SystemExit('out of luck')\n")
    assert tune_against_helion.run(["failing"], env, 10.0, log) == "exit status 1: out of luck"
