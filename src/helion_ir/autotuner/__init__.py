"""Tuning: the configuration space, the search through it, measuring, and remembering results.

Importing this package imports nothing else, so that helper processes start fast; names are found when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config as Config
    from helion_ir.autotuner.config_spec import ConfigSpec as ConfigSpec
    from helion_ir.autotuner.protocol import Candidate as Candidate
    from helion_ir.autotuner.protocol import Measurement as Measurement
    from helion_ir.autotuner.search import FiniteSearch as FiniteSearch
    from helion_ir.autotuner.search import PatternSearch as PatternSearch
    from helion_ir.autotuner.space import ConfigSpace as ConfigSpace
    from helion_ir.autotuner.store import SqliteStore as SqliteStore
    from helion_ir.language.fragments import BooleanFragment as BooleanFragment
    from helion_ir.language.fragments import EnumFragment as EnumFragment
    from helion_ir.language.fragments import IntegerFragment as IntegerFragment
    from helion_ir.language.fragments import ListOf as ListOf
    from helion_ir.language.fragments import PowerOfTwoFragment as PowerOfTwoFragment

_WHERE = {
    "Config": "autotuner.config",
    "ConfigSpec": "autotuner.config_spec",
    "ConfigSpace": "autotuner.space",
    "Candidate": "autotuner.protocol",
    "Measurement": "autotuner.protocol",
    "PatternSearch": "autotuner.search",
    "FiniteSearch": "autotuner.search",
    "SqliteStore": "autotuner.store",
    "BooleanFragment": "language.fragments",
    "EnumFragment": "language.fragments",
    "IntegerFragment": "language.fragments",
    "ListOf": "language.fragments",
    "PowerOfTwoFragment": "language.fragments",
}

__all__ = [
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
