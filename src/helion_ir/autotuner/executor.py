"""From candidates to measurements: print, compile side by side, then try one at a time."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.protocol import Candidate, Measurement, Notify
from helion_ir.autotuner.worker_loop import reason_of
from helion_ir.autotuner.worker_process import WorkerStartError

if TYPE_CHECKING:
    from helion_ir.autotuner.benchmark import Benchmark
    from helion_ir.autotuner.compile_pool import CompilePool
    from helion_ir.autotuner.protocol import TunableKernel

ROUNDS = 3
# Tried between two looks at the best so far, against which slow configurations are cut short.
CHUNK = 8
LONG_MILLISECONDS = 100.0


@dataclass
class _Job:
    candidate: Candidate
    path: Path = Path()
    seconds: float = 0.0

    def finish(self, answer: Mapping[str, Any]) -> Measurement:
        return Measurement(
            self.candidate.assignment,
            answer.get("milliseconds"),
            answer.get("stage", "crash"),
            answer.get("reason", ""),
            round(self.seconds, 4),
        )


class LocalExecutor:
    """Measures on this machine.

    All of a batch is compiled before any of it is timed, so that compilers do not compete with what is measured.
    Configurations that print the same text are tried once. `compiler` None: compile where the text is tried.
    """

    def __init__(
        self,
        bound: TunableKernel,
        benchmark: Benchmark,
        directory: Path,
        *,
        compiler: CompilePool | None = None,
        notify: Notify = lambda phase, done, total: None,
        say: Callable[[str], None] = lambda text: None,
    ):
        self._bound = bound
        self._benchmark = benchmark
        self._directory = directory
        self._compiler = compiler
        self._notify = notify
        self._say = say
        self._best: float | None = None
        self._by_text: dict[str, Measurement] = {}
        self.seconds: dict[str, float] = {}
        """Wall-clock seconds by phase: print, compile, benchmark."""

    def expect(self, candidate: Candidate) -> Measurement:
        """Try a candidate whose results become what all others are held against."""
        return next(iter(self._submit([candidate], None, {"expect": True})))

    def submit(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        yield from self._submit(candidates, deadline, {})

    def _submit(
        self, candidates: Sequence[Candidate], deadline: float | None, extra: Mapping[str, Any]
    ) -> Iterator[Measurement]:
        jobs: dict[str, _Job] = {}
        shared: list[tuple[Candidate, str]] = []
        for done, candidate in enumerate(candidates):
            self._notify("print", done, len(candidates))
            start = time.monotonic()
            try:
                path = self._print(candidate)
            except Exception as e:
                yield self._finished(_Job(candidate), {"stage": _printing_stage(e), "reason": reason_of(e)})
                continue
            finally:
                self._spent("print", start)
            if path.name in jobs or path.name in self._by_text:
                shared.append((candidate, path.name))
            else:
                jobs[path.name] = _Job(candidate, path, time.monotonic() - start)
        for row, job in self._run(list(jobs.values()), deadline, extra):
            self._by_text[job.path.name] = row
            yield row
        for candidate, name in shared:
            if name in self._by_text:
                yield replace(self._by_text[name], assignment=candidate.assignment, seconds=0.0)

    def _print(self, candidate: Candidate) -> Path:
        text = self._bound.printed(dict(candidate.assignment)).text
        path = self._directory / f"config_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
        if not path.exists():
            path.write_text(text)
        return path

    def _run(
        self, jobs: list[_Job], deadline: float | None, extra: Mapping[str, Any]
    ) -> Iterator[tuple[Measurement, _Job]]:
        ready = []
        for job, answer in self._compiled(jobs, deadline):
            # "unknown": could not be compiled ahead; running it will tell.
            if answer.get("stage") in ("ok", "unknown"):
                ready.append(job)
            else:
                yield self._finished(job, answer), job
        for done in range(0, len(ready), CHUNK):
            chunk = ready[done : done + CHUNK]
            requests = [{**self._request(j), "best": self._best, **extra} for j in chunk]
            start = time.monotonic()
            for n, (index, answer, seconds) in enumerate(self._benchmark.run(requests, deadline=deadline), 1):
                chunk[index].seconds += seconds
                row = self._finished(chunk[index], answer)
                self._spent("benchmark", start)
                self._notify("benchmark", done + n, len(ready))
                yield row, chunk[index]
                start = time.monotonic()

    def _compiled(self, jobs: list[_Job], deadline: float | None) -> Iterator[tuple[_Job, Mapping[str, Any]]]:
        if self._compiler is None:
            yield from ((job, {"stage": "unknown"}) for job in jobs)
            return
        start = time.monotonic()
        left = dict(enumerate(jobs))
        requests = [self._request(j) for j in jobs]
        try:
            for index, answer, seconds in self._compiler.run(requests, deadline=deadline):
                job = left.pop(index)
                job.seconds += seconds
                self._notify("compile", len(jobs) - len(left), len(jobs))
                yield job, answer
        except WorkerStartError as e:
            # Compiling ahead saves time and decides nothing.
            self._say(f"compiling where configurations are tried, since {e}")
            self._compiler.close()
            self._compiler = None
            yield from ((job, {"stage": "unknown"}) for job in left.values())
        self._spent("compile", start)

    def _finished(self, job: _Job, answer: Mapping[str, Any]) -> Measurement:
        row = job.finish(answer)
        if row.ok and row.milliseconds is not None and (self._best is None or row.milliseconds < self._best):
            self._best = row.milliseconds
        return row

    def _request(self, job: _Job) -> dict[str, Any]:
        return {"path": str(job.path), "function": self._bound.function_name}

    def _spent(self, phase: str, start: float) -> float:
        seconds = time.monotonic() - start
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds
        return seconds

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        jobs = [{**self._request(_Job(c, self._print(c))), "milliseconds": LONG_MILLISECONDS} for c in candidates]
        # Round by round, so that a device that grows warmer treats all alike.
        start = time.monotonic()
        answers: dict[int, list[Mapping[str, Any]]] = {}
        for index, answer, _ in self._benchmark.run(jobs * ROUNDS, deadline=deadline):
            answers.setdefault(index % len(jobs), []).append(answer)
            self._notify("remeasure", sum(map(len, answers.values())), ROUNDS * len(jobs))
        seconds = self._spent("remeasure", start) / max(1, len(candidates))
        for index, seen in sorted(answers.items()):
            failed = next((a for a in seen if a["stage"] != "ok"), None)
            if failed is None:
                failed = {"stage": "ok", "milliseconds": statistics.median(a["milliseconds"] for a in seen)}
            yield _Job(candidates[index], seconds=seconds).finish(failed)

    def close(self) -> None:
        self._benchmark.close()
        if self._compiler is not None:
            self._compiler.close()


def _printing_stage(error: Exception) -> str:
    return "rejected" if type(error).__name__ == "InvalidConfig" else "compile"
