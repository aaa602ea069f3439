"""Compiling many configurations at once, each with a time limit, in processes that may die."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.worker_process import Reply, WorkerPool, wait
from helion_ir.autotuner.worker_source import ForkServerError, fork_server

WORKER = "helion_ir.autotuner.compile_worker"
WARM_UP = "helion_ir.autotuner.warm:warm_up"

# The limit adapts once this many have compiled, and never below so many seconds.
ADAPT_AFTER = 20
LEAST_LIMIT = 6.0


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs() -> int:
    """Compilers at a time: all processors but one, which the benchmark process and this one have for themselves."""
    return max(1, processors() - 1)


class CompilePool:
    """Compiles printed modules for a target, without a device.

    `compiler` names a function `(setup) -> (job) -> answer` as `package.module:name`; jobs are `{"path", "function"}`.
    With `adaptive`, the limit shrinks to a multiple of what compilations have been seen to take.
    """

    def __init__(
        self,
        target: Any,
        args: Any,
        directory: Path,
        *,
        jobs: int | None = None,
        limit: float = 60.0,
        adaptive: bool = True,
        names: AuthorNames | None = None,
        compiler: str = WARM_UP,
        environment: Mapping[str, str] | None = None,
        forked: bool = True,
    ):
        import torch

        from helion_ir.autotuner.tensors import on_meta

        arguments = directory / "shapes.pt"
        torch.save(on_meta(tuple(args)), arguments)
        (names or AuthorNames()).save(str(directory / "host_names.pt"))
        fields = dataclasses.asdict(target) if dataclasses.is_dataclass(target) else dict(target)  # pyright: ignore
        self.size = jobs or default_jobs()
        self._limit = limit
        self._adaptive = adaptive
        self._seen: list[float] = []
        if forked and fields.get("backend") and (server := fork_server(environment)) is not None:
            with contextlib.suppress(ForkServerError):
                server.warm(fields)
        self.pool = WorkerPool(
            WORKER,
            self.size,
            setup={
                "target": fields,
                "arguments": str(arguments),
                "names": str(directory / "host_names.pt"),
                "compile": compiler,
            },
            # A compiling process that found a device would take memory on it.
            environment={"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", **(environment or {})},
            forked=forked,
        )

    @property
    def limit(self) -> float:
        """Seconds that one compilation may take."""
        if not self._adaptive or len(self._seen) < ADAPT_AFTER:
            return self._limit
        usual = statistics.quantiles(self._seen, n=10)[-1]
        return min(self._limit, max(LEAST_LIMIT, 3 * usual))

    @property
    def outstanding(self) -> int:
        return self.pool.outstanding

    def submit(self, job: Mapping[str, Any]) -> int:
        """Queue a module; gives the ticket under which `collect` answers it."""
        return self.pool.submit(job, self.limit)

    def collect(self) -> list[tuple[int, Reply]]:
        """What has ended since; the value of a reply has a stage, "timeout" and "crash" among them."""
        out = []
        for ticket, reply in self.pool.collect():
            if reply.outcome == "done":
                self._seen.append(reply.seconds)
            else:
                reason = f"while compiling: {reply.detail}"
                reply = dataclasses.replace(reply, value={"stage": reply.outcome, "reason": reason})
            out.append((ticket, reply))
        return out

    def run(
        self, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any], float]]:
        """`(index, answer, seconds)` of each job as they end."""
        left = {self.submit(job): i for i, job in enumerate(jobs)}
        try:
            while left and not (deadline is not None and time.monotonic() >= deadline):
                wait([self.pool], deadline)
                for ticket, reply in self.collect():
                    yield left.pop(ticket), reply.value, reply.seconds
        finally:
            self.pool.drop()

    def close(self) -> None:
        self.pool.close()
