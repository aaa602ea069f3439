"""A package installed beside helion-ir adds a pass with a knob, and the pass takes part in the compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugin_package"
ROW_SUMS = ROOT / "tests" / "filecheck" / "pipelines" / "row_sums.mlir"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as `pip install -e` of the plugin leaves it: a path file and the metadata with the entry point."""
    info = tmp_path / "helion_ir_barrier_plugin-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: helion-ir-barrier-plugin\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[xdsl.universe]\nbarrier_plugin = barrier_plugin:UNIVERSE\n")
    return tmp_path


def python(site: Path, code: str, *, plugin: Path = PLUGIN / "src") -> str:
    path = os.pathsep.join([str(site), str(plugin), str(ROOT / "src")])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return done.stdout


def opt(site: Path, *args: str) -> str:
    return python(site, f"import sys; from helion_ir.tools.opt import run; sys.exit(run({list(args)!r}))")


def test_the_pass_is_found(site: Path) -> None:
    code = """
from helion_ir.passes.registry import available_passes, plugin_passes, plugin_universes
from helion_ir.passes.pipeline import pipeline
assert list(plugin_universes()) == ["barrier_plugin"]
assert available_passes()["fence-stores"]().name == "fence-stores"
assert [p.name for p in plugin_passes()] == ["fence-stores"]
names = [p.name for p in pipeline()]
assert names[names.index("convert-tile-to-triton") + 1] == "fence-stores", names
"""
    python(site, code)
    assert "fence-stores" in opt(site, "--help").replace("\n", "").replace(" ", "")


def test_its_knob_is_in_the_space_and_its_work_in_the_code(site: Path) -> None:
    space = opt(site, str(ROW_SUMS), "-p", "canonicalize,cse,dce,declare-schedules", "-t", "config-space")
    (row,) = [line for line in space.splitlines() if line.startswith("@fence_stores ")]
    assert row.split() == "@fence_stores bool false fence-stores whether a barrier precedes each store".split()

    for fenced in (False, True):
        config = json.dumps(json.dumps({"fence_stores": fenced}))
        text = opt(site, str(ROW_SUMS), "-p", f"default-pipeline{{config={config}}}", "-t", "triton")
        assert f"fence_stores={fenced}," in text
        branches = text.split("if fence_stores:\n")[1:]
        assert branches and all(branch.split()[0] == "tl.debug_barrier()" for branch in branches)
    # The template holds both, so the tuner needs no new lowering for the other.
    template = opt(site, str(ROW_SUMS), "-p", "default-pipeline")
    assert "triton.switch <fence_stores>" in template and "triton.barrier" in template


def test_without_it_nothing_is_left_of_it() -> None:
    code = "from helion_ir.passes.registry import plugin_passes; assert plugin_passes() == []"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}
    )
    assert done.returncode == 0, done.stderr


def test_a_broken_package_is_reported_and_left_out(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "barrier_plugin").mkdir(parents=True)
    (broken / "barrier_plugin" / "__init__.py").write_text("raise RuntimeError('half installed')\n")
    code = """
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    from helion_ir.passes.registry import plugin_passes
    assert plugin_passes() == []
assert ["universe barrier_plugin (barrier_plugin:UNIVERSE) left out: half installed"] == [str(w.message) for w in seen]
"""
    python(site, code, plugin=broken)


def test_a_pass_that_follows_nothing_is_an_error(site: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    (lost / "barrier_plugin").mkdir(parents=True)
    (lost / "barrier_plugin" / "__init__.py").write_text(
        "from xdsl.universe import Universe\nfrom helion_ir.passes.base import Pass\n"
        "class Lost(Pass):\n    name = 'lost'\n    after = 'make-coffee'\n    def apply(self, ctx, op): pass\n"
        "UNIVERSE = Universe(all_passes={'lost': lambda: Lost})\n"
    )
    code = """
from helion_ir.passes.registry import plugin_passes
try:
    plugin_passes()
except ValueError as error:
    assert str(error).startswith("pass lost is to follow 'make-coffee', which lowers no kernel; there are cse, forward-memory, dce"), error
else:
    raise AssertionError("no error")
"""
    python(site, code, plugin=lost)


def test_pip_installs_it(tmp_path: Path) -> None:
    """The package is one that pip can install, and what it installs is found."""
    pytest.importorskip("hatchling")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--target", str(tmp_path / "site"), str(PLUGIN)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = "from helion_ir.passes.registry import plugin_passes; print([p.name for p in plugin_passes()])"
    assert python(tmp_path / "site", code, plugin=tmp_path) == "['fence-stores']\n"


def test_xdsl_finds_our_universe(tmp_path: Path) -> None:
    info = tmp_path / "helion_ir-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: helion-ir\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[xdsl.universe]\nhelion_ir = helion_ir.tools.universe:UNIVERSE\n")
    code = """
from xdsl.universe import Universe
from xdsl.context import Context
from xdsl.parser import Parser
found = Universe.get_multiverse()  # raises on a clash of names
assert {"index", "knob", "host", "tile", "triton"} <= set(found.all_dialects)
assert "simplify-index" in found.all_passes and found.all_passes["simplify-index"]().name == "simplify-index"
assert found.all_passes["cse"]().__module__.startswith("xdsl.")
ctx = Context()
for name, factory in found.all_dialects.items():
    ctx.register_dialect(name, factory)
Parser(ctx, open(%r).read()).parse_module().verify()
"""
    python(tmp_path, code % str(ROW_SUMS))
