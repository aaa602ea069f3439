"""plan-memory against Triton's own answer: shared and tensor memory, and registers, of random configurations.

Every knob is drawn evenly, as a random search does, and only what other passes rule out is drawn again. Triton's passes
up to the allocation tell what each configuration needs (the same as `metadata.shared` of a whole compilation, which every
fourth of those that fit also gets, for its registers). Examples and targets take turns, so that a run that is cut short
has drawn evenly. The answers are kept in the repository as they come: a run that was stopped goes on, and one after a
change to the model compiles nothing again; what was drawn of a space that has changed since is drawn anew.

    PYTHONPATH=src:. python -m benchmarks.memory_model --processes 16 --time-limit 380
    PYTHONPATH=src:. python -m benchmarks.memory_model --kept
"""

import argparse
import functools
import json
import random
import statistics
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import pool, report

EXAMPLES = (
    "matmul",
    "matmul_bias_gelu",
    "bmm",
    "matmul_split_k",
    "attention",
    "softmax",
    "layer_norm",
    "cross_entropy",
)
TARGETS = ("h200", "b200", "mi350x")
PRODUCTS = EXAMPLES[:5]
"""Of these the estimate must be good."""

ANSWERS = report.RESULTS / "memory_answers.jsonl"
"""Triton's answers to earlier draws, a line each: what is not said of a knob is its default."""

Row = dict[str, Any]
Task = tuple[str, str, int, bool]
"""Example, target, number of the configuration, and whether it is compiled to the end."""


@functools.cache
def _stages(name: str, target: str) -> Any:
    return _bound(name).stages_for(target)


@functools.cache
def _bound(name: str) -> Any:
    from examples import registry

    example = registry.load(name)
    return example.kernel.bind(example.bench[0].blank())


_RULES: dict[int, tuple[Any, ...]] = {}


def _found(name: str, target: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """What lowering the configuration's structure found to be required."""
    from helion_ir.autotuner.space import ConfigSpace

    template = _stages(name, target).template(values)
    if id(template) not in _RULES:
        _RULES[id(template)] = ConfigSpace.of(template).requires
    return _RULES[id(template)]


def drawn(name: str, target: str, index: int) -> dict[str, Any]:
    """Configuration number `index`: legal but for what plan-memory says of shared and tensor memory."""
    space = _stages(name, target).space
    rng = random.Random(f"{name}/{target}/{index}")
    while True:
        values = space.project({k.name: rng.choice(k.values) for k in space})
        broken = (r for r in [*space.requires, *_found(name, target, values)] if not r.holds(values))
        if all(r.owner == "plan-memory" and not r.reason.startswith("registers") for r in broken):
            return values


def answer(task: Task) -> Row:
    """What Triton says."""
    from benchmarks.triton_allocation import allocated

    name, target, index, whole = task
    warnings.filterwarnings("ignore", message=".*make_block_ptr is deprecated")
    stages = _stages(name, target)
    values = drawn(name, target, index)
    row: Row = {"assignment": _plain(values)}
    printed = stages.printed(values)
    row |= allocated(printed, stages.target)
    fits = row["shared"] <= stages.target.shared_memory and row["tensor"] <= stages.target.tensor_memory
    if whole and fits:
        resources = stages.compiled(values).resources
        if len(printed.launches) == 1:
            assert resources.shared_memory == row["shared"], (resources, row)
        row |= {"registers": resources.registers, "spilled": resources.spilled}
    return row


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def answers(tasks: list[Task], file: Path, processes: int, each: float, limit: float) -> Iterator[Row]:
    """Triton's answers, those in the file first; the others are added to it, and those that are none any more removed."""
    deadline = time.monotonic() + limit
    version = report.versions()["triton"]
    known = {
        (row["example"], row["target"], row["index"]): row
        for row in (json.loads(line) for line in (file.read_text().splitlines() if file.exists() else ()))
        if row.get("triton") == version
    }
    missing: list[Task] = []
    for task in tasks:
        row = known.get(task[:3])
        if row is not None and ("failed" in row or row["assignment"] == _plain(drawn(*task[:3]))):
            yield row
        else:
            known.pop(task[:3], None)
            missing.append(task)
    others = (
        line
        for line in (file.read_text().splitlines() if file.exists() else ())
        if json.loads(line)["triton"] != version
    )
    file.write_text("".join(f"{line}\n" for line in (*others, *map(json.dumps, known.values()))))
    with file.open("a") as added:
        for outcome in pool.run(answer, missing, processes=processes, seconds=each, deadline=deadline):
            if outcome.status == "skipped":
                continue
            name, target, index, _ = outcome.task
            row = {"example": name, "target": target, "index": index, "triton": version}
            if outcome.status == "ok":
                row |= outcome.value
            else:
                row |= {"failed": outcome.status, "detail": outcome.detail.strip().split("\n")[0][:200]}
            added.write(json.dumps(row) + "\n")
            added.flush()
            yield row


def kept(lines: Iterable[str]) -> list[Row]:
    """Answers of earlier runs; knobs that came since have their defaults, and rows of knobs that went are left out."""
    out: list[Row] = []
    for line in lines:
        row = json.loads(line)
        if "failed" in row or row["assignment"].keys() <= _default(row["example"], row["target"]).keys():
            out.append(row)
    return out


@functools.cache
def _default(name: str, target: str) -> dict[str, Any]:
    return _plain(_stages(name, target).space.default())


def predicted(row: Row) -> Row:
    """An answer with what plan-memory says."""
    stages = _stages(row["example"], row["target"])
    values = {**_default(row["example"], row["target"]), **row["assignment"]}
    features = stages.features({k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    limit, tensor = stages.target.shared_memory, stages.target.tensor_memory
    return {k: v for k, v in row.items() if k != "assignment"} | {
        "least": features["shared_bytes_least"],
        "likely": features["shared_bytes"],
        "register_estimate": round(features["registers_per_thread"], 1),
        "fits": row["shared"] <= limit and row["tensor"] <= tensor,
        "ruled_out": features["shared_bytes_least"] > limit or features["tensor_bytes"] > tensor,
        "expected": features["shared_bytes"] <= limit and features["tensor_bytes"] <= tensor,
    }


def error(row: Row) -> float:
    """Of the estimate, relative; what is below a kilobyte of either is no matter."""
    return abs(row["likely"] - row["shared"]) / max(row["shared"], 1024)


def rank_correlation(pairs: list[tuple[float, float]]) -> float | None:
    """Spearman's, ties given the mean of their ranks; None of less than three pairs."""
    if len(pairs) < 3 or any(len({p[i] for p in pairs}) < 2 for i in (0, 1)):
        return None
    return statistics.correlation(*[_ranks([p[i] for p in pairs]) for i in (0, 1)])


def _ranks(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) - 1) / 2 for v in values]


def table(rows: list[Row]) -> str:
    """One line an example and target, and sums."""
    cells = []
    groups = [(e, t) for e in EXAMPLES for t in TARGETS] + [("all", t) for t in TARGETS] + [("all", "all")]
    for example, target in groups:
        mine = [r for r in rows if example in (r["example"], "all") and target in (r["target"], "all")]
        if not mine:
            continue
        not_fit = [r for r in mine if not r["fits"]]
        fit = [r for r in mine if r["fits"]]
        registers = [(r["register_estimate"], float(r["registers"])) for r in mine if r.get("registers")]
        cells.append([
            example, target, len(mine), len(not_fit), sum(r["ruled_out"] for r in not_fit), sum(r["ruled_out"] for r in fit),
            sum(not r["expected"] for r in not_fit), sum(not r["expected"] for r in fit),
            f"{100 * statistics.median(error(r) for r in mine):.1f} %", rank_correlation(registers),
        ])  # fmt: skip
    header = [
        "example", "target", "configs", "do not fit", "ruled out", "wrongly ruled out", "expected not to fit",
        "wrongly so", "median error", "rank correlation of registers",
    ]  # fmt: skip
    return report.markdown_table(header, cells)


def main() -> None:
    """Ask, compare, print the table and write it to `benchmarks/results/memory_model.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--configs", type=int, default=312, help="in all, over all targets")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--each", type=float, default=20.0, metavar="SECONDS", help="for one configuration")
    parser.add_argument("--time-limit", type=float, default=3600.0, metavar="SECONDS", help="for everything together")
    parser.add_argument(
        "--answers", type=Path, default=ANSWERS, metavar="FILE", help="the tables are written beside it"
    )
    parser.add_argument("--kept", action="store_true", help="compare with all answers that are kept; compiles nothing")
    options = parser.parse_args()
    each = -(-options.configs // (len(EXAMPLES) * len(TARGETS)))
    tasks = [(e, t, i, i % 4 == 0) for i in range(each) for e in EXAMPLES for t in TARGETS]
    if options.kept:
        found = kept(options.answers.read_text().splitlines())
    else:
        found = list(answers(tasks, options.answers, options.processes, options.each, options.time_limit))
    rows = [predicted(r) for r in found if "failed" not in r]
    text = table(rows)
    print(text)
    failed = len(found) - len(rows)
    not_fit = [r for r in rows if not r["fits"]]
    share = sum(r["ruled_out"] for r in not_fit) / max(1, len(not_fit))
    wrong = [r for r in rows if r["fits"] and r["ruled_out"]]
    worst = {e: statistics.median(error(r) for r in rows if r["example"] == e) for e in PRODUCTS}
    note = (
        f"{len(rows)} configurations{f'; {failed} more were turned down by Triton or took too long' if failed else ''}. "
        f"Of those that do not fit {100 * share:.1f} % are ruled out, and {len(wrong)} of those that fit. "
        "The error is of the estimate of shared memory; registers are a thread's, estimated from live tiles."
    )
    data = {**report.conditions(), "configs": len(rows), "note": note, "rows": rows}
    report.write("memory_model", "Memory: planned, and used by Triton", text, data, options.answers.parent)
    print(note)
    if wrong or share < 0.8 or any(e > 0.15 for e in worst.values()):
        raise SystemExit(f"short of the goals: {wrong[:3]} {worst}")


if __name__ == "__main__":
    main()
