"""`helion-ir tune`: for the device that is here, or by model and compiler for one that is not; for one shape or many."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.portfolio import Portfolio, build, shape_of

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config
    from helion_ir.autotuner.protocol import Measurement
    from helion_ir.autotuner.run import Tuned
    from helion_ir.tools.kernel_file import KernelFile

# The best few of each shape are tried for every other shape.
CANDIDATES = 6


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    target: str = ""
    seconds: float | None = None
    evaluations: int | None = None
    search: str | None = None
    seed: int | None = None
    quiet: bool = False
    log: str = ""
    jobs: int | None = None


@dataclass(frozen=True)
class Found:
    """What came of one shape."""

    bound: Any
    args: tuple[Any, ...]
    space: Any
    target: str
    tuned: Tuned


def tune_shape(file: KernelFile, args: Sequence[Any], options: Options) -> Found:
    """Tune the kernel for one tuple of arguments. Raises ValueError where there is neither a device nor a target."""
    from helion_ir.autotuner.local import start_before_tracing
    from helion_ir.autotuner.offline import rank
    from helion_ir.autotuner.tuning import tuned

    if not options.target:
        start_before_tracing(file.kernel.settings, args)
    bound = file.kernel.bind(tuple(args))
    settings = bound.settings
    if options.quiet:
        settings.autotune_log_level = 0
    if options.log:
        settings.autotune_log = options.log
    limits: dict[str, Any] = {
        "budget_seconds": options.seconds,
        "evaluations": options.evaluations,
        "search": options.search,
        "progress": not options.quiet,
    }
    if options.target:
        found = rank(bound, args, options.target, seed=options.seed or 0, jobs=options.jobs, **limits)
        return Found(bound, tuple(args), bound.stages_for(options.target).space, found.target, found.tuned)
    if not bound.target.backend:
        raise ValueError(
            "there is no device to measure on; give a --target, such as h200, to rank by model and compiler"
        )
    if options.jobs is not None:
        settings.autotune_precompile_jobs = options.jobs
    result = tuned(bound, args, seed=options.seed, **limits)
    return Found(bound, tuple(args), bound.config_space, bound.target.name, result)


def make_portfolio(found: Sequence[Found], options: Options, most: int, enough: float) -> Portfolio:
    """Try the best few of every shape for all shapes, and choose among them."""
    from helion_ir.autotuner.offline import rank
    from helion_ir.autotuner.tuning import tuned

    configs: dict[str, Config] = {}
    for one in found:
        ok = sorted((m for _, m in one.tuned.history if m.ok), key=_time)
        ranked = [one.tuned.best, *ok][:CANDIDATES]
        configs |= {_name(c): c for c in (one.space.decode(m.assignment) for m in ranked)}
    times: list[dict[str, float]] = []
    for one in found:
        row = {_name(one.tuned.config): _time(one.tuned.best)}
        others = [c for name, c in configs.items() if name not in row and _fits(one.space, c)]
        if others:
            limits: dict[str, Any] = {"configs": [one.tuned.config, *others], "progress": not options.quiet}
            again = (
                rank(one.bound, one.args, options.target, budget_seconds=None, jobs=options.jobs, **limits).tuned
                if options.target
                else tuned(one.bound, one.args, **limits)
            )
            # All of one session, so that they can be compared.
            row |= {_name(one.space.decode(m.assignment)): _time(m) for _, m in again.history if m.ok}
        times.append(row)
    kernel = found[0].bound.kernel.name
    shapes = [shape_of(one.args) for one in found]
    return build(kernel, found[0].target, not options.target, shapes, times, configs, most, enough)


def describe(portfolio: Portfolio) -> str:
    """The portfolio in lines."""
    unmeasured = "" if portfolio.measured else " (estimated, not measured)"
    lines = [f"{portfolio.kernel} on {portfolio.target}: {len(portfolio.configs)} configurations, "
             f"worst loss {100 * (portfolio.worst_loss - 1):.1f} %{unmeasured}"]  # fmt: skip
    for entry in portfolio.entries:
        sizes = " ".join("x".join(map(str, s)) for s in entry.shape)
        lines.append(f"  {sizes}: configuration {entry.config}, {entry.milliseconds:.4f} ms, "
                     f"{100 * (entry.loss - 1):.1f} % over its best")  # fmt: skip
    lines += [f"  {i}: {dict(config)}" for i, config in enumerate(portfolio.configs)]
    return "\n".join(lines)


def single(found: Found, measured: bool) -> Portfolio:
    """A portfolio of the one configuration of one shape."""
    name = _name(found.tuned.config)
    times = [{name: _time(found.tuned.best)}]
    configs = {name: found.tuned.config}
    return build(found.bound.kernel.name, found.target, measured, [shape_of(found.args)], times, configs, 1)


def save_history(found: Found, path: Path) -> None:
    """Every configuration of a run with the time it was known at, as JSON lines."""
    with open(path, "w") as f:
        for at, row in found.tuned.history:
            fields = {**dataclasses.asdict(row), "assignment": dict(row.assignment), "at": round(at, 3)}
            f.write(json.dumps(fields) + "\n")


def _fits(space: Any, config: Config) -> bool:
    from helion_ir.exc import InvalidConfig

    try:
        space.encode(config)
    except InvalidConfig:
        return False
    return True


def _name(config: Config) -> str:
    return json.dumps(dict(config), sort_keys=True)


def _time(row: Measurement) -> float:
    return row.milliseconds if row.milliseconds is not None else float("inf")
