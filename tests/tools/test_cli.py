"""The helion-ir command, on a file of an author's and on an example."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helion_ir.tools.cli import app

ROOT = Path(__file__).parents[2]

KERNELS = """
import torch
import helion_ir as helion
import helion_ir.language as hl


@helion.kernel(config=helion.Config(block_sizes=[32]))
def scaled_sum(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t] * 3 + y[t]
    return out


@helion.kernel()
def negated(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = -x[t]
    return out


def example_inputs():
    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(101, generator=g) for _ in range(2))
    return {"scaled_sum": (x, y)}


reference = {"scaled_sum": lambda x, y: x.double() * FACTOR + y.double()}
"""


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("kernels.py").write_text(KERNELS.replace("FACTOR", "3"))
    return "kernels.py"


def helion_ir(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, args)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_dump_one_stage(kernels: str) -> None:
    code, text = helion_ir("dump", f"{kernels}:scaled_sum", "--stage", "tile", "--target", "b200")
    assert code == 0 and text.startswith("builtin.module") and "tile.kernel @_scaled_sum" in text
    code, text = helion_ir("dump", f"{kernels}:scaled_sum", "--stage", "triton", "--target", "b200")
    assert code == 0 and "def scaled_sum(" in text and 'load_x_eviction=""' in text
    assert "block_size=32" in text  # the author's configuration
    config = json.dumps({"block_sizes": [64]})
    code, text = helion_ir("dump", f"{kernels}:scaled_sum", "--stage", "triton", "--target", "b200", "--config", config)
    assert code == 0 and "block_size=64" in text


def test_dump_all_to_a_folder(kernels: str) -> None:
    code, text = helion_ir("dump", f"{kernels}:scaled_sum", "--target", "mi300x", "--dir", "out")
    names = sorted(p.name for p in Path("out").iterdir())
    assert code == 0 and text == f"{len(names)} files in out\n"
    assert names[0] == "00-tile.mlir" and names[-1].endswith("-triton.py")
    assert 'helion_ir.target = "mi300x"' in Path("out", names[-2]).read_text()


def test_check_agrees_with_the_reference(kernels: str) -> None:
    code, text = helion_ir("check", f"{kernels}:scaled_sum", "--target", "h100")
    rows = [line.split() for line in text.splitlines()]
    assert code == 0 and all(row[1] == "ok," for row in rows)
    assert rows[0][0] == "tile" and rows[-1][0] == "materialize-config" and len(rows) > 6


def test_check_names_the_first_wrong_stage(kernels: str) -> None:
    Path("kernels.py").write_text(KERNELS.replace("FACTOR", "3.001"))
    code, text = helion_ir("check", f"{kernels}:scaled_sum", "--target", "h100")
    assert code == 1 and "the first stage with wrong results is tile" in text


@pytest.mark.parametrize(
    "spec, message",
    [
        ("nowhere.py:f", "there is no file nowhere.py"),
        ("kernels.py:missing", "has no kernel 'missing'; there are: scaled_sum, negated"),
        ("kernels.py", "has several kernels; name one"),
        ("kernels.py:negated", "example_inputs() of kernels.py has no arguments for negated"),
    ],
)
def test_mistakes_are_explained(kernels: str, spec: str, message: str) -> None:
    code, text = helion_ir("dump", spec)
    assert code == 1 and message in text and "Traceback" not in text


def test_bad_stage_target_and_config(kernels: str) -> None:
    spec = f"{kernels}:scaled_sum"
    assert "there is no stage 'tiles'; there are: tile," in helion_ir("dump", spec, "--stage", "tiles")[1]
    assert "no target named 'h1000'" in helion_ir("dump", spec, "--target", "h1000")[1]
    code, text = helion_ir("dump", spec, "--target", "h100", "--config", '{"block_sizes": [3]}')
    assert code == 1 and "power of two" in text
    code, text = helion_ir("compile", spec, "--target", "cpu")
    assert code == 1 and "nothing compiles for cpu" in text


def test_compile_for_absent_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.chdir(ROOT)
    code, text = helion_ir("compile", "examples/vector_add.py:vector_add", "--target", "h100", "--target", "mi350x")
    rows = [line.split() for line in text.splitlines()[1:]]
    assert code == 0 and [row[0] for row in rows] == ["h100", "mi350x"]
    assert all(0 < int(row[3]) <= 255 for row in rows), "registers a thread"
    code, text = helion_ir("compile", "examples/vector_add.py:vector_add", "--target", "h100", "--emit", "ptx")
    assert code == 0 and ".target sm_90" in text


def test_explain_the_space_or_the_memory(kernels: str) -> None:
    spec = f"{kernels}:scaled_sum"
    code, text = helion_ir("explain", spec, "--target", "h100", "--plain")
    assert code == 0 and "num_warps" in text
    code, text = helion_ir("explain", "--memory", spec, "--target", "h100", "--config", '{"block_sizes": [64]}')
    assert code == 0 and "peak" in text and "kernels.py" in text
    code, text = helion_ir("explain", spec, "--config", "{}")
    assert code == 1 and "--config and --picture go with --memory" in text
