"""Tasks in worker processes, each with a time limit; a worker that hangs or dies costs its own task alone."""

import itertools
import multiprocessing
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What became of a task: `status` is "ok" (with its value), "error", "timeout", "crash" or "skipped"."""

    task: Any
    status: str
    value: Any = None
    detail: str = ""
    seconds: float = 0.0


REACH = 1000
"""How far ahead in the list of tasks a worker looks for one that needs what its last one prepared."""


class Poisoned(RuntimeError):
    """Raised by a task after which its process is of no further use, as after an illegal access on a GPU."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Any = None
    started: float = 0.0
    last: Any = None
    """The task before, whose preparations the process may still have."""


def run(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    processes: int,
    seconds: float,
    deadline: float,
    fresh: bool = False,
    preparation: Callable[[Any], Hashable] | None = None,
) -> Iterator[Outcome]:
    """Run `function(task)` for every task; outcomes come as they are ready.

    Args:
        function: importable by name, since workers are spawned and know nothing of this process.
        tasks: what can be pickled.
        processes: how many at a time.
        seconds: the limit of one task, from its start; the first of a process pays for its imports.
        deadline: on `time.monotonic()`; what has not ended by then is "skipped".
        fresh: whether every task has a process of its own.
        preparation: what a task prepares and its process keeps; a worker prefers tasks that need the same again.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(tasks)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.task is not None for worker in workers):
            if time.monotonic() >= deadline:
                break
            busy = sum(worker.task is not None for worker in workers)
            while waiting and busy < processes:
                worker = next((w for w in workers if w.task is None), None)
                if worker is None:
                    worker = _start(context, function)
                    workers.append(worker)
                worker.task, worker.started = _next(waiting, worker.last, preparation), time.monotonic()
                worker.pipe.send((worker.task,))
                busy += 1
            wait([w.pipe for w in workers if w.task is not None], timeout=0.2)
            for worker in list(workers):
                outcome = _poll(worker, seconds)
                if outcome is None:
                    continue
                worker.task, worker.last = None, worker.task
                if fresh or outcome.status in ("timeout", "crash"):
                    _stop(worker)
                    workers.remove(worker)
                yield outcome
        now = time.monotonic()
        for worker in workers:
            if worker.task is not None:
                yield Outcome(worker.task, "skipped", seconds=now - worker.started)
        for task in waiting:
            yield Outcome(task, "skipped")
    finally:
        for worker in workers:
            _stop(worker)


def _next(waiting: deque[Any], last: Any, preparation: Callable[[Any], Hashable] | None) -> Any:
    """The first task in reach that needs what the last one prepared, or else the first; it leaves the queue."""
    if preparation is not None and last is not None:
        for place, task in enumerate(itertools.islice(waiting, REACH)):
            if preparation(task) == preparation(last):
                del waiting[place]
                return task
    return waiting.popleft()


def _poll(worker: _Worker, seconds: float) -> Outcome | None:
    if worker.task is None:
        return None
    spent = time.monotonic() - worker.started
    try:
        if worker.pipe.poll():
            status, value, detail = worker.pipe.recv()
            return Outcome(worker.task, status, value, detail, spent)
    except (EOFError, OSError):
        worker.process.join(1)
        return Outcome(worker.task, "crash", detail=f"exit code {worker.process.exitcode}", seconds=spent)
    if spent > seconds:
        return Outcome(worker.task, "timeout", detail=f"over {seconds:.0f} s", seconds=spent)
    return None


def _start(context: Any, function: Callable[[Any], Any]) -> _Worker:
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, mine)


def _stop(worker: _Worker) -> None:
    worker.pipe.close()
    # A process that waits for a hanging GPU ignores anything gentler.
    worker.process.kill()
    worker.process.join(5)


def _serve(function: Callable[[Any], Any], pipe: Connection) -> None:
    while True:
        try:
            (task,) = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(("ok", function(task), ""))
        except Poisoned as error:
            pipe.send(("crash", None, str(error)))
            return
        except Exception as error:
            pipe.send(("error", None, f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-4)}"))
