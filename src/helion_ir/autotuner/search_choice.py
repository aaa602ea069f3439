"""Which search a tuning run uses, and what it begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner import surrogate_search
from helion_ir.autotuner.candidates import seed_assignments
from helion_ir.autotuner.config_model import ConfigModel
from helion_ir.autotuner.priors import priors
from helion_ir.autotuner.search import (
    DifferentialEvolution,
    FiniteSearch,
    PatternSearch,
    RandomSearch,
    RepeatedSearch,
)
from helion_ir.autotuner.surrogate_search import SurrogateSearch
from helion_ir.targets import Target

if TYPE_CHECKING:
    from helion_ir.autotuner.effort import Plan
    from helion_ir.autotuner.protocol import Assignment, Search, TunableKernel, TunableSpace

SEARCHES = ("surrogate", "pattern", "evolution", "random")
DEFAULT = SEARCHES[0]


def make_search(
    bound: TunableKernel,
    space: TunableSpace,
    plan: Plan,
    configs: Sequence[Any] | None,
    say: Callable[[str], None],
    *,
    known: Sequence[Assignment] = (),
) -> Search:
    """The search of a run: through the given configurations if there are any, else the plan's.

    `known` are configurations that did well for other shapes of the same kernel.
    Raises `exc.NotEnoughConfigs` for a single given one.
    """
    if configs is not None:
        if len(configs) < 2:
            from helion_ir import exc

            raise exc.NotEnoughConfigs(f"{len(configs)} given; tuning needs two configurations or more")
        return FiniteSearch(space.encode(c) for c in configs)
    settings = bound.settings
    name = plan.algorithm
    if name == "surrogate" and not surrogate_search.available():
        name = "pattern"
        say("scikit-learn is not installed (pip install 'helion-ir[tune]'): searching without a model")
    seeds = [*seed_assignments(space, settings), *known]
    if not getattr(settings, "disable_autotuner_heuristics", False):
        seeds += prior_assignments(bound, space)
    model = config_model(bound, space)
    times = int(getattr(settings, "autotune_best_of_k", 1))
    searches = [search_named(name, space, model, plan, plan.seed + i, seeds) for i in range(times)]
    return searches[0] if times == 1 else RepeatedSearch(searches)


def search_named(
    name: str, space: TunableSpace, model: ConfigModel, plan: Plan, seed: int, seeds: Sequence[Assignment]
) -> Search:
    """A search by its name, one of `SEARCHES`. Raises ValueError for another."""
    rest: dict[str, Any] = {"seed": seed, "seeds": seeds, "hopeless": model.hopeless}
    if name == "random":
        return RandomSearch(space, **rest)
    rest["estimate"] = model.estimate
    assert plan.search is not None
    rest["options"] = plan.search
    if name == "surrogate":
        return SurrogateSearch(space, model, **rest)
    kinds = {"pattern": PatternSearch, "evolution": DifferentialEvolution}
    if name not in kinds:
        raise ValueError(f"a search is one of {', '.join(SEARCHES)}; got {name!r}")
    return kinds[name](space, **rest)


def config_model(bound: TunableKernel, space: TunableSpace) -> ConfigModel:
    """What the IR of a kernel knows of its configurations."""
    lowering = getattr(bound, "lowering", None)
    features = getattr(lowering, "features", None)
    # Stand-ins for kernels have stand-ins for targets.
    target = bound.target if isinstance(bound.target, Target) and bound.target.memory_bandwidth else None
    return ConfigModel(space, features, target)


def prior_assignments(bound: TunableKernel, space: TunableSpace) -> list[Assignment]:
    """What a kernel of this shape should be tried with first."""
    lowering = getattr(bound, "lowering", None)
    return list(priors(lowering.declared, space)) if lowering is not None else []
