"""Tuning for a device that is not here: what the compiler says a configuration needs, ranked by the model."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.compile_pool import CompilePool
from helion_ir.autotuner.config_model import ConfigModel
from helion_ir.autotuner.executor import LocalExecutor
from helion_ir.autotuner.search_choice import config_model
from helion_ir.autotuner.store import MemoryStore, assignment_from_json
from helion_ir.autotuner.worker_process import Reply, WorkerPool

if TYPE_CHECKING:
    from helion_ir.autotuner.config import Config
    from helion_ir.autotuner.protocol import Assignment, KernelLike, Measurement, Printed
    from helion_ir.autotuner.run import Tuned
    from helion_ir.autotuner.space import ConfigSpace
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.stages import Stages
    from helion_ir.targets import Target


class OfflineKernel:
    """A bound kernel as it would be on a target: what `tune` needs of one."""

    def __init__(self, bound: BoundKernel, target: Target | str):
        self._bound = bound
        self.lowering: Stages = bound.stages_for(target)
        self.target: Target = self.lowering.target
        self.settings: Any = bound.settings
        self.kernel: KernelLike = bound.kernel
        self.function_name = bound.function_name
        if not self.target.backend:
            raise ValueError(f"nothing compiles for {self.target.name}; give a target, such as h100")

    @property
    def config_space(self) -> ConfigSpace:
        return self.lowering.space

    def printed(self, assignment: Assignment) -> Printed:
        return self.lowering.printed(dict(assignment))

    def cache_key(self) -> str:
        return self._bound.cache_key()

    def canonical_text(self) -> str:
        return self._bound.canonical_text()

    def reference(self, args: Any) -> Any:
        return self._bound.reference(args)


class ModelBenchmark:
    """Stands where configurations are run: answers with the model's estimate of each, at once."""

    measured = False

    def __init__(self, model: ConfigModel):
        self._model = model
        self._queue: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._tickets = 0

    @property
    def pools(self) -> Sequence[WorkerPool]:
        return []

    @property
    def room(self) -> int:
        return 8 - len(self._queue)

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
        out = [(ticket, Reply("done", self._estimated(job))) for ticket, job in self._queue]
        self._queue.clear()
        return out

    def _estimated(self, job: Mapping[str, Any]) -> dict[str, Any]:
        milliseconds = self._model.estimate(assignment_from_json(job["assignment"]), job["resources"])
        return {"stage": "ok", "milliseconds": milliseconds}

    def alone(self) -> None:
        """An estimate is the same anywhere."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class Ranked:
    """What came of tuning without a device. Times are estimates, good for an order at most."""

    tuned: Tuned
    target: str

    @property
    def best(self) -> Config:
        return self.tuned.config

    @property
    def rows(self) -> list[Measurement]:
        """The configurations that compile and fit, most promising first."""
        return sorted((m for _, m in self.tuned.history if m.ok), key=lambda m: m.milliseconds or 0.0)


def rank(
    bound: BoundKernel,
    args: Sequence[Any],
    target: Target | str,
    *,
    budget_seconds: float | None = 60.0,
    evaluations: int | None = None,
    seed: int = 0,
    search: str | None = None,
    configs: Sequence[Any] | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> Ranked:
    """Search the configurations of a kernel for a target that need not be present.

    Args:
        bound: the kernel, bound to arguments of the right shapes, on any device.
        args: the arguments; their shapes alone matter.
        target: a record or its name.
        budget_seconds, evaluations, seed, search, configs: as for `tune`.
        jobs: compilers at a time.
        progress: whether to show a line while it goes on.

    Raises ValueError for a target for which nothing compiles, and `exc.NoConfigFound`.
    """
    from helion_ir.autotuner.timeline import Timeline
    from helion_ir.autotuner.tuning import tuned

    kernel = OfflineKernel(bound, target)
    model = config_model(kernel, kernel.config_space)
    timeline = Timeline()
    with tempfile.TemporaryDirectory(prefix="helion_ir_tune_") as folder:
        directory = Path(folder)
        space = kernel.config_space
        names = AuthorNames.used_by(kernel.printed(space.legal_default()).text, bound.kernel.fn.__globals__)
        environment = {"TRITON_CACHE_DIR": str(directory / "triton")}
        compiler = CompilePool(kernel.target, args, directory, names=names, jobs=jobs, environment=environment)
        executor = LocalExecutor(kernel, ModelBenchmark(model), directory, compiler=compiler, timeline=timeline)
        try:
            found = tuned(
                kernel,
                args,
                executor=executor,
                # What is estimated is never kept beside what is measured.
                store=MemoryStore(),
                search=search,
                configs=configs,
                seed=seed,
                budget_seconds=budget_seconds,
                evaluations=evaluations,
                progress=progress,
            )
        finally:
            executor.close()
    return Ranked(found, kernel.target.name)
