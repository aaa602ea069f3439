"""`Settings`: how kernels are compiled and tuned, as distinct from what is chosen (`Config`)."""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir import exc

if TYPE_CHECKING:
    import torch


class RefMode(enum.Enum):
    """Whether a kernel runs in the reference interpreter instead of compiled."""

    OFF = "off"
    EAGER = "eager"


def parse_bool(text: str) -> bool:
    """Raises ValueError on what is neither yes nor no.

    >>> parse_bool("on"), parse_bool("False")
    (True, False)
    """
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"expected 1, true, yes, on or 0, false, no, off; got {text!r}")


def from_env(variable: str, parse: Callable[[str], Any], default: Any) -> Any:
    """A dataclass field whose default is read from the environment whenever an object is made.

    `default` is a value, or a function that gives one.
    """

    def read() -> Any:
        text = os.environ.get(variable)
        if text is None or (text == "" and parse is not _precompile):
            return default() if callable(default) else default
        try:
            return parse(text)
        except (ValueError, KeyError, AttributeError) as e:
            raise ValueError(f"{variable}={text!r}: {e}") from None

    return dataclasses.field(default_factory=read)


def _index_dtype(text: str) -> torch.dtype | None:
    import torch

    words = {"int32": torch.int32, "int64": torch.int64, "auto": None, "none": None}
    if text.lower() not in words:
        raise ValueError("expected int32, int64 or auto")
    return words[text.lower()]


DOT_PRECISIONS = {
    "tf32": "tf32",
    "tf32x3": "tf32x3",
    "ieee": "ieee",
    "default": "tf32",
    "high": "tf32x3",
    "highest": "ieee",
}


def _dot_precision(text: str) -> str:
    if text not in DOT_PRECISIONS:
        raise ValueError(f"dot_precision is one of {', '.join(DOT_PRECISIONS)}; got {text!r}")
    return DOT_PRECISIONS[text]


def _default_precision() -> str:
    # The same choice as PyTorch's vendors make: only one AMD family multiplies in tf32.
    import torch

    if torch.version.hip is None or not torch.cuda.is_available():
        return "tf32"
    arch = torch.cuda.get_device_properties(0).gcnArchName
    return "tf32" if arch.startswith("gfx942") else "ieee"


def _level(text: str) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    level = logging.getLevelName(text.upper())
    if not isinstance(level, int):
        raise ValueError("expected a number or the name of a logging level")
    return level


def _precompile(text: str) -> str | None:
    if text in ("", "0"):
        return None
    if text not in ("fork", "spawn"):
        raise ValueError("expected fork, spawn, or 0 for off")
    return text


def _overrides(text: str) -> dict[str, Any]:
    source = text if text.lstrip().startswith("{") else Path(text).read_text()
    out = json.loads(source)
    if not isinstance(out, dict):
        raise ValueError("expected a JSON object or the path of one")
    return out


def _warning_classes(text: str) -> list[type]:
    out: list[type] = []
    for name in filter(None, (n.strip() for n in text.split(","))):
        found = getattr(exc, name, None)
        if not (isinstance(found, type) and issubclass(found, exc.BaseWarning)):
            raise ValueError(f"there is no warning named {name!r}")
        out.append(found)
    return out


def _words(text: str) -> list[str]:
    return [w for w in (w.strip() for w in text.split(",")) if w]


@dataclass(kw_only=True)
class Settings:
    """Compilation and tuning options. Keyword arguments win over `HELION_*` variables, which are read on creation.

    Raises TypeError for an unknown field and ValueError for a value that is not allowed.
    """

    backend: str = from_env("HELION_BACKEND", str, "triton")
    static_shapes: bool = from_env("HELION_STATIC_SHAPES", parse_bool, True)
    """Sizes and strides are literals of the generated code: every shape is a kernel of its own."""
    index_dtype: torch.dtype | None = from_env("HELION_INDEX_DTYPE", _index_dtype, None)
    """Offsets' type; None: 32 bits unless a tensor has more elements than they count."""
    dot_precision: str = from_env("TRITON_F32_DEFAULT", _dot_precision, _default_precision)
    """How float32 matrix products round: tf32, tf32x3 or ieee."""
    fast_math: bool = from_env("HELION_FAST_MATH", parse_bool, False)
    ignore_warnings: Sequence[type] = from_env("HELION_IGNORE_WARNINGS", _warning_classes, list)
    allow_warp_specialize: bool = from_env("HELION_ALLOW_WARP_SPECIALIZE", parse_bool, True)
    persistent_reserved_sms: int = from_env("HELION_PERSISTENT_RESERVED_SMS", int, 0)
    debug_dtype_asserts: bool = from_env("HELION_DEBUG_DTYPE_ASSERTS", parse_bool, False)
    triton_do_not_specialize: bool = from_env("HELION_TRITON_DO_NOT_SPECIALIZE", parse_bool, False)
    output_origin_lines: bool = from_env("HELION_OUTPUT_ORIGIN_LINES", parse_bool, True)
    print_output_code: bool = from_env("HELION_PRINT_OUTPUT_CODE", parse_bool, False)
    print_repro: bool = from_env("HELION_PRINT_REPRO", parse_bool, False)
    ref_mode: RefMode = from_env(
        "HELION_INTERPRET", lambda t: RefMode.EAGER if parse_bool(t) else RefMode.OFF, RefMode.OFF
    )
    torch_compile_fusion: bool = from_env("HELION_TORCH_COMPILE_FUSION", parse_bool, False)
    autotune_with_torch_compile_fusion: bool = from_env("HELION_AUTOTUNE_WITH_TORCH_COMPILE_FUSION", parse_bool, False)
    distributed: bool = from_env("HELION_DISTRIBUTED", parse_bool, False)

    autotune_effort: str = from_env("HELION_AUTOTUNE_EFFORT", str, "full")
    """none, quick or full."""
    force_autotune: bool = from_env("HELION_FORCE_AUTOTUNE", parse_bool, False)
    autotune_log_level: int = from_env("HELION_AUTOTUNE_LOG_LEVEL", _level, logging.INFO)
    autotune_log: str | None = from_env("HELION_AUTOTUNE_LOG", str, None)
    autotune_log_details: bool = from_env("HELION_AUTOTUNE_LOG_DETAILS", parse_bool, False)
    autotune_progress_bar: bool = from_env("HELION_AUTOTUNE_PROGRESS_BAR", parse_bool, True)
    autotune_compile_timeout: int = from_env("HELION_AUTOTUNE_COMPILE_TIMEOUT", int, 60)
    """Seconds for one configuration."""
    autotune_adaptive_timeout: bool = from_env("HELION_AUTOTUNE_ADAPTIVE_TIMEOUT", parse_bool, True)
    autotune_precompile: str | None = from_env("HELION_AUTOTUNE_PRECOMPILE", _precompile, "fork")
    autotune_precompile_jobs: int | None = from_env("HELION_AUTOTUNE_PRECOMPILE_JOBS", int, None)
    autotune_benchmark_subprocess: bool = from_env("HELION_AUTOTUNE_BENCHMARK_SUBPROCESS", parse_bool, True)
    autotune_benchmark_cudagraph: bool = from_env("HELION_BENCHMARK_CUDAGRAPH", parse_bool, False)
    """Whether a configuration is timed as a CUDA graph that it is captured in."""
    autotune_benchmark_timeout: int = from_env("HELION_AUTOTUNE_BENCHMARK_TIMEOUT", int, 30)
    autotune_random_seed: int = from_env("HELION_AUTOTUNE_RANDOM_SEED", int, lambda: time.time_ns() & 0xFFFFFFFF)
    autotune_best_of_k: int = from_env("HELION_AUTOTUNE_BEST_OF_K", int, 1)
    autotune_accuracy_check: bool = from_env("HELION_AUTOTUNE_ACCURACY_CHECK", parse_bool, True)
    autotune_baseline_fn: Callable[..., Any] | None = None
    autotune_baseline_atol: float | None = None
    autotune_baseline_rtol: float | None = None
    autotune_baseline_accuracy_check_fn: Callable[[Any, Any], None] | None = None
    autotune_benchmark_fn: Callable[..., Any] | None = None
    autotune_config_overrides: dict[str, Any] = from_env("HELION_AUTOTUNE_CONFIG_OVERRIDES", _overrides, dict)
    autotune_seed_configs: Any = None
    autotune_config_filter: Callable[..., Any] | None = None
    disable_autotuner_heuristics: bool = from_env("HELION_DISABLE_AUTOTUNER_HEURISTICS", parse_bool, False)
    autotune_max_generations: int | None = from_env("HELION_AUTOTUNE_MAX_GENERATIONS", int, None)
    autotune_budget_seconds: int | None = from_env("HELION_AUTOTUNE_BUDGET_SECONDS", int, None)
    autotune_ignore_errors: bool = from_env("HELION_AUTOTUNE_IGNORE_ERRORS", parse_bool, False)
    autotune_rebenchmark_threshold: float | None = from_env("HELION_REBENCHMARK_THRESHOLD", float, None)
    autotune_suspicious_rebenchmark_ratio: float | None = from_env(
        "HELION_AUTOTUNE_SUSPICIOUS_REBENCHMARK_RATIO", float, None
    )
    autotune_search_acf: Sequence[str] = from_env("HELION_AUTOTUNE_SEARCH_ACF", _words, list)
    autotune_force_persistent: bool = from_env("HELION_AUTOTUNE_FORCE_PERSISTENT", parse_bool, False)
    autotune_cache: str = from_env("HELION_AUTOTUNE_CACHE", str, "LocalAutotuneCache")
    autotuner_fn: Callable[..., Any] | None = None
    """`(bound_kernel, args, **options) -> autotuner`, an object whose `autotune()` gives a Config; None: ours."""
    autotune_initial_population_strategy: str | None = from_env("HELION_AUTOTUNER_INITIAL_POPULATION", str, None)
    autotune_best_available_max_configs: int = from_env("HELION_BEST_AVAILABLE_MAX_CONFIGS", int, 20)
    autotune_best_available_max_cache_scan: int = from_env("HELION_BEST_AVAILABLE_MAX_CACHE_SCAN", int, 500)
    autotune_log_search_space: bool = from_env("HELION_AUTOTUNE_LOG_SEARCH_SPACE", parse_bool, False)
    autotune_log_search_space_verbose: bool = from_env("HELION_AUTOTUNE_LOG_SEARCH_SPACE_VERBOSE", parse_bool, False)
    autotune_log_search_space_path: str | None = from_env("HELION_AUTOTUNE_LOG_SEARCH_SPACE_PATH", str, None)
    autotune_handoff: bool = from_env("HELION_AUTOTUNE_HANDOFF", parse_bool, False)
    autotune_handoff_budget_seconds: int = from_env("HELION_AUTOTUNE_HANDOFF_BUDGET_SECONDS", int, 1500)

    def __post_init__(self) -> None:
        self.dot_precision = _dot_precision(self.dot_precision)
        if self.autotune_cache == "AOTAutotuneCache":
            raise ValueError(
                "autotune_cache='AOTAutotuneCache' is what helion.aot_kernel makes of a kernel; "
                "decorate with helion.aot_kernel in place of helion.kernel"
            )
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                shown = ", ".join("None" if a is None else a for a in allowed)
                raise ValueError(f"{name} is one of {shown}; got {getattr(self, name)!r}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise ValueError(f"{field.name} is True or False; got {value!r}")
            if field.type in ("int", "int | None") and not (isinstance(value, int) or value is None):
                raise ValueError(f"{field.name} is an integer; got {value!r}")
            if str(field.type).startswith("Callable") and not (callable(value) or value is None):
                raise ValueError(f"{field.name} is a function; got {value!r}")
        for kind in self.ignore_warnings:
            if not (isinstance(kind, type) and issubclass(kind, exc.BaseWarning)):
                raise ValueError(
                    f"ignore_warnings lists classes of helion.exc such as TensorOperationInWrapper; got {kind!r}"
                )
        for name, least in _LEAST.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ValueError(f"{name} is at least {least}; got {getattr(self, name)!r}")
        if self.index_dtype is not None and str(self.index_dtype) not in ("torch.int32", "torch.int64"):
            raise ValueError(f"index_dtype is None, torch.int32 or torch.int64; got {self.index_dtype!r}")
        if not isinstance(self.ref_mode, RefMode):
            raise ValueError(f"ref_mode is a helion.RefMode; got {self.ref_mode!r}")

        for name, (default, why) in WITHOUT_EFFECT.items():
            if getattr(self, name) != default:
                exc.warn(exc.SettingWithoutEffect(f"{name} has no effect: {why}"), tuple(self.ignore_warnings))

    def to_dict(self) -> dict[str, Any]:
        """The effective value of every field."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


_OWN_TUNER = "searches, stores and logs of helion-ir's own take its place"
WITHOUT_EFFECT: dict[str, tuple[Any, str]] = {
    "torch_compile_fusion": (False, "a kernel is one operation to torch.compile"),
    "autotune_with_torch_compile_fusion": (False, "a kernel is one operation to torch.compile"),
    "distributed": (False, "kernels run on one device"),
    "autotune_log_details": (False, "every measurement is a row of the store"),
    "autotune_ignore_errors": (False, "a failing configuration is a row, never an error"),
    "autotune_suspicious_rebenchmark_ratio": (None, _OWN_TUNER),
    "autotune_search_acf": ([], "advanced controls files are not searched"),
    "autotune_best_available_max_configs": (20, _OWN_TUNER),
    "autotune_best_available_max_cache_scan": (500, _OWN_TUNER),
    "autotune_handoff": (False, "there is nothing to hand over to"),
    "autotune_handoff_budget_seconds": (1500, "there is nothing to hand over to"),
}
"""Fields that are accepted so that kernels need no change, with the value that asks for nothing and the reason."""

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "backend": ("triton",),
    "autotune_effort": ("none", "quick", "full"),
    "autotune_precompile": (None, "fork", "spawn"),
    "autotune_initial_population_strategy": (None, "from_random", "from_best_available"),
    "autotune_cache": (
        "LocalAutotuneCache",
        "StrictLocalAutotuneCache",
        "RemoteAutotuneCache",
        "StrictRemoteAutotuneCache",
    ),
}

_LEAST: dict[str, int] = {
    "autotune_best_of_k": 1,
    "persistent_reserved_sms": 0,
    "autotune_log_level": 0,
    "autotune_compile_timeout": 1,
    "autotune_benchmark_timeout": 1,
    "autotune_max_generations": 1,
    "autotune_budget_seconds": 0,
}
