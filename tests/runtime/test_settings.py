"""Settings: defaults, environment, validation."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import pytest
import torch

import helion_ir as helion
from helion_ir import RefMode, Settings, exc
from helion_ir.runtime import compile_phases


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HELION_") or name == "TRITON_F32_DEFAULT":
            monkeypatch.delenv(name)


def test_defaults() -> None:
    s = Settings()
    assert (s.backend, s.static_shapes, s.index_dtype, s.ref_mode) == ("triton", True, None, RefMode.OFF)
    assert (s.autotune_effort, s.autotune_compile_timeout, s.autotune_precompile) == ("full", 60, "fork")
    assert (s.autotune_log_level, s.ignore_warnings, s.autotune_config_overrides) == (logging.INFO, [], {})


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("HELION_STATIC_SHAPES", "No", "static_shapes", False),
        ("HELION_FAST_MATH", "ON", "fast_math", True),
        ("HELION_INDEX_DTYPE", "int64", "index_dtype", torch.int64),
        ("HELION_INDEX_DTYPE", "auto", "index_dtype", None),
        ("TRITON_F32_DEFAULT", "high", "dot_precision", "tf32x3"),
        ("HELION_INTERPRET", "1", "ref_mode", RefMode.EAGER),
        ("HELION_AUTOTUNE_EFFORT", "quick", "autotune_effort", "quick"),
        ("HELION_AUTOTUNE_LOG_LEVEL", "debug", "autotune_log_level", logging.DEBUG),
        ("HELION_AUTOTUNE_LOG_LEVEL", "0", "autotune_log_level", 0),
        ("HELION_AUTOTUNE_PRECOMPILE", "", "autotune_precompile", None),
        ("HELION_AUTOTUNE_PRECOMPILE", "spawn", "autotune_precompile", "spawn"),
        ("HELION_AUTOTUNE_RANDOM_SEED", "17", "autotune_random_seed", 17),
        ("HELION_AUTOTUNE_CONFIG_OVERRIDES", '{"num_warps": 8}', "autotune_config_overrides", {"num_warps": 8}),
        ("HELION_REBENCHMARK_THRESHOLD", "1.25", "autotune_rebenchmark_threshold", 1.25),
        ("HELION_BENCHMARK_CUDAGRAPH", "1", "autotune_benchmark_cudagraph", True),
        ("HELION_AUTOTUNE_SEARCH_ACF", "a.bin, b.bin", "autotune_search_acf", ["a.bin", "b.bin"]),
        ("HELION_IGNORE_WARNINGS", "WrongDevice", "ignore_warnings", [exc.WrongDevice]),
        ("HELION_AUTOTUNE_BUDGET_SECONDS", "", "autotune_budget_seconds", None),
    ],
)
def test_environment(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(Settings(), field) == value
    assert Settings().to_dict()[field] == value


def test_environment_is_read_on_creation_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings()
    monkeypatch.setenv("HELION_AUTOTUNE_EFFORT", "none")
    assert before.autotune_effort == "full"
    assert Settings().autotune_effort == "none"
    assert Settings(autotune_effort="quick").autotune_effort == "quick"


def test_overrides_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "o.json").write_text('{"num_stages": 2}')
    monkeypatch.setenv("HELION_AUTOTUNE_CONFIG_OVERRIDES", str(tmp_path / "o.json"))
    assert Settings().autotune_config_overrides == {"num_stages": 2}


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("HELION_STATIC_SHAPES", "maybe", "HELION_STATIC_SHAPES='maybe': expected 1, true, yes, on or 0"),
        ("HELION_AUTOTUNE_COMPILE_TIMEOUT", "long", "HELION_AUTOTUNE_COMPILE_TIMEOUT='long': invalid literal"),
        ("HELION_INDEX_DTYPE", "int16", "HELION_INDEX_DTYPE='int16': expected int32, int64 or auto"),
        ("HELION_IGNORE_WARNINGS", "Nonsense", "there is no warning named 'Nonsense'"),
        ("HELION_AUTOTUNE_LOG_LEVEL", "loud", "expected a number or the name of a logging level"),
        ("HELION_AUTOTUNE_EFFORT", "max", "autotune_effort is one of none, quick, full; got 'max'"),
    ],
)
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=message):
        Settings()


def test_validation() -> None:
    with pytest.raises(TypeError, match="block_sizes"):
        Settings(block_sizes=[16])  # pyright: ignore
    with pytest.raises(ValueError, match="autotune_best_of_k is at least 1; got 0"):
        Settings(autotune_best_of_k=0)
    with pytest.raises(ValueError, match="index_dtype is None, torch.int32 or torch.int64"):
        Settings(index_dtype=torch.float32)
    with pytest.raises(ValueError, match="ref_mode is a helion.RefMode"):
        Settings(ref_mode=True)  # pyright: ignore
    for given, message in (
        ({"static_shapes": "yes"}, "static_shapes is True or False; got 'yes'"),
        ({"autotune_log_level": "loud"}, "autotune_log_level is an integer; got 'loud'"),
        ({"autotuner_fn": "PatternSearch"}, "autotuner_fn is a function; got 'PatternSearch'"),
        ({"autotune_budget_seconds": -1}, "autotune_budget_seconds is at least 0; got -1"),
        ({"ignore_warnings": ["WrongDevice"]}, "ignore_warnings lists classes of helion.exc"),
    ):
        with pytest.raises(ValueError, match=message):
            Settings(**given)  # pyright: ignore
    assert Settings(dot_precision="highest").dot_precision == "ieee"


def test_the_decorator_takes_settings_and_nothing_else() -> None:
    def f(x: torch.Tensor) -> torch.Tensor:
        return x

    assert helion.kernel(f, static_shapes=False).settings.static_shapes is False
    chosen = Settings(autotune_effort="none")
    assert helion.kernel(f, settings=chosen).settings is chosen
    with pytest.raises(TypeError, match="num_warps"):
        helion.kernel(f, num_warps=4)
    with pytest.raises(AssertionError):
        helion.kernel(f, settings=chosen, static_shapes=True)
    with pytest.raises(AssertionError):
        helion.kernel(f, config={"num_warps": 4}, configs=[{"num_warps": 8}])


def test_phases_of_compilation_are_timed_and_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_exit: list[Callable[[], None]] = []
    package, own = logging.getLogger("helion_ir"), logging.getLogger("helion_ir.runtime.compile_phases")
    monkeypatch.setattr(package, "handlers", [])
    monkeypatch.setattr(package, "propagate", True)
    monkeypatch.setattr(compile_phases, "SPENT", {})
    monkeypatch.setattr(compile_phases.atexit, "register", at_exit.append)
    monkeypatch.setenv("HELION_LOGS", "+helion.autotuner, runtime.compile_phases")
    monkeypatch.setenv("HELION_MEASURE_COMPILE_TIME", "1")
    try:
        compile_phases.follow_environment()
        levels = [logging.getLogger(f"helion_ir{name}").level for name in ("", ".autotuner", ".runtime.compile_phases")]
        assert levels == [logging.NOTSET, logging.DEBUG, logging.INFO]
        with compile_phases.phase("lower"), compile_phases.phase("prepare"):
            pass
        assert "[helion_ir.runtime.compile_phases] INFO: prepare took " in capsys.readouterr().err
        at_exit[0]()
        assert [line.split()[:3] for line in capsys.readouterr().err.splitlines()] == [
            ["prepare", "1", "times"],
            ["lower", "1", "times"],
        ]
    finally:
        for logger in (logging.getLogger("helion_ir.autotuner"), own):
            logger.setLevel(logging.NOTSET)
