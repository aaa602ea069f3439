"""Automatic tuning from nothing, as a user meets it: time to a configuration, and how good it is.

Each kernel is called without a configuration, tuned within a budget, checked against its reference and timed beside eager
PyTorch and `torch.compile(mode="max-autotune")`.

    PYTHONPATH=src python -m benchmarks.tune_check --seconds 60 --out results
"""

import argparse
import json
import time
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

    name, case_name, seconds, torch_compile = task
    example = registry.load(name)
    args = example.case(case_name).args("cuda")
    example.kernel.settings.autotune_budget_seconds = seconds
    start = time.perf_counter()
    config = example.kernel.autotune(args, force=True)
    tuned = time.perf_counter()
    row: Row = {"tuning_s": round(tuned - start, 1), "config": dict(config)}
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
            print(
                f"{row['example']}: {row['status']} {row.get('detail', '')[-1500:]} {row.get('config', '')}", flush=True
            )
    header = ["example", "input", "tuning s", "ours ms", "PyTorch ms", "torch.compile ms", "PyTorch / ours", "error"]
    cells = []
    for row in rows:
        ours, eager = row.get("helion_ir"), row.get("eager")
        ratio = eager / ours if ours and eager else None
        times = [row.get("tuning_s"), ours, eager, row.get("torch.compile"), ratio, row.get("error")]
        cells.append([row["example"], row["case"], *times])
    text = report.markdown_table(header, cells)
    data = {**report.conditions(), "seconds": options.seconds, "rows": rows}
    report.write("tune_check", "Automatic tuning", text, data, options.out)
    print(text, flush=True)


if __name__ == "__main__":
    main()
