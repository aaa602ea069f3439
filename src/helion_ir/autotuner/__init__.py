"""Tuning: the configuration space, the search through it, measuring, and remembering results.

Importing this package imports nothing else, so that helper processes start fast; names are found when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir.autotuner.author_searches import BaseSearch as BaseSearch
    from helion_ir.autotuner.author_searches import CachedFiniteSearch as CachedFiniteSearch
    from helion_ir.autotuner.author_searches import DESurrogateHybrid as DESurrogateHybrid
    from helion_ir.autotuner.author_searches import DifferentialEvolutionSearch as DifferentialEvolutionSearch
    from helion_ir.autotuner.author_searches import FiniteSearch as FiniteSearch
    from helion_ir.autotuner.author_searches import LFBOPatternSearch as LFBOPatternSearch
    from helion_ir.autotuner.author_searches import LFBOTreeSearch as LFBOTreeSearch
    from helion_ir.autotuner.author_searches import LLMGuidedSearch as LLMGuidedSearch
    from helion_ir.autotuner.author_searches import LLMSeededLFBOTreeSearch as LLMSeededLFBOTreeSearch
    from helion_ir.autotuner.author_searches import LLMSeededSearch as LLMSeededSearch
    from helion_ir.autotuner.author_searches import PatternSearch as PatternSearch
    from helion_ir.autotuner.author_searches import RandomSearch as RandomSearch
    from helion_ir.autotuner.author_searches import from_cache as from_cache
    from helion_ir.autotuner.author_searches import search_algorithms as search_algorithms
    from helion_ir.autotuner.caches import AOTAutotuneCache as AOTAutotuneCache
    from helion_ir.autotuner.caches import LocalAutotuneCache as LocalAutotuneCache
    from helion_ir.autotuner.caches import RemoteAutotuneCache as RemoteAutotuneCache
    from helion_ir.autotuner.caches import RemoteCacheBackend as RemoteCacheBackend
    from helion_ir.autotuner.caches import StrictLocalAutotuneCache as StrictLocalAutotuneCache
    from helion_ir.autotuner.caches import StrictRemoteAutotuneCache as StrictRemoteAutotuneCache
    from helion_ir.autotuner.caches import cache_classes as cache_classes
    from helion_ir.autotuner.callables import UserConfigSpec as UserConfigSpec
    from helion_ir.autotuner.callables import autotune as autotune
    from helion_ir.autotuner.config import Config as Config
    from helion_ir.autotuner.config_spec import ConfigSpec as ConfigSpec
    from helion_ir.autotuner.effort import InitialPopulationStrategy as InitialPopulationStrategy
    from helion_ir.autotuner.effort import initial_population_strategies as initial_population_strategies
    from helion_ir.autotuner.protocol import Candidate as Candidate
    from helion_ir.autotuner.protocol import Measurement as Measurement
    from helion_ir.autotuner.space import ConfigSpace as ConfigSpace
    from helion_ir.autotuner.store import SqliteStore as SqliteStore
    from helion_ir.language.fragments import BooleanFragment as BooleanFragment
    from helion_ir.language.fragments import EnumFragment as EnumFragment
    from helion_ir.language.fragments import IntegerFragment as IntegerFragment
    from helion_ir.language.fragments import ListOf as ListOf
    from helion_ir.language.fragments import NumThreadsFragment as NumThreadsFragment
    from helion_ir.language.fragments import PowerOfTwoFragment as PowerOfTwoFragment

# fmt: off
_WHERE = {
    "Config": "autotuner.config",
    "ConfigSpec": "autotuner.config_spec",
    "ConfigSpace": "autotuner.space",
    "Candidate": "autotuner.protocol",
    "Measurement": "autotuner.protocol",
    **dict.fromkeys(
        ("BaseSearch", "CachedFiniteSearch", "DESurrogateHybrid", "DifferentialEvolutionSearch", "FiniteSearch",
         "LFBOPatternSearch", "LFBOTreeSearch", "LLMGuidedSearch", "LLMSeededLFBOTreeSearch", "LLMSeededSearch",
         "PatternSearch", "RandomSearch", "from_cache", "search_algorithms"),
        "autotuner.author_searches",
    ),
    **dict.fromkeys(
        ("AOTAutotuneCache", "LocalAutotuneCache", "RemoteAutotuneCache", "RemoteCacheBackend", "StrictLocalAutotuneCache",
         "StrictRemoteAutotuneCache", "cache_classes"),
        "autotuner.caches",
    ),
    "InitialPopulationStrategy": "autotuner.effort",
    "initial_population_strategies": "autotuner.effort",
    "UserConfigSpec": "autotuner.callables",
    "autotune": "autotuner.callables",
    "SqliteStore": "autotuner.store",
    "BooleanFragment": "language.fragments",
    "EnumFragment": "language.fragments",
    "IntegerFragment": "language.fragments",
    "ListOf": "language.fragments",
    "NumThreadsFragment": "language.fragments",
    "PowerOfTwoFragment": "language.fragments",
}
# fmt: on

__all__ = [
    "AOTAutotuneCache",
    "BaseSearch",
    "CachedFiniteSearch",
    "DESurrogateHybrid",
    "DifferentialEvolutionSearch",
    "InitialPopulationStrategy",
    "LFBOPatternSearch",
    "LFBOTreeSearch",
    "LLMGuidedSearch",
    "LLMSeededLFBOTreeSearch",
    "LLMSeededSearch",
    "LocalAutotuneCache",
    "RandomSearch",
    "RemoteAutotuneCache",
    "RemoteCacheBackend",
    "StrictLocalAutotuneCache",
    "StrictRemoteAutotuneCache",
    "UserConfigSpec",
    "autotune",
    "cache_classes",
    "from_cache",
    "initial_population_strategies",
    "search_algorithms",
    "BooleanFragment",
    "Candidate",
    "Config",
    "ConfigSpace",
    "ConfigSpec",
    "EnumFragment",
    "FiniteSearch",
    "IntegerFragment",
    "ListOf",
    "PatternSearch",
    "Measurement",
    "NumThreadsFragment",
    "PowerOfTwoFragment",
    "SqliteStore",
    "tune",
]


def tune(bound: Any, args: Any, **options: Any) -> Config:
    """See `helion_ir.autotuner.tuning.tune`, whose options these are."""
    module = importlib.import_module("helion_ir.autotuner.tuning")
    return module.tune(bound, args, **options)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"helion_ir.{_WHERE[name]}"), name)
