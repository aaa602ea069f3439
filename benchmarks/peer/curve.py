"""The best configuration by time, read from a search's log."""

import ast
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

POINTS = (5, 10, 30, 60, 120)
"""Seconds after which a search is looked at."""

Found = tuple[float, float, dict[str, Any]]
"""Seconds since the search was called, milliseconds, configuration."""


def best_after(found: Iterable[Found], points: Sequence[float] = POINTS) -> dict[str, dict[str, Any] | None]:
    """By point in time the fastest configuration known then; None where there was none.

    >>> best_after([(1.0, 3.0, {"a": 1}), (9.0, 2.0, {"a": 2})], (0.5, 5, 10))["5"]
    {'ms': 3.0, 'config': {'a': 1}, 'at': 1.0}
    """
    rows = list(found)
    out: dict[str, dict[str, Any] | None] = {}
    for point in points:
        known = [r for r in rows if r[0] <= point]
        best = min(known, key=lambda r: r[1]) if known else None
        out[f"{point:g}"] = None if best is None else {"ms": best[1], "config": best[2], "at": round(best[0], 2)}
    return out


def read_helion_log(path: Path, started: float) -> list[Found]:
    """The configurations that worked in a log of Helion's (`HELION_AUTOTUNE_LOG`).

    Args:
        path: its CSV file; a last line that is cut off is left out.
        started: when the search was called, by `time.time`; the log's own times may begin with it or be absolute.
    """
    found: list[Found] = []
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            if row.get("status") != "ok" or not row.get("perf_ms") or not row.get("config"):
                continue
            at = float(row["timestamp_s"])
            found.append((at - started if at > 1e8 else at, float(row["perf_ms"]), parse_config(row["config"])))
    return found


def count_tried(path: Path) -> int:
    """The configurations of which the log says what became of them: each has a row when it begins, too."""
    with open(path, newline="") as f:
        return sum(row.get("status") not in (None, "started") for row in csv.DictReader(f))


def parse_config(text: str) -> dict[str, Any]:
    """The entries of a configuration written as JSON or as a call.

    >>> parse_config("helion.Config(block_sizes=[16], pid_type='flat')")
    {'block_sizes': [16], 'pid_type': 'flat'}
    """
    if text.lstrip().startswith("{"):
        return json.loads(text)
    call = ast.parse(text.strip(), mode="eval").body
    if not isinstance(call, ast.Call):
        raise ValueError(f"no configuration: {text[:80]}")
    out: dict[str, Any] = {}
    for keyword in call.keywords:
        value = ast.literal_eval(keyword.value)
        if keyword.arg is None:
            out.update(value)
        else:
            out[keyword.arg] = value
    return out
