"""Where configurations are tried: in a process of their own, or, on request, in this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.worker_process import Reply, WorkerPool

if TYPE_CHECKING:
    from helion_ir.autotuner.reference import Expectation, Tolerance

WORKER = "helion_ir.autotuner.benchmark_worker"


class Benchmark(Protocol):
    """Tries printed modules; see `trial.Trials.run` for jobs and answers."""

    def run(
        self, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any], float]]:
        """`(index, answer, seconds)` of each job, in order as far as they get before `deadline`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Inputs:
    """What every configuration of one tuning run is tried with."""

    args: Any
    expectation: Expectation | None
    tolerance: Tolerance
    accuracy_check: bool = True
    names: AuthorNames = AuthorNames()


class IsolatedBenchmark:
    """Tries configurations one at a time in a process that is killed when it hangs and replaced when it dies.

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
            1,
            setup={
                "arguments": str(arguments),
                "expectation": str(expectation),
                "names": str(directory / "names.pt"),
                "atol": inputs.tolerance.atol,
                "rtol": inputs.tolerance.rtol,
                "accuracy_check": inputs.accuracy_check,
                "measure": measure,
            },
            setup_seconds=setup_seconds,
            environment=environment,
        )

    @property
    def processes_started(self) -> int:
        return self._pool.started

    def run(
        self, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any], float]]:
        for index, reply in self._pool.run(jobs, self.limit, deadline=deadline):
            yield index, _answer(reply), reply.seconds

    def close(self) -> None:
        self._pool.close()


def _answer(reply: Reply) -> Mapping[str, Any]:
    if reply.outcome == "done":
        return reply.value
    return {"stage": reply.outcome, "reason": reply.detail}


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

    def run(
        self, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any], float]]:
        for index, job in enumerate(jobs):
            if deadline is not None and time.monotonic() >= deadline:
                return
            start = time.monotonic()
            answer = self._trials.run(job)
            yield index, answer, time.monotonic() - start

    def close(self) -> None:
        pass


def user_measure(benchmark_fn: Callable[..., Sequence[float]]) -> Callable[..., float]:
    """The author's `autotune_benchmark_fn(fns, *, repeat, desc=None) -> milliseconds` as a `measure`."""

    def measure(function: Callable[..., Any], args: Any, restore: Any, effort: Any) -> float:
        return float(benchmark_fn([lambda: function(*args)], repeat=50)[0])

    return measure
