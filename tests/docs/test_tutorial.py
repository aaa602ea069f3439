"""The tutorial: its files are written, its package installed, its commands and its Python run and compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"(?:^`([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SCRIPT = """
import io, json, sys
from contextlib import redirect_stdout
names, outputs = {}, []
for block in json.load(sys.stdin):
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(block, "tutorial", "exec"), names)
    outputs.append(out.getvalue())
print(json.dumps(outputs))
"""


def blocks() -> list[tuple[str, str, str]]:
    """(file or "", language, text) of every block."""
    return BLOCK.findall(TEXT)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the tutorial, and the metadata that `pip install -e .` would write for them."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name, _, text in blocks():
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    return folder


def python(package: Path, code: str, *arguments: str, given: str = "") -> str:
    path = os.pathsep.join([str(package), str(ROOT / "src"), *sys.path[1:]])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=given, capture_output=True, text=True, cwd=package, env={**os.environ, "PYTHONPATH": path}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def matches(expected: str, actual: str) -> bool:
    """Whether a text is as expected, where a line `…` stands for any lines."""
    parts = [re.escape(p) for p in re.split(r"^…\n", expected.strip() + "\n", flags=re.MULTILINE)]
    return re.fullmatch("(.*\n)*".join(parts), actual.strip() + "\n") is not None


def test_commands(package: Path) -> None:
    ran = 0
    for _, language, text in blocks():
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            program, *arguments = shlex.split(command)
            if program == "pip":  # what it would do is in the fixture
                continue
            assert program == "helion-ir-opt"
            shown = python(
                package, "import sys; from helion_ir.tools.opt import run; sys.exit(run(sys.argv[1:]))", *arguments
            )
            assert matches(expected, shown), shown
            ran += 1
    assert ran == 1


def test_filecheck(package: Path) -> None:
    """The tutorial's own test, in the way the suite runs such files."""
    from filecheck.finput import FInput
    from filecheck.matcher import Matcher
    from filecheck.options import parse_argv_options
    from filecheck.parser import Parser

    (path,) = (package / "tests").glob("*.mlir")
    (line,) = re.findall(r"^// RUN: helion-ir-opt %s (.*) \| filecheck %s$", path.read_text(), re.MULTILINE)
    code = "import sys; from helion_ir.tools.opt import run; sys.exit(run(sys.argv[1:]))"
    shown = python(package, code, str(path), *shlex.split(line))
    options = parse_argv_options(["filecheck", str(path)])
    assert Matcher(options, FInput("-", shown), Parser.from_opts(options)).run() == 0, shown


def test_python(package: Path) -> None:
    import json

    found = blocks()
    code, expected = [], []
    for (name, language, text), (_, following, output) in zip(found, [*found[1:], ("", "", "")]):
        if language == "python" and not name:
            code.append(text)
            expected.append(output if following == "text" else "")
    assert len(code) == 3 and all(expected)
    outputs = json.loads(python(package, SCRIPT, given=json.dumps(code)).splitlines()[-1])
    for wanted, got in zip(expected, outputs, strict=True):
        assert matches(wanted, got), got


def test_the_pass_is_as_short_as_it_says() -> None:
    (text,) = [t for name, _, t in blocks() if name == "exp_passes/exp_by_two.py"]
    body = text[text.index("@dataclass") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30
