"""Runs the `// RUN:` lines of every .mlir file below tests/filecheck, in this process.

A line is `// RUN: helion-ir-opt %s … | filecheck %s`, or `// RUN: not helion-ir-opt …` where the tool must end with an
error, whose text is then checked. `--check-prefix=X` and the other options of filecheck that follow `%s` hold too;
`%t` is a folder of the test's own.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import parse_argv_options
from filecheck.parser import Parser

from helion_ir.tools.opt import run

ROOT = Path(__file__).parent / "filecheck"
FILES = sorted(ROOT.rglob("*.mlir"))
RUN = re.compile(r"^// RUN:\s*(not )?helion-ir-opt\s+(.*?)\s*\|\s*filecheck\s+%s(.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=[str(f.relative_to(ROOT)) for f in FILES])
def test_filecheck(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Messages name the file as the command does; the golden text must not depend on where the checkout is.
    source = tmp_path / path.name
    shutil.copy(path, source)
    monkeypatch.chdir(tmp_path)
    lines = RUN.findall(path.read_text())
    assert lines, f"{path.name} has no line to run"
    for fails, arguments, options in lines:
        out, err = io.StringIO(), io.StringIO()
        text = arguments.replace("%s", path.name).replace("%t", "out")
        with redirect_stdout(out), redirect_stderr(err):
            code = run(shlex.split(text))
        shown = out.getvalue() + err.getvalue()
        assert code == (1 if fails else 0), f"exit code {code} of helion-ir-opt {text}\n{shown}"
        opts = parse_argv_options(["filecheck", path.name, *shlex.split(options)])
        matcher = Matcher(opts, FInput("-", shown), Parser.from_opts(opts))
        with redirect_stderr(err), redirect_stdout(err):
            result = matcher.run()
        assert result == 0, f"helion-ir-opt {text}\n{err.getvalue()}\n{shown}"


def test_there_are_tests() -> None:
    folders = {f.relative_to(ROOT).parts[0] for f in FILES}
    assert folders == {"dialects", "passes", "pipelines", "diagnostics"}
