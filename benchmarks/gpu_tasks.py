"""What `gpu_check` does in its worker processes: run one configuration, or time the good ones of a case."""

import functools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.pool import Poisoned


@dataclass(frozen=True)
class CheckTask:
    """Run configuration number `index` of one case of an example: 0 is the default, the others are random.

    `device` is "cuda", "cpu" for the interpreter of the triton dialect, or "triton-interpreter".
    """

    example: str
    case: str
    index: int
    device: str
    seed: int
    count: int


@dataclass(frozen=True)
class TimeTask:
    """Time the configurations of those numbers, and PyTorch, on one case."""

    example: str
    case: str
    indices: tuple[int, ...]
    seed: int
    count: int
    torch_compile: bool
    seconds: float
    """From the start of the task: no configuration is begun after it."""


def check(task: CheckTask) -> dict[str, Any]:
    """Compile and run one configuration and compare with the reference.

    Returns:
        A row with `status`: "ok", "wrong" (it ran and computed something else), "rejected" (ruled out by the
        configuration space), "resources" (too much shared memory or too many registers), "triton" (Triton
        could not compile it) or "error" (anything else), and `detail` for all but the first.

    Raises:
        Poisoned: after an error that makes the process's GPU context useless.
    """
    import torch
    from examples.harness import WrongResult, poisoned

    from helion_ir.autotuner.tensors import cloned

    row: dict[str, Any] = {"config": None, "status": "ok", "detail": "", "compile_s": None, "error": None}
    try:
        example, args, expected, bound, configs = _prepared(task.example, task.case, task.device, task.seed, task.count)
        config = configs[task.index]
        row["config"] = dict(config)
        start = time.perf_counter()
        with poisoned():
            if task.device == "cpu":
                actual = _interpreted(bound, config, args)
            else:
                # The first call compiles, on a copy since it may write to its arguments; later ones go another way.
                run = bound.compile_config(config, allow_print=False)
                run(*cloned(tuple(args)))
                actual = run(*args)
            if task.device == "cuda":
                torch.cuda.synchronize()
        row["compile_s"] = round(time.perf_counter() - start, 3)
        row["error"] = example.check(actual, args, expected)
    except WrongResult as error:
        row.update(status="wrong", detail=str(error))
    except Exception as error:
        row.update(status=kind_of(error), detail=f"{type(error).__name__}: {error}"[:2000])
        if "CUDA error" in str(error) or "illegal" in str(error):
            raise Poisoned(f"{row['detail'][:500]} config={row['config']}") from error
    return row


def measure(task: TimeTask) -> list[dict[str, Any]]:
    """Milliseconds of each configuration, of eager PyTorch and, if asked, of `torch.compile`."""
    import torch
    from examples.harness import milliseconds

    start = time.monotonic()
    example, args, _, bound, configs = _prepared(
        task.example, task.case, "cuda", task.seed, task.count, with_reference=False
    )
    rows: list[dict[str, Any]] = []

    def add(what: str, call: Any, config: dict[str, Any] | None = None) -> None:
        try:
            call()
            rows.append({"what": what, "ms": milliseconds(call), "config": config})
        except Exception as error:
            if "CUDA error" in str(error):
                raise Poisoned(f"{what}: {error}"[:500]) from error
            rows.append(
                {"what": what, "ms": None, "config": config, "detail": f"{type(error).__name__}: {error}"[:500]}
            )

    add("eager", lambda: example.eager(*args))
    if task.torch_compile:
        compiled = torch.compile(example.eager)
        add("torch.compile", lambda: compiled(*args))
    for index in task.indices:
        if index and time.monotonic() - start > task.seconds:  # the default is timed in any case
            break
        run = bound.compile_config(configs[index], allow_print=False)
        add(f"config {index}", functools.partial(run, *args), dict(configs[index]))
    return rows


@functools.lru_cache(maxsize=2)
def _prepared(
    name: str, case_name: str, device: str, seed: int, count: int, with_reference: bool = True
) -> tuple[Any, Sequence[Any], Any, Any, list[Any]]:
    """The example, arguments, reference, bound kernel and configurations of a case; one worker sees a case often."""
    import torch
    from examples import registry

    example = registry.load(name)
    args = example.case(case_name).args("cuda" if device == "cuda" else "cpu", seed)
    expected = example.expect(args) if with_reference else None
    if device == "cuda":
        # The reference's float64 temporaries would stay with this process, and many share the GPU.
        torch.cuda.empty_cache()
    bound = example.kernel.bind(args)
    rng = random.Random(f"{seed}/{name}/{case_name}")
    space = bound.config_space
    configs = [bound.config_spec.default_config()]
    configs += [space.decode(space.sample(rng)) for _ in range(count)]
    return example, args, expected, bound, configs


def _interpreted(bound: Any, config: Any, args: Sequence[Any]) -> Any:
    """The result of the concrete Triton IR in the project's own interpreter: what a machine without a GPU can do."""
    from helion_ir.interpreter import run_module

    assignment = bound.config_space.encode(config)
    return run_module(bound.materialize(config), args, assignment, globals=bound.kernel.fn.__globals__)


def kind_of(error: Exception) -> str:
    """Which of `check`'s statuses an exception is."""
    from helion_ir import exc

    if isinstance(error, exc.InvalidConfig):
        return "rejected"
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"OutOfResources", "PTXASError"}:
        return "resources"
    if names & {"TritonCompileError", "CompilationError", "TritonError"} or "PassManager" in str(error):
        return "triton"
    return "error"
