"""Inconvenient tensors on a GPU: more elements than 32 bits count (5 GB), none at all, strides of every kind, views.

The cases are those of `tests/adversarial`, each with the default configuration and random ones, with static shapes and
without. Processes compile beside each other, each a case at a time, and results are written as they come. It takes about
100 s with 16 cores.

    PYTHONPATH=src:. python -m benchmarks.adversarial --time-limit 400
    PYTHONPATH=src:. python -m benchmarks.adversarial --compile h200            # no GPU: compile them all
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import pool, report

SHAPES = ("static", "dynamic")
RANDOM = {"large": 2, "small": 5}
"""Random configurations of each case, beside the default."""


@dataclass(frozen=True)
class Task:
    """A configuration of a case, 0 the default, with static shapes or without; with a target nothing runs."""

    name: str
    large: bool
    target: str
    shapes: str
    index: int

    @property
    def case(self) -> tuple[str, bool]:
        """What its process prepares for it and keeps for the next."""
        return self.name, self.large


def tasks_of(names: Sequence[str], large: bool, target: str) -> list[Task]:
    """All configurations of the cases, which take turns, so that workers begin with different ones."""
    indices = range(1 + RANDOM["large" if large else "small"])
    return [Task(name, large, target, shapes, i) for shapes in SHAPES for i in indices for name in names]


def run(task: Task) -> dict[str, Any]:
    """A row: "ok", "wrong", or an error."""
    make, args, check, bounds = _prepared(task.name, task.large, task.target)
    bound = bounds[task.shapes]
    stages = bound.stages_for(task.target) if task.target else bound.lowering
    assignment = stages.space.legal_default()
    rng = random.Random(f"{task.name}/{task.shapes}")
    for _ in range(task.index):
        assignment = stages.space.sample(rng)
    row = _row(task) | {"status": "ok", "values": dict(stages.space.decode(assignment))}
    try:
        if task.target:
            stages.compiled_kernels(assignment)
        else:
            _checked(bound.compile_config(row["values"], allow_print=False), args if task.large else make(), check)
    except AssertionError as error:
        row |= {"status": "wrong", "detail": str(error)[:400]}
    except Exception as error:
        row |= {"status": _kind(error), "detail": f"{type(error).__name__}: {error}"[:400]}
        if "CUDA error" in str(error) or "illegal" in str(error):
            raise pool.Poisoned(json.dumps(row, default=str)) from error
    return row


def _row(task: Task) -> dict[str, Any]:
    return {"case": task.name, "shapes": task.shapes, "config": f"random {task.index}" if task.index else "default"}


_kept: dict[tuple[str, bool], Any] = {}


def _prepared(name: str, large: bool, target: str) -> Any:
    """How to make a case's arguments, some, how to check a result, and the kernel bound to them in each shape mode."""
    import torch

    import helion_ir as helion

    if (name, large) not in _kept:
        _kept.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # of the case before, which may have 20 GB
        kernel, make, check = (_large if large else _small)(name, target)
        args = make()
        bounds = {s: helion.kernel(static_shapes=s == "static")(kernel.fn).bind(args) for s in SHAPES}
        _kept[name, large] = make, args, check, bounds
    return _kept[name, large]


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


def _large(name: str, target: str) -> tuple[Any, Callable[[], tuple[Any, ...]], Callable[[Sequence[Any], Any], None]]:
    from tests.adversarial import huge

    case = huge.HUGE[name]
    memory = huge.Memory("cpu" if target else "cuda", blank=bool(target))

    def check(args: Sequence[Any], got: Any) -> None:
        huge.check(case, tuple(args), got)
        if got is args[-1]:
            got.zero_()  # for the next configuration

    return case.kernel, lambda: case.make(memory), check


def _small(name: str, target: str) -> tuple[Any, Callable[[], tuple[Any, ...]], Callable[[Sequence[Any], Any], None]]:
    import torch
    from tests.adversarial.cases import CASES, expected

    kernel, make, _ = CASES[name]
    want = expected(name)

    def on_device() -> tuple[Any, ...]:
        with torch.device("cpu" if target else "cuda"):
            return make()

    def check(args: Sequence[Any], got: Any) -> None:
        # Products of float32 are TF32 on a GPU; everything else here is exact.
        tolerance = 1e-2 if "product" in name else 1e-6
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
    parser.add_argument("--each", type=float, default=60.0, metavar="SECONDS", help="for one configuration")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--processes", type=int, default=4, help="large cases at a time; one has up to 20 GB")
    parser.add_argument("--small", type=int, default=12, metavar="PROCESSES", help="small cases at a time")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--compile", default="", metavar="TARGET", help="compile for a target, without a GPU")
    options = parser.parse_args()
    large = tasks_of([n for n in HUGE if options.only in n], True, options.compile)
    small = tasks_of([n for n in CASES if options.only in n], False, options.compile)
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + options.time_limit
    for tasks, processes in ((large, options.processes), (small, options.small)):
        found = pool.run(
            run, tasks, processes=processes, seconds=options.each, deadline=deadline, preparation=lambda task: task.case
        )
        for outcome in found:
            failed = _row(outcome.task) | {"status": outcome.status, "detail": outcome.detail[:500]}
            rows.append(outcome.value if outcome.status == "ok" else failed)
            print(json.dumps(rows[-1], default=str), flush=True)
            if not options.compile:
                report.write("adversarial", "Inconvenient tensors", table(rows), {**report.conditions(), "rows": rows})
    print(table(rows))
    if any(row["status"] not in ("ok", "resources") for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
