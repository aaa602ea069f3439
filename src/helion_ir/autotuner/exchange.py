"""Tuning results as JSON: the best configuration of every key, to carry from one machine to another."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helion_ir.autotuner.protocol import Measurement, StoreKey
from helion_ir.autotuner.store import KEY_FIELDS, SqliteStore, assignment_from_json, assignment_to_json

FORMAT = 1


def export_results(store: SqliteStore, path: Path, kernel: str | None = None) -> int:
    """Write what a store knows, of one kernel or of all; gives the number of configurations."""
    results = [
        {
            "key": dataclasses.asdict(key),
            "milliseconds": best.milliseconds,
            "assignment": json.loads(assignment_to_json(best.assignment)),
        }
        for key, best in store.everything()
        if kernel is None or key.kernel == kernel
    ]
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"helion_ir_results": FORMAT, "results": results}, indent=1) + "\n")
    os.replace(temporary, path)
    return len(results)


def import_results(store: SqliteStore, path: Path, say: Callable[[str], None]) -> int:
    """Add what a file holds, where the store knows nothing better; gives the number of configurations added.

    An entry that is damaged is reported to `say` and skipped. Raises ValueError for a file of another kind.
    """
    try:
        data = json.loads(path.read_text())
        if data["helion_ir_results"] != FORMAT:
            raise ValueError(f"its format is {data['helion_ir_results']}, and {FORMAT} is read")
        results = list(data["results"])
    except (ValueError, KeyError, TypeError) as e:
        raise ValueError(f"{path} holds no tuning results: {e}") from e
    added = 0
    for number, entry in enumerate(results, 1):
        try:
            key, best = _entry(entry)
        except (ValueError, KeyError, TypeError) as e:
            say(f"{path}: entry {number} is skipped: {type(e).__name__}: {e}")
            continue
        known = store.best(key)
        if known is None or (known.milliseconds or math.inf) > (best.milliseconds or math.inf):
            store.set_best(key, best)
            added += 1
    return added


def _entry(entry: Any) -> tuple[StoreKey, Measurement]:
    fields = {name: entry["key"][name] for name in KEY_FIELDS}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is no text")
    milliseconds = entry["milliseconds"]
    if type(milliseconds) not in (int, float) or not 0 < milliseconds < math.inf:
        raise ValueError(f"{milliseconds!r} is no time")
    return StoreKey(**fields), Measurement(assignment_from_json(json.dumps(entry["assignment"])), float(milliseconds))
