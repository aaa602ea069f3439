"""Files that say which configuration a kernel has for a shape: `key_<kernel>(*args)` and `autotune_<kernel>(*args)`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helion_ir.autotuner.config import Config
from helion_ir.autotuner.portfolio import Shape, build, nearest, shape_of

COLLECTED, MEASURED = "collected.jsonl", "measured.jsonl"
"""What each shape was tuned to, and how long every configuration takes on every shape: a JSON object a line."""

Row = Mapping[str, Any]


def file_name(source: str | os.PathLike[str], device: str, arch: str) -> str:
    """The name of the file for the kernels of a source file.

    >>> file_name("kernels/norms.py", "cuda", "sm90")
    '_helion_aot_norms_cuda_sm90.py'
    """
    return f"_helion_aot_{Path(source).stem}_{device}_{arch}.py"


def data_folder() -> Path:
    """Where rows are kept: `$HELION_AOT_DATA_DIR`, else `.helion_aot`."""
    folder = Path(os.environ.get("HELION_AOT_DATA_DIR") or ".helion_aot")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_rows(name: str) -> list[Row]:
    """The rows of a file of the data folder; lines that are none are skipped."""
    rows: list[Row] = []
    path = data_folder() / name
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:  # half a line of a process that was killed
            continue
        if isinstance(row, dict) and {"kernel", "source", "device", "sizes", "config", "milliseconds"} <= row.keys():
            rows.append(row)
    return rows


def features(args: Sequence[Any], batched: Sequence[Sequence[Any] | None] | None = None) -> Shape:
    """The sizes of a call's tensors that matter to the choice; those that do not are 1."""
    marks = list(batched or ())
    tensors: list[tuple[int, ...]] = []
    for i, value in enumerate(args):
        mark = marks[i] if i < len(marks) and marks[i] is not None else ()
        for sizes in shape_of([value]):
            tensors.append(tuple(1 if a < len(mark) and mark[a] is not None else n for a, n in enumerate(sizes)))  # pyright: ignore
    return tuple(tensors)


class Heuristic:
    """The configurations of one kernel, looked up by the nearest shape."""

    def __init__(
        self, kernel: str, shapes: Sequence[tuple[Shape, int]], configs: Sequence[Mapping[str, Any]], batched: Any
    ):
        self.kernel, self.shapes, self.configs, self.batched = kernel, shapes, configs, batched

    def key(self, *args: Any) -> int:
        """Which configuration a call has: calls of one key share a compiled kernel."""
        return nearest(self.shapes, features(args, self.batched), self.kernel)

    def config(self, *args: Any) -> Mapping[str, Any]:
        """The configuration of a call."""
        return self.configs[self.key(*args)]


def heuristic_text(rows: Iterable[Row], most: int, enough: float, goal: str = "max_slowdown") -> str:
    """The file for kernels of one source file and device, from rows with times.

    Args:
        rows: what was measured, and what was collected.
        most: configurations of a kernel at most.
        enough: a factor over the best of each shape that may be lost.
        goal: what is kept small over all shapes, one of `portfolio.GOALS`.

    Raises ValueError where nothing works for a shape.
    """
    parts = ['"""Configurations by shape, written by helion_ir.autotuner.aot_runner."""\n',
             "from helion_ir.autotuner.heuristic import Heuristic\n"]  # fmt: skip
    kernels: dict[str, list[Row]] = {}
    for row in rows:
        if row["milliseconds"] is not None:
            kernels.setdefault(row["kernel"], []).append(row)
    for kernel, own in sorted(kernels.items()):
        times: dict[Shape, dict[str, float]] = {}
        configs: dict[str, Config] = {}
        for row in own:
            name = json.dumps(row["config"], sort_keys=True)
            configs[name] = Config.from_dict(row["config"])
            # Times of one measurement are compared; they stand last.
            times.setdefault(tuple(tuple(s) for s in row["sizes"]), {})[name] = row["milliseconds"]
        device = str(own[0]["device"])
        found = build(kernel, device, True, list(times), list(times.values()), configs, most, enough, goal)
        shapes = "".join(f"        ({e.shape!r}, {e.config}),\n" for e in found.entries)
        listed = "".join(f"        {dict(c)!r},\n" for c in found.configs)
        parts.append(
            f"_{kernel} = Heuristic(\n    {kernel!r},\n    [\n{shapes}    ],\n    [\n{listed}    ],\n    batched={own[0].get('batched')!r},\n)\n"
            f"key_{kernel}, autotune_{kernel} = _{kernel}.key, _{kernel}.config\n"
        )
    return "\n\n".join(parts)
