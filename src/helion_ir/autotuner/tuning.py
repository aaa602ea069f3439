"""`tune`: the loop that ties search, measuring, storing and reporting together."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.candidates import filtered, searched_space
from helion_ir.autotuner.effort import Plan, make_plan
from helion_ir.autotuner.keys import store_key
from helion_ir.autotuner.local import local_executor, start_early
from helion_ir.autotuner.progress import Reporter
from helion_ir.autotuner.protocol import Candidate, Executor, Measurement, Search, Store, TunableKernel, TunableSpace
from helion_ir.autotuner.row_log import RowLog
from helion_ir.autotuner.search_choice import make_search
from helion_ir.autotuner.timeline import Timeline
from helion_ir.autotuner.worker_process import WorkerStartError

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config

# Rows written to the store in one transaction.
SAVED_AT_ONCE = 16


def tune(
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
    measure: str | None = None,
) -> Config:
    """The fastest configuration found for a bound kernel on these arguments.

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
    )
    search = None if isinstance(search, str) else search
    space = searched_space(bound.config_space, settings)
    if plan.search is None and configs is None and search is None:
        return space.decode(space.legal_default())
    store = store if store is not None else _default_store()
    key = store_key(bound)
    level = int(getattr(settings, "autotune_log_level", 20))
    bar = progress and bool(getattr(settings, "autotune_progress_bar", True))
    report = Reporter(bound.kernel.name, bar=bar, level=level)
    if not force and configs is None and not _environment("HELION_SKIP_CACHE"):
        known = store.best(key)
        if known is not None and known.assignment.keys() == space.default().keys():
            report.say(f"known configuration, not tuned again: {_decorator(space, known)}")
            return space.decode(known.assignment)
        if _environment("HELION_ASSERT_CACHE_HIT"):
            from helion_ir import exc

            raise exc.CacheAssertionError(f"no tuning result for {bound.kernel.name} is stored")
    _check_allowed()
    search = search or make_search(bound, space, plan, configs, report.say)
    run = _Run(space, plan, search, store, key, report, settings)
    try:
        best = _measured(run, bound, args, executor, measure)
    except WorkerStartError as e:
        from helion_ir import exc

        raise exc.AutotuneError(f"nothing can be measured: {e}") from e
    if best.ok:
        store.set_best(key, best)
    return space.decode(best.assignment)


def _measured(
    run: _Run, bound: TunableKernel, args: Sequence[Any], executor: Executor | None, measure: str | None
) -> Measurement:
    """The best of a run, by the given executor or one made for it; reports what came of it."""
    timeline = run.timeline
    with contextlib.ExitStack() as cleanup:
        if executor is None:
            start_early(bound)
            directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="helion_ir_tune_")))
            run.report.say(f"tuning {bound.kernel.name} on {run.key.target}, seed {run.plan.seed}")
            executor = local_executor(
                bound,
                args,
                directory,
                space=run.space,
                report=run.report,
                timeline=timeline,
                measure=measure,
                budget_seconds=run.plan.budget_seconds,
            )
            cleanup.callback(executor.close)
        prefix = getattr(run.settings, "autotune_log", None)
        if prefix:
            run.log = cleanup.enter_context(RowLog(Path(f"{prefix}.csv"), run.report, run.space))
        try:
            best = run.go(executor)
        finally:
            if prefix:
                timeline.write(Path(f"{prefix}.trace.json"))
    run.report.summary(_decorator(run.space, best), best if best.ok else None, timeline)
    return best


class _Run:
    """One pass of search over the space."""

    def __init__(
        self, space: TunableSpace, plan: Plan, search: Search, store: Store, key: Any, report: Reporter, settings: Any
    ):
        self.space, self.plan, self.search = space, plan, search
        self.store, self.key, self.report, self.settings = store, key, report, settings
        self.ok: list[Measurement] = []
        self.log: RowLog | None = None
        self.tried = 0
        self.asked = 0
        self.unsaved: list[Measurement] = []
        self.timeline = Timeline()
        budget = plan.budget_seconds
        self.deadline = time.monotonic() + budget if budget is not None else None

    def go(self, executor: Executor) -> Measurement:
        """Search, then measure the best few again. Raises `exc.NoConfigFound`."""
        self.report.start()
        try:
            self._search(executor)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self.report.stop()
        self.ok.sort(key=_milliseconds)
        if not self.ok:
            if interrupted:
                raise KeyboardInterrupt
            if self.tried == 0 and self._spent():
                self.report.say("the time was up before anything was measured; the default is used")
                return Measurement(self.space.legal_default(), None, "rejected", "not measured")
            from helion_ir import exc

            raise exc.NoConfigFound(self._why_none())
        if interrupted:
            self.report.say("interrupted; the best so far is used")
            return self.ok[0]
        try:
            return self._final(executor)
        except KeyboardInterrupt:
            return self.ok[0]

    def _search(self, executor: Executor) -> None:
        with contextlib.closing(executor.stream(self._asked, deadline=self.deadline)) as rows:  # pyright: ignore
            try:
                for row in rows:
                    self._row(row)
                    self.search.tell([row])
            finally:
                # Also on Ctrl-C: what was measured is worth keeping.
                self._save()

    def _asked(self, room: int) -> list[Candidate] | None:
        """Up to `room` candidates that may be measured; None when the search or what it may spend is over."""
        while True:
            if self.plan.evaluations is not None:
                room = min(room, self.plan.evaluations - self.asked)
            if room <= 0:
                return None
            asked = self.search.ask(room)
            if not asked:
                return []
            passed, rejected = filtered(asked, self.space, self.settings)
            for row in rejected:
                self._row(row)
            # A filter may have put another configuration in a candidate's place; its own row says it is done with.
            kept = {c.key for c in passed}
            gone = [
                Measurement(c.assignment, None, "rejected", "replaced or skipped") for c in asked if c.key not in kept
            ]
            if gone:
                self.search.tell(gone)
            self.asked += len(passed)
            if passed:
                return passed

    def _row(self, row: Measurement) -> None:
        self.report.row(row)
        self.tried += row.stage != "rejected"
        if row.ok:
            self.ok.append(row)
        self.unsaved.append(row)
        if len(self.unsaved) >= SAVED_AT_ONCE:
            self._save()

    def _save(self) -> None:
        rows, self.unsaved = self.unsaved, []
        self.store.add(self.key, rows)
        if self.log is not None:
            self.log.write(rows, getattr(self.search, "generation", 0))

    def _spent(self) -> bool:
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return True
        return self.plan.evaluations is not None and self.tried >= self.plan.evaluations

    def _final(self, executor: Executor) -> Measurement:
        """The best of the close contenders, measured longer and in turns."""
        close = [m for m in _distinct(self.ok) if _milliseconds(m) <= self.plan.close * _milliseconds(self.ok[0])]
        finalists = [Candidate(m.assignment) for m in close[: self.plan.finalists]]
        if len(finalists) < 2:
            return self.ok[0]
        deadline = self.deadline if self.deadline is None else max(self.deadline, time.monotonic() + 2.0)
        again = [m for m in executor.remeasure(finalists, deadline=deadline) if m.ok]
        return min(again, key=_milliseconds) if again else self.ok[0]

    def _why_none(self) -> str:
        lines = [f"none of {self.report.tried} configurations works"]
        for stage, reasons in self.report.reasons.items():
            (reason, _), *rest = reasons.most_common()
            lines.append(f"  {stage}, {sum(reasons.values())} times: {reason}{' (among others)' if rest else ''}")
        return "\n".join(lines)


def _default_store() -> Store:
    from helion_ir.autotuner.store import SqliteStore

    return SqliteStore()


def _check_allowed() -> None:
    if _environment("HELION_DISALLOW_AUTOTUNING"):
        from helion_ir import exc

        raise exc.AutotuningDisallowedInEnvironment(
            "HELION_DISALLOW_AUTOTUNING is set; give the kernel a config, or set autotune_effort='none'"
        )


def _environment(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _milliseconds(measurement: Measurement) -> float:
    return measurement.milliseconds if measurement.milliseconds is not None else float("inf")


def _distinct(rows: Sequence[Measurement]) -> list[Measurement]:
    return list({r.key: r for r in reversed(rows)}.values())[::-1]


def _decorator(space: TunableSpace, best: Measurement) -> str:
    return f"@helion.kernel(config={space.decode(best.assignment)!r})"
