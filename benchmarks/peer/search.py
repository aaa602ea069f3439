"""One search of one tuner in this process: `python -m benchmarks.peer.search CASE SIDE SECONDS FOLDER [DEVICE]`."""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.peer.curve import best_after, count_tried, read_helion_log


def search_ours(name: str, seconds: float, folder: Path, device: str) -> dict[str, Any]:
    """Tune with helion-ir, from the call on arguments that exist: tracing included."""
    from benchmarks.peer.cases import CASES, ours
    from helion_ir.autotuner.local import start_before_tracing
    from helion_ir.autotuner.store import MemoryStore
    from helion_ir.autotuner.tuning import tuned

    case = CASES[name]
    args = case.args(device)
    kernel = ours(case).kernel
    kernel.settings.autotune_log = str(folder / f"{name}.ours")
    start = time.monotonic()
    # As `kernel.autotune` does, which does not say what the search has seen.
    start_before_tracing(kernel.settings, args)
    bound = kernel.bind(args)
    bind = time.monotonic() - start
    found = tuned(bound, args, budget_seconds=seconds - bind, store=MemoryStore())
    total = time.monotonic() - start
    decode = bound.config_space.decode
    rows = [(bind + at, m.milliseconds, dict(decode(m.assignment))) for at, m in found.history if m.ok]
    return {
        "seconds": round(total, 1),
        "config": dict(found.config),
        "curve": best_after(rows),
        "tried": len(found.history),
        "stages": dict(Counter(m.stage for _, m in found.history)),
        "ruled_out": dict(found.rejected),
        "reasons": Counter(f"{m.stage}: {m.reason[:100]}" for _, m in found.history if not m.ok).most_common(8),
        "busy_s": {k: round(v, 1) for k, v in found.timeline.busy().items()},
        "covered_s": {k: round(v, 1) for k, v in found.timeline.covered().items()},
        "parts_s": {p: found.timeline.parts(p) for p in ("start benchmark", "reference", "benchmark")},
    }


def search_theirs(name: str, seconds: float, folder: Path, device: str) -> dict[str, Any]:
    """Tune with Helion and its default search."""
    os.environ |= {
        "HELION_AUTOTUNE_LOG": str(folder / _log_name(name)),
        "HELION_SKIP_CACHE": "1",
        "HELION_AUTOTUNE_PROGRESS_BAR": "0",
        "HELION_AUTOTUNE_BUDGET_SECONDS": str(int(seconds)),
        # Its least. With a minute, its own limit, it measured one configuration of attention in 120 s, since it waits
        # for all of a generation to be compiled and some take longer than that.
        "HELION_AUTOTUNE_COMPILE_TIMEOUT": "30",
    }

    from benchmarks.peer.cases import CASES, theirs

    case = CASES[name]
    args = case.args(device)
    kernel = theirs(case, folder).kernel
    (folder / f"{name}.helion.started").write_text(repr(time.time()))
    start = time.monotonic()
    config = kernel.autotune(args, force=True)
    total = time.monotonic() - start
    return {"seconds": round(total, 1), "config": dict(config), **from_log(name, folder)}


def _log_name(kernel: str) -> str:
    # What follows a dot would be replaced by the ending of the log.
    return f"{kernel}-helion"


def from_log(name: str, folder: Path) -> dict[str, Any]:
    """What Helion's log says, which is there even where the search was stopped from outside."""
    started = float((folder / f"{name}.helion.started").read_text())
    path = folder / f"{_log_name(name)}.csv"
    if not path.exists():
        return {"curve": best_after([]), "tried": 0}
    found = read_helion_log(path, started)
    return {"curve": best_after(found), "tried": count_tried(path), "ok": len(found)}


def main() -> None:
    """Search and write the result beside the log."""
    name, side, seconds, folder, *device = sys.argv[1:]
    search = search_ours if side == "ours" else search_theirs
    row = search(name, float(seconds), Path(folder), *(device or ["cuda"]))
    path = Path(folder) / f"{name}.{side}.json"
    path.with_suffix(".tmp").write_text(json.dumps(row, default=str))
    path.with_suffix(".tmp").rename(path)


if __name__ == "__main__":
    main()
