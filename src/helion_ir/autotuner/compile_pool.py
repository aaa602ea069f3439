"""Compiling many configurations at once, each with a time limit, in processes that may die."""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.worker_process import WorkerPool

WORKER = "helion_ir.autotuner.compile_worker"
WARM_UP = "helion_ir.autotuner.warm:warm_up"

# The limit adapts once this many have compiled, and never below so many seconds.
ADAPT_AFTER = 20
LEAST_LIMIT = 30.0


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
    ):
        import torch

        from helion_ir.autotuner.tensors import on_meta

        arguments = directory / "shapes.pt"
        torch.save(on_meta(tuple(args)), arguments)
        (names or AuthorNames()).save(str(directory / "host_names.pt"))
        fields = dataclasses.asdict(target) if dataclasses.is_dataclass(target) else dict(target)  # pyright: ignore
        self.size = jobs or os.cpu_count() or 1
        self._limit = limit
        self._adaptive = adaptive
        self._seen: list[float] = []
        self._pool = WorkerPool(
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
        )

    @property
    def limit(self) -> float:
        """Seconds that one compilation may take."""
        if not self._adaptive or len(self._seen) < ADAPT_AFTER:
            return self._limit
        usual = statistics.quantiles(self._seen, n=10)[-1]
        return min(self._limit, max(LEAST_LIMIT, 3 * usual))

    def run(
        self, jobs: Sequence[Mapping[str, Any]], *, deadline: float | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any], float]]:
        """`(index, answer, seconds)` of each job as they end; the stages "timeout" and "crash" are added here."""
        for index, reply in self._pool.run(jobs, self.limit, deadline=deadline):
            if reply.outcome == "done":
                self._seen.append(reply.seconds)
                yield index, reply.value, reply.seconds
            else:
                what = "while compiling: "
                yield index, {"stage": reply.outcome, "reason": what + reply.detail}, reply.seconds

    def close(self) -> None:
        self._pool.close()
