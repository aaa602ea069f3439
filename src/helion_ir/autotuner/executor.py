"""From candidates to measurements: print, compile side by side, and meanwhile try what is compiled, one at a time."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.benchmark import run_all
from helion_ir.autotuner.protocol import Candidate, Measurement, Notify, Source
from helion_ir.autotuner.store import assignment_to_json
from helion_ir.autotuner.timeline import Timeline
from helion_ir.autotuner.worker_loop import reason_of
from helion_ir.autotuner.worker_process import Reply, WorkerStartError, wait

if TYPE_CHECKING:
    from helion_ir.autotuner.benchmark import Benchmark
    from helion_ir.autotuner.compile_pool import CompilePool
    from helion_ir.autotuner.protocol import TunableKernel

# Finalists are measured in turns until one is faster each time than all others ever are, at least and at most so often.
LEAST_ROUNDS, ROUNDS = 3, 9
LONG_MILLISECONDS = 100.0
# Candidates waiting for a compiler, for each compiler: enough that none is idle, few enough that the search has seen
# most results when it is asked for the next.
AHEAD = 0.5
# Compiled configurations waiting to be tried, at most: more would only be older guesses.
READY = 24


@dataclass
class _Job:
    candidate: Candidate
    path: Path = Path()
    seconds: float = 0.0
    resources: Mapping[str, int] = field(default_factory=dict)

    def finish(self, answer: Mapping[str, Any]) -> Measurement:
        return Measurement(
            self.candidate.assignment,
            answer.get("milliseconds"),
            answer.get("stage", "crash"),
            answer.get("reason", ""),
            round(self.seconds, 4),
            resources=dict(self.resources),
        )


class LocalExecutor:
    """Measures on this machine.

    Compilers work ahead while one process tries what is ready, and the search is asked for candidates as places become
    free, so that it knows most results by then. Configurations that print the same text are tried once.

    Args:
        compiler: None: compile where the text is tried.
        reference: a job for the benchmark that finds out what results should be, with its limit in seconds.
        default: what all others are held against where `reference` gives no answer; None: nothing is.
    """

    def __init__(
        self,
        bound: TunableKernel,
        benchmark: Benchmark,
        directory: Path,
        *,
        compiler: CompilePool | None = None,
        reference: tuple[Mapping[str, Any], float] | None = None,
        default: Candidate | None = None,
        notify: Notify = lambda phase, done, total: None,
        say: Callable[[str], None] = lambda text: None,
        timeline: Timeline | None = None,
    ):
        self._bound = bound
        self._benchmark = benchmark
        self._directory = directory
        self._compiler = compiler
        self._default = default
        self._notify = notify
        self._say = say
        self.timeline = timeline or Timeline()
        self._best: float | None = None
        self._by_text: dict[str, Measurement] = {}
        self._compiling: dict[int, _Job] = {}
        self._ready: deque[_Job] = deque()
        self._trying: dict[int, _Job] = {}
        self._same: dict[str, list[Candidate]] = {}
        """Candidates that print a text which is under way, by the text's file."""
        self._rows: deque[Measurement] = deque()
        for pool in benchmark.pools:
            pool.on_ready = self._started("benchmark")
        benchmark.start()
        if compiler is not None:
            compiler.pool.on_ready = self._started("compiler")
            compiler.pool.start()
        self._reference: int | None = None
        self._established = reference is None and default is None
        if reference is not None:
            job, limit = reference
            self._reference = benchmark.submit(job, limit=limit)

    @property
    def measured(self) -> bool:
        """Whether times are measured; else they are estimates."""
        return getattr(self._benchmark, "measured", True)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase, those of several processes added up."""
        return self.timeline.busy()

    def _started(self, lane: str) -> Callable[[int, float, Mapping[str, Any]], None]:
        def started(worker: int, seconds: float, answer: Mapping[str, Any]) -> None:
            now = time.monotonic()
            parts = answer.get("parts", {})
            self.timeline.add(f"start {lane}", now - seconds, now, f"{lane} {worker}", parts=parts)

        return started

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        over = False
        asked: list[Candidate] | None = []
        while not (deadline is not None and time.monotonic() >= deadline):
            self._establish()
            # Those that compute get their next work before anything else is done here.
            self._feed()
            if not over and (room := self._room()) > 0:
                with self.timeline.span("search"):
                    asked = source(room)
                over = asked is None
                for candidate in asked or ():
                    self._take(candidate)
                self._feed()
            told = bool(self._rows)
            while self._rows:
                yield self._rows.popleft()
            if not self._outstanding:
                # What has just been told may give the search something to ask for.
                if over or not (asked or told):
                    return
                continue
            self._wait(deadline)

    def submit(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        """One row a candidate, as they come. Past `deadline` the rest gets no row."""
        left = deque(candidates)

        def source(n: int) -> list[Candidate] | None:
            return [left.popleft() for _ in range(min(n, len(left)))] or None

        return self.stream(source, deadline=deadline)

    @property
    def _outstanding(self) -> int:
        return len(self._compiling) + len(self._ready) + len(self._trying) + (self._reference is not None)

    def _room(self) -> int:
        """Candidates that there is a place for."""
        if self._compiler is None:
            return 2 - len(self._ready) - len(self._trying)
        if len(self._ready) >= READY:
            return 0
        return self._compiler.size + max(1, int(AHEAD * self._compiler.size)) - len(self._compiling)

    def _take(self, candidate: Candidate) -> None:
        start = time.monotonic()
        try:
            path = self._print(candidate)
        except Exception as e:
            self._finished(_Job(candidate), {"stage": _printing_stage(e), "reason": reason_of(e)})
            return
        finally:
            self.timeline.add("print", start, time.monotonic())
        name = path.name
        if name in self._by_text:
            self._rows.append(replace(self._by_text[name], assignment=candidate.assignment, seconds=0.0))
        elif name in self._same:
            self._same[name].append(candidate)
        else:
            self._same[name] = []
            job = _Job(candidate, path, time.monotonic() - start)
            if self._compiler is None:
                self._ready.append(job)
            else:
                self._compiling[self._compiler.submit(self._request(job))] = job

    def _print(self, candidate: Candidate) -> Path:
        text = self._bound.printed(dict(candidate.assignment)).text
        path = self._directory / f"config_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
        if not path.exists():
            path.write_text(text)
        return path

    def _feed(self) -> None:
        while self._established and self._ready and self._benchmark.room > 0:
            job = self._ready.popleft()
            told = {"assignment": assignment_to_json(job.candidate.assignment), "resources": dict(job.resources)}
            self._trying[self._benchmark.submit({**self._request(job), **told, "best": self._best})] = job

    def _wait(self, deadline: float | None) -> None:
        pools = [*self._benchmark.pools, *([self._compiler.pool] if self._compiler is not None else [])]
        if pools and not (self._trying and not self._benchmark.pools):
            wait(pools, deadline)
        for ticket, reply in self._benchmark.collect():
            self._tried(ticket, reply)
        self._collect_compiled()

    def _collect_compiled(self) -> None:
        if self._compiler is None:
            return
        try:
            answers = self._compiler.collect()
        except WorkerStartError as e:
            # Compiling ahead saves time and decides nothing.
            self._say(f"compiling where configurations are tried, since {e}")
            self._compiler.close()
            self._compiler = None
            self._ready += self._compiling.values()
            self._compiling.clear()
            return
        for ticket, reply in answers:
            job = self._compiling.pop(ticket)
            self._span("compile", f"compiler {reply.worker}", reply)
            job.seconds += reply.seconds
            job.resources = reply.value.get("resources", {})
            # "unknown": could not be compiled ahead; running it will tell.
            if reply.value.get("stage") in ("ok", "unknown"):
                self._ready.append(job)
            else:
                self._finished(job, reply.value)
        if answers:
            self._notify("compile", len(self._ready), len(self._compiling))

    def _tried(self, ticket: int, reply: Reply) -> None:
        if ticket == self._reference:
            self._reference = None
            self._span("reference", f"benchmark {reply.worker}", reply)
            if reply.value["stage"] == "ok":
                self._established = True
                self._say(f"results are held against the interpreter, which took {reply.seconds:.1f} s")
            else:
                self._say(f"the interpreter gave no reference ({reply.value['stage']}: {reply.value['reason']})")
            return
        job = self._trying.pop(ticket, None)
        if job is None:
            return
        self._span("benchmark", f"benchmark {reply.worker}", reply)
        job.seconds += reply.seconds
        self._finished(job, reply.value)
        self._notify("benchmark", len(self._trying), len(self._ready))

    def _span(self, phase: str, lane: str, reply: Reply) -> None:
        now = time.monotonic()
        detail = {"stage": reply.value.get("stage", ""), "parts": reply.value.get("parts", {})}
        self.timeline.add(phase, now - reply.seconds, now, lane, **detail)

    def _establish(self) -> None:
        """Where no reference has been found, take the results of the default configuration for one."""
        if self._established or self._reference is not None:
            return
        assert self._default is not None
        job = _Job(self._default, self._print(self._default))
        ticket = self._benchmark.submit({**self._request(job), "expect": True})
        while True:
            wait(self._benchmark.pools)
            for answered, reply in self._benchmark.collect():
                if answered == ticket:
                    self._span("reference", f"benchmark {reply.worker}", reply)
                    self._expected(reply.value)
                    return

    def _expected(self, answer: Mapping[str, Any]) -> None:
        if answer["stage"] != "ok":
            from helion_ir import exc

            raise exc.InvalidConfig(
                f"the default configuration fails ({answer['stage']}: {answer['reason']}), so that there is nothing "
                "to hold results against; give an autotune_baseline_fn"
            )
        self._established = True
        self._say("results are held against the default configuration")

    def _finished(self, job: _Job, answer: Mapping[str, Any]) -> None:
        row = job.finish(answer)
        if row.ok and row.milliseconds is not None and (self._best is None or row.milliseconds < self._best):
            self._best = row.milliseconds
        self._rows.append(row)
        if job.path.name:
            self._by_text[job.path.name] = row
            for candidate in self._same.pop(job.path.name, ()):
                self._rows.append(replace(row, assignment=candidate.assignment, seconds=0.0))

    def _request(self, job: _Job) -> dict[str, Any]:
        return {"path": str(job.path), "function": self._bound.function_name}

    def quiet(self) -> None:
        """Give up what is under way, so that nothing competes with what is measured next."""
        if self._compiler is not None:
            self._compiler.pool.drop()
        self._compiling.clear()
        self._ready.clear()
        self._trying.clear()
        self._same.clear()
        self._benchmark.alone()

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        self.quiet()
        jobs = [
            {
                **self._request(_Job(c, self._print(c))),
                "assignment": assignment_to_json(c.assignment),
                "resources": self._resources(c),
                "milliseconds": LONG_MILLISECONDS,
            }
            for c in candidates
        ]
        # Round by round, so that a device that grows warmer treats all alike.
        start = time.monotonic()
        seen: list[list[Mapping[str, Any]]] = [[] for _ in jobs]
        for done in range(ROUNDS):
            for index, answer, _ in run_all(self._benchmark, jobs, deadline=deadline):
                seen[index].append(answer)
                self._notify("remeasure", sum(map(len, seen)), ROUNDS * len(jobs))
            if done + 1 >= LEAST_ROUNDS and _separated([_times(s) for s in seen]):
                break
            if deadline is not None and time.monotonic() >= deadline:
                break
        self.timeline.add("remeasure", start, time.monotonic(), "benchmark 0")
        seconds = (time.monotonic() - start) / max(1, len(candidates))
        for candidate, answers in zip(candidates, seen):
            if answers:
                yield _settled(_Job(candidate, seconds=seconds, resources=self._resources(candidate)), answers)

    def _resources(self, candidate: Candidate) -> dict[str, int]:
        known = self._by_text.get(self._print(candidate).name)
        return dict(known.resources) if known is not None else {}

    def close(self) -> None:
        self._benchmark.close()
        if self._compiler is not None:
            self._compiler.close()


def _times(answers: Sequence[Mapping[str, Any]]) -> list[float]:
    return [a["milliseconds"] for a in answers if a["stage"] == "ok"]


def _separated(times: Sequence[Sequence[float]]) -> bool:
    """Whether every measurement of one is below every measurement of all others."""
    ranked = sorted((t for t in times if t), key=statistics.median)
    if not ranked:
        return True
    first, *rest = ranked
    return all(max(first) < min(other) for other in rest)


def _settled(job: _Job, answers: Sequence[Mapping[str, Any]]) -> Measurement:
    """The median of several measurements, unless one of them failed."""
    failed = next((a for a in answers if a["stage"] != "ok"), None)
    if failed is not None:
        return job.finish(failed)
    times = _times(answers)
    row = job.finish({"stage": "ok", "milliseconds": statistics.median(times)})
    # Half of the distance from the first to the third quartile.
    spread = (statistics.quantiles(times, n=4)[2] - statistics.quantiles(times, n=4)[0]) / 2 if len(times) > 2 else 0.0
    return replace(row, spread=spread)


def _printing_stage(error: Exception) -> str:
    return "rejected" if type(error).__name__ == "InvalidConfig" else "compile"
