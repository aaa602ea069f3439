"""The default search: moves around the best, of which a model of what has been measured picks the promising ones."""

from __future__ import annotations

import importlib
import importlib.util
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.search import ImprovingSearch

if TYPE_CHECKING:
    from helion_ir.autotuner.config_model import ConfigModel
    from helion_ir.autotuner.protocol import AssignmentKey, Measurement, Space
    from helion_ir.dialects.knob import KnobValue

LIBRARY = "sklearn.ensemble"


def available() -> bool:
    """Whether the library with the models is installed (the extra `tune`)."""
    return importlib.util.find_spec("sklearn") is not None


def import_library() -> None:
    """Import the library, for a thread to do."""
    importlib.import_module(LIBRARY)


@dataclass(frozen=True)
class SurrogateOptions:
    """How the model is used."""

    trees: int = 64
    pool: int = 256
    """Moves that the model chooses from."""
    batch: int = 12
    """Candidates chosen at a time, and new results after which the model is fitted anew."""
    least: int = 16
    """Results before there is a model."""
    optimism: float = 0.3
    """Standard deviations, among trees, that a prediction may turn out better."""
    distance: int = 2
    """Knobs in which two candidates of a batch should differ at least."""
    explore: float = 0.1
    """Part of a batch that is drawn at random."""


class SurrogateSearch(ImprovingSearch):
    """Local search whose moves a model ranks: a regression of the logarithm of the time, and a chance to work at all.

    Both are forests of extremely randomized trees over the knobs and the IR's own numbers (`ConfigModel`). Of a pool
    of steps, jumps and mixes around the best few and of random configurations, those are proposed that are most likely
    to be fast, none too near another of the same batch. Every second turn takes steps around the best few that no model
    has judged: near an optimum knobs matter less than the model's error, and a step tried is a step known. Needs
    scikit-learn; `available` says whether it is there.
    """

    def __init__(
        self, space: Space, model: ConfigModel, *, surrogate: SurrogateOptions = SurrogateOptions(), **rest: Any
    ):
        self.model = model
        self.surrogate = surrogate
        self._importing = False
        self._turn = 0
        self._fitted_at = 0
        self._times: Any = None
        self._works: Any = None
        self._vectors: dict[AssignmentKey, list[float]] = {}
        super().__init__(space, **rest)

    def tell(self, measurements: Sequence[Measurement]) -> None:
        super().tell(measurements)
        if measurements and not self._importing:
            # A second or two, which would come at a bad time both earlier, when all else starts, and later.
            self._importing = True
            threading.Thread(target=import_library, daemon=True).start()

    def move(self, n: int) -> int:
        if len(self.told) < self.surrogate.least:
            # Too little is known; more will be soon.
            return 0 if self.pending else self.draw(n)
        self._turn += 1
        if self._turn % 2 and (found := self._steps(n)):
            return found
        self._fit()
        pool = self._pool()
        if not pool:
            return self.draw(n)
        wanted = max(n, self.surrogate.batch)
        found = 0
        for assignment in self._spread(pool, self._scores(pool), wanted):
            found += self.propose(assignment)
        if self.rng.random() < self.surrogate.explore * wanted:
            found += self.draw(max(1, round(self.surrogate.explore * wanted)))
        return found

    def _steps(self, n: int) -> int:
        """Propose steps of one knob from the best few."""
        parents = self.parents(self.options.parents)
        count = max(4, n // 2) if parents else 0
        return sum(self.steps(parents[self.rank(len(parents))].assignment, 1) for _ in range(count))

    def _pool(self) -> list[dict[str, KnobValue]]:
        """Moves that have not been asked for, each once."""
        parents = self.parents(self.options.parents)
        size = self.surrogate.pool
        out: list[dict[str, KnobValue]] = []
        for rank, parent in enumerate(parents):
            share = size // 2 if rank == 0 else size // (2 * len(parents))
            steps = list(self.space.neighbours(parent.assignment, self.rng))[: share // 2]
            out += steps
            out += [self.jump(parent.assignment, 4) for _ in range(share - len(steps))]
        if len(parents) > 1:
            for _ in range(size // 8):
                a, b = self.rng.sample(parents, 2)
                out.append(self.mix(a.assignment, b.assignment))
        out += [self.space.sample(self.rng) for _ in range(size // 8)]
        from helion_ir.autotuner.protocol import assignment_key

        unique = {assignment_key(a): a for a in map(self.space.project, out)}
        return [a for k, a in unique.items() if k not in self._asked and self.hopeless(a) is None]

    def _fit(self) -> None:
        if self._times is not None and len(self.told) - self._fitted_at < self.surrogate.batch:
            return
        ensemble: Any = importlib.import_module(LIBRARY)
        self._fitted_at = len(self.told)
        rows = [m for m in self.told if m.stage != "rejected"]
        x = [self._vector(m) for m in rows]
        ok = [m.ok for m in rows]
        options = {"n_estimators": self.surrogate.trees, "random_state": self.rng.randrange(1 << 30)}
        best = self.ranked[0].milliseconds or 1e-6
        # What is slow is slow: a tenth of the speed and a hundredth are told apart for nothing.
        y = [min(math.log((m.milliseconds or 0.0) / best + 1e-9), 3.0) for m in rows if m.ok]
        self._times = ensemble.ExtraTreesRegressor(min_samples_leaf=1, max_features=0.6, **options)
        self._times.fit([v for v, good in zip(x, ok) if good], y)
        self._works = None
        if not all(ok):
            self._works = ensemble.ExtraTreesClassifier(
                min_samples_leaf=2, class_weight="balanced_subsample", **options
            )
            self._works.fit(x, ok)

    def _scores(self, pool: Sequence[dict[str, KnobValue]]) -> list[float]:
        """Less is better: the predicted logarithm of the time, optimistically, with what failing would cost."""
        import numpy

        x = numpy.asarray([self.model.vector(a) for a in pool], dtype=numpy.float32)
        trees = numpy.stack([tree.predict(x) for tree in self._times.estimators_])
        score = trees.mean(axis=0) - self.surrogate.optimism * trees.std(axis=0)
        if self._works is not None:
            works = self._works.predict_proba(x)[:, list(self._works.classes_).index(True)]
            score += 1.0 - works
        return score.tolist()

    def _spread(
        self, pool: Sequence[dict[str, KnobValue]], scores: Sequence[float], n: int
    ) -> list[dict[str, KnobValue]]:
        """The best `n`, passing over those that are too near a better one while there are others."""
        order = sorted(range(len(pool)), key=lambda i: scores[i])
        chosen: list[dict[str, KnobValue]] = []
        passed: list[dict[str, KnobValue]] = []
        for i in order:
            if len(chosen) >= n:
                break
            near = any(sum(pool[i][k] != c[k] for k in c) < self.surrogate.distance for c in chosen)
            (passed if near else chosen).append(pool[i])
        return [*chosen, *passed][:n]

    def _vector(self, row: Measurement) -> list[float]:
        key = row.key
        found = self._vectors.get(key)
        if found is None:
            found = self._vectors[key] = self.model.vector(row.assignment)
        return found
