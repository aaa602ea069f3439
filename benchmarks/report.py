"""Tables of results, and what they were measured with."""

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Cell = str | int | float | None


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python, torch, triton, xdsl and the given packages; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in ("torch", "triton", "xdsl", *packages):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def conditions(*packages: str) -> dict[str, Any]:
    """The date, the versions, and how much processor there is."""
    return {"date": datetime.date.today().isoformat(), "cores": os.cpu_count(), "versions": versions(*packages)}


def cell(value: Cell) -> str:
    """A number with three significant digits, a dash for nothing.

    >>> cell(0.012345), cell(None), cell(1234.5)
    ('0.0123', '–', '1234')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table, its columns padded so that it reads as plain text too."""
    texts = [list(header), *[[cell(value) for value in row] for row in rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(header))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in texts]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def write(name: str, title: str, table: str, data: Mapping[str, Any], directory: Path = RESULTS) -> None:
    """Write `name.md`, which people read, and `name.json`, which has everything."""
    directory.mkdir(parents=True, exist_ok=True)
    shown = ", ".join(f"{key} {value}" for key, value in data["versions"].items())
    text = f"# {title}\n\n{data['date']}, {data['cores']} cores, {shown}.\n\n{table}"
    if note := data.get("note"):
        text += f"\n{note}\n"
    (directory / f"{name}.md").write_text(text)
    (directory / f"{name}.json").write_text(_json_lines(data))


def _json_lines(data: Mapping[str, Any]) -> str:
    """One JSON object, a line a row, so that a later run differs from it in the rows that changed."""
    fields = []
    for key, value in data.items():
        text = json.dumps(value, default=str)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(row, default=str) for row in value) + "\n]"
        fields.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}\n"
