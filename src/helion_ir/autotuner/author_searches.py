"""The searches under the names that authors know: `PatternSearch(bound, args).autotune()`, `from_cache()`.

Each class stands for one of the tuner's own algorithms (`search_choice.SEARCHES`) and translates the arguments of its
namesake: how many configurations to begin with, how many of the best to move from, when to stop. Arguments of a model
that is not ours are accepted, and said to have no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config
    from helion_ir.autotuner.protocol import TunableKernel

_NAMES = {
    "initial_population": "population",
    "population_size": "population",
    "copies": "parents",
    "max_generations": "generations",
    "min_improvement_delta": "least_improvement",
}
"""What a namesake's argument is called in `SearchOptions`."""

_OF_OTHERS = frozenset({
    "num_neighbors", "num_neighbors_cap", "frac_selected", "radius", "quantile", "similarity_penalty", "patience",
    "initial_population_strategy", "best_available_pad_random", "finishing_rounds", "compile_timeout_lower_bound",
    "compile_timeout_quantile", "crossover_rate", "immediate_update", "surrogate_threshold", "candidate_ratio",
    "refit_frequency", "n_estimators",
})  # fmt: skip


class BaseSearch:
    """A search through the configurations of a bound kernel, on the arguments of one call.

    Args:
        kernel: the bound kernel.
        args: positional arguments of a call.
        options: those of the search of this name, and `tuning.tuned`'s.

    Raises TypeError for an option that there is not.
    """

    algorithm: ClassVar[str] = ""
    """One of `search_choice.SEARCHES`."""

    def __init__(self, kernel: TunableKernel, args: Sequence[Any], **options: Any):
        self.kernel = kernel
        self.args = tuple(args)
        self._changes = {_NAMES[n]: v for n, v in options.items() if n in _NAMES and v is not None}
        self._options = {n: v for n, v in options.items() if n not in _NAMES and n not in _OF_OTHERS}
        if ignored := sorted(n for n, v in options.items() if n in _OF_OTHERS and v is not None):
            from helion_ir import exc

            text = (
                f"{type(self).__name__}: {', '.join(ignored)} of another implementation, which this search does without"
            )
            exc.warn(exc.SettingWithoutEffect(text), tuple(getattr(kernel.settings, "ignore_warnings", ())))

    def autotune(self, *, skip_cache: bool = False) -> Config:
        """The fastest configuration found; with `skip_cache`, whatever is stored. Raises what `tuning.tuned` does."""
        from helion_ir.autotuner.tuning import tune

        given = {"search": self.algorithm, "changes": self._changes, **self._options}
        return tune(self.kernel, self.args, force=skip_cache, **given)


class LFBOTreeSearch(BaseSearch):
    """A model of trees, fitted to what was measured, chooses what to measure next; the default."""

    algorithm = "surrogate"


class LFBOPatternSearch(LFBOTreeSearch):
    """As `LFBOTreeSearch`, whose candidates are moves around the best few."""


class DESurrogateHybrid(LFBOTreeSearch):
    """As `LFBOTreeSearch`, whose candidates are mixes of the best few too."""


class PatternSearch(BaseSearch):
    """Moves of one knob and of several around the best few."""

    algorithm = "pattern"


class DifferentialEvolutionSearch(BaseSearch):
    """Differences between two of a population are taken over by a third."""

    algorithm = "evolution"


class RandomSearch(BaseSearch):
    """`count` random configurations."""

    algorithm = "random"

    def __init__(self, kernel: TunableKernel, args: Sequence[Any], count: int = 1000, **options: Any):
        super().__init__(kernel, args, evaluations=count, **options)


class FiniteSearch(BaseSearch):
    """The given configurations, or the kernel's own list, once each.

    `autotune` raises `exc.NotEnoughConfigs` for fewer than two.
    """

    def __init__(
        self, kernel: TunableKernel, args: Sequence[Any], configs: Sequence[Any] | None = None, **options: Any
    ):
        super().__init__(kernel, args, **options)
        self.configs: list[Any] = list(getattr(kernel, "configs", ()) if configs is None else configs)

    def autotune(self, *, skip_cache: bool = False) -> Config:
        from helion_ir.autotuner.tuning import tune

        return tune(self.kernel, self.args, configs=self.configs, **self._options)


class CachedFiniteSearch(FiniteSearch):
    """The configurations that were best for other calls of the kernel, `configs`, and the default.

    Args:
        max_configs: at most so many of those that are stored, those for the same device and the latest first.
    """

    def __init__(
        self,
        kernel: TunableKernel,
        args: Sequence[Any],
        configs: Sequence[Any] = (),
        max_configs: int | None = None,
        **options: Any,
    ):
        from helion_ir.autotuner.candidates import fitted
        from helion_ir.autotuner.keys import store_key
        from helion_ir.autotuner.store import SqliteStore

        space = kernel.config_space
        store, key = options.setdefault("store", SqliteStore()), store_key(kernel)
        own = store.best(key)
        found = [*([own] if own is not None else []), *store.neighbours(key, max_configs or MOST_CACHED)][:max_configs]
        stored = [space.decode(a) for a in fitted(space, found)]
        full = [space.decode(space.encode(c)) for c in configs]
        super().__init__(
            kernel, args, list(dict.fromkeys([*stored, *full, space.decode(space.legal_default())])), **options
        )

    def autotune(self, *, skip_cache: bool = False) -> Config:
        # With nothing stored and nothing given there is no choice.
        return self.configs[0] if len(self.configs) == 1 else super().autotune(skip_cache=skip_cache)


MOST_CACHED = 20


class LLMGuidedSearch(BaseSearch):
    """A language model proposes configurations: there is no such search here, and making one says what there is."""

    def __init__(self, kernel: TunableKernel, args: Sequence[Any], **options: Any):
        from helion_ir import exc

        default, *others = search_algorithms
        raise exc.InvalidAPIUsage(
            f"{type(self).__name__} asks a language model for configurations, which helion-ir has no connection to; "
            f"use {default}, the default, or one of {', '.join(others)}"
        )


class LLMSeededSearch(LLMGuidedSearch):
    """The same, to begin another search with."""


class LLMSeededLFBOTreeSearch(LLMGuidedSearch):
    """The same, to begin `LFBOTreeSearch` with."""


search_algorithms: dict[str, type[BaseSearch]] = {
    cls.__name__: cls
    for cls in (
        LFBOTreeSearch, LFBOPatternSearch, PatternSearch, DifferentialEvolutionSearch, DESurrogateHybrid, RandomSearch,
        FiniteSearch, CachedFiniteSearch,
    )
}  # fmt: skip
"""By name; `HELION_AUTOTUNER` is one of those that need no list."""


def from_cache(*, max_configs: int | None = None, configs: Sequence[Any] = ()) -> Callable[..., CachedFiniteSearch]:
    """A value for the setting `autotuner_fn`: only what was best for other calls of the kernel is measured.

    Args:
        max_configs: at most so many stored configurations.
        configs: measured too, as is the default.

    >>> @helion.kernel(autotuner_fn=from_cache(max_configs=8))  # doctest: +SKIP
    ... def scale(x): ...
    """
    if max_configs is not None and max_configs < 1:
        raise ValueError(f"max_configs is at least 1; got {max_configs}")

    def autotuner(kernel: TunableKernel, args: Sequence[Any], **options: Any) -> CachedFiniteSearch:
        return CachedFiniteSearch(kernel, args, configs, max_configs, **options)

    return autotuner
