"""What is known of a configuration before it is compiled: its knobs and the IR's own numbers, as a vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.estimate import estimate_milliseconds

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Assignment, AssignmentKey, TunableSpace
    from helion_ir.targets import Target

Features = Callable[["Assignment"], Mapping[str, float]]
"""Non-negative numbers for an assignment; see `passes.plan_memory.features`."""

# An estimate is no proof: only what is over a limit by so much is left out.
SHARED_MARGIN = 1.25
REGISTER_MARGIN = 2.0


class ConfigModel:
    """Encodes assignments, and knows which are hopeless.

    Args:
        space: whose knobs are encoded: numbers by their logarithm, words by one place each.
        features: the IR's numbers; None: knobs alone.
        target: the device's record; None: nothing is hopeless, and there are no estimates.
    """

    def __init__(self, space: TunableSpace, features: Features | None = None, target: Target | None = None):
        self._knobs = [_Encoded(k.name, k.values) for k in space]
        self._features = features
        self._target = target
        self._seen: dict[AssignmentKey, Mapping[str, float]] = {}

    def features(self, assignment: Assignment) -> Mapping[str, float]:
        """The IR's numbers; none where the assignment cannot be lowered."""
        from helion_ir.autotuner.protocol import assignment_key

        if self._features is None:
            return {}
        key = assignment_key(assignment)
        if key not in self._seen:
            try:
                self._seen[key] = self._features(assignment)
            except Exception:
                # Its row will say what is wrong with it, should anybody want it measured.
                self._seen[key] = {}
        return self._seen[key]

    def hopeless(self, assignment: Assignment) -> str | None:
        """Why a configuration will not run, or will spend its time on spilled registers."""
        found = self.features(assignment)
        if found.get("shared_ratio", 0.0) > SHARED_MARGIN:
            return "shared memory: more than the device has"
        limit = self._target.max_registers_per_thread if self._target is not None else 0
        if limit and found.get("registers_per_thread", 0.0) > REGISTER_MARGIN * limit:
            return "registers: more than a thread can have"
        return None

    def estimate(self, assignment: Assignment, resources: Mapping[str, int] | None = None) -> float:
        """Milliseconds by the device's record; infinity where nothing is known."""
        if self._target is None:
            return math.inf
        return estimate_milliseconds(self.features(assignment), self._target, resources)

    def vector(self, assignment: Assignment) -> list[float]:
        """The assignment as numbers, always as many."""
        out: list[float] = []
        for knob in self._knobs:
            knob.append(assignment[knob.name], out)
        found = self.features(assignment)
        if not found and self._features is not None:
            out += [0.0] * self._width
        else:
            out += [math.log2(1.0 + max(v, 0.0)) for v in found.values()]
        estimate = self.estimate(assignment)
        out.append(math.log2(estimate) if 0.0 < estimate < math.inf else 0.0)
        return out

    @property
    def _width(self) -> int:
        return len(next((f for f in self._seen.values() if f), ()))


class _Encoded:
    """One knob's place in a vector."""

    def __init__(self, name: str, values: Sequence[Any]):
        self.name = name
        numbers = [v for v in values if type(v) is int]
        self.words = [v for v in values if type(v) is not int]
        self.numeric = bool(numbers)
        if len(values) == 2 and not numbers:
            self.words = self.words[1:]

    def append(self, value: Any, out: list[float]) -> None:
        if self.numeric:
            out.append(math.log2(1.0 + value) if type(value) is int else -1.0)
        for word in self.words:
            out.append(float(type(word) is type(value) and word == value))
