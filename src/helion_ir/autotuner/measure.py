"""Timing one call of a compiled host function: on the device with events, or with the host's clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

# A configuration this many times slower than the best is not worth a precise number.
HOPELESS = 3.0
HOLD_SECONDS = 0.03
MOST_REPETITIONS = 100
LEAST_FLUSH_BYTES = 64 << 20


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    milliseconds: float = 50.0
    """Device time to spend on one configuration, about."""
    best: float | None = None
    """Milliseconds of the best so far, if any."""


class Restorer:
    """Puts back the argument tensors that a call writes to, so that each call sees the same data."""

    def __init__(self, tensors: Sequence[torch.Tensor]):
        self._tensors = [(t, t.clone()) for t in tensors]

    def __call__(self) -> None:
        for tensor, saved in self._tensors:
            tensor.copy_(saved)


def device_milliseconds(run: Callable[[], Any], restore: Callable[[], None], effort: Effort) -> float:
    """The median device time of `run`, in milliseconds, each with a cold L2 cache.

    `run` has been called before: compiling and loading are not measured. The stream is held while calls are queued,
    so that a kernel shorter than its launch is timed by itself and not by the launch.
    """
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    l2 = int(getattr(properties, "L2_cache_size", 0))
    flush = torch.empty(max(2 * l2, LEAST_FLUSH_BYTES), dtype=torch.int8, device="cuda")
    hertz = 1e3 * float(getattr(properties, "clock_rate", 2_000_000))

    def sample(count: int, hold: float) -> tuple[list[float], float]:
        pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(count)]
        if hold > 0:
            torch.cuda._sleep(int(min(hold, HOLD_SECONDS) * hertz))
        start = time.perf_counter()
        for before, after in pairs:
            restore()
            flush.zero_()
            before.record()
            run()
            after.record()
        queued = time.perf_counter() - start
        torch.cuda.synchronize()
        return [before.elapsed_time(after) for before, after in pairs], queued / count

    first, _ = sample(1, 0.0)
    if effort.best is not None and first[0] > 10 * HOPELESS * effort.best:
        return first[0]
    rough, queueing = sample(3, HOLD_SECONDS / 3)
    estimate = statistics.median(rough)
    if effort.best is not None and estimate > HOPELESS * effort.best:
        return estimate
    count = max(7, min(MOST_REPETITIONS, int(effort.milliseconds / (estimate + 0.05))))
    # What a slow kernel queues, the next hides by itself; more than that many milliseconds would be idle time.
    if count * estimate > 20 * effort.milliseconds:
        return estimate
    times, _ = sample(count, 1.5 * count * queueing)
    return statistics.median(times)


def graph_milliseconds(run: Callable[[], Any], restore: Callable[[], None], effort: Effort) -> float:
    """As `device_milliseconds`, of a CUDA graph that `run` is captured in: what several launches of a call cost then.

    Raises RuntimeError where `run` does what cannot be captured, such as reading a result on the host.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return device_milliseconds(graph.replay, restore, effort)


def host_milliseconds(run: Callable[[], Any], restore: Callable[[], None], effort: Effort) -> float:
    """The median wall-clock time of `run` in milliseconds; for interpreters, where a call is slow and on the host."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < effort.milliseconds and len(times) < MOST_REPETITIONS):
        restore()
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
        if effort.best is not None and times[-1] > HOPELESS * effort.best:
            break
    return statistics.median(times)


def measure(function: Callable[..., Any], args: Any, restore: Callable[[], None], effort: Effort) -> float:
    """Milliseconds a call of `function(*args)`, by the clock that suits where its tensors are.

    `restore` undoes what a call wrote to its arguments.
    """
    return _measured(device_milliseconds, function, args, restore, effort)


def measure_in_graph(function: Callable[..., Any], args: Any, restore: Callable[[], None], effort: Effort) -> float:
    """As `measure`, by the clock of CUDA graphs where tensors are on a device (`HELION_BENCHMARK_CUDAGRAPH=1`)."""
    return _measured(graph_milliseconds, function, args, restore, effort)


def _measured(
    on_device: Callable[..., float],
    function: Callable[..., Any],
    args: Any,
    restore: Callable[[], None],
    effort: Effort,
) -> float:
    from helion_ir.autotuner.tensors import leaves

    clock = on_device if any(t.is_cuda for t in leaves(args)) else host_milliseconds
    return clock(lambda: function(*args), restore, effort)


def effort_of(job: Mapping[str, Any]) -> Effort:
    """The effort that a request asks for."""
    default = Effort()
    return Effort(job.get("milliseconds") or default.milliseconds, job.get("best"))
