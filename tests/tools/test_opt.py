"""helion-ir-opt: its options, what it leaves behind when a pass fails, and its messages."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from helion_ir.passes import registry
from helion_ir.passes.base import Pass
from helion_ir.tools.opt import run

ROOT = Path(__file__).parents[2]
ROW_SUMS = ROOT / "tests" / "filecheck" / "pipelines" / "row_sums.mlir"


@pytest.fixture
def row_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("row_sums.mlir").write_text(ROW_SUMS.read_text())
    return "row_sums.mlir"


@dataclass(frozen=True)
class BreakTheIR(Pass):
    """Leaves IR that is not valid, or raises."""

    name = "break-the-ir"

    how: str = "verify"
    note: str = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.how == "raise":
            raise KeyError("no such thing")
        from helion_ir.dialects.tile.compute import ReduceOp
        from helion_ir.dialects.types import ints

        for inner in op.walk():
            if isinstance(inner, ReduceOp):
                inner.properties["axes"] = ints([0])


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.PASSES, BreakTheIR.name, "unused:Unused")
    monkeypatch.setattr(registry, "load_pass", _with(BreakTheIR, registry.load_pass))
    yield


def _with(cls: type[Pass], load: Callable[[str], type[Pass]]) -> Callable[[str], type[Pass]]:
    return lambda name: cls if name == cls.name else load(name)


def test_dump_to_a_folder(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([row_sums, "-p", "canonicalize,cse,dce", "--print-ir-dir=dump"]) == 0
    assert sorted(p.name for p in Path("dump").iterdir()) == [
        "00-input.mlir",
        "01-canonicalize.mlir",
        "02-cse.mlir",
        "03-dce.mlir",
    ]
    assert capsys.readouterr().out == Path("dump/03-dce.mlir").read_text()
    assert 'loc("rows.py":7:13)' in Path("dump/02-cse.mlir").read_text()


def test_every_dump_is_an_input(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = 'default-pipeline{config="{\\"tile_m.block_size\\": 64, \\"reduction.n\\": 128, \\"num_warps\\": 8}"}'
    assert run([row_sums, "-p", config, "-t", "triton", "--print-ir-dir=dump"]) == 0
    expected = capsys.readouterr().out
    assert "num_warps=8" in expected
    dumps = sorted(Path("dump").iterdir())
    assert len(dumps) > 12
    for dump in dumps:
        assert run([str(dump), "-p", config, "-t", "triton"]) == 0
        assert capsys.readouterr().out == expected, dump


def test_print_before_and_after(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([row_sums, "-p", "canonicalize,cse,dce", "--print-ir-before=cse", "--print-ir-after=cse,dce"]) == 0
    titles = re.findall(r"// IR (.*) //----- //", capsys.readouterr().err)
    assert titles == ["before cse", "after cse", "after dce"]
    assert run([row_sums, "-p", "canonicalize,cse", "--print-ir-before-all", "--print-ir-after-all"]) == 0
    titles = re.findall(r"// IR (.*) //----- //", capsys.readouterr().err)
    assert titles == ["before canonicalize", "after canonicalize", "before cse", "after cse"]


def test_print_after_change(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = "canonicalize,cse,declare-schedules,dce,bind-structure"
    assert run([row_sums, "-p", pipeline, "--print-ir-after-change"]) == 0
    titles = re.findall(r"// IR (.*) //----- //", capsys.readouterr().err)
    assert titles == ["after declare-schedules", "after bind-structure"]


def test_timing_is_a_table(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([row_sums, "-p", "canonicalize,dce", "--time-passes"]) == 0
    rows = re.findall(r"^ *([0-9.]+) ms +([0-9.]+) % +(\S+)$", capsys.readouterr().err, re.MULTILINE)
    assert [name for _, _, name in rows] == ["canonicalize", "dce", "total"]
    parts, total = [float(t) for t, _, _ in rows[:-1]], float(rows[-1][0])
    assert sum(parts) == pytest.approx(total, abs=0.01) and total > 0
    assert rows[-1][1] == "100.0"


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("how", ["axes", "raise"])
def test_reproducer_repeats_the_failure(how: str, row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = f'how="{how}" note="a \\"quoted\\" \\\\ word"'
    failing = f"break-the-ir{{{options}}}"
    assert run([row_sums, "-p", f"canonicalize,{failing},dce", "--crash-reproducer=rep.mlir"]) == 1
    first = capsys.readouterr()
    assert first.out == "" and "Traceback" not in first.err
    text = Path("rep.mlir").read_text()
    line = text.splitlines()[0]
    assert line.startswith("// RUN: helion-ir-opt %s -p ")
    assert '// target: "h200"' in text
    arguments = shlex.split(line.removeprefix("// RUN: helion-ir-opt ").replace("%s", "rep.mlir"))
    assert arguments[2] == f"{failing},dce"
    assert run(arguments) == 1
    assert capsys.readouterr().err == first.err.split("\n", 1)[1]  # all but the note on the reproducer


@pytest.mark.usefixtures("breaking")
def test_the_pass_at_fault_and_the_authors_line_are_named(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(row_sums).read_text()
    Path(row_sums).write_text(re.sub(r"(%s = tile\.reduce .*)", r'\1 loc("rows.py":9:4)', text))
    assert run([row_sums, "-p", "break-the-ir"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "rows.py:9:4: error: after pass 'break-the-ir' 'tile.reduce' is not valid: "
        "[1021] remain, the result is !tile.tile<[@tile_m.block_size], f32>",
        '  %s = tile.reduce "sum" <0> %e : !tile.tile<[@tile_m.block_size, 1021], f32> '
        "-> !tile.tile<[@tile_m.block_size], f32>",
        "       ^^^^^^^^^^^",
    ]
    assert run([row_sums, "-p", "break-the-ir", "--disable-verify"]) == 0
    assert run([row_sums, "-p", "break-the-ir"]) == 1, "checks of attributes must be back"


@pytest.mark.usefixtures("breaking")
def test_debug_shows_the_traceback(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([row_sums, "-p", "break-the-ir{how=raise}"]) == 1
    err = capsys.readouterr().err
    assert "pass 'break-the-ir' failed: KeyError: 'no such thing'" in err and "Traceback" not in err
    assert run([row_sums, "-p", "break-the-ir{how=raise}", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("config", ['{"tile_m.block_size": 48}', '{"nothing": 1}', "[1]", "{"])
def test_bad_configurations_are_explained(config: str, row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.json").write_text(config)
    assert run([row_sums, "-p", 'default-pipeline{config="@config.json"}', "-t", "triton"]) == 1
    err = capsys.readouterr().err
    assert "error:" in err and "Traceback" not in err and len(err.splitlines()[0]) > 40


def test_config_from_a_file(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.json").write_text('{"tile_m.block_size": 128}')
    assert run([row_sums, "-p", 'default-pipeline{config="@config.json"}', "-t", "triton"]) == 0
    bound = capsys.readouterr().out
    assert "tile_m_block_size=128" in bound
    assert run([row_sums, "-p", "default-pipeline", "-t", 'triton{config="@config.json"}']) == 0
    assert capsys.readouterr().out == bound


def _damaged(text: bytes) -> Iterator[bytes]:
    step = max(1, len(text) // 60)
    for at in range(3, len(text), step):
        yield text[:at]
        yield text[:at] + b"\xff" + text[at + 1 :]
        yield text[:at] + b"<" + text[at:]
        yield text[: at - 2] + text[at + 5 :]


def test_damaged_text_gives_one_error_with_a_place(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(line for line in Path(row_sums).read_text().splitlines() if not line.startswith("//")).encode()
    refused = 0
    for damaged in _damaged(text):
        Path("bad.mlir").write_bytes(damaged)
        code = run(["bad.mlir"])
        out, err = capsys.readouterr()
        if code == 0:
            continue  # what is left may be a module, such as one with other text in a string
        refused += 1
        lines = err.splitlines()
        assert re.fullmatch(r"bad\.mlir:\d+:\d+: error: .+", lines[0]), err
        assert len(lines) == 3 and set(lines[2].strip()) == {"^"}, err
        assert out == ""
    assert refused > 100


def test_deep_nesting_is_no_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep.mlir"
    path.write_text('"test.op"() {a = #index.expr<' + "(" * 5000 + "n" + ")" * 5000 + ">} : () -> ()\n")
    assert run([str(path)]) == 1
    err = capsys.readouterr().err
    assert "nested too deeply" in err and "Traceback" not in err


def test_output_file(row_sums: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([row_sums, "-o", "out.mlir"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("out.mlir").read_text().startswith("builtin.module")
    assert run([row_sums, "-o", "no/such/folder.mlir"]) == 1
    assert "error:" in capsys.readouterr().err


HELP = """
import sys
from helion_ir.tools.opt import run
assert run(["--help"]) == 0
heavy = {"torch", "triton", "sympy"} & set(sys.modules)
assert not heavy, heavy
"""


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    # Processor time of the whole process: what it would take on an idle machine. A neighbour on the same core only adds to
    # it, so that one run of ten below the bound shows that it is kept.
    times: list[float] = []
    while len(times) < 10 and min(times, default=1.0) >= 0.6:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", HELP], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        assert "--print-ir-after-all" in done.stdout and "default-pipeline" in done.stdout
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.6, times


EACH_PASS = """
import os, sys, traceback
import helion_ir.dialects.context, sympy  # what all of them import
from helion_ir.passes.registry import PASSES, load_pass

for name in sorted(PASSES):
    if os.fork() == 0:  # a process without the other passes
        try:
            load_pass(name)
            heavy = {"torch", "triton"} & set(sys.modules)
            assert not heavy, f"{name} imports {', '.join(heavy)}"
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.wait()
print(len(PASSES))
"""


def test_no_pass_imports_pytorch_or_triton() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EACH_PASS], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{len(registry.PASSES)}\n")
