"""helion.aot_kernel and its runner: what is collected and measured, the file made of it, and what a call looks up."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.autotuner import aot_runner, heuristic, tuning
from helion_ir.runtime import ahead_of_time


def scale(x, s: float):
    out = torch.empty_like(x)
    for t in hl.tile(x.size()):
        out[t] = x[t] * s
    return out


def measured(bound: Any, args: Any, configs: Any = None) -> Any:
    """A stand-in for tuning: small tensors want small blocks."""
    wanted = 4 if args[0].size(0) < 100 else 64
    if configs is None:
        return types.SimpleNamespace(
            config=helion.Config(block_sizes=[wanted, 8]), best=types.SimpleNamespace(milliseconds=1.0)
        )
    rows = [
        types.SimpleNamespace(
            ok=True, assignment=bound.config_space.encode(c), milliseconds=1.0 if c["block_sizes"][0] == wanted else 5.0
        )
        for c in configs
    ]
    return types.SimpleNamespace(config=configs[0], history=[(0.0, r) for r in rows])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HELION_AOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HELION_HEURISTIC_DIR", str(tmp_path))
    monkeypatch.setattr(tuning, "tuned", measured)
    return tmp_path


def chosen(kernel: Any, *args: Any) -> Any:
    bound = kernel.bind(args)
    bound.ensure_config_exists(args)
    return bound._config


def test_from_shapes_to_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large, between = torch.ones(8, 8), torch.ones(400, 8), torch.ones(300, 9)
    monkeypatch.setenv("HELION_AOT_MODE", "collect")
    collecting = helion.aot_kernel(scale, collect_fn=lambda: [(large, 2.0)])
    assert chosen(collecting, small, 2.0)["block_sizes"] == [4, 8]
    monkeypatch.setenv("HELION_AOT_MODE", "measure")
    measuring = helion.aot_kernel(scale)
    chosen(measuring, small, 2.0)
    chosen(measuring, large, 2.0)
    assert [len(heuristic.read_rows(n)) for n in (heuristic.COLLECTED, heuristic.MEASURED)] == [2, 4]
    assert aot_runner.main(["--phase", "build", "--output-dir", str(folder)]) == 0
    text = (folder / "_helion_aot_test_ahead_of_time_cpu_any.py").read_text()
    assert "key_scale, autotune_scale = _scale.key, _scale.config" in text

    monkeypatch.setenv("HELION_AOT_MODE", "evaluate")
    kernel = helion.aot_kernel(scale)
    assert chosen(kernel, torch.ones(16, 8), 2.0)["block_sizes"] == [4, 8]
    assert chosen(kernel, between, 2.0)["block_sizes"] == [64, 8]
    assert kernel.bind((between, 2.0)) is kernel.bind((torch.ones(500, 9), 3.0))  # one kernel a configuration
    assert torch.equal(kernel(between, 2.0), between * 2)
    with pytest.raises(ValueError, match=r"no configuration of scale is for tensors of the ranks \[3\]"):
        kernel(torch.ones(2, 2, 2), 2.0)

    command = ["--phase", "build", "--output-dir", str(folder), "--backend", "decision_tree"]
    assert aot_runner.main(command) == 0
    text = (folder / "_helion_aot_test_ahead_of_time_cpu_any.py").read_text()
    assert "_scale = DecisionTree(\n    'scale',\n    ('tensor0_dim0', 59, " in text  # between 8 and 400
    ahead_of_time._loaded.cache_clear()
    by_size = helion.aot_kernel(scale)
    assert [chosen(by_size, torch.ones(n, 9), 2.0)["block_sizes"] for n in (59, 60)] == [[4, 8], [64, 8]]
    assert torch.equal(by_size(between, 2.0), between * 2)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert aot_runner.main(command) == 2

    monkeypatch.setenv("HELION_AOT_MODE", "compile")
    chosen(helion.aot_kernel(scale), small, 2.0)
    assert "def _scale(" in (folder / "data" / "scale_0.py").read_text()


def test_one_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELION_AOT_MODE", "collect")
    kernel = helion.aot_kernel(scale, batched=[[0, None]])
    for rows in (8, 400):  # how many rows does not matter here
        chosen(kernel, torch.ones(rows, 8), 2.0)
    assert [r["sizes"] for r in heuristic.read_rows(heuristic.COLLECTED)] == [[[1, 8]]]
    assert (
        aot_runner.main(
            ["--phase", "build", "--output-dir", str(folder), "--single-config", "--goal", "geomean_slowdown"]
        )
        == 0
    )
    assert aot_runner.main(["--phase", "build", "--kernel", "another"]) == 2


def test_what_is_collected_and_chosen_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HELION_AOT_VERBOSE", "1")
    monkeypatch.setenv("HELION_AOT_MODE", "collect")
    chosen(helion.aot_kernel(scale, autotune_cache="AOTAutotuneCache"), torch.ones(8, 8), 2.0)
    said = capsys.readouterr().err
    assert f"[aot collect] scale: {folder / 'data' / heuristic.COLLECTED}: " in said and "on ((8, 8),)" in said
    with pytest.raises(ValueError, match="decorate with helion.aot_kernel in place of helion.kernel"):
        helion.kernel(scale, autotune_cache="AOTAutotuneCache")


def test_without_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = helion.aot_kernel(scale)
    assert kernel.settings.static_shapes is False
    x = torch.ones(8, 8)
    bound = kernel.bind((x, 2.0))
    assert chosen(kernel, x, 2.0) == bound.config_spec.default_config()
    assert capsys.readouterr().err == (
        "WARNING[NoAOTHeuristicWarning]: scale has the default configuration: no "
        f"_helion_aot_test_ahead_of_time_cpu_any.py in {folder}\n"
    )
    monkeypatch.setenv("HELION_AOT_MODE", "guess")
    with pytest.raises(ValueError, match="HELION_AOT_MODE is one of collect, measure, evaluate, compile, disabled"):
        helion.aot_kernel(scale)
    monkeypatch.setenv("HELION_AOT_MODE", "disabled")
    assert helion.aot_kernel(autotune_effort="none")(scale).settings.autotuner_fn is None
