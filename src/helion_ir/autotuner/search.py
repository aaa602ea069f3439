"""The search: random legal configurations first, then moves around the best few."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helion_ir.autotuner.protocol import AssignmentKey, Candidate, Measurement, assignment_key

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Assignment, Search, Space
    from helion_ir.dialects.knob import KnobValue

# Draws in a row without anything new after which a space counts as seen.
FRUITLESS_DRAWS = 200


@dataclass(frozen=True)
class SearchOptions:
    """How wide and how long to search."""

    population: int = 100
    """Configurations before the first move, the default and seeds among them."""
    parents: int = 5
    """The best few that moves start from."""
    moves: int = 8
    """Moves from each parent in a generation."""
    generations: int = 20
    patience: int = 4
    """Generations without improvement after which the search ends."""
    least_improvement: float = 0.001
    """What counts as one, as a fraction of the best."""


class LocalSearch:
    """Default, seeds and random samples; then, generation by generation, moves around the best few.

    A generation takes, for each parent, steps of one knob not tried yet, then jumps of several knobs, and mixes pairs
    of parents. Where a failed configuration is a parent's neighbour nothing is learnt from it but not to ask again.
    The same seed, space and measurements give the same candidates. The search is over after `generations`, after
    `patience` of them without improvement, or when the space is used up.

    >>> from helion_ir.dialects.context import parse_module
    >>> from helion_ir.autotuner.space import ConfigSpace
    >>> space = ConfigSpace.of(parse_module('knob.declare @bm : pow2 1 to 4 = 2 by "frontend" doc "rows"'))
    >>> [c.assignment for c in LocalSearch(space, seed=0).ask(2)][0]
    {'bm': 2}
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        options: SearchOptions = SearchOptions(),
        seeds: Iterable[Assignment] = (),
        known: Iterable[Measurement] = (),
    ):
        self._space = space
        self._rng = random.Random(seed)
        self._options = options
        self._asked: dict[AssignmentKey, int] = {}
        # In the order of asking: equal times must not make a search depend on who answered first.
        self._waiting: list[dict[str, KnobValue]] = []
        self._initial = 0
        self._generation = 0
        self._stale = 0
        self._pending: set[AssignmentKey] = set()
        self._best_at_start = math.inf
        self._ranked: list[Measurement] = []
        self.tell(list(known))
        self._asked.update((m.key, -1) for m in self._ranked)
        for assignment in [space.legal_default(), *seeds]:
            self._propose(dict(assignment))

    @property
    def best(self) -> Measurement | None:
        return self._ranked[0] if self._ranked else None

    @property
    def generation(self) -> int:
        """0 while the population is being drawn."""
        return self._generation

    def ask(self, n: int) -> list[Candidate]:
        """Up to `n` configurations; an empty list, with nothing still to be told, means that the search is over."""
        if self._initial < self._options.population:
            self._draw(min(n, self._options.population - self._initial))
        elif not self._waiting and not self._pending:
            self._next_generation()
        out, self._waiting = self._waiting[:n], self._waiting[n:]
        if self._generation == 0:
            self._initial += len(out)
            # A space smaller than the population: nothing is left to draw.
            if not out:
                self._initial = self._options.population
                if not self._pending:
                    return self.ask(n) if self._ranked and self._options.generations else []
        candidates = [Candidate(a) for a in out]
        self._pending.update(c.key for c in candidates)
        return candidates

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for row in measurements:
            self._pending.discard(row.key)
            if row.ok:
                self._ranked.append(row)
        self._ranked.sort(key=lambda m: (m.milliseconds or 0.0, self._asked.get(m.key, -1)))

    def abandon(self) -> None:
        """Forget candidates that were asked for and will never be told about."""
        self._pending.clear()

    def _propose(self, assignment: dict[str, KnobValue]) -> bool:
        projected = self._space.project(assignment)
        key = assignment_key(projected)
        if key in self._asked or self._space.is_legal(projected) is not None:
            return False
        self._asked[key] = len(self._asked)
        self._waiting.append(projected)
        return True

    def _draw(self, n: int) -> None:
        fruitless = 0
        while len(self._waiting) < n and fruitless < FRUITLESS_DRAWS:
            fruitless = 0 if self._propose(self._space.sample(self._rng)) else fruitless + 1

    def _next_generation(self) -> None:
        best = self.best
        if best is None or best.milliseconds is None or self._generation >= self._options.generations:
            return
        if self._generation:
            improved = best.milliseconds < self._best_at_start * (1 - self._options.least_improvement)
            self._stale = 0 if improved else self._stale + 1
            if self._stale >= self._options.patience:
                return
        self._best_at_start = best.milliseconds
        self._generation += 1
        parents = self._parents()
        for rank, parent in enumerate(parents):
            # The best parent is looked at from all sides before the search may call itself stale.
            self._steps(parent.assignment, self._options.moves * (2 if rank == 0 else 1))
        for parent in parents:
            self._jumps(parent.assignment, max(1, self._options.moves // 4))
        self._mixes(parents, self._options.moves // 2)
        if not self._waiting:
            self._draw(self._options.moves)

    def _parents(self) -> list[Measurement]:
        """The best few; a slow one is not worth a neighbourhood."""
        limit = 2 * (self._ranked[0].milliseconds or 0.0)
        return [m for m in self._ranked[: self._options.parents] if (m.milliseconds or 0.0) <= limit]

    def _steps(self, parent: Assignment, n: int) -> None:
        for there in self._space.neighbours(parent, self._rng):
            if n <= 0:
                return
            n -= self._propose(there)

    def _jumps(self, parent: Assignment, n: int) -> None:
        for _ in range(4 * n):
            if n <= 0:
                return
            here = dict(parent)
            for _ in range(self._rng.randint(2, 3)):
                here = next(iter(self._space.neighbours(here, self._rng)), here)
            n -= self._propose(here)

    def _mixes(self, parents: Sequence[Measurement], n: int) -> None:
        if len(parents) < 2:
            return
        for _ in range(n):
            a, b = self._rng.sample(list(parents), 2)
            child = {k: (a if self._rng.random() < 0.5 else b).assignment[k] for k in a.assignment}
            self._propose(self._space.repaired(child, self._rng))


class FiniteSearch:
    """Measures a given list, once each, in order."""

    def __init__(self, assignments: Iterable[Assignment]):
        unique = {assignment_key(a): Candidate(dict(a)) for a in assignments}
        self._queue = list(unique.values())

    def ask(self, n: int) -> list[Candidate]:
        out, self._queue = self._queue[:n], self._queue[n:]
        return out

    def tell(self, measurements: Sequence[Measurement]) -> None:
        """Nothing is learnt from a result."""


class RepeatedSearch:
    """One search after the other, each blind to what the others saw; a configuration may be asked for again."""

    def __init__(self, searches: Sequence[Search]):
        self._searches = list(searches)

    def ask(self, n: int) -> list[Candidate]:
        while self._searches:
            if asked := self._searches[0].ask(n):
                return asked
            self._searches.pop(0)
        return []

    def tell(self, measurements: Sequence[Measurement]) -> None:
        self._searches[0].tell(measurements)
