"""Generated Triton of kernels for any size: run by Triton's interpreter, and compiled for devices that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.dynamic.kernels import CASES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", list(CASES))
def test_every_size_in_tritons_interpreter(name: str) -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "interpreted.py"), name],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("target", ["h200", "b200", "mi350x"])
@pytest.mark.parametrize("name", list(CASES))
def test_compiles_for(name: str, target: str) -> None:
    case = CASES[name]
    bound = case.kernel().bind(case.inputs(case.sizes[0]))
    ttir = str(bound.compile_for(target, case.configs[0]).asm["ttir"])
    assert "i64" not in ttir.replace("tt.divisibility = 16 : i64", ""), "offsets need 32 bits here"
