"""What all searches share: never asking twice, never for what is illegal or hopeless, and a ranking of what is known."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from helion_ir.autotuner.protocol import AssignmentKey, Candidate, Measurement, assignment_key

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Assignment, Space
    from helion_ir.dialects.knob import KnobValue

# Draws in a row without anything new after which a space counts as seen.
FRUITLESS_DRAWS = 200

Hopeless = Callable[["Assignment"], "str | None"]
"""Why a configuration is not worth compiling; None if it may be."""


class Proposals:
    """The frame of a search: proposals wait here until they are asked for.

    A search fills the queue in `more`. The default configuration and the seeds come first. The same seed, space and
    sequence of calls give the same candidates.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        seeds: Iterable[Assignment] = (),
        known: Iterable[Measurement] = (),
        hopeless: Hopeless = lambda assignment: None,
        estimate: Callable[[Assignment], float] = lambda assignment: 0.0,
    ):
        self.space = space
        self.rng = random.Random(seed)
        self.hopeless = hopeless
        self.estimate = estimate
        self.rejected: Counter[str] = Counter()
        """Proposals that were not worth compiling, by reason."""
        self.ranked: list[Measurement] = []
        """What worked, fastest first."""
        self.told: list[Measurement] = []
        """What has become of candidates, in the order in which it was told."""
        self.asked = 0
        """Candidates given out."""
        self._asked: dict[AssignmentKey, int] = {}
        self._waiting: deque[dict[str, KnobValue]] = deque()
        self._pending: set[AssignmentKey] = set()
        self.tell(list(known))
        self._asked.update((m.key, -1) for m in self.told)
        # Both are somebody's wish: no estimate stands in their way.
        for assignment in [space.legal_default(), *seeds]:
            self.propose(dict(assignment), wished=True)

    @property
    def best(self) -> Measurement | None:
        return self.ranked[0] if self.ranked else None

    @property
    def pending(self) -> int:
        """Candidates asked for and not told about."""
        return len(self._pending)

    def ask(self, n: int) -> list[Candidate]:
        while len(self._waiting) < n and self.more(n - len(self._waiting)):
            pass
        out = [Candidate(self._waiting.popleft()) for _ in range(min(n, len(self._waiting)))]
        self.asked += len(out)
        self._pending.update(c.key for c in out)
        return out

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for row in measurements:
            self._pending.discard(row.key)
            self.told.append(row)
            if row.ok:
                self.ranked.append(row)
        # Of equal times the one that was asked for first, whoever answered first.
        self.ranked.sort(key=lambda m: (m.milliseconds or 0.0, self._asked.get(m.key, -1)))

    def more(self, n: int) -> bool:
        """Propose about `n`; whether calling again, with nothing told in between, may give more."""
        raise NotImplementedError

    def propose(self, assignment: dict[str, KnobValue], *, wished: bool = False) -> bool:
        """Queue an assignment, if it is new, legal and not hopeless."""
        projected = self.space.project(assignment)
        key = assignment_key(projected)
        if key in self._asked or self.space.is_legal(projected) is not None:
            return False
        if not wished and (reason := self.hopeless(projected)) is not None:
            self._asked[key] = -1
            self.rejected[reason] += 1
            return False
        self._asked[key] = len(self._asked)
        self._waiting.append(projected)
        return True

    def draw(self, n: int) -> int:
        """Propose `n` random configurations, each the more promising of two; fewer where the space has no more."""
        found = fruitless = 0
        while found < n and fruitless < FRUITLESS_DRAWS:
            pair = self.space.sample(self.rng), self.space.sample(self.rng)
            if self.propose(min(pair, key=self.estimate)):
                found, fruitless = found + 1, 0
            else:
                fruitless += 1
        return found

    def steps(self, parent: Assignment, n: int) -> int:
        """Propose `n` that differ from a parent in one knob."""
        found = 0
        for there in self.space.neighbours(parent, self.rng):
            if found >= n:
                break
            found += self.propose(there)
        return found

    def jumps(self, parent: Assignment, n: int, most: int = 3) -> int:
        """Propose `n` that differ from a parent in two knobs or some more."""
        found = 0
        for _ in range(4 * n):
            if found >= n:
                break
            found += self.propose(self.jump(parent, most))
        return found

    def jump(self, parent: Assignment, most: int = 3) -> dict[str, KnobValue]:
        """A configuration that differs from a parent in two knobs or some more."""
        here = dict(parent)
        for _ in range(self.rng.randint(2, most)):
            here = next(iter(self.space.neighbours(here, self.rng)), here)
        return here

    def mix(self, a: Assignment, b: Assignment) -> dict[str, KnobValue]:
        """A child of two configurations: each knob as one of them has it."""
        child = {k: (a if self.rng.random() < 0.5 else b)[k] for k in a}
        return self.space.repaired(child, self.rng)

    def parents(self, n: int, within: float = 2.0) -> list[Measurement]:
        """The best `n`; one that is slower by more than a factor is not worth a neighbourhood."""
        limit = within * (self.ranked[0].milliseconds or 0.0) if self.ranked else 0.0
        return [m for m in self.ranked[:n] if (m.milliseconds or 0.0) <= limit]
