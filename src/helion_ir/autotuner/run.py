"""One tuning run: asks the search, has candidates measured, keeps what comes of them, and settles who is best."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.candidates import filtered
from helion_ir.autotuner.effort import Plan
from helion_ir.autotuner.progress import Reporter
from helion_ir.autotuner.protocol import Candidate, Executor, Measurement, Search, Store, TunableSpace
from helion_ir.autotuner.row_log import RowLog
from helion_ir.autotuner.timeline import Timeline

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config

# Rows written to the store in one transaction.
SAVED_AT_ONCE = 16
# How much slower than the best a finalist may be to count as equal to it, beside what measurements scatter.
TIE = 0.002


@dataclass(frozen=True)
class Tuned:
    """What came of a tuning run."""

    config: Config
    best: Measurement
    runner_up: Measurement | None = None
    tie: bool = False
    """Whether the runner-up cannot be told from the best."""
    history: Sequence[tuple[float, Measurement]] = ()
    """Every row with the seconds from the call of the tuner until it was known."""
    timeline: Timeline = field(default_factory=Timeline)
    measured: bool = True
    """Whether times were measured; else they are the model's estimates."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Proposals that the model ruled out, by reason; they have no rows."""

    def best_after(self, seconds: float) -> Measurement | None:
        """The fastest configuration known after so many seconds; None while there was none."""
        known = [m for at, m in self.history if at <= seconds and m.ok]
        return min(known, key=milliseconds_of) if known else None


class Run:
    """One pass of search over the space."""

    def __init__(
        self, space: TunableSpace, plan: Plan, search: Search, store: Store, key: Any, report: Reporter, settings: Any
    ):
        self.space, self.plan, self.search = space, plan, search
        self.store, self.key, self.report, self.settings = store, key, report, settings
        self.began = report.began
        self.history: list[tuple[float, Measurement]] = []
        self.ok: list[Measurement] = []
        self.log: RowLog | None = None
        self.tried = 0
        self.asked = 0
        self.unsaved: list[Measurement] = []
        self.timeline = Timeline()
        self.measured = True
        budget = plan.budget_seconds
        self.deadline = self.began + budget if budget is not None else None

    def go(self, executor: Executor) -> Tuned:
        """Search, then measure the best few again. Raises `exc.NoConfigFound`."""
        self.measured = getattr(executor, "measured", True)
        self.report.start()
        try:
            self._search(executor)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self.report.stop()
        self.ok.sort(key=milliseconds_of)
        if not self.ok:
            if interrupted:
                raise KeyboardInterrupt
            if self.tried == 0 and self._spent():
                self.report.say("the time was up before anything was measured; the default is used")
                return self._tuned([Measurement(self.space.legal_default(), None, "rejected", "not measured")])
            from helion_ir import exc

            raise exc.NoConfigFound(self._why_none())
        if interrupted:
            self.report.say("interrupted; the best so far is used")
            return self._tuned(distinct(self.ok))
        try:
            return self._tuned(self._final(executor))
        except KeyboardInterrupt:
            return self._tuned(distinct(self.ok))

    def _tuned(self, ranked: Sequence[Measurement]) -> Tuned:
        best, *rest = ranked
        runner_up = rest[0] if rest else None
        tie = runner_up is not None and not _apart(best, runner_up)
        rejected = Counter(getattr(self.search, "rejected", {}))
        return Tuned(
            self.space.decode(best.assignment),
            best,
            runner_up,
            tie,
            tuple(self.history),
            self.timeline,
            self.measured,
            rejected,
        )

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
        self.history.append((time.monotonic() - self.began, row))
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

    def _final(self, executor: Executor) -> list[Measurement]:
        """The close contenders, measured longer and in turns, and after them all others, best first."""
        contenders = distinct(self.ok)
        close = [m for m in contenders if milliseconds_of(m) <= self.plan.close * milliseconds_of(self.ok[0])]
        finalists = [Candidate(m.assignment) for m in close[: self.plan.finalists]]
        if len(finalists) < 2:
            return contenders
        deadline = self.deadline if self.deadline is None else max(self.deadline, time.monotonic() + 2.0)
        again = sorted((m for m in executor.remeasure(finalists, deadline=deadline) if m.ok), key=milliseconds_of)
        measured = {c.key for c in finalists}
        return [*again, *(m for m in contenders if m.key not in measured)] or contenders

    def _why_none(self) -> str:
        lines = [f"none of {self.report.tried} configurations works"]
        for stage, reasons in self.report.reasons.items():
            (reason, _), *rest = reasons.most_common()
            lines.append(f"  {stage}, {sum(reasons.values())} times: {reason}{' (among others)' if rest else ''}")
        return "\n".join(lines)


def milliseconds_of(measurement: Measurement) -> float:
    return measurement.milliseconds if measurement.milliseconds is not None else float("inf")


def distinct(rows: Sequence[Measurement]) -> list[Measurement]:
    return list({r.key: r for r in reversed(rows)}.values())[::-1]


def _apart(best: Measurement, other: Measurement) -> bool:
    """Whether two measurements differ by more than they scatter."""
    distance = milliseconds_of(other) - milliseconds_of(best)
    return distance > TIE * milliseconds_of(best) + best.spread + other.spread
