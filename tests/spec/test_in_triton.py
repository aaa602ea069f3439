"""The items of every section as printed Triton, in Triton's interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.spec.spec import failures_in_triton
from tests.triton_interpreter.client import TritonInterpreter

HERE = Path(__file__).parent
SECTIONS = sorted(p.stem for p in HERE.glob("test_s[0-9]*.py") if "\n@item(" in p.read_text())


@pytest.mark.parametrize("section", SECTIONS)
def test_items(section: str, triton_interpreter: TritonInterpreter) -> None:
    results: dict[str, str] = triton_interpreter.run(failures_in_triton, section, seconds=300.0)
    assert results, "no item ran"
    wrong = [f"{name}: {text}" for name, text in results.items() if text]
    assert not wrong, "\n".join(wrong)
