"""Measure every configuration of a reduced space on the device and save them as a small file, for simulations.

PYTHONPATH=src python -m benchmarks.record_space matmul --seconds 540 --out results/spaces
"""

import argparse
import itertools
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples import registry

from benchmarks import report
from helion_ir.autotuner.priors import priors
from helion_ir.autotuner.protocol import Measurement
from helion_ir.autotuner.recorded import RecordedSpace
from helion_ir.autotuner.search import FiniteSearch
from helion_ir.autotuner.store import MemoryStore

SPACES = report.RESULTS.parent / "spaces"

# (knob, or the end of the names of several that are set together) to values.
Axes = dict[str, Sequence[Any]]
REDUCED: dict[str, tuple[str, Axes]] = {
    "matmul": (
        "4096^3-bf16",
        {
            "rows.block_size": [64, 128, 256],
            "columns.block_size": [64, 128, 256],
            "inner.block_size": [32, 64, 128],
            "num_warps": [4, 8],
            "num_stages": [2, 3, 4],
            ".l2_grouping": [1, 8],
            ".indexing": ["pointer", "tensor_descriptor"],
            "pid_type": ["flat", "persistent_interleaved"],
        },
    ),
    "softmax": (
        "8192x8192-f32",
        {
            "rows.block_size": [1, 2, 4, 8],
            "reduction.m": [None, 1024, 2048, 4096],
            "num_warps": [4, 8, 16, 32],
            "num_stages": [1, 3],
            ".eviction": ["", "evict_first", "evict_last"],
            ".indexing": ["pointer", "tensor_descriptor"],
            "pid_type": ["flat", "persistent_blocked"],
        },
    ),
    "attention": (
        "4x32x2048x64-f16",
        {
            "rows.block_size": [32, 64, 128, 256],
            "columns.block_size": [32, 64, 128],
            "num_warps": [4, 8, 16],
            "num_stages": [1, 2, 3, 4],
            ".indexing": ["pointer", "tensor_descriptor"],
            "pid_type": ["flat", "persistent_interleaved"],
        },
    ),
}


def axes_of(names: Sequence[str], wanted: Axes) -> dict[str, list[str]]:
    """By axis, named after its first knob, the knobs that are set together.

    Raises ValueError for an axis that no knob has.
    """
    out: dict[str, list[str]] = {}
    for axis in wanted:
        found = [n for n in names if n == axis or (axis.startswith(".") and n.endswith(axis))]
        if not found:
            raise ValueError(f"no knob is called {axis}; there are {', '.join(names)}")
        out[found[0]] = found
    return out


def assignments_of(space: Any, wanted: Axes) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(axes, complete assignment) of every legal combination, each assignment once; other knobs are at their default."""
    axes = axes_of([k.name for k in space], wanted)
    domains = {k.name: k.values for k in space}
    out: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for values in itertools.product(*wanted.values()):
        chosen = dict(zip(axes, values))
        if any(v not in domains[n] for axis, v in chosen.items() for n in axes[axis]):
            continue
        full = space.project({**space.default(), **{n: v for axis, v in chosen.items() for n in axes[axis]}})
        if space.is_legal(full) is None:
            out.setdefault(repr(full), (chosen, full))
    return list(out.values())


def record(
    name: str, kernel: Any, bound: Any, args: Any, wanted: Axes, seconds: float, **options: Any
) -> RecordedSpace:
    """Measure as many as there is time for, in random order."""
    from helion_ir.autotuner.tuning import tuned

    space = bound.config_space
    pairs = assignments_of(space, wanted)
    random.Random(0).shuffle(pairs)
    axes_by_key = {repr(full): chosen for chosen, full in pairs}
    search = FiniteSearch([full for _, full in pairs])
    found = tuned(bound, args, search=search, budget_seconds=seconds, store=MemoryStore(), **options)
    rows = [m for _, m in found.history if m.stage != "rejected"]
    names = list(axes_of([k.name for k in space], wanted))
    out = RecordedSpace(name, bound.target.name, dict(zip(names, wanted.values())), conditions=report.conditions())
    features = getattr(getattr(bound, "lowering", None), "features", None)
    for row in rows:
        chosen = axes_by_key[repr(space.project(row.assignment))]
        out.rows.append(Measurement(chosen, row.milliseconds, row.stage, row.reason, resources=row.resources))
        out.features.append(features(row.assignment) if features is not None else {})
    out.seeds = _seeds(bound, space, axes_of([k.name for k in space], wanted), out)
    return out


def _seeds(bound: Any, space: Any, axes: Mapping[str, list[str]], recorded: RecordedSpace) -> list[Any]:
    """The default and the priors, as far as they were measured."""
    lowering = getattr(bound, "lowering", None)
    wanted = [space.legal_default(), *(priors(lowering.declared, space) if lowering is not None else ())]
    measured = [r.assignment for r in recorded.rows]
    out = []
    for seed in wanted:
        point = {axis: seed[axis] for axis in axes}
        if point in measured and point not in out:
            out.append(point)
    return out


def main() -> None:
    """Record one space."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kernel", choices=list(REDUCED))
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--out", type=Path, default=SPACES, metavar="DIR")
    options = parser.parse_args()
    case, wanted = REDUCED[options.kernel]
    example = registry.load(options.kernel)
    args = example.case(case).args("cuda")
    bound = example.kernel.bind(args)
    start = time.monotonic()
    recorded = record(f"{options.kernel} {case}", example.kernel, bound, args, wanted, options.seconds)
    path = options.out / f"{options.kernel}-{bound.target.name}.json.gz"
    recorded.save(path)
    ok = sum(r.ok for r in recorded.rows)
    print(
        f"{len(recorded.rows)} configurations in {time.monotonic() - start:.0f} s, {ok} of them work, the best takes "
        f"{recorded.best.milliseconds:.4f} ms; {len(recorded.seeds)} seeds; {path.stat().st_size} bytes in {path}"
    )


if __name__ == "__main__":
    main()
