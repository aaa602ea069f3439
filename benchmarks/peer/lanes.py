"""Searches on several GPUs at once: which kernel runs where, with which processors, and until when."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = {"ours": 12.0, "helion": 14.0, "times": 16.0}
"""Seconds that a process takes at least besides searching: to import what it needs, and to end."""
TIMES_LEAST = 12.0
"""With less the timing is not begun."""


@dataclass(frozen=True)
class Lane:
    """A GPU, the processors that go with it, and the kernels that are tuned there, one after the other."""

    gpu: int
    processors: tuple[int, ...]
    kernels: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """For its processes: one GPU to see, and as many compilers of Helion's as there are processors."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        name = visible.split(",")[self.gpu] if visible else str(self.gpu)
        return {"CUDA_VISIBLE_DEVICES": name, "HELION_AUTOTUNE_PRECOMPILE_JOBS": str(len(self.processors))}


def lanes(kernels: Sequence[str], gpus: int, processors: Sequence[int], most: int | None = None) -> list[Lane]:
    """Kernels dealt out to GPUs in turns, processors in equal parts of `most` at most.

    >>> [(lane.kernels, lane.processors) for lane in lanes("abc", 2, range(5))]
    [(('a', 'c'), (0, 1)), (('b',), (2, 3))]
    """
    share = len(processors) // gpus
    own = share if most is None else min(share, most)
    if own < 1:
        raise ValueError(f"{len(processors)} processors are too few for {gpus} GPUs")
    return [Lane(g, tuple(processors[g * share : g * share + own]), tuple(kernels[g::gpus])) for g in range(gpus)]


@dataclass(frozen=True)
class Step:
    """A process: a search ("ours" or "helion") or the timing of what was found ("times"), with its limit in seconds."""

    kernel: str
    what: str
    limit: float


def steps(
    lane: Lane, seconds: float, missing: Callable[[str], Sequence[str]], left: Callable[[], float]
) -> Iterator[Step | str]:
    """What a lane does next, for as long as there is time; a text for what there is no time for.

    Each kernel has an equal share of what is left, so that the last is not the one that pays for slow ones; a process
    may take what the rest of its kernel does not need. One that has not ended by then is stopped, and of a search what
    its log says counts. A kernel is begun where its searches fit; what they found can be timed by a later command.

    Args:
        seconds: of a search.
        missing: by kernel, which of "ours", "helion" and "times" are to be done, in this order.
        left: the seconds left.
    """
    for position, kernel in enumerate(lane.kernels):
        others = left() * (1 - 1 / (len(lane.kernels) - position))
        todo = missing(kernel)
        least = [LEAST[what] + (0.0 if what == "times" else seconds) for what in todo]
        searches = sum(n for n, what in zip(least, todo) if what != "times")
        if left() - others < searches:
            yield f"{kernel}: {left() - others:.0f} s are left, {searches:.0f} are needed to search"
            continue
        for at, what in enumerate(todo):
            here = left() - others
            if what == "times" and here < TIMES_LEAST:
                yield f"{kernel}: {here:.0f} s are left, too few to time what was found; run the command again"
            else:
                yield Step(kernel, what, max(least[at] if what != "times" else 0.0, here - sum(least[at + 1 :])))


def run_lanes(work: Sequence[Lane], run: Callable[[Lane], Any]) -> None:
    """Run a function on each lane at once, its processes on the lane's processors alone.

    The first exception is raised when all have ended.
    """
    failed: list[BaseException] = []

    def on_own_processors(lane: Lane) -> None:
        try:
            # Of this thread, and so of the processes that it starts.
            os.sched_setaffinity(0, lane.processors)
            run(lane)
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=on_own_processors, args=(lane,)) for lane in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def clock(limit: float) -> Callable[[], float]:
    """A function that gives the seconds left of `limit` from now on."""
    end = time.monotonic() + limit
    return lambda: end - time.monotonic()
