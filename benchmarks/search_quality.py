"""How near the best each search comes with few evaluations, on spaces that were measured and are replayed.

PYTHONPATH=src python -m benchmarks.search_quality --seeds 20
"""

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.record_space import SPACES
from helion_ir.autotuner.config_model import ConfigModel
from helion_ir.autotuner.effort import Plan
from helion_ir.autotuner.recorded import RecordedSpace, regret
from helion_ir.autotuner.search import SearchOptions
from helion_ir.autotuner.search_choice import SEARCHES, search_named
from helion_ir.targets import TARGETS

EVALUATIONS = (50, 100, 200)


def regrets(recorded: RecordedSpace, name: str, seed: int, *, with_priors: bool = True) -> list[float]:
    """The regret of one search after each number of evaluations."""
    space = recorded.space()
    model = ConfigModel(space, recorded.features_of, TARGETS.get(recorded.target))
    plan = Plan(SearchOptions(patience=10**9), seed)
    search = search_named(name, space, model, plan, seed, recorded.seeds if with_priors else ())
    rows = list(recorded.replay(search, max(EVALUATIONS)))
    return regret(rows, recorded.best.milliseconds or math.nan, EVALUATIONS)


def main() -> None:
    """Replay every space with every search, and print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--spaces", nargs="*", type=Path, default=None)
    parser.add_argument("--searches", nargs="*", default=list(SEARCHES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--no-priors", action="store_true", help="begin with the default alone")
    parser.add_argument("--out", type=Path, default=report.RESULTS, metavar="DIR")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    cells = []
    for path in options.spaces or sorted(SPACES.glob("*.json.gz")):
        recorded = RecordedSpace.load(path)
        for name in options.searches:
            start = time.monotonic()
            found = [regrets(recorded, name, s, with_priors=not options.no_priors) for s in range(options.seeds)]
            medians = [statistics.median(column) for column in zip(*found)]
            worst = [max(column) for column in zip(*found)]
            seconds = (time.monotonic() - start) / options.seeds
            rows.append({"space": path.name, "search": name, "median": medians, "worst": worst, "seconds": seconds})
            shown = [f"{100 * m:.1f} % ({100 * w:.0f})" for m, w in zip(medians, worst)]
            cells.append([recorded.kernel, len(recorded.rows), name, *shown, round(seconds, 2)])
            print(cells[-1], flush=True)
    header = ["space", "configurations", "search", *(f"after {n}: median (worst)" for n in EVALUATIONS), "s a run"]
    text = report.markdown_table(header, cells)
    report.write("search_quality", "Regret of searches", text, {**report.conditions(), "rows": rows}, options.out)
    print(text)


if __name__ == "__main__":
    main()
