"""The executor that `tune` makes for itself: reference, compile processes and benchmark process, as settings say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.benchmark import Benchmark, InlineBenchmark, Inputs, IsolatedBenchmark, user_measure
from helion_ir.autotuner.compile_pool import CompilePool
from helion_ir.autotuner.executor import LocalExecutor
from helion_ir.autotuner.printed_module import load_object
from helion_ir.autotuner.protocol import Candidate

if TYPE_CHECKING:
    from helion_ir.autotuner.progress import Reporter
    from helion_ir.autotuner.protocol import TunableKernel, TunableSpace


def local_executor(
    bound: TunableKernel,
    args: Sequence[Any],
    directory: Path,
    *,
    space: TunableSpace,
    report: Reporter,
    measure: str | None = None,
) -> LocalExecutor:
    """An executor for these arguments, its reference established.

    Raises `exc.InvalidConfig` when the reference is the default configuration and that does not work.
    """
    from helion_ir.autotuner.reference import Tolerance, find_expectation

    settings = bound.settings
    checked = bool(getattr(settings, "autotune_accuracy_check", True))
    expectation, origin = find_expectation(bound, args) if checked else (None, "")
    tolerance = Tolerance(
        getattr(settings, "autotune_baseline_atol", None), getattr(settings, "autotune_baseline_rtol", None)
    )
    inputs = Inputs(args, expectation, tolerance, checked, _author_names(bound, space))
    environment = _worker_environment(bound, directory)
    benchmark = _benchmark(bound, inputs, directory, environment, report, measure)
    # What is tried in this process reads this process's cache.
    compiler = _compiler(
        bound, inputs, directory, {} if isinstance(benchmark, InlineBenchmark) else environment, report
    )
    executor = LocalExecutor(bound, benchmark, directory, compiler=compiler, notify=report.phase, say=report.say)
    if checked:
        report.say(f"results are held against {origin}")
    if checked and expectation is None:
        try:
            default = executor.expect(Candidate(space.legal_default()))
        except BaseException:
            executor.close()
            raise
        if not default.ok:
            executor.close()
            from helion_ir import exc

            raise exc.InvalidConfig(
                f"the default configuration fails ({default.stage}: {default.reason}), so that there is nothing to "
                "hold results against; give an autotune_baseline_fn"
            )
    return executor


def _author_names(bound: TunableKernel, space: TunableSpace) -> AuthorNames:
    """What host code needs of the author's module; the same for all configurations."""
    function = getattr(bound.kernel, "fn", None)
    if function is None:
        return AuthorNames()
    try:
        text = bound.printed(space.legal_default()).text
    except Exception:
        # Its row will say what is wrong; other configurations still need the names, which the function has too.
        text = "\n".join(function.__code__.co_names)
    return AuthorNames.used_by(text, function.__globals__)


def _worker_environment(bound: TunableKernel, directory: Path) -> dict[str, str]:
    if not getattr(bound.target, "backend", ""):
        # Nothing can be compiled for this target: Triton's interpreter runs the kernels.
        return {"TRITON_INTERPRET": "1"}
    if os.environ.get("HELION_KEEP_CACHE", "").lower() in ("1", "true", "yes", "on"):
        return {}
    # A thousand compiled configurations are of no use to anybody afterwards.
    return {"TRITON_CACHE_DIR": str(directory / "triton")}


def _benchmark(
    bound: TunableKernel,
    inputs: Inputs,
    directory: Path,
    environment: dict[str, str],
    report: Reporter,
    measure: str | None,
) -> Benchmark:
    settings = bound.settings
    check = getattr(settings, "autotune_baseline_accuracy_check_fn", None)
    benchmark_fn = getattr(settings, "autotune_benchmark_fn", None)

    def inline() -> InlineBenchmark:
        clock = user_measure(benchmark_fn) if benchmark_fn is not None else load_object(measure) if measure else None
        return InlineBenchmark(inputs, measure=clock, check=check)

    # The author's callbacks live in this process.
    isolated = getattr(settings, "autotune_benchmark_subprocess", True)
    if check is not None or benchmark_fn is not None or not isolated:
        return inline()
    limit = float(getattr(settings, "autotune_benchmark_timeout", 30))
    try:
        return IsolatedBenchmark(inputs, directory, limit=limit, measure=measure, environment=environment)
    except Exception as e:
        report.say(f"measuring in this process, since not all can be carried to another: {e}")
        return inline()


def _compiler(
    bound: TunableKernel, inputs: Inputs, directory: Path, environment: dict[str, str], report: Reporter
) -> CompilePool | None:
    settings = bound.settings
    if not getattr(bound.target, "backend", "") or not getattr(settings, "autotune_precompile", "spawn"):
        return None
    try:
        return CompilePool(
            bound.target,
            inputs.args,
            directory,
            names=inputs.names,
            jobs=getattr(settings, "autotune_precompile_jobs", None),
            limit=float(getattr(settings, "autotune_compile_timeout", 60)),
            adaptive=bool(getattr(settings, "autotune_adaptive_timeout", True)),
            environment=environment,
        )
    except Exception as e:
        report.say(f"compiling where configurations are tried, since not all can be carried to another process: {e}")
        return None
