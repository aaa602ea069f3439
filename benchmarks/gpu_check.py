"""Every example on a GPU: are its results right, in the default and in random configurations, and how fast is it?

First every case in its default configuration and N random configurations of every example are compiled and checked, in
parallel processes that share the GPU; then, one example at a time with the GPU to itself, the configurations that were
right on the benchmark input are timed. Rows are appended to `checks.jsonl` and `times.jsonl` as they come, and a table of
what there is comes last, whatever was cut short.

    PYTHONPATH=src python -m benchmarks.gpu_check --out results --configs 20 --time-limit 540

Without a GPU, `--device cpu` runs the cases in the interpreter of the triton dialect, and `--device triton-interpreter` the
generated programs in Triton's own; nothing is timed.
"""

import argparse
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples import registry

from benchmarks import gpu_tasks, pool, report

Row = dict[str, Any]

STATUSES = ("ok", "rejected", "resources", "triton", "wrong", "error", "timeout", "crash", "skipped")


def tasks_of(options: argparse.Namespace) -> list[gpu_tasks.CheckTask]:
    """All checks: every case in the default configuration, then the random ones of each example.

    Random configurations go to the benchmark input and to the small cases in turn, so that half of them run at real
    sizes and every edge is met; the examples take turns, so that a cut costs depth alone.
    """
    tasks = []
    turns: list[tuple[str, list[str]]] = []
    for name in options.examples:
        example = registry.load(name)
        small = list(example.cases)
        large = list(example.bench[: options.benches] if options.device == "cuda" else [])
        if options.device == "triton-interpreter":
            small = [case for case in small if example.suits_triton_interpreter(case)]
        tasks += [_task(options, name, case.name, 0) for case in [*small, *large]]
        real, edges = itertools.cycle(large or small), itertools.cycle(small or large)
        turns.append((name, [next(edges if turn % 2 else real).name for turn in range(options.configs)]))
    for turn in range(options.configs):
        tasks += [_task(options, name, cases[turn], turn + 1) for name, cases in turns]
    return tasks


def _task(options: argparse.Namespace, name: str, case: str, index: int) -> gpu_tasks.CheckTask:
    return gpu_tasks.CheckTask(name, case, index, options.device, options.seed, options.configs)


def check_all(options: argparse.Namespace, deadline: float) -> list[Row]:
    """The first half: one row a case and configuration."""
    rows: list[Row] = []
    tasks = tasks_of(options)
    print(f"{len(tasks)} checks in {options.processes} processes", flush=True)
    with open(options.out / "checks.jsonl", "a") as out:
        for outcome in pool.run(
            gpu_tasks.check,
            tasks,
            processes=options.processes,
            seconds=options.each,
            deadline=deadline,
            preparation=lambda task: (task.example, task.case),
        ):
            task = outcome.task
            row: Row = {"example": task.example, "case": task.case, "index": task.index}
            if outcome.status == "ok":
                row |= outcome.value
            else:
                row |= {"status": outcome.status, "detail": outcome.detail}
            row["seconds"] = round(outcome.seconds, 3)
            rows.append(row)
            out.write(json.dumps(row, default=str) + "\n")
            out.flush()
            # Ruled out or out of resources is the space's business; the rest is worth a line at once.
            if row["status"] not in ("ok", "rejected", "resources", "skipped"):
                first = row["detail"].strip().split("\n")[0]
                print(f"{row['status']}: {task.example}/{task.case}#{task.index}: {first[:200]}", flush=True)
    return rows


def time_all(options: argparse.Namespace, checks: list[Row], deadline: float) -> list[Row]:
    """The second half: one row a configuration, and rows for PyTorch."""
    good: dict[tuple[str, str], list[int]] = {}
    for row in checks:
        if row["status"] == "ok":
            good.setdefault((row["example"], row["case"]), []).append(row["index"])
    places = [(name, case.name) for name in options.examples for case in registry.load(name).bench[: options.benches]]
    # Half of each share is left for making the inputs and for PyTorch.
    share = (deadline - time.monotonic()) / len(places) / 2
    tasks = [
        gpu_tasks.TimeTask(
            *place, tuple(sorted(good.get(place, []))), options.seed, options.configs, options.torch_compile, share
        )
        for place in places
    ]
    rows: list[Row] = []
    with open(options.out / "times.jsonl", "a") as out:
        # One process at a time: a timing shares the GPU with nothing.
        for outcome in pool.run(gpu_tasks.measure, tasks, processes=1, seconds=options.each * 3, deadline=deadline):
            place = {"example": outcome.task.example, "case": outcome.task.case}
            if outcome.status == "ok":
                found = [place | row for row in outcome.value]
            else:
                found = [place | {"what": "failed", "ms": None, "detail": f"{outcome.status}: {outcome.detail}"}]
            rows += found
            for row in found:
                out.write(json.dumps(row, default=str) + "\n")
            out.flush()
    return rows


def check_table(names: list[str], checks: list[Row]) -> str:
    """One line an example: how its default and its random configurations came out."""
    rows = []
    for name in names:
        mine = [row for row in checks if row["example"] == name]
        default = Counter(row["status"] for row in mine if row["index"] == 0)
        drawn = Counter(row["status"] for row in mine if row["index"] > 0)
        worst = max((row["error"] for row in mine if row.get("error") is not None), default=None)
        rows.append([name, f"{default['ok']}/{default.total()}", *[drawn[status] for status in STATUSES], worst])
    return report.markdown_table(["example", "default ok", *STATUSES, "worst error"], rows)


def time_table(times: list[Row]) -> str:
    """One line a benchmark input."""
    rows = []
    for place in dict.fromkeys((row["example"], row["case"]) for row in times):
        mine = {row["what"]: row["ms"] for row in times if (row["example"], row["case"]) == place}
        default, eager = mine.get("config 0"), mine.get("eager")
        drawn = [ms for what, ms in mine.items() if what.startswith("config ") and what != "config 0" and ms]
        best = min([*drawn, *([default] if default else [])], default=None)
        ratio = eager / best if eager and best else None
        rows.append([*place, default, min(drawn, default=None), eager, mine.get("torch.compile"), ratio])
    header = ["example", "input", "default ms", "best random ms", "PyTorch ms", "torch.compile ms", "PyTorch / best"]
    return report.markdown_table(header, rows)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=report.RESULTS / "gpu_check", metavar="DIR")
    parser.add_argument("--examples", nargs="*", default=registry.names())
    parser.add_argument("--configs", type=int, default=None, help="random configurations an example (20; on the CPU 1)")
    parser.add_argument("--benches", type=int, default=1, help="benchmark inputs of an example that are used")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--check-share", type=float, default=0.65, help="of the time limit; the rest is for timings")
    parser.add_argument("--each", type=float, default=30.0, metavar="SECONDS", help="for one configuration")
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--device", choices=["cuda", "cpu", "triton-interpreter"], default="cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--merge", nargs="*", type=Path, default=[], help="only make the table of what these folders hold"
    )
    parser.add_argument("--torch-compile", action="store_true", help="time torch.compile too")
    options = parser.parse_args()
    if options.configs is None:
        options.configs = 20 if options.device == "cuda" else 1
    if options.processes is None:
        options.processes = max(1, min(16, os.cpu_count() or 1))
    if options.device == "triton-interpreter":
        # Workers inherit it, and Triton reads it when they import it.
        os.environ["TRITON_INTERPRET"] = "1"
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    """Check, time, and print the tables."""
    options = parsed()
    start = time.monotonic()
    if options.merge:
        checks, times = (_rows(options.merge, name) for name in ("checks", "times"))
    else:
        share = options.check_share if options.device == "cuda" else 1.0
        checks = check_all(options, start + share * options.time_limit)
        print(f"checked after {time.monotonic() - start:.0f} s", flush=True)
        times = time_all(options, checks, start + options.time_limit - 5) if options.device == "cuda" else []
    text = check_table(options.examples, checks)
    if times:
        text += "\n" + time_table(times)
    data = {**_conditions(options.merge), "seed": options.seed}
    data.setdefault("device", options.device)
    if options.device == "cuda" and not options.merge:
        import torch

        data["device"] = torch.cuda.get_device_name()
    data["counts"] = dict(Counter(row["status"] for row in checks))
    data["not right"] = [row for row in checks if row["status"] not in ("ok", "skipped")]
    data["note"] = f"On {data['device']}, seed {options.seed}."
    report.write("gpu_check", "Examples in the default and in random configurations", text, data, options.out)
    print(text, flush=True)


def _rows(folders: Sequence[Path], name: str) -> list[Row]:
    files = [folder / f"{name}.jsonl" for folder in folders]
    return [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]


def _conditions(folders: Sequence[Path]) -> dict[str, Any]:
    """Where the rows come from: here, or as the first of some folders says."""
    if not folders:
        return report.conditions()
    found = json.loads((folders[0] / "gpu_check.json").read_text())
    return {name: found[name] for name in ("date", "cores", "versions", "device")}


if __name__ == "__main__":
    main()
