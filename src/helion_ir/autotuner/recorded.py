"""A measured space as a small file, which replays as if it were measured: to compare searches in seconds."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.protocol import Measurement, assignment_key

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Assignment, AssignmentKey, Search
    from helion_ir.autotuner.space import ConfigSpace

FORMAT = 1


@dataclass
class RecordedSpace:
    """Configurations of a few knobs, what each took, and the IR's numbers of each."""

    kernel: str
    target: str
    knobs: Mapping[str, Sequence[Any]]
    """By knob the values that were tried; of knobs that always had one value in common, the first."""
    rows: list[Measurement] = field(default_factory=list)
    features: list[Mapping[str, float]] = field(default_factory=list)
    """One for each row."""
    seeds: list[Assignment] = field(default_factory=list)
    """What the tuner would begin with, as far as it lies in the space."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """Versions and device, for people."""

    def save(self, path: Path) -> None:
        """Write it as compressed JSON: values by their position among a knob's, columns instead of objects."""
        names = list(self.knobs)
        columns = sorted({name for f in self.features for name in f})
        rows = [
            [
                [_position(self.knobs[n], r.assignment[n]) for n in names],
                _rounded(r.milliseconds),
                r.stage,
                r.reason[:80] if not r.ok else "",
                [r.resources.get(k, 0) for k in RESOURCES],
                [_rounded(f.get(c, 0.0)) for c in columns],
            ]
            for r, f in zip(self.rows, self.features)
        ]
        seeds = [[_position(self.knobs[n], s[n]) for n in names] for s in self.seeds]
        data = {
            "format": FORMAT, "kernel": self.kernel, "target": self.target, "conditions": dict(self.conditions),
            "knobs": {n: list(v) for n, v in self.knobs.items()}, "features": columns, "rows": rows, "seeds": seeds,
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        # The same contents give the same bytes.
        path.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0))

    @classmethod
    def load(cls, path: Path) -> RecordedSpace:
        """What `save` wrote. Raises ValueError for anything else."""
        try:
            data = json.loads(gzip.decompress(path.read_bytes()))
            if data["format"] != FORMAT:
                raise ValueError(f"its format is {data['format']}, and {FORMAT} is read")
            knobs = {n: [tuple(v) if isinstance(v, list) else v for v in values] for n, values in data["knobs"].items()}
            out = cls(data["kernel"], data["target"], knobs, conditions=data["conditions"])

            def assignment(positions: Sequence[int]) -> dict[str, Any]:
                return {n: values[p] for (n, values), p in zip(knobs.items(), positions, strict=True)}

            for positions, milliseconds, stage, reason, needs, numbers in data["rows"]:
                resources = dict(zip(RESOURCES, needs))
                out.rows.append(Measurement(assignment(positions), milliseconds, stage, reason, resources=resources))
                out.features.append(dict(zip(data["features"], numbers)))
            out.seeds = [assignment(s) for s in data["seeds"]]
            return out
        except (OSError, EOFError, KeyError, TypeError, IndexError, ValueError) as e:
            raise ValueError(f"{path} is no recorded space: {e}") from e

    @property
    def best(self) -> Measurement:
        """The fastest of all."""
        return min((r for r in self.rows if r.ok), key=lambda r: r.milliseconds or math.inf)

    def space(self) -> ConfigSpace:
        """The space that a search is given: the knobs that were varied, and the requirement to have been measured."""
        from helion_ir.autotuner.space import ConfigSpace, Knob, Requirement

        table = self._table()
        first = self.seeds[0] if self.seeds else self.rows[0].assignment
        knobs = [Knob(n, _domain(values), first[n], "recorded", "") for n, values in self.knobs.items()]
        rule = Requirement(
            lambda a: assignment_key({n: a[n] for n in self.knobs}) in table,
            "not measured",
            "recorded",
            tuple(self.knobs),
        )
        return ConfigSpace(knobs, [rule])

    def _table(self) -> dict[AssignmentKey, int]:
        return {r.key: i for i, r in enumerate(self.rows)}

    def features_of(self, assignment: Assignment) -> Mapping[str, float]:
        """The IR's numbers, as the model asks for them."""
        return self.features[self._index[assignment_key(assignment)]]

    @property
    def _index(self) -> dict[AssignmentKey, int]:
        found = self.__dict__.get("_indexed")
        if found is None:
            found = self.__dict__["_indexed"] = self._table()
        return found

    def replay(self, search: Search, evaluations: int, *, under_way: int = 16) -> Iterator[Measurement]:
        """Rows as a tuner with so many candidates under way would have seen them, oldest first."""
        waiting: list[Any] = []
        for _ in range(evaluations):
            waiting += search.ask(under_way - len(waiting))
            if not waiting:
                return
            row = self.rows[self._index[waiting.pop(0).key]]
            search.tell([row])
            yield row


RESOURCES: tuple[str, ...] = ("shared_memory", "registers", "spilled", "tensor_memory")


def regret(rows: Sequence[Measurement], best: float, evaluations: Sequence[int]) -> list[float]:
    """How much slower than `best` the fastest of the first so many rows is, as a fraction; infinity for none.

    >>> regret([Measurement({}, 3.0), Measurement({}, 2.5)], 2.0, [1, 2])
    [0.5, 0.25]
    """
    out = []
    for n in evaluations:
        found = [r.milliseconds for r in rows[:n] if r.milliseconds is not None and r.ok]
        out.append(min(found) / best - 1.0 if found else math.inf)
    return out


def _position(values: Sequence[Any], value: Any) -> int:
    return next(i for i, v in enumerate(values) if type(v) is type(value) and v == value)


def _domain(values: Sequence[Any]) -> Any:
    """Steps go from one number to the next where all are numbers; the requirement rules out those in between."""
    from helion_ir.dialects.knob import one_of, pow2

    numbers = all(type(v) is int and v > 0 and v & (v - 1) == 0 for v in values)
    if numbers and len(values) > 1 and list(values) == [values[0] << i for i in range(len(values))]:
        return pow2(values[0], values[-1])
    return one_of(*values)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
