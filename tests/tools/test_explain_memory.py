"""helion-ir explain --memory: the profile is that of the program, and its peak what plan-memory says."""

from __future__ import annotations

import pytest
import torch
from examples.matmul import matmul

from helion_ir.tools.explain_memory import draw, profile, show


def stages():
    bound = matmul.bind((torch.ones(256, 128, dtype=torch.bfloat16), torch.ones(128, 512, dtype=torch.bfloat16)))
    found = bound.stages_for("h200")
    return found, found.space.encode({"block_sizes": [64, 128, 32], "num_warps": 4, "num_stages": 2})


def test_the_accumulator_is_the_peak() -> None:
    found, assignment = stages()
    (moments,) = profile(found, assignment).values()
    most = max(m.total for m in moments)
    assert most == 64 * 128 * 4 == found.features(assignment)["register_bytes"]
    peak = max(moments, key=lambda m: m.total)
    assert [size for _, size in peak.tiles] == [most]
    assert all(m.where.split(":")[0].endswith("matmul.py") for m in moments)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found, assignment = stages()
    show(found, assignment, "matmul")
    text = capsys.readouterr().out
    assert "◀ peak" in text and "matmul.py:" in text and "32,768" in text and "232,448" in text


def test_a_picture_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"helion-ir\[plot\]"):
        draw({}, tmp_path / "x.png")
