"""`tune`: the loop that ties search, measuring, storing and reporting together."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.candidates import fitted, searched_space
from helion_ir.autotuner.effort import make_plan
from helion_ir.autotuner.local import compiles, local_executor, scratch, start_early
from helion_ir.autotuner.progress import Reporter
from helion_ir.autotuner.protocol import Executor, Measurement, Search, Store, StoreKey, TunableKernel, TunableSpace
from helion_ir.autotuner.row_log import RowLog
from helion_ir.autotuner.run import Run, Tuned
from helion_ir.autotuner.search_choice import make_search
from helion_ir.autotuner.worker_process import WorkerStartError

if TYPE_CHECKING:
    from helion_ir.autotuner.caches import LocalAutotuneCache
    from helion_ir.autotuner.config import Config


# Configurations found for other shapes that a search begins with.
NEIGHBOURS = 6


def tune(bound: TunableKernel, args: Sequence[Any], **options: Any) -> Config:
    """The fastest configuration found for a bound kernel on these arguments; options and errors are `tuned`'s."""
    return tuned(bound, args, **options).config


def tuned(
    bound: TunableKernel,
    args: Sequence[Any],
    *,
    force: bool = True,
    effort: str | None = None,
    seed: int | None = None,
    budget_seconds: float | None = None,
    evaluations: int | None = None,
    progress: bool = True,
    configs: Sequence[Any] | None = None,
    search: Search | str | None = None,
    executor: Executor | None = None,
    store: Store | None = None,
    key: StoreKey | None = None,
    measure: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Tuned:
    """Find the fastest configuration for a bound kernel on these arguments, with all that was learnt on the way.

    Args:
        bound: the kernel, specialized; see `protocol.TunableKernel` for what is used of it.
        args: the arguments of a call. They are not written to.
        force: measure even where the store knows a result.
        effort: none (the default configuration, unmeasured), quick or full. None here and below: what the settings say.
        seed: makes the candidates of a search depend on nothing but their measurements.
        budget_seconds: wall-clock time after which the best so far is taken.
        evaluations: configurations to measure at most.
        progress: whether to show a line while it goes on, where stderr is a terminal.
        configs: measure these and no others, at least two.
        search: the name of an algorithm, one of surrogate (the default), pattern, evolution, random; or one's own.
        executor, store: replace the tuner's own parts.
        key: under which results are kept; by default the kernel's.
        changes: fields of `SearchOptions` that replace those of the effort.
        measure: `package.module:name` of a function `(function, args, restore, effort) -> milliseconds`.

    Ctrl-C ends the search and gives the best so far. A configuration that fails is counted, and raises nothing.
    Raises `exc.NoConfigFound` when none works, `exc.NotEnoughConfigs`, and
    `exc.AutotuningDisallowedInEnvironment` where the environment says so.
    """
    settings = bound.settings
    plan = make_plan(
        settings,
        effort=effort,
        seed=seed,
        budget_seconds=budget_seconds,
        evaluations=evaluations,
        algorithm=search if isinstance(search, str) else None,
        changes=changes,
    )
    search = None if isinstance(search, str) else search
    level = int(getattr(settings, "autotune_log_level", 20))
    bar = progress and bool(getattr(settings, "autotune_progress_bar", True))
    report = Reporter(bound.kernel.name, bar=bar, level=level)
    space = searched_space(bound.config_space, settings)
    if plan.search is None and configs is None and search is None:
        return _untried(space, Measurement(space.legal_default(), None, "rejected", "not measured"))
    cache = _cache(settings)
    store = store if store is not None else cache.store()
    key = key if key is not None else cache.key(bound)
    _show_space(space, settings, report)
    if not force and configs is None and not _environment("HELION_SKIP_CACHE"):
        known = store.best(key)
        if known is not None and known.assignment.keys() == space.default().keys():
            report.say(f"known configuration, not tuned again: {_decorator(space, known)}")
            return _untried(space, known)
        why = store.why_missing(key)
        if _environment("HELION_ASSERT_CACHE_HIT"):
            from helion_ir import exc

            differs = f"; the nearest differs in: {why}" if why else ""
            raise exc.CacheAssertionError(f"no tuning result for {bound.kernel.name} is stored{differs}")
        if why:
            report.say(f"no stored result fits; the nearest differs in: {why}")
    _check_allowed()
    if executor is None:
        start_early(settings, compiles(bound))
    if search is None:
        strategy = getattr(settings, "autotune_initial_population_strategy", None)
        known_for_others = [] if strategy == "from_random" else fitted(space, store.neighbours(key, NEIGHBOURS))
        search = make_search(bound, space, plan, configs, report.say, known=known_for_others)
    run = Run(space, plan, search, store, key, report, settings)
    try:
        out = _measured(run, bound, args, executor, measure)
    except WorkerStartError as e:
        from helion_ir import exc

        raise exc.AutotuneError(f"nothing can be measured: {e}") from e
    if out.best.ok:
        store.set_best(key, out.best)
    return out


def _untried(space: TunableSpace, best: Measurement) -> Tuned:
    return Tuned(space.decode(best.assignment), best)


def _measured(
    run: Run, bound: TunableKernel, args: Sequence[Any], executor: Executor | None, measure: str | None
) -> Tuned:
    """What comes of a run, by the given executor or one made for it; reports it."""
    with contextlib.ExitStack() as cleanup:
        if executor is None:
            folder = tempfile.TemporaryDirectory(prefix="helion_ir_tune_", dir=scratch(args))
            directory = Path(cleanup.enter_context(folder))
            run.report.say(f"tuning {bound.kernel.name} on {run.key.target}, seed {run.plan.seed}")
            executor = local_executor(
                bound,
                args,
                directory,
                space=run.space,
                report=run.report,
                timeline=run.timeline,
                measure=measure,
                budget_seconds=run.plan.budget_seconds,
            )
            cleanup.callback(executor.close)
        run.timeline = getattr(executor, "timeline", run.timeline)
        prefix = getattr(run.settings, "autotune_log", None)
        if prefix:
            run.log = cleanup.enter_context(RowLog(Path(f"{prefix}.csv"), run.report, run.space))
        try:
            out = run.go(executor)
        finally:
            if prefix:
                run.timeline.write(Path(f"{prefix}.trace.json"))
    run.report.summary(_decorator(run.space, out.best), out)
    return out


def _cache(settings: Any) -> type[LocalAutotuneCache]:
    from helion_ir.autotuner.caches import cache_classes

    return cache_classes[getattr(settings, "autotune_cache", "LocalAutotuneCache")]


def _show_space(space: TunableSpace, settings: Any, report: Reporter) -> None:
    """Say what is searched, where the settings ask for it: how much, each knob, and, in verbose, what each means."""
    verbose = bool(getattr(settings, "autotune_log_search_space_verbose", False))
    path = getattr(settings, "autotune_log_search_space_path", None)
    if not (verbose or path or getattr(settings, "autotune_log_search_space", False)):
        return
    lines = [f"the search space has {len(list(space))} knobs"]
    lines += [f"  {k.name}: {k.domain} = {k.default!r}{f'  ({k.owner}: {k.doc})' if verbose else ''}" for k in space]
    if path:
        Path(path).write_text("\n".join(lines) + "\n")
    for line in lines if verbose or not path else ():
        report.say(line)


def _check_allowed() -> None:
    if _environment("HELION_DISALLOW_AUTOTUNING"):
        from helion_ir import exc

        raise exc.AutotuningDisallowedInEnvironment(
            "HELION_DISALLOW_AUTOTUNING is set; give the kernel a config, or set autotune_effort='none'"
        )


def _environment(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _decorator(space: TunableSpace, best: Measurement) -> str:
    return f"@helion.kernel(config={space.decode(best.assignment)!r})"
