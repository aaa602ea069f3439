"""How much work a tuning run does: the named profiles, and what settings and arguments change about them."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from helion_ir import exc
from helion_ir.autotuner.search import SearchOptions

PROFILES: dict[str, SearchOptions] = {
    "quick": SearchOptions(population=16, parents=3, patience=40),
    "full": SearchOptions(),
}


class InitialPopulationStrategy(enum.Enum):
    """What a search begins with, besides the default and seeds."""

    FROM_RANDOM = "from_random"
    FROM_BEST_AVAILABLE = "from_best_available"
    """What was best for other calls of the kernel, and random ones; this is done unless another is asked for."""


initial_population_strategies = {s.value: s for s in InitialPopulationStrategy}

# Helion's names for what these are most like.
ALGORITHMS = {
    "LFBOTreeSearch": "surrogate",
    "LFBOPatternSearch": "surrogate",
    "PatternSearch": "pattern",
    "DifferentialEvolutionSearch": "evolution",
    "DESurrogateHybrid": "surrogate",
    "RandomSearch": "random",
}


@dataclass(frozen=True)
class Plan:
    """The limits of one tuning run."""

    search: SearchOptions | None
    """None: nothing is measured and the default configuration is used."""
    seed: int
    budget_seconds: float | None = None
    evaluations: int | None = None
    """Configurations measured at most."""
    algorithm: str = "surrogate"
    """One of `search_choice.SEARCHES`."""
    finalists: int = 5
    """Measured again at the end, longer, where they are within `close` of the best."""
    close: float = 1.1


def make_plan(
    settings: Any,
    *,
    effort: str | None = None,
    seed: int | None = None,
    budget_seconds: float | None = None,
    evaluations: int | None = None,
    algorithm: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan that settings ask for; arguments that are not None win. Raises ValueError for an unknown effort."""
    name = effort if effort is not None else getattr(settings, "autotune_effort", "full")
    if name != "none" and name not in PROFILES:
        raise ValueError(f"autotune_effort is one of none, {', '.join(PROFILES)}; got {name!r}")
    search = PROFILES.get(name)
    generations = getattr(settings, "autotune_max_generations", None)
    if search is not None and generations is not None:
        search = replace(search, generations=generations)
    if search is not None and changes:
        search = replace(search, **changes)
    if seed is None:
        seed = getattr(settings, "autotune_random_seed", None)
    if budget_seconds is None:
        budget_seconds = getattr(settings, "autotune_budget_seconds", None)
    seed = time.time_ns() & 0xFFFFFFFF if seed is None else seed
    if os.environ.get("HELION_CAP_AUTOTUNE_NUM_NEIGHBORS"):
        text = "HELION_CAP_AUTOTUNE_NUM_NEIGHBORS has no effect: a generation's size bounds what searches try of neighbours"
        exc.warn(exc.SettingWithoutEffect(text), tuple(getattr(settings, "ignore_warnings", ())))
    algorithm = algorithm or os.environ.get("HELION_AUTOTUNER") or "surrogate"
    close = getattr(settings, "autotune_rebenchmark_threshold", None) or Plan.close
    finalists = int(os.environ.get("HELION_AUTOTUNE_FINAL_REBENCHMARK_TOP_K") or Plan.finalists)
    kind = ALGORITHMS.get(algorithm, algorithm)
    return Plan(search, seed, budget_seconds, evaluations, kind, finalists, close)
