"""Few configurations for many shapes: chosen so that the worst loss is small, and looked up by shape at a call."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config

FORMAT = 1

Shape = tuple[tuple[int, ...], ...]
"""The sizes of the tensors among a call's arguments, in order."""


FAILS = 1e6
"""The loss that counts where nothing works: finite, so that a set that works for more shapes is the better one."""

GOALS: Mapping[str, Callable[[Sequence[float]], tuple[float, float]]] = {
    "max_slowdown": lambda losses: (max(losses), sum(losses) / len(losses)),
    "geomean_slowdown": lambda losses: (math.exp(sum(map(math.log, losses)) / len(losses)), max(losses)),
    "avg_slowdown": lambda losses: (sum(losses) / len(losses), max(losses)),
}
"""What is kept small over the losses of all shapes: first the goal itself, then what tells equal ones apart."""


def choose(
    times: Sequence[Mapping[str, float]], most: int, enough: float = 1.0, goal: str = "max_slowdown"
) -> list[str]:
    """The configurations of a portfolio, in the order of choosing.

    One after the other that which brings the goal down most, until there are `most`, or the goal is at most `enough`.

    Args:
        times: for each shape, milliseconds by configuration. A configuration that is missing does not work there.
        most: configurations at most.
        enough: a factor over the best of each shape.
        goal: one of `GOALS`.

    >>> choose([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 2.0}], 1)
    ['a']
    >>> choose([{"a": 1.0, "b": 1.2}] * 9 + [{"a": 2.0, "b": 1.0}], 1, goal="avg_slowdown")
    ['a']
    >>> choose([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 2.0}], 2)
    ['a', 'b']
    """
    names = sorted({name for row in times for name in row})
    chosen: list[str] = []

    def loss(among: Sequence[str]) -> tuple[float, float]:
        return GOALS[goal]([min(x, FAILS) for x in losses(times, among)])

    while len(chosen) < most and len(chosen) < len(names):
        best = min((n for n in names if n not in chosen), key=lambda n: loss([*chosen, n]))
        if chosen and loss([*chosen, best]) >= loss(chosen):
            break
        chosen.append(best)
        if loss(chosen)[0] <= enough:
            break
    return chosen


def losses(times: Sequence[Mapping[str, float]], among: Sequence[str]) -> list[float]:
    """By shape, how much slower the best of `among` is than the best of all, as a factor; infinity where none works."""
    return [min((row[n] for n in among if n in row), default=math.inf) / min(row.values()) for row in times]


@dataclass(frozen=True)
class Entry:
    """A shape and which configuration it is given."""

    shape: Shape
    config: int
    milliseconds: float
    loss: float
    """By what factor it is slower than the best that was found for this shape."""


@dataclass(frozen=True)
class Portfolio:
    """Configurations of a kernel with the shapes that they are for."""

    kernel: str
    target: str
    measured: bool
    """Whether times were measured; else they are estimates."""
    configs: Sequence[Config]
    entries: Sequence[Entry] = field(default=())

    @property
    def worst_loss(self) -> float:
        return max((e.loss for e in self.entries), default=1.0)

    def config_for(self, args: Sequence[Any]) -> Config:
        """The configuration for a call: that of its shape, else of the shape nearest by the sizes' logarithms.

        Raises ValueError where no entry has tensors of these ranks.
        """
        shapes = [(e.shape, e.config) for e in self.entries]
        return self.configs[nearest(shapes, shape_of(args), self.kernel)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON form."""
        data = {
            "helion_ir_configs": FORMAT, "kernel": self.kernel, "target": self.target, "measured": self.measured,
            "worst_loss": self.worst_loss, "configs": [dict(c) for c in self.configs],
            "shapes": [
                {"sizes": [list(s) for s in e.shape], "config": e.config, "milliseconds": e.milliseconds, "loss": e.loss}
                for e in self.entries
            ],
        }  # fmt: skip
        Path(path).write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Portfolio:
        """What `save` wrote. Raises ValueError for anything else."""
        from helion_ir.autotuner.config import Config

        try:
            data = json.loads(Path(path).read_text())
            if data["helion_ir_configs"] != FORMAT:
                raise ValueError(f"its format is {data['helion_ir_configs']}, and {FORMAT} is read")
            configs = [Config.from_dict(c) for c in data["configs"]]
            entries = [
                Entry(tuple(tuple(s) for s in e["sizes"]), int(e["config"]), float(e["milliseconds"]), float(e["loss"]))
                for e in data["shapes"]
            ]
            if any(not 0 <= e.config < len(configs) for e in entries):
                raise ValueError("a shape names a configuration that is not there")
            return cls(data["kernel"], data["target"], bool(data["measured"]), configs, entries)
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f"{path} holds no configurations: {e}") from e


def from_portfolio(path: str | os.PathLike[str]) -> Callable[..., Any]:
    """A value for the setting `autotuner_fn`: configurations are looked up in a file, and nothing is searched.

    >>> helion.kernel(autotuner_fn=from_portfolio("configs.json"))  # doctest: +SKIP
    """
    portfolio = Portfolio.load(path)

    def autotuner(bound: Any, args: Sequence[Any], **options: Any) -> _Lookup:
        return _Lookup(portfolio, args)

    return autotuner


@dataclass(frozen=True)
class _Lookup:
    portfolio: Portfolio
    args: Sequence[Any]

    def autotune(self, *, skip_cache: bool = False) -> Config:
        return self.portfolio.config_for(self.args)


def nearest(shapes: Sequence[tuple[Shape, int]], wanted: Shape, kernel: str) -> int:
    """The configuration of the shape nearest to the one wanted. Raises ValueError where none has its ranks."""
    ranks = [len(s) for s in wanted]
    alike = [(_distance(s, wanted), c) for s, c in shapes if [len(t) for t in s] == ranks]
    if not alike:
        raise ValueError(f"no configuration of {kernel} is for tensors of the ranks {ranks}")
    return min(alike, key=lambda pair: pair[0])[1]


def shape_of(args: Sequence[Any]) -> Shape:
    """The sizes of the tensors of a call."""
    from helion_ir.autotuner.tensors import leaves

    return tuple(tuple(t.shape) for t in leaves(tuple(args)))


def _distance(a: Shape, b: Shape) -> float:
    return sum(abs(math.log((x + 1) / (y + 1))) for s, t in zip(a, b) for x, y in zip(s, t))


def build(
    kernel: str,
    target: str,
    measured: bool,
    shapes: Sequence[Shape],
    times: Sequence[Mapping[str, float]],
    configs: Mapping[str, Config],
    most: int,
    enough: float = 1.05,
    goal: str = "max_slowdown",
) -> Portfolio:
    """The portfolio of what was found for each shape; arguments as for `choose`, configurations by the same names.

    Raises ValueError where nothing works for a shape.
    """
    for shape, row in zip(shapes, times):
        if not row:
            raise ValueError(f"nothing works for {shape}")
    names = choose(times, most, enough, goal)
    entries = []
    for shape, row in zip(shapes, times):
        working = [n for n in names if n in row]
        if not working:
            raise ValueError(f"none of {len(names)} configurations works for {shape}; allow more")
        best = min(working, key=lambda n: row[n])
        entries.append(Entry(shape, names.index(best), row[best], row[best] / min(row.values())))
    return Portfolio(kernel, target, measured, [configs[n] for n in names], entries)
