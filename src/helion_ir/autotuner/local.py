"""The executor that `tune` makes for itself: reference, compile processes and benchmark process, as settings say."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.benchmark import Benchmark, InlineBenchmark, Inputs, IsolatedBenchmark, user_measure
from helion_ir.autotuner.compile_pool import CompilePool
from helion_ir.autotuner.executor import LocalExecutor
from helion_ir.autotuner.printed_module import load_object
from helion_ir.autotuner.protocol import Candidate
from helion_ir.autotuner.worker_source import fork_server

if TYPE_CHECKING:
    from helion_ir.autotuner.progress import Reporter
    from helion_ir.autotuner.protocol import TunableKernel, TunableSpace
    from helion_ir.autotuner.reference import Tolerance
    from helion_ir.autotuner.reference_program import ReferenceProgram
    from helion_ir.autotuner.timeline import Timeline


def carried_executor(kernel: TunableKernel, args: Sequence[Any], directory: Path, names: AuthorNames) -> LocalExecutor:
    """An executor for a kernel that came as text, with one compiler, for a device of this machine."""
    from helion_ir.autotuner.reference import INTERPRETED_SECONDS
    from helion_ir.autotuner.timeline import Timeline

    settings = kernel.settings
    checked = bool(getattr(settings, "autotune_accuracy_check", True))
    tolerance = tolerance_for(kernel)
    program = getattr(kernel, "reference_program")()  # noqa: B009 (a protocol that tests do without)
    inputs = Inputs(args, None, tolerance, checked, names, device=0, interprets=checked)
    environment = _worker_environment(kernel, directory)
    limit = float(getattr(settings, "autotune_benchmark_timeout", 30))
    benchmark = IsolatedBenchmark(inputs, directory, limit=limit, environment=environment)
    compiler = CompilePool(kernel.target, args, directory, names=names, jobs=1, environment=environment)
    program.save(directory / "reference.json")
    reference = ({"program": str(directory / "reference.json")}, INTERPRETED_SECONDS) if checked else None
    default = Candidate(kernel.config_space.legal_default()) if checked else None
    return LocalExecutor(
        kernel, benchmark, directory, compiler=compiler, reference=reference, default=default, timeline=Timeline()
    )


MEMORY_FOLDER = Path("/dev/shm")
# What a thousand compiled configurations take.
SCRATCH_BYTES = 2 << 30

# Triton's interpreter runs kernels for which there is no device.
INTERPRETED = {"TRITON_INTERPRET": "1"}


REFERENCE_SHARE = 1 / 8
"""Of the time for tuning, how much the interpreter may take."""


def local_executor(
    bound: TunableKernel,
    args: Sequence[Any],
    directory: Path,
    *,
    space: TunableSpace,
    report: Reporter,
    timeline: Timeline,
    measure: str | None = None,
    budget_seconds: float | None = None,
) -> LocalExecutor:
    """An executor for these arguments, its processes starting."""
    from helion_ir.autotuner.reference import INTERPRETED_SECONDS, find_expectation
    from helion_ir.autotuner.tensors import leaves

    settings = bound.settings
    checked = bool(getattr(settings, "autotune_accuracy_check", True))
    isolated = _isolated(settings)
    # Text that another process can run is all that it takes; stand-ins for kernels may have none.
    make_program = getattr(bound, "reference_program", None)
    program = make_program() if checked and isolated and make_program is not None else None
    limit = min(INTERPRETED_SECONDS, math.inf if budget_seconds is None else REFERENCE_SHARE * budget_seconds)
    with timeline.span("reference"):
        expectation, origin = find_expectation(bound, args, program, limit) if checked else (None, "")
    if origin:
        program = None
    tolerance = tolerance_for(bound)
    with timeline.span("carry arguments"):
        inputs = Inputs(
            args,
            expectation,
            tolerance,
            checked,
            _author_names(bound, space, program),
            device=next((t.device.index for t in leaves(tuple(args)) if t.is_cuda), None),
            interprets=program is not None,
        )
        environment = _worker_environment(bound, directory)
        benchmark = _benchmark(bound, inputs, directory, environment, report, measure)
        # Before the compilers: starting the device takes longest, and nothing is measured until it is done.
        benchmark.start()
        # What is tried in this process reads this process's cache.
        compiler = _compiler(
            bound, inputs, directory, {} if isinstance(benchmark, InlineBenchmark) else environment, report
        )
    reference = None
    if program is not None and not isinstance(benchmark, InlineBenchmark):
        program.save(directory / "reference.json")
        reference = ({"program": str(directory / "reference.json")}, limit)
    if origin:
        report.say(f"results are held against {origin}")
    return LocalExecutor(
        bound,
        benchmark,
        directory,
        compiler=compiler,
        reference=reference,
        default=Candidate(space.legal_default()) if checked and expectation is None else None,
        notify=report.phase,
        say=report.say,
        timeline=timeline,
    )


def tolerance_for(bound: TunableKernel) -> Tolerance:
    """How near results must come: as the settings say, else by the types and sums of the kernel."""
    from helion_ir.autotuner.accuracy import narrow_product_tolerance, single_precision_tolerance
    from helion_ir.autotuner.reference import Tolerance

    settings, lowering = bound.settings, getattr(bound, "lowering", None)
    by_kernel: dict[str, float] = {}
    if lowering is not None:
        by_kernel["single"] = single_precision_tolerance(lowering.declared)
        by_kernel["product"] = narrow_product_tolerance(lowering.declared, lowering.target)
    atol, rtol = (getattr(settings, f"autotune_baseline_{kind}", None) for kind in ("atol", "rtol"))
    return Tolerance(atol, rtol, **by_kernel)


def scratch(args: Sequence[Any]) -> Path | None:
    """A folder in memory for what processes hand to each other; None, the system's own choice, where it has no room."""
    from helion_ir.autotuner.tensors import leaves

    needed = 4 * sum(t.numel() * t.element_size() for t in leaves(tuple(args))) + SCRATCH_BYTES
    if MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK) and shutil.disk_usage(MEMORY_FOLDER).free > needed:
        return MEMORY_FOLDER
    return None


def start_before_tracing(settings: Any, args: Sequence[Any]) -> None:
    """`start_early` for a kernel that is going to be tuned for these arguments and has not been looked at yet."""
    from helion_ir.autotuner.tensors import leaves

    if getattr(settings, "autotune_effort", "") != "none" and any(t.is_cuda for t in leaves(tuple(args))):
        start_early(settings, compiled=True)


def start_early(settings: Any, compiled: bool) -> None:
    """Start what takes seconds, while this process still finds out what there is to do.

    Args:
        settings: the kernel's.
        compiled: whether there is something to compile.
    """
    if not _isolated(settings) and not (compiled and _precompiles(settings)):
        return
    try:
        fork_server({} if compiled else INTERPRETED)
    except OSError:
        return  # workers start without it


def _isolated(settings: Any) -> bool:
    # The author's callbacks live in this process.
    callbacks = ("autotune_baseline_accuracy_check_fn", "autotune_benchmark_fn")
    return bool(getattr(settings, "autotune_benchmark_subprocess", True)) and not any(
        getattr(settings, name, None) is not None for name in callbacks
    )


def compiles(bound: TunableKernel) -> bool:
    """Whether there is something to compile: not where Triton interprets."""
    return bool(getattr(bound.target, "backend", ""))


def _precompiles(settings: Any) -> bool:
    return bool(getattr(settings, "autotune_precompile", "fork"))


def _author_names(bound: TunableKernel, space: TunableSpace, program: ReferenceProgram | None) -> AuthorNames:
    """What host code needs of the author's module; the same for all configurations."""
    function = getattr(bound.kernel, "fn", None)
    if function is None:
        return AuthorNames()
    try:
        text = bound.printed(space.legal_default()).text
    except Exception:
        # Its row will say what is wrong; other configurations still need the names, which the function has too.
        text = "\n".join(function.__code__.co_names)
    if program is not None:
        text = f"{text}\n{program.host_text}"
    return AuthorNames.used_by(text, function.__globals__)


def _worker_environment(bound: TunableKernel, directory: Path) -> dict[str, str]:
    if not compiles(bound):
        # Nothing can be compiled for this target: Triton's interpreter runs the kernels.
        return INTERPRETED
    kept = os.environ.get("HELION_KEEP_CACHE") or os.environ.get("HELION_KEEP_TRITON_CACHE") or ""
    if kept.lower() in ("1", "true", "yes", "on"):
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
    if measure is None and getattr(settings, "autotune_benchmark_cudagraph", False):
        measure = "helion_ir.autotuner.measure:measure_in_graph"
    check = getattr(settings, "autotune_baseline_accuracy_check_fn", None)
    benchmark_fn = getattr(settings, "autotune_benchmark_fn", None)

    def inline() -> InlineBenchmark:
        clock = user_measure(benchmark_fn) if benchmark_fn is not None else load_object(measure) if measure else None
        return InlineBenchmark(inputs, measure=clock, check=check)

    if not _isolated(settings):
        return inline()
    limit = float(getattr(settings, "autotune_benchmark_timeout", 30))
    try:
        return IsolatedBenchmark(
            inputs, directory, limit=limit, measure=measure, environment=environment, devices=devices_of(inputs)
        )
    except Exception as e:
        report.say(f"measuring in this process, since not all can be carried to another: {e}")
        return inline()


def devices_of(inputs: Inputs) -> list[str]:
    """The devices to measure on, as CUDA_VISIBLE_DEVICES has them; none: wherever the arguments are.

    `HELION_IR_TUNE_DEVICES` lists positions among the visible ones, as in `0,1,2,3`, or says `all`; they must be alike.
    Raises ValueError for a position that is not there.
    """
    wanted = os.environ.get("HELION_IR_TUNE_DEVICES", "")
    if not wanted or inputs.device is None:
        return []
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
    places = range(len(names)) if wanted == "all" else [int(p) for p in wanted.split(",")]
    if any(not 0 <= p < len(names) for p in places):
        raise ValueError(f"HELION_IR_TUNE_DEVICES={wanted}: there are {len(names)} devices")
    return [names[p] for p in places]


def _compiler(
    bound: TunableKernel, inputs: Inputs, directory: Path, environment: dict[str, str], report: Reporter
) -> CompilePool | None:
    settings = bound.settings
    if not (compiles(bound) and _precompiles(settings)):
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
            forked=getattr(settings, "autotune_precompile", "fork") != "spawn",
        )
    except Exception as e:
        report.say(f"compiling where configurations are tried, since not all can be carried to another process: {e}")
        return None
