"""Inconvenient tensors on a GPU: more elements than 32 bits count (5 GB), none at all, strides of every kind, views.

The cases are those of `tests/adversarial`, each with the default configuration and random ones, with static shapes and
without. Each large one has a process of its own, the small ones share some, which compile beside each other; results
are written as they come. It takes about 100 s with 16 cores.

    PYTHONPATH=src:. python -m benchmarks.adversarial --time-limit 400
    PYTHONPATH=src:. python -m benchmarks.adversarial --compile h200            # no GPU: compile them all
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import pool, report

RANDOM = {"large": 2, "small": 5}
"""Random configurations of each case, beside the default."""


@dataclass(frozen=True)
class Task:
    """A case; with a target nothing runs."""

    name: str
    large: bool
    target: str = ""


def _variants(kernel: Any) -> Iterator[tuple[str, Any]]:
    import helion_ir as helion

    for static in (True, False):
        yield "static" if static else "dynamic", helion.kernel(static_shapes=static)(kernel.fn)


def _configurations(space: Any, name: str, count: int) -> Iterator[tuple[str, Any]]:
    rng = random.Random(name)
    yield "default", space.legal_default()
    for i in range(count):
        yield f"random {i}", space.sample(rng)


def run(task: Task) -> list[dict[str, Any]]:
    """A row a shape mode and configuration: "ok", "wrong", or an error."""
    kernel, make, check = _large(task) if task.large else _small(task)
    count = RANDOM["large" if task.large else "small"]
    rows: list[dict[str, Any]] = []
    args = make()
    for mode, bound_to in _variants(kernel):
        bound = bound_to.bind(args)
        stages = bound.stages_for(task.target) if task.target else bound.lowering
        for which, assignment in _configurations(stages.space, f"{task.name}/{mode}", count):
            row: dict[str, Any] = {"case": task.name, "shapes": mode, "config": which, "status": "ok"}
            row["values"] = dict(stages.space.decode(assignment))
            rows.append(row)
            try:
                if task.target:
                    stages.compiled_kernels(assignment)
                    continue
                _checked(bound.compile_config(row["values"], allow_print=False), args if task.large else make(), check)
            except AssertionError as error:
                row |= {"status": "wrong", "detail": str(error)[:400]}
            except Exception as error:
                row |= {"status": _kind(error), "detail": f"{type(error).__name__}: {error}"[:400]}
                if "CUDA error" in str(error) or "illegal" in str(error):
                    raise pool.Poisoned(json.dumps(row, default=str)) from error
    return rows


def _kind(error: Exception) -> str:
    from benchmarks.gpu_tasks import kind_of

    return kind_of(error)


def _checked(call: Callable[..., Any], args: Sequence[Any], check: Callable[[Sequence[Any], Any], None]) -> None:
    import torch
    from examples.harness import poisoned

    with poisoned():
        got = call(*args)
        torch.cuda.synchronize()
    check(args, got)


def _large(task: Task) -> tuple[Any, Callable[[], tuple[Any, ...]], Callable[[Sequence[Any], Any], None]]:
    from tests.adversarial import huge

    case = huge.HUGE[task.name]
    memory = huge.Memory("cpu" if task.target else "cuda", blank=bool(task.target))

    def check(args: Sequence[Any], got: Any) -> None:
        huge.check(case, tuple(args), got)
        if got is args[-1]:
            got.zero_()  # for the next configuration

    return case.kernel, lambda: case.make(memory), check


def _small(task: Task) -> tuple[Any, Callable[[], tuple[Any, ...]], Callable[[Sequence[Any], Any], None]]:
    import torch
    from tests.adversarial.cases import CASES, expected

    kernel, make, _ = CASES[task.name]
    want = expected(task.name)

    def on_device() -> tuple[Any, ...]:
        with torch.device("cpu" if task.target else "cuda"):
            return make()

    def check(args: Sequence[Any], got: Any) -> None:
        # Products of float32 are TF32 on a GPU; everything else here is exact.
        tolerance = 1e-2 if "product" in task.name else 1e-6
        torch.testing.assert_close(got.double().cpu(), want.double(), rtol=tolerance, atol=0)

    return kernel, on_device, check


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a case: how many configurations were right, with static shapes and without."""
    cells: list[list[report.Cell]] = []
    for name in dict.fromkeys(r["case"] for r in rows):
        line: list[report.Cell] = [name]
        for mode in ("static", "dynamic"):
            mine = [r for r in rows if r["case"] == name and r.get("shapes") == mode]
            line.append(f"{sum(r['status'] == 'ok' for r in mine)} of {len(mine)}")
        bad = [
            f"{r.get('shapes', '')} {r.get('config', '')}: {r['status']}"
            for r in rows
            if r["case"] == name and r["status"] != "ok"
        ]
        cells.append([*line, "; ".join(bad)])
    return report.markdown_table(["case", "static shapes", "dynamic shapes", "not right"], cells)


def main() -> None:
    """Run all cases, print the table and write it to `benchmarks/results/adversarial.md`."""
    from tests.adversarial.cases import CASES
    from tests.adversarial.huge import HUGE

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--each", type=float, default=120.0, metavar="SECONDS", help="for one case")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--processes", type=int, default=4, help="large cases at a time; one has up to 20 GB")
    parser.add_argument("--small", type=int, default=12, metavar="PROCESSES", help="small cases at a time")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--compile", default="", metavar="TARGET", help="compile for a target, without a GPU")
    options = parser.parse_args()
    large = [Task(n, True, options.compile) for n in HUGE if options.only in n]
    small = [Task(n, False, options.compile) for n in CASES if options.only in n]
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + options.time_limit
    for tasks, processes, fresh in ((large, options.processes, True), (small, options.small, False)):
        found = pool.run(run, tasks, processes=processes, seconds=options.each, deadline=deadline, fresh=fresh)
        for outcome in found:
            failed = {"case": outcome.task.name, "status": outcome.status, "detail": outcome.detail[:500]}
            mine = outcome.value if outcome.status == "ok" else [failed]
            for row in mine:
                print(json.dumps(row, default=str), flush=True)
            rows += mine
            if not options.compile:
                report.write("adversarial", "Inconvenient tensors", table(rows), {**report.conditions(), "rows": rows})
    print(table(rows))
    if any(row["status"] not in ("ok", "resources") for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
