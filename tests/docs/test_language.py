"""docs/language.md says what tests/spec holds."""

from __future__ import annotations

from pathlib import Path

from scripts.make_language import PAGE, page
from tests.spec.elsewhere import COVERED

TESTS = Path(__file__).parents[1]


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run `python -m scripts.make_language`"


def test_the_tests_named_exist() -> None:
    for items in COVERED.values():
        for _, test in items:
            assert "def test_" in (TESTS / test).read_text(), test


def test_no_operator_of_pytorch_is_wrong() -> None:
    """docs/operators.md is written by `python -m scripts.make_operators`, which compares every overload."""
    text = (PAGE.parent / "operators.md").read_text()
    assert text.count("| wrong |") == 0 and text.count("| rejected |") > 10
    for kind in ("pointwise", "reduction", "scan", "view"):
        assert f"## {kind}\n" in text
