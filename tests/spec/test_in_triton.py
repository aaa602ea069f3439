"""The items of every section as printed Triton, in Triton's interpreter, which is chosen for a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECTIONS = sorted(p.stem for p in HERE.glob("test_s[0-9]*.py") if "SECTION = Section(" in p.read_text())


@pytest.mark.parametrize("part", [0, 1])
def test_items(part: int) -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.spec.spec", *SECTIONS[part::2]],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert len(results) > 20
    wrong = [f"{name}: {text}" for name, text in results.items() if text]
    assert not wrong, "\n".join(wrong)
