"""helion-ir tune, export and results, on a machine without a device."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from helion_ir.autotuner.portfolio import GOALS, Portfolio, build, choose, from_portfolio, losses
from helion_ir.autotuner.protocol import Measurement, StoreKey
from helion_ir.autotuner.store import SqliteStore
from helion_ir.tools import plots
from helion_ir.tools.cli import app
from helion_ir.tools.shapes import parse_arguments

KERNELS = """
import torch
import helion_ir as helion
import helion_ir.language as hl

SCALE = 3.0


@helion.kernel(config=helion.Config(block_sizes=[32]))
def scaled_sum(x: torch.Tensor, y: torch.Tensor, bias: float = 1.0) -> torch.Tensor:
    out = torch.empty_like(x)
    scale = SCALE + bias
    for t in hl.tile(x.size(0)):
        out[t] = x[t] * scale + y[t]
    return out


def example_inputs():
    return torch.ones(101), torch.ones(101), 1.0
"""


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    return path


def run(*arguments: object, fails: bool = False) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert (result.exit_code != 0) == fails, result.output
    return result.output


def test_ranked_for_devices_that_are_not_here(kernels: Path, tmp_path: Path) -> None:
    output = tmp_path / "configs.json"
    shapes = [f"--shapes={n}:f32 {n}:f32 1.0" for n in (4096, 1048576)]
    common = ("--target", "b200", "--evaluations", 2, "--seed", 1, "--search", "random", "--jobs", 1)
    drawn = ("--plot", tmp_path / "plots") if plots.available() else ()
    said = run("tune", kernels, *shapes, *common, "-o", output, *drawn, "--log", tmp_path / "log")
    assert "scaled_sum on b200: " in said and "(estimated, not measured)" in said
    portfolio = Portfolio.load(output)
    assert not portfolio.measured and portfolio.target == "b200" and portfolio.worst_loss <= 1.05
    assert [e.shape for e in portfolio.entries] == [((4096,), (4096,)), ((1048576,), (1048576,))]
    assert len(list((tmp_path / "plots").glob("*.png"))) == (4 if drawn else 0)
    with open(tmp_path / "log.csv") as f:
        assert [row["status"] for row in csv.DictReader(f)][:2] == ["ok"] * 2

    # The file written for another device is a program of its own.
    exported = tmp_path / "exported.py"
    run("export", kernels, "-o", exported, "--configs", output, *shapes)
    text = exported.read_text()
    assert "helion" not in text.replace("made by helion-ir", "") and text.count("@triton.jit") == 2


def test_an_exported_file_runs_by_itself(kernels: Path, tmp_path: Path) -> None:
    exported = tmp_path / "alone" / "exported.py"
    exported.parent.mkdir()
    run("export", kernels, "-o", exported, "--shapes", "100:f32 100:f32 1.0", "--shapes", "7:f32 7:f32 1.0")
    script = """
import sys, torch
from exported import scaled_sum
for n in (100, 7):
    x, y = torch.arange(1.0, n + 1), torch.arange(n, 0.0, -1)
    assert torch.equal(scaled_sum(x, y), x * 4 + y)
    assert torch.equal(scaled_sum(x, y, 2.0), x * 5 + y)
try:
    scaled_sum(torch.ones(8), torch.ones(8))
except ValueError as e:
    assert "is not made for" in str(e) and "(100,)" in str(e), e
else:
    raise AssertionError("a shape that it is not made for")
assert "helion_ir" not in sys.modules
"""
    environment = {"PYTHONPATH": str(exported.parent), "TRITON_INTERPRET": "1", "PATH": "/usr/bin:/bin"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path / "cache")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kernels.py"
    path.write_text(
        KERNELS.replace("SCALE = 3.0", "SCALE = torch.ones(1)").replace("SCALE + bias", "float(SCALE) + bias")
    )
    said = CliRunner().invoke(app, ["export", str(path), "-o", str(tmp_path / "out.py")])
    assert said.exit_code == 1 and "host code uses SCALE, a Tensor of the author's module" in said.output


def test_no_device_and_no_target(kernels: Path) -> None:
    assert "there is no device to measure on; give a --target" in run("tune", kernels, fails=True)


def test_arguments_from_words() -> None:
    x, n, s, flag, none, word = parse_arguments("2x3:bf16 7 0.5 true none tanh")
    assert x.shape == (2, 3) and x.dtype == torch.bfloat16 and x.abs().max() > 0
    assert (n, s, flag, none, word) == (7, 0.5, True, None, "tanh")
    assert parse_arguments("4:i64")[0].dtype == torch.int64
    with pytest.raises(ValueError, match="no element type is called f12; there are f64, f32"):
        parse_arguments("4:f12")


def test_a_portfolio_keeps_the_worst_loss_small(tmp_path: Path) -> None:
    from helion_ir.autotuner import Config

    times = [{"a": 1.0, "b": 3.0, "c": 1.2}, {"a": 4.0, "b": 2.0, "c": 2.2}, {"a": 5.0, "c": 5.5}]
    # One that is good everywhere comes before one that is best somewhere.
    assert choose(times, 1) == ["c"] and losses(times, ["c"]) == pytest.approx([1.2, 1.1, 1.1])
    assert choose(times, 3) == ["c", "a", "b"] and choose(times, 3, enough=1.25) == ["c"]
    # Of many shapes, one may lose more where the others gain.
    many = [{"a": 1.0, "b": 1.2}] * 9 + [{"a": 2.0, "b": 1.0}]
    assert {goal: choose(many, 1, goal=goal)[0] for goal in GOALS} == {
        "max_slowdown": "b", "geomean_slowdown": "a", "avg_slowdown": "a",
    }  # fmt: skip
    # No single one works everywhere.
    for goal in GOALS:
        assert set(choose([{"a": 1.0}, {"b": 1.0}], 2, goal=goal)) == {"a", "b"}
    configs = {n: Config(block_sizes=[i]) for i, n in enumerate("abc")}
    shapes = [((8,),), ((512, 2),), ((4096,),)]
    made = build("k", "h200", True, shapes, times, configs, 2)
    assert made.worst_loss == pytest.approx(1.1)
    made.save(tmp_path / "p.json")
    read = Portfolio.load(tmp_path / "p.json")
    assert read == made and read.config_for((torch.ones(8),)) == configs["a"]
    # Between shapes the nearer by size counts.
    assert read.config_for((torch.ones(2000),)) == read.configs[read.entries[2].config]
    lookup = from_portfolio(tmp_path / "p.json")(None, (torch.ones(512, 2), 3))
    assert lookup.autotune(skip_cache=True) == read.configs[read.entries[1].config]
    with pytest.raises(ValueError, match="no configuration of k is for tensors of the ranks .3."):
        read.config_for((torch.ones(1, 1, 1),))
    with pytest.raises(ValueError, match="nothing works for"):
        build("k", "h200", True, shapes, [times[0], {}, times[2]], configs, 2)
    for text in ("", "[]", '{"helion_ir_configs": 2}'):
        (tmp_path / "p.json").write_text(text)
        with pytest.raises(ValueError, match="p.json holds no configurations"):
            Portfolio.load(tmp_path / "p.json")


def test_results_are_listed_and_carried(tmp_path: Path) -> None:
    store = tmp_path / "t.sqlite"
    key = StoreKey("softmax", "p", "f32[8]", "h200", "helion-ir 1", "s")
    SqliteStore(store).set_best(key, Measurement({"n": 1}, 0.5))
    assert run("results", "list", "--store", store) == "softmax  h200  0.5000 ms  f32[8]\n"
    path = tmp_path / "r.json"
    assert run("results", "export", path, "--store", store).startswith("1 configurations in ")
    other = tmp_path / "o.sqlite"
    assert run("results", "import", path, "--store", other) == "1 configurations added\n"
    assert run("results", "import", path, "--store", other) == "0 configurations added\n"
    path.write_text(json.dumps([]))
    assert "holds no tuning results" in run("results", "import", path, "--store", other, fails=True)
