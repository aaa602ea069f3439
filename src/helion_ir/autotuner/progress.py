"""What a person sees of a tuning run: a line while it goes on, a table and a decorator at the end."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from helion_ir.autotuner.protocol import Measurement
    from helion_ir.autotuner.run import Tuned
    from helion_ir.autotuner.timeline import Timeline

FAILED = ("compile", "run", "wrong", "timeout", "crash")
REASONS_SHOWN = 3


class Reporter:
    """Counts measurements and shows them on stderr.

    A line that changes where stderr is a terminal, else none; the summary in either case, unless `level` silences it
    (0, or above INFO).
    """

    def __init__(self, title: str, *, bar: bool = True, level: int = logging.INFO, stream: IO[str] | None = None):
        self._title = title
        self._stream = stream or sys.stderr
        self._loud = 0 < level <= logging.INFO
        self._bar_wanted = bar and self._loud and self._stream.isatty()
        self.began = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._phase = ""
        self.best: Measurement | None = None
        self.stages: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {}

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def tried(self) -> int:
        """Configurations of which it is known what became, rejected ones not counted."""
        return sum(n for stage, n in self.stages.items() if stage != "rejected")

    def say(self, text: str) -> None:
        """A line `[<elapsed>s] <text>`."""
        if self._loud:
            print(f"[{self.elapsed:.0f}s] {text}", file=self._stream, flush=True)

    def start(self) -> None:
        if not self._bar_wanted:
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        self._bar = Progress(*columns, console=self._console(), transient=True)
        self._task = self._bar.add_task(self._line(), total=None)
        self._bar.start()

    def phase(self, name: str, done: int, total: int) -> None:
        """`Notify`: what the executor is at."""
        self._phase = f"{name} {done}/{total}"
        self._refresh()

    def row(self, measurement: Measurement) -> None:
        """Count one measurement."""
        self.stages[measurement.stage] += 1
        if measurement.stage != "ok":
            self.reasons.setdefault(measurement.stage, Counter())[measurement.reason] += 1
        elif self.best is None or _time(measurement) < _time(self.best):
            self.best = measurement
        self._refresh()

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def summary(self, decorator: str, tuned: Tuned) -> None:
        """The table of what was tried, and the configuration in a form to paste above the kernel."""
        self.stop()
        if not self._loud:
            return
        from rich.table import Table

        table = Table(title=self._title, show_header=False, title_justify="left")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("tried", f"{self.tried} in {self.elapsed:.1f} s")
        table.add_row("ok", str(self.stages["ok"]))
        if tuned.rejected:
            counts = tuned.rejected.most_common(REASONS_SHOWN)
            reasons = "; ".join(f"{n} × {reason}" for reason, n in counts)
            table.add_row("ruled out", f"{sum(tuned.rejected.values())} before compiling: {reasons}")
        for stage in ("rejected", *FAILED):
            if self.stages[stage]:
                table.add_row(stage, f"{self.stages[stage]}: {self._top_reasons(stage)}")
        if tuned.timeline.spans:
            table.add_row("seconds", _seconds(tuned.timeline))
        if tuned.best.ok:
            unmeasured = "" if tuned.measured else ", estimated and not measured"
            table.add_row("best", f"{_time(tuned.best):.4f} ms{unmeasured}")
        if tuned.runner_up is not None and tuned.runner_up.ok:
            table.add_row("runner-up", f"{_time(tuned.runner_up):.4f} ms{', a tie' if tuned.tie else ''}")
        # Text from compilers holds brackets, which are no markup.
        console = self._console()
        console.print(table, markup=False, highlight=False)
        console.print(decorator, markup=False, highlight=False, soft_wrap=True)

    def _top_reasons(self, stage: str) -> str:
        counts = self.reasons[stage].most_common()
        shown = [f"{n} × {reason[:160]}" if n > 1 else reason[:160] for reason, n in counts[:REASONS_SHOWN]]
        more = len(counts) - REASONS_SHOWN
        return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")

    def _line(self) -> str:
        best = f"best {_time(self.best):.4f} ms" if self.best is not None else "no result yet"
        failed = sum(self.stages[s] for s in FAILED)
        rate = self.tried / self.elapsed if self.elapsed > 0 else 0.0
        return f"{self._title}: {best} · {self.tried} tried, {failed} failed · {rate:.1f}/s · {self._phase}"

    def _refresh(self) -> None:
        if self._bar is not None and self._task is not None:
            from rich.markup import escape

            self._bar.update(self._task, description=escape(self._line()))

    def _console(self) -> Console:
        from rich.console import Console

        # Where nobody looks there is no width to fit; long reasons stay on their lines.
        return Console(file=self._stream, width=None if self._stream.isatty() else 120)


def _seconds(timeline: Timeline) -> str:
    """Seconds by phase; with those in which anybody was at it, where several were at a time."""
    busy, covered = timeline.busy(), timeline.covered()
    out = []
    for phase, seconds in busy.items():
        text = f"{phase} {covered[phase]:.1f}"
        if seconds > 1.05 * covered[phase]:
            text += f" ({seconds:.1f} of processes)"
        if parts := timeline.parts(phase):
            text += f" ({', '.join(f'{part} {spent:.1f}' for part, spent in parts.items())})"
        out.append(text)
    return " · ".join(out)


def _time(measurement: Measurement) -> float:
    return measurement.milliseconds if measurement.milliseconds is not None else float("inf")
