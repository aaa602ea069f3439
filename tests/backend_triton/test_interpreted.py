"""Numbers: printed modules and every function of the library, in Triton's interpreter, against torch in fp64."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helion_ir.backend_triton import library

SCRIPT = Path(__file__).parent / "interpreted.py"
SOURCE = Path(__file__).parents[2] / "src"


def run(group: str, folder: Path) -> dict[str, float | str]:
    environment = {**os.environ, "HELION_IR_CACHE_DIR": str(folder), "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), group], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_modules(tmp_path: Path) -> None:
    errors = run("modules", tmp_path)
    assert len(errors) == 23
    # Errors of a product are divided by sqrt(K); those of softmax are absolute, of values below 1.
    wrong = {case: error for case, error in errors.items() if not isinstance(error, float) or error > 1e-5}
    assert not wrong
    # A dozen texts for the product, two for softmax and one: the rest is shared.
    assert len(list((tmp_path / "text").glob("*.py"))) == 15


@pytest.fixture(scope="module")
def library_errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float | str]:
    return run("library", tmp_path_factory.mktemp("cache"))


# These are called by the others, which are measured; random bits are compared in tests/language.
INNER = {
    "angle64",
    "cosh64",
    "cosine64",
    "erfcx64",
    "lgamma_lanczos64",
    "random_word",
    "sinh64",
    "sortkey32",
    "sortpair_position",
    "sortpair_value",
}


def test_library(library_errors: dict[str, float | str]) -> None:
    wrong = {case: error for case, error in library_errors.items() if isinstance(error, str)}
    assert not wrong
    assert {case.split(" ")[0] for case in library_errors} == set(library.names()) - INNER
