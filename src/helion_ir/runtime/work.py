"""The unit of work that can be done anywhere: a kernel as IR text, a target, and arguments described in plain data."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.pool_executor import PoolExecutor
from helion_ir.autotuner.store import assignment_from_json, assignment_to_json

if TYPE_CHECKING:
    from concurrent.futures import Executor as Pool

    import torch

    from helion_ir.autotuner.executor import LocalExecutor
    from helion_ir.autotuner.protocol import Assignment
    from helion_ir.autotuner.reference_program import ReferenceProgram
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.targets import Target

# Of the caller's settings, those that matter to whoever compiles and measures.
CARRIED_SETTINGS = (
    "autotune_accuracy_check",
    "autotune_baseline_atol",
    "autotune_baseline_rtol",
    "autotune_benchmark_timeout",
    "autotune_compile_timeout",
)


@dataclass(frozen=True)
class TensorLike:
    """A tensor without its memory: floats are made anew, integers, which often are positions, are kept."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    values: bytes | None = None

    @classmethod
    def of(cls, tensor: torch.Tensor) -> TensorLike:
        """The description of a tensor."""

        name = str(tensor.dtype).removeprefix("torch.")
        shape, stride = tuple(tensor.shape), tuple(tensor.stride())
        if tensor.device.type == "meta":
            return cls(shape, stride, name)
        if tensor.is_floating_point():
            scale = float(tensor.float().std()) if tensor.numel() > 1 else 1.0
            return cls(shape, stride, name, scale)
        return cls(shape, stride, name, values=tensor.detach().cpu().contiguous().numpy().tobytes())

    def make(self, device: str, generator: torch.Generator) -> torch.Tensor:
        """A tensor of this kind: the same for the same state of the generator."""
        import torch

        dtype = getattr(torch, self.dtype)
        out = torch.empty_strided(self.shape, self.stride, dtype=dtype, device=device)
        if self.values is not None:
            flat = torch.frombuffer(bytearray(self.values), dtype=dtype) if self.values else torch.empty(0, dtype=dtype)
            return out.copy_(flat.reshape(self.shape))
        if not dtype.is_floating_point:
            return out.zero_()
        return out.copy_(torch.randn(self.shape, generator=generator) * self.scale)


@dataclass(frozen=True)
class Work:
    """What a worker needs to compile and, with a device, to measure configurations of one kernel.

    Plain data only: it can be sent to other machines, which must have the same version of helion-ir.
    """

    name: str
    function: str
    program: str
    """The tile module's text."""
    reference: str
    """The assignment to interpret it by, as JSON."""
    specialization: str
    target: Target
    args: tuple[Any, ...]
    """Values, and `TensorLike` where the argument is a tensor."""
    names: AuthorNames
    settings: Mapping[str, Any]
    without: tuple[str, ...] = ()
    """Fields of the configuration that are not searched."""
    measured: bool = True
    """Whether to run configurations; else the model's estimate is given."""

    @classmethod
    def of(cls, bound: BoundKernel, args: Sequence[Any], target: Target | None = None) -> Work:
        """The work of tuning a bound kernel: measured on its own device, or ranked for a target that is given.

        Raises ValueError where host code uses what only the author's script defines.
        """
        from helion_ir.autotuner.tensors import map_tensors

        stages = bound.stages_for(target if target is not None else bound.target)
        program = bound.reference_program()
        text = f"{stages.printed(stages.space.legal_default()).text}\n{program.host_text}"
        names = AuthorNames.used_by(text, bound.kernel.fn.__globals__)
        names.check()
        settings = {k: getattr(bound.settings, k) for k in CARRIED_SETTINGS if hasattr(bound.settings, k)}
        return cls(
            bound.kernel.name,
            bound.function_name,
            program.text,
            assignment_to_json(program.assignment),
            bound.cache_key(),
            stages.target,
            map_tensors(tuple(args), TensorLike.of),
            names,
            settings,
            tuple(sorted(stages.without)),
            target is None,
        )

    @property
    def key(self) -> str:
        """Equal for equal work."""
        return hashlib.sha256(repr((self.program, self.target, self.args, self.measured)).encode()).hexdigest()

    def arguments(self, device: str) -> tuple[Any, ...]:
        """The arguments, made on a device from a fixed seed."""
        import torch

        generator = torch.Generator().manual_seed(0)
        return tuple(_made(a, device, generator) for a in self.args)


def _made(value: Any, device: str, generator: Any) -> Any:
    if isinstance(value, TensorLike):
        return value.make(device, generator)
    if isinstance(value, (tuple, list)):
        items = [_made(v, device, generator) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return {k: _made(v, device, generator) for k, v in value.items()} if isinstance(value, dict) else value


@dataclass(frozen=True)
class _Source:
    name: str
    text: str

    def kernel_source(self) -> str:
        return self.text


class CarriedKernel:
    """A kernel made from work: what `LocalExecutor` and the tuner need of one."""

    def __init__(self, work: Work):
        from helion_ir.dialects.context import parse_module
        from helion_ir.runtime.stages import Stages
        from helion_ir.targets import TARGETS

        self._work = work
        self.target = work.target
        TARGETS.setdefault(self.target.name.lower(), self.target)
        self.lowering = Stages(parse_module(work.program), self.target, frozenset(work.without))
        self.settings = SimpleNamespace(**work.settings)
        self.kernel = _Source(work.name, work.program)
        self.function_name = work.function

    @property
    def config_space(self) -> Any:
        return self.lowering.space

    def printed(self, assignment: Assignment) -> Any:
        return self.lowering.printed(dict(assignment))

    def cache_key(self) -> str:
        return self._work.specialization

    def reference(self, args: Any) -> Any:
        return self.reference_program().function(self._work.names.namespace)(*args)

    def reference_program(self) -> ReferenceProgram:
        from helion_ir.autotuner.reference_program import ReferenceProgram

        return ReferenceProgram(self._work.program, assignment_from_json(self._work.reference))


class Station:
    """A place where work of one kind is done: its compiler and benchmark processes stay for the next configuration."""

    def __init__(self, work: Work):
        from helion_ir.autotuner.compile_pool import CompilePool
        from helion_ir.autotuner.executor import LocalExecutor
        from helion_ir.autotuner.local import carried_executor
        from helion_ir.autotuner.offline import ModelBenchmark
        from helion_ir.autotuner.search_choice import config_model

        self._folder = tempfile.TemporaryDirectory(prefix="helion_ir_work_")
        directory = Path(self._folder.name)
        kernel = CarriedKernel(work)
        if work.measured:
            self.executor: LocalExecutor = carried_executor(kernel, work.arguments("cuda"), directory, work.names)
        else:
            benchmark = ModelBenchmark(config_model(kernel, kernel.config_space))
            environment = {"TRITON_CACHE_DIR": str(directory / "triton")}
            args = work.arguments("meta")
            compiler = CompilePool(kernel.target, args, directory, names=work.names, jobs=1, environment=environment)
            self.executor = LocalExecutor(kernel, benchmark, directory, compiler=compiler)

    def row(self, assignment: str, milliseconds: float | None) -> dict[str, Any]:
        """What becomes of a configuration, given and told as plain data."""
        from helion_ir.autotuner.protocol import Candidate

        candidate = Candidate(assignment_from_json(assignment))
        if milliseconds is None:
            found = next(iter(self.executor.submit([candidate])))
        else:
            found = next(iter(self.executor.remeasure([candidate])))
        return {**dataclasses.asdict(found), "assignment": assignment}

    def close(self) -> None:
        self.executor.close()
        self._folder.cleanup()


_stations: dict[str, Station] = {}
_lock = threading.Lock()


def do(work: Work, assignment: str, milliseconds: float | None = None) -> dict[str, Any]:
    """Compile a configuration and measure or estimate it, in whatever process this is called.

    Args:
        work: the kernel; the first call of a process with it prepares what later ones use.
        assignment: as JSON.
        milliseconds: time to spend on measuring again what has been measured; None: the first time.

    Returns:
        The fields of a `Measurement`, the assignment as JSON.
    """
    # One at a time: what is measured must have the device to itself.
    with _lock:
        if work.key not in _stations:
            # Whoever tunes another kernel has done with the last.
            for key in list(_stations):
                _stations.pop(key).close()
            _stations[work.key] = Station(work)
        return _stations[work.key].row(assignment, milliseconds)


def pool_executor(
    pool: Pool, bound: BoundKernel, args: Sequence[Any], target: Target | None = None, *, size: int = 4
) -> PoolExecutor:
    """An executor for `tune` that does its work in a pool: of threads, of processes, or of a cluster.

    Args:
        pool: anything of the form of `concurrent.futures.Executor`; with Dask, `client.get_executor()`.
        bound: the kernel.
        args: its arguments; workers get others of the same kind.
        target: rank for this device, by the compiler and the model, instead of measuring on the workers' own.
        size: configurations under way at a time: about twice the workers.
    """
    return PoolExecutor(pool, Work.of(bound, args, target), do, size=size)
