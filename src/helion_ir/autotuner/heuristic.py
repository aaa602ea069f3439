"""Files that say which configuration a kernel has for a shape: `key_<kernel>(*args)` and `autotune_<kernel>(*args)`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helion_ir.autotuner.config import Config
from helion_ir.autotuner.portfolio import Shape, build, nearest, shape_of

COLLECTED, MEASURED = "collected.jsonl", "measured.jsonl"
"""What each shape was tuned to, and how long every configuration takes on every shape: a JSON object a line."""

Row = Mapping[str, Any]
Tree = int | tuple[str, int, "Tree", "Tree"]


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


class DecisionTree(Heuristic):
    """The configurations of one kernel, looked up by questions about sizes.

    `tree` is the number of a configuration, or (a number of `sizes_of`, a bound, the tree where it is at most that,
    the tree where it is more).
    """

    def __init__(self, kernel: str, tree: Tree, configs: Sequence[Mapping[str, Any]], batched: Any):
        super().__init__(kernel, (), configs, batched)
        self.tree = tree

    def key(self, *args: Any) -> int:
        """Which configuration a call has: calls of one key share a compiled kernel."""
        at, sizes = self.tree, sizes_of(features(args, self.batched))
        while not isinstance(at, int):
            name, bound, less, more = at
            at = less if sizes.get(name, 0) <= bound else more
        return at


def sizes_of(shape: Shape) -> dict[str, int]:
    """The numbers that a tree asks about: rank, extents and elements of each tensor of a call.

    >>> sizes_of(((8, 4),))
    {'tensor0_ndim': 2, 'tensor0_numel': 32, 'tensor0_dim0': 8, 'tensor0_dim1': 4}
    """
    found: dict[str, int] = {}
    for i, extents in enumerate(shape):
        found |= {f"tensor{i}_ndim": len(extents), f"tensor{i}_numel": math.prod(extents)}
        found |= {f"tensor{i}_dim{axis}": extent for axis, extent in enumerate(extents)}
    return found


def decision_tree(shapes: Sequence[tuple[Shape, int]]) -> Tree:
    """The smallest questions that tell these shapes' configurations apart. Needs scikit-learn."""
    from sklearn.tree import DecisionTreeClassifier

    rows = [sizes_of(shape) for shape, _ in shapes]
    names = sorted({name for row in rows for name in row})
    # Between two sizes the bound is their geometric mean.
    numbers = [[math.log2(row.get(name, 0) + 1) for name in names] for row in rows]
    fitted = DecisionTreeClassifier(random_state=0).fit(numbers, [c for _, c in shapes])
    nodes = fitted.tree_

    def at(node: int) -> Tree:
        less, more = int(nodes.children_left[node]), int(nodes.children_right[node])
        if less == more:  # both -1: a leaf
            return int(fitted.classes_[nodes.value[node][0].argmax()])
        return names[nodes.feature[node]], math.floor(2 ** nodes.threshold[node]) - 1, at(less), at(more)

    return at(0)


def heuristic_text(
    rows: Iterable[Row], most: int, enough: float, goal: str = "max_slowdown", backend: str = "nearest_neighbor"
) -> str:
    """The file for kernels of one source file and device, from rows with times.

    Args:
        rows: what was measured, and what was collected.
        most: configurations of a kernel at most.
        enough: a factor over the best of each shape that may be lost.
        goal: what is kept small over all shapes, one of `portfolio.GOALS`.
        backend: how shapes are told apart: "nearest_neighbor", or "decision_tree", which needs scikit-learn.

    Raises ValueError where nothing works for a shape.
    """
    parts = ['"""Configurations by shape, written by helion_ir.autotuner.aot_runner."""\n',
             "from helion_ir.autotuner.heuristic import DecisionTree, Heuristic\n"]  # fmt: skip
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
        if backend == "decision_tree":
            kind, looked_up = "DecisionTree", repr(decision_tree([(e.shape, e.config) for e in found.entries]))
        else:
            shapes = "".join(f"        ({e.shape!r}, {e.config}),\n" for e in found.entries)
            kind, looked_up = "Heuristic", f"[\n{shapes}    ]"
        listed = "".join(f"        {dict(c)!r},\n" for c in found.configs)
        parts.append(
            f"_{kernel} = {kind}(\n    {kernel!r},\n    {looked_up},\n    [\n{listed}    ],\n    batched={own[0].get('batched')!r},\n)\n"
            f"key_{kernel}, autotune_{kernel} = _{kernel}.key, _{kernel}.config\n"
        )
    return "\n\n".join(parts)
