"""Automatic tuning from nothing, as a user meets it: time to a configuration, and how good it is.

Each kernel is called without a configuration, tuned within a budget, checked against its reference and timed beside eager
PyTorch and `torch.compile(mode="max-autotune")`.

    PYTHONPATH=src python -m benchmarks.tune_check --seconds 60 --out results
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from examples import registry

from benchmarks import pool, report

KERNELS = ("softmax", "layer_norm", "matmul", "attention")

Row = dict[str, Any]


def tune(task: tuple[str, str, int, bool]) -> Row:
    """Tune, check and time one kernel on one benchmark input; the task is (example, case, seconds, torch.compile)."""
    import torch
    from examples.harness import milliseconds

    from helion_ir.autotuner.tuning import tuned

    name, case_name, seconds, torch_compile = task
    example = registry.load(name)
    args = example.case(case_name).args("cuda")
    start = time.perf_counter()
    bound = example.kernel.bind(args)
    bind = time.perf_counter() - start
    found = tuned(bound, args, budget_seconds=seconds)
    bound.set_config(found.config)
    stages = Counter(m.stage for _, m in found.history)
    row: Row = {
        "bind_s": round(bind, 2),
        "tuning_s": round(time.perf_counter() - start, 1),
        "config": dict(found.config),
        "stages": dict(stages),
        "tried": len(found.history),
        "first_s": next((round(at, 1) for at, m in found.history if m.ok), None),
        "curve": {str(t): m.milliseconds if (m := found.best_after(t)) else None for t in (5, 10, 20, 30, 60, 120)},
        "busy_s": {k: round(v, 1) for k, v in found.timeline.busy().items()},
        "covered_s": {k: round(v, 1) for k, v in found.timeline.covered().items()},
        "benchmark_parts_s": {k: round(v, 1) for k, v in found.timeline.parts("benchmark").items()},
        "start_parts_s": {k: round(v, 1) for k, v in found.timeline.parts("start benchmark").items()},
        "reference_parts_s": {k: round(v, 1) for k, v in found.timeline.parts("reference").items()},
        "reasons": Counter(f"{m.stage}: {m.reason[:90]}" for _, m in found.history if not m.ok).most_common(8),
        "ruled_out": dict(found.rejected),
    }
    row["error"] = example.check(example.kernel(*args), args)
    row["helion_ir"] = milliseconds(lambda: example.kernel(*args))
    row["eager"] = milliseconds(lambda: example.eager(*args))
    if torch_compile:
        try:
            compiled = torch.compile(example.eager, mode="max-autotune-no-cudagraphs")
            row["torch.compile"] = milliseconds(lambda: compiled(*args))
        except Exception as error:
            row["torch.compile"] = None
            row["detail"] = f"torch.compile: {type(error).__name__}: {error}"[:500]
    return row


def main() -> None:
    """Tune each kernel in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=report.RESULTS / "tune_check", metavar="DIR")
    parser.add_argument("--examples", nargs="*", default=list(KERNELS))
    parser.add_argument("--seconds", type=int, default=60, help="the tuning budget of one kernel")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--no-torch-compile", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.time_limit - 5
    tasks = [
        (name, registry.load(name).bench[0].name, options.seconds, not options.no_torch_compile)
        for name in options.examples
    ]
    rows: list[Row] = []
    with open(options.out / "tune.jsonl", "a") as out:
        # A budget bounds the search; what comes after it (checking, timing, torch.compile) has its own minutes.
        limit = options.seconds + 240
        for outcome in pool.run(tune, tasks, processes=1, seconds=limit, deadline=deadline):
            row: Row = {"example": outcome.task[0], "case": outcome.task[1], "status": outcome.status}
            row |= outcome.value if outcome.status == "ok" else {"detail": outcome.detail}
            rows.append(row)
            out.write(json.dumps(row, default=str) + "\n")
            out.flush()
            print(f"\n{row['example']}: {row['status']} {row.get('detail', '')[-1500:]}", flush=True)
            for key in sorted(row.keys() - {"example", "case", "status", "detail"}):
                print(f"    {key}: {row[key]}", flush=True)
    header = [
        "example",
        "input",
        "tuning s",
        "tried",
        "best after 5 s",
        "10 s",
        "30 s",
        "60 s",
        "ours ms",
        "PyTorch ms",
        "torch.compile ms",
        "PyTorch / ours",
        "error",
    ]
    cells = []
    for row in rows:
        ours, eager = row.get("helion_ir"), row.get("eager")
        ratio = eager / ours if ours and eager else None
        curve = row.get("curve", {})
        times = [
            row.get("tuning_s"),
            row.get("tried"),
            *(curve.get(t) for t in ("5", "10", "30", "60")),
            ours,
            eager,
            row.get("torch.compile"),
            ratio,
            row.get("error"),
        ]
        cells.append([row["example"], row["case"], *times])
    text = report.markdown_table(header, cells)
    data = {**report.conditions(), "seconds": options.seconds, "rows": rows}
    report.write("tune_check", "Automatic tuning", text, data, options.out)
    print(text, flush=True)


if __name__ == "__main__":
    main()
