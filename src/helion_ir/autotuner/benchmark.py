"""Where configurations are tried: in a process of their own, or, on request, in this one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.worker_process import Reply, WorkerPool, wait

if TYPE_CHECKING:
    from helion_ir.autotuner.reference import Expectation, Tolerance

WORKER = "helion_ir.autotuner.benchmark_worker"


class Benchmark(Protocol):
    """Tries printed modules; see `trial.Trials.run` for jobs and answers."""

    @property
    def pools(self) -> Sequence[WorkerPool]:
        """What to wait for; none where `collect` itself does the work."""
        ...

    @property
    def room(self) -> int:
        """Jobs that may be submitted now without waiting in a queue for long."""
        ...

    @property
    def outstanding(self) -> int: ...

    def start(self) -> None:
        """Get ready for the first job."""
        ...

    def submit(self, job: Mapping[str, Any], *, limit: float | None = None) -> int:
        """Queue a job; gives the ticket under which `collect` answers it."""
        ...

    def collect(self) -> list[tuple[int, Reply]]:
        """What has ended since; the value of each reply has a stage, "timeout" and "crash" among them."""
        ...

    def alone(self) -> None:
        """From now on use one device only, as for comparing."""
        ...

    def close(self) -> None: ...


def run_all(
    benchmark: Benchmark, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
) -> Iterator[tuple[int, Mapping[str, Any], float]]:
    """`(index, answer, seconds)` of each job, as far as they get before `deadline`."""
    left = {benchmark.submit(job): i for i, job in enumerate(jobs)}
    while left and not (deadline is not None and time.monotonic() >= deadline):
        wait(benchmark.pools, deadline)
        for ticket, reply in benchmark.collect():
            if ticket in left:
                yield left.pop(ticket), reply.value, reply.seconds


@dataclass(frozen=True)
class Inputs:
    """What every configuration of one tuning run is tried with."""

    args: Any
    expectation: Expectation | None
    tolerance: Tolerance
    accuracy_check: bool = True
    names: AuthorNames = AuthorNames()
    device: int | None = None
    """The index of the device that they are on, if they are on one."""
    interprets: bool = False
    """Whether the first job will be to find the expectation by interpreting."""


class IsolatedBenchmark:
    """Tries configurations one at a time in a process that is killed when it hangs and replaced when it dies.

    With several `devices`, names as CUDA_VISIBLE_DEVICES has them, one process each; they must be alike.
    `measure` names a function `(function, args, restore, effort) -> milliseconds` as `package.module:name`; by default
    device events, or the host's clock where no argument is on a device.
    Raises for arguments and names that cannot be carried to another process: whatever `torch.save` raises, ValueError.
    """

    def __init__(
        self,
        inputs: Inputs,
        directory: Path,
        *,
        limit: float = 30.0,
        setup_seconds: float = 180.0,
        measure: str | None = None,
        environment: Mapping[str, str] | None = None,
        devices: Sequence[str] = (),
    ):
        import torch

        self.limit = limit
        arguments, expectation = directory / "arguments.pt", directory / "expectation.pt"
        torch.save(tuple(inputs.args), arguments)
        inputs.names.save(str(directory / "names.pt"))
        if inputs.expectation is not None:
            inputs.expectation.save(str(expectation))
        self._pool = WorkerPool(
            WORKER,
            max(1, len(devices)),
            depth=2,
            # Each sees one device, which it knows as the first.
            places=[{"CUDA_VISIBLE_DEVICES": d, "HIP_VISIBLE_DEVICES": d} for d in devices],
            setup={
                "arguments": str(arguments),
                "expectation": str(expectation),
                "names": str(directory / "names.pt"),
                "atol": inputs.tolerance.atol,
                "rtol": inputs.tolerance.rtol,
                "single": inputs.tolerance.single,
                "product": inputs.tolerance.product,
                "accuracy_check": inputs.accuracy_check,
                "measure": measure,
                "device": 0 if devices else inputs.device,
                "moved": bool(devices),
                "interprets": inputs.interprets,
            },
            setup_seconds=setup_seconds,
            environment=environment,
        )

    @property
    def processes_started(self) -> int:
        return self._pool.started

    @property
    def pools(self) -> Sequence[WorkerPool]:
        return [self._pool]

    @property
    def room(self) -> int:
        return self._pool.depth * self._pool.size - self._pool.outstanding

    @property
    def outstanding(self) -> int:
        return self._pool.outstanding

    def start(self) -> None:
        # The first finds the expectation, which others load when they start.
        self._pool.start(1)

    def alone(self) -> None:
        """From now on use one device only, as for comparing."""
        self._pool.keep_one()

    def submit(self, job: Mapping[str, Any], *, limit: float | None = None) -> int:
        return self._pool.submit(job, limit or self.limit)

    def collect(self) -> list[tuple[int, Reply]]:
        return [(ticket, _answered(reply)) for ticket, reply in self._pool.collect()]

    def close(self) -> None:
        self._pool.close()


def _answered(reply: Reply) -> Reply:
    return reply if reply.outcome == "done" else replace(reply, value={"stage": reply.outcome, "reason": reply.detail})


class InlineBenchmark:
    """Tries configurations in this process: for debugging, and for arguments or callbacks that cannot be carried.

    A configuration that hangs or corrupts the device takes this process with it.
    """

    def __init__(self, inputs: Inputs, *, measure: Any = None, check: Callable[[Any, Any], None] | None = None):
        from helion_ir.autotuner.measure import measure as default_measure
        from helion_ir.autotuner.tensors import cloned
        from helion_ir.autotuner.trial import Trials

        self._trials = Trials(
            cloned(tuple(inputs.args)),
            inputs.expectation,
            tolerance=inputs.tolerance,
            measure=measure or default_measure,
            check=check,
            accuracy_check=inputs.accuracy_check,
            namespace=inputs.names.namespace,
        )

        self._queue: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._tickets = 0

    @property
    def pools(self) -> Sequence[WorkerPool]:
        return []

    @property
    def room(self) -> int:
        return 1 - len(self._queue)

    @property
    def outstanding(self) -> int:
        return len(self._queue)

    def start(self) -> None:
        """There is nothing to start."""

    def submit(self, job: Mapping[str, Any], *, limit: float | None = None) -> int:
        self._tickets += 1
        self._queue.append((self._tickets, job))
        return self._tickets

    def collect(self) -> list[tuple[int, Reply]]:
        if not self._queue:
            return []
        ticket, job = self._queue.popleft()
        start = time.monotonic()
        answer = self._trials.run(job)
        return [(ticket, Reply("done", answer, seconds=time.monotonic() - start))]

    def alone(self) -> None:
        """There is one only."""

    def close(self) -> None:
        """There is nothing to close."""


def user_measure(benchmark_fn: Callable[..., Sequence[float]]) -> Callable[..., float]:
    """The author's `autotune_benchmark_fn(fns, *, repeat, desc=None) -> milliseconds` as a `measure`."""

    def measure(function: Callable[..., Any], args: Any, restore: Any, effort: Any) -> float:
        return float(benchmark_fn([lambda: function(*args)], repeat=50)[0])

    return measure
