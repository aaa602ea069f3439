"""The searches by name, and those that need no model: random, pattern, differential evolution, a given list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.proposals import Proposals
from helion_ir.autotuner.protocol import Candidate, Measurement, assignment_key

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Assignment, Search, Space


@dataclass(frozen=True)
class SearchOptions:
    """How wide and how long to search."""

    population: int = 24
    """Configurations before the first move, the default and seeds among them."""
    parents: int = 5
    """The best few that moves start from."""
    patience: int = 150
    """Results without improvement after which the search ends."""
    least_improvement: float = 0.002
    """What counts as one, as a fraction of the best."""
    generations: int | None = None
    """Rounds of moves after which the search ends, each of `moves` for every parent; None: no such limit."""
    moves: int = 8


class ImprovingSearch(Proposals):
    """A search that begins with a population and ends when nothing has improved for long."""

    def __init__(self, space: Space, *, options: SearchOptions = SearchOptions(), **rest: Any):
        self.options = options
        self._record = math.inf
        self._since = 0
        """Results since the best improved."""
        self._initial = 0
        super().__init__(space, **rest)

    @property
    def generation(self) -> int:
        """0 while the population is being drawn; then by how many moves have been asked for."""
        moved = self.asked - self.options.population
        return 0 if moved <= 0 else 1 + moved // (self.options.moves * self.options.parents)

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for row in measurements:
            self._since += 1
            if row.ok and row.milliseconds is not None:
                if row.milliseconds < self._record * (1 - self.options.least_improvement):
                    self._record, self._since = row.milliseconds, 0
        super().tell(measurements)

    @property
    def over(self) -> bool:
        """Whether nothing has improved for long, or the last generation has been asked for."""
        if len(self.told) < self.options.population:
            return False
        last = self.options.generations
        return self._since >= self.options.patience or (last is not None and self.generation > last)

    def rank(self, parents: int) -> int:
        """One of so many parents; better ones are chosen more often, the best about half the time."""
        return min(int(self.rng.expovariate(0.7)), parents - 1)

    def more(self, n: int) -> bool:
        missing = self.options.population - self.asked - len(self._waiting)
        if missing > 0:
            if self.draw(min(n, missing)):
                return True
            # A space smaller than the population: nothing is left to draw.
        if self.over:
            return False
        if not self.ranked:
            # Until the first answer, whoever has a place free may as well try another.
            return not self.told and self.draw(n) > 0
        return self.move(n) > 0

    def move(self, n: int) -> int:
        """Propose about `n` from what is known; how many were proposed."""
        raise NotImplementedError


class RandomSearch(Proposals):
    """Random legal configurations, until the space is used up."""

    def more(self, n: int) -> bool:
        return self.draw(n) > 0


class PatternSearch(ImprovingSearch):
    """Default, seeds and random samples; then moves around the best few.

    Moves are steps of one knob not tried yet, jumps of several knobs, and mixes of two parents. The best parent is
    looked at from all sides. It is always ready with more: what is under way is simply not known yet.

    >>> from helion_ir.dialects.context import parse_module
    >>> from helion_ir.autotuner.space import ConfigSpace
    >>> space = ConfigSpace.of(parse_module('knob.declare @bm : pow2 1 to 4 = 2 by "frontend" doc "rows"'))
    >>> [c.assignment for c in PatternSearch(space, seed=0).ask(2)][0]
    {'bm': 2}
    """

    def move(self, n: int) -> int:
        parents = self.parents(self.options.parents)
        found = 0
        for _ in range(n):
            found += self._moved(parents, self.rank(len(parents)))
        if found == 0:
            found = sum(self.steps(p.assignment, n) for p in parents) or self.draw(n)
        return found

    def _moved(self, parents: Sequence[Measurement], rank: int) -> int:
        parent = parents[rank].assignment
        kind = self.rng.random()
        if kind < 0.55:
            return self.steps(parent, 1) or self.jumps(parent, 1)
        if kind < 0.8 or len(parents) < 2:
            return self.jumps(parent, 1)
        if kind < 0.95:
            a, b = self.rng.sample(list(parents), 2)
            return self.propose(self.mix(a.assignment, b.assignment))
        return self.draw(1)


class DifferentialEvolution(ImprovingSearch):
    """Children of a population: where two others differ, a third takes the difference over, knob by knob.

    `crossover` is the chance of a knob to be changed. The population is the best `size` of all that worked.
    """

    size = 30

    crossover = 0.5
    wild = 0.1
    """The chance of a changed knob to take any value."""

    def move(self, n: int) -> int:
        population = self.ranked[: self.size]
        if len(population) < 4:
            return self.draw(n)
        return sum(self.propose(self._child(population)) for _ in range(n)) or self.draw(n)

    def _child(self, population: Sequence[Measurement]) -> dict[str, Any]:
        # The one whose values are taken over is one of the best, or a large space is crossed too slowly.
        a = self.rng.choice(population[: max(2, len(population) // 4)]).assignment
        target, b, c = (m.assignment for m in self.rng.sample(list(population), 3))
        child = dict(target)
        for name in child:
            if self.rng.random() < self.crossover:
                child[name] = self._moved(name, a[name], b[name], c[name])
        return self.space.repaired(child, self.rng)

    def _moved(self, name: str, a: Any, b: Any, c: Any) -> Any:
        """`a` moved by the way from `b` to `c`, in places of the domain where it is ordered."""
        if self.rng.random() < self.wild:
            return self.space.sample(self.rng)[name]
        if not all(type(v) is int for v in (a, b, c)) or b == c:
            return a if b == c else self.rng.choice((a, c))
        values = self._ordered(name)
        at = [values.index(v) if v in values else None for v in (a, b, c)]
        if None in at:
            return a
        place = at[0] + round(0.8 * (at[2] - at[1]))  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
        return values[min(max(place, 0), len(values) - 1)]

    def _ordered(self, name: str) -> list[int]:
        knobs = {k.name: k.values for k in self.space}  # pyright: ignore[reportGeneralTypeIssues]
        return [v for v in knobs[name] if type(v) is int]


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
        self._open = 0

    def ask(self, n: int) -> list[Candidate]:
        while self._searches:
            if asked := self._searches[0].ask(n):
                self._open += len(asked)
                return asked
            # A result under way may still give this one something to ask for.
            if self._open or len(self._searches) == 1:
                return []
            self._searches.pop(0)
        return []

    def tell(self, measurements: Sequence[Measurement]) -> None:
        self._open -= len(measurements)
        self._searches[0].tell(measurements)
