"""What each pass of the compiler costs on every example, in milliseconds of processor time, warm.

python -m benchmarks.pass_cost

A kernel is prepared and lowered several times in one process: in its default structure, and in those of some random
configurations. Nothing is kept between two lowerings but what the process remembers of expressions and types. A cost is the
median of the repetitions, without the first, of the structure that costs most; a pass that runs twice has both.
simplify-index may take 20 ms on any example: the command fails where it takes more.
"""

import argparse
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import report

LIMITS = {"simplify-index": 20.0}
"""Milliseconds that a pass may take on any example."""

Costs = dict[str, float]
"""Pass name to milliseconds."""


def timed(run: Callable[[Callable[[str, Any], None]], Any]) -> tuple[Costs, Any]:
    """What each pass takes that `run` tells its callback of, and what `run` returns."""
    costs: Costs = defaultdict(float)
    begin = time.process_time()

    def seen(name: str, module: Any) -> None:
        nonlocal begin
        costs[name] += 1000 * (time.process_time() - begin)
        begin = time.process_time()

    result = run(seen)
    return dict(costs), result


def medians(runs: list[Costs]) -> Costs:
    """The median of each pass over repetitions.

    >>> medians([{"cse": 1.0}, {"cse": 5.0}, {"cse": 2.0}])
    {'cse': 2.0}
    """
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def structures(stages: Any, count: int, seed: int) -> Iterator[Any]:
    """The default assignment, then random ones until `count` have structures of their own, or 20 in a row have none."""
    rng, space = random.Random(seed), stages.space
    found, misses = {repr(stages.structure_of(space.legal_default()))}, 0
    yield space.legal_default()
    while len(found) <= count and misses < 20:
        assignment = space.sample(rng)
        key = repr(stages.structure_of(assignment))
        misses = misses + 1 if key in found else 0
        if key not in found:
            found.add(key)
            yield assignment


def measure(name: str, target: str, count: int, repeats: int, seed: int) -> dict[str, Any]:
    """The costs of one example: of the default structure, and of the dearest structure for each pass."""
    from examples import registry

    from helion_ir.passes.pipeline import lower, prepare
    from helion_ir.runtime.stages import copied

    example = registry.load(name)
    stages = example.kernel.bind(example.bench[0].blank()).stages_for(target)

    def front() -> Costs:
        module = copied(stages.tile)
        return timed(lambda seen: prepare(module, stages.target, seen))[0]

    def lowered(assignment: Any) -> Costs:
        return timed(lambda seen: lower(stages.declared, assignment, seen))[0]

    prepared = medians([front() for _ in range(repeats + 1)][1:])
    found = [medians([lowered(a) for _ in range(repeats + 1)][1:]) for a in structures(stages, count, seed)]
    worst = {p: max(costs.get(p, 0.0) for costs in found) for costs in found for p in costs}
    both = {p: (prepared.get(p, 0.0) + found[0].get(p, 0.0), prepared.get(p, 0.0) + w) for p, w in worst.items()}
    passes = {p: (c, c) for p, c in prepared.items()} | both
    return {
        "name": name,
        "front": sum(prepared.values()),
        "lower": sum(found[0].values()),
        "structures": len(found),
        "default": {p: round(d, 3) for p, (d, _) in passes.items()},
        "worst": {p: round(w, 3) for p, (_, w) in passes.items()},
    }


def over(rows: list[dict[str, Any]]) -> list[str]:
    """What exceeds `LIMITS`.

    >>> over([{"name": "matmul", "worst": {"simplify-index": 21.0, "cse": 30.0}}])
    ['simplify-index takes 21.0 ms on matmul; 20 are allowed']
    """
    return [
        f"{name} takes {row['worst'][name]:.1f} ms on {row['name']}; {limit:.0f} are allowed"
        for row in rows
        for name, limit in LIMITS.items()
        if row["worst"].get(name, 0.0) > limit
    ]


def tables(rows: list[dict[str, Any]]) -> str:
    """One line a pass, then one line an example."""
    by_pass = []
    for name in dict.fromkeys(p for row in rows for p in row["worst"]):
        dearest = max(rows, key=lambda row: row["worst"].get(name, 0.0))
        default = statistics.median(row["default"].get(name, 0.0) for row in rows)
        by_pass.append([name, default, dearest["worst"][name], dearest["name"]])
    by_example = []
    for row in sorted(rows, key=lambda row: -row["lower"]):
        dearest = max(row["worst"], key=lambda p: row["worst"][p])
        index = (row["default"].get("simplify-index"), row["worst"].get("simplify-index"))
        cells = [row["name"], row["front"], row["lower"], row["structures"], *index, dearest, row["worst"][dearest]]
        by_example.append(cells)
    first = report.markdown_table(["pass", "median ms", "worst ms", "on"], by_pass)
    header = ["example", "front ms", "lower ms", "structures", "simplify-index ms", "worst", "dearest pass", "ms"]
    return first + "\n" + report.markdown_table(header, by_example)


def main() -> None:
    """Measure, print the tables and write them to `benchmarks/results/pass_cost.md`."""
    from examples import registry

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", nargs="*", help="names; all by default")
    parser.add_argument("--target", default="h200")
    parser.add_argument("--structures", type=int, default=4, help="random structures beside the default's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=report.RESULTS, metavar="DIR")
    options = parser.parse_args()
    rows = []
    for name in options.examples or registry.names():
        rows.append(measure(name, options.target, options.structures, options.repeats, options.seed))
        registry.load(name).kernel.reset()
        print(f"{name}: {rows[-1]['lower']:.1f} ms to lower", file=sys.stderr, flush=True)
    text = tables(rows)
    print(text)
    fields = ("target", "structures", "repeats", "seed")
    note = (
        "Medians are over examples, of the default structure. The worst is of the structure, among the random ones too, "
        "on which the pass takes longest. `front` and `lower` are all passes once a kernel and once a structure."
    )
    data = {**report.conditions(), **{f: getattr(options, f) for f in fields}, "note": note, "rows": rows}
    report.write("pass_cost", "What the passes cost", text, data, options.out)
    if exceeded := over(rows):
        raise SystemExit("\n".join(exceeded))


if __name__ == "__main__":
    main()
