"""Write docs/language.md: every item of the language's specification, the test that shows it, and its state.

`python -m scripts.make_language` writes the page; with `--check` it ends with 1 if the page is not what it would write.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]

PAGE = ROOT / "docs" / "language.md"
INTRODUCTION = """\
# The language, item by item

Made by `python -m scripts.make_language` from [tests/spec](../tests/spec) and held current by a test. What *works* gives
eager PyTorch's results at the tile level, as the final template in our interpreter, and as generated Triton in Triton's
interpreter, on sizes 0, 1 and around a block's edges. What is *refused* raises the class named, with the text and the
place that the test asks for."""


def sections() -> Iterator[tuple[str, Any]]:
    """(file name, section) of every file with items."""
    for path in sorted((ROOT / "tests" / "spec").glob("test_s*.py"), key=lambda p: _order(p.stem)):
        section = getattr(importlib.import_module(f"tests.spec.{path.stem}"), "SECTION", None)
        if section is not None:
            yield path.name, section


def _order(stem: str) -> list[int]:
    return [int(part) for part in stem.removeprefix("test_s").split("_") if part.isdigit()]


def page() -> str:
    """The text of docs/language.md."""
    from tests.spec.elsewhere import COVERED, MISSING

    parts = [INTRODUCTION]
    works = refused = 0
    for name, section in sections():
        rows = ["| item | test | state |", "|---|---|---|"]
        for item in section.items:
            works += 1
            state = "works" + (f"; not in Triton's interpreter: {item.triton}" if item.triton else "")
            rows.append(_row(item.name, _link(name, item.kernel.__name__), state))
        for refusal in section.refusals:
            refused += 1
            rows.append(
                _row(refusal.name, _link(name, refusal.kernel.__name__), f"refused: `{refusal.error.__name__}`")
            )
        parts += [f"## {section.title}", "\n".join(rows)]
    rows = ["| section | item | test |", "|---|---|---|"]
    for title, items in COVERED.items():
        rows += [_row(title, item, f"[{test}](../tests/{test})") for item, test in items]
    parts += ["## Shown by other tests", "\n".join(rows)]
    rows = ["| item | what happens |", "|---|---|", *[_row(item, why) for item, why in MISSING]]
    parts += ["## What does not work", "\n".join(rows)]
    parts.insert(1, f"{works} items work, {refused} are refused; {len(MISSING)} do not work, listed at the end.")
    return "\n\n".join(parts) + "\n"


def _link(file: str, kernel: str) -> str:
    return f"[{file.removesuffix('.py')}](../tests/spec/{file}) `{kernel}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def main() -> None:
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print("not up to date: docs/language.md")
            sys.exit(1)
        return
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
