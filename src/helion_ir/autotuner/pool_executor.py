"""Measuring in any pool that has the form of `concurrent.futures.Executor`: threads, processes, a Dask cluster."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from helion_ir.autotuner.protocol import Candidate, Measurement, Source
from helion_ir.autotuner.store import assignment_to_json

if TYPE_CHECKING:
    from concurrent.futures import Executor as Pool
    from concurrent.futures import Future

LONGEST_WAIT = 0.5


class Carried(Protocol):
    """The work of a pool, in plain data."""

    @property
    def measured(self) -> bool:
        """Whether workers run configurations, rather than estimate."""
        ...


class PoolExecutor:
    """Sends each configuration, with the work it belongs to, to a pool; the pool decides where it is done.

    Args:
        pool: `submit(function, *args)` gives a `concurrent.futures.Future`. Workers need helion-ir, nothing else.
        work: what workers need to know, and whether they measure.
        run: the function that workers call with the work, an assignment as JSON and, to measure again, milliseconds.
        size: configurations under way at a time: about twice the workers.
        tries: how often a configuration is sent whose worker was lost, before that is its row.

    `runtime.work.pool_executor` makes one for a bound kernel.
    """

    def __init__(self, pool: Pool, work: Carried, run: Callable[..., dict[str, Any]], *, size: int = 4, tries: int = 2):
        self._pool = pool
        self._work = work
        self._size = size
        self._tries = tries
        self._run = run

    @property
    def measured(self) -> bool:
        """Whether times are measured; else they are estimates."""
        return self._work.measured

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        under_way: dict[Future[Any], tuple[Candidate, int]] = {}
        over = False
        try:
            while not (deadline is not None and time.monotonic() >= deadline):
                asked: Sequence[Candidate] | None = []
                if not over and len(under_way) < self._size:
                    asked = source(self._size - len(under_way))
                    over = asked is None
                    for candidate in asked or ():
                        under_way[self._submitted(candidate, None)] = candidate, 1
                if not under_way:
                    return
                yield from self._ended(under_way, deadline)
        finally:
            for future in under_way:
                future.cancel()

    def submit(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        """One row a candidate, as they come."""
        return self.stream(_once(candidates), deadline=deadline)

    def _ended(self, under_way: dict[Future[Any], tuple[Candidate, int]], deadline: float | None) -> list[Measurement]:
        left = LONGEST_WAIT if deadline is None else min(LONGEST_WAIT, max(0.0, deadline - time.monotonic()))
        done, _ = concurrent.futures.wait(under_way, left, return_when=concurrent.futures.FIRST_COMPLETED)
        rows: list[Measurement] = []
        for future in done:
            candidate, tries = under_way.pop(future)
            try:
                rows.append(_row(candidate, future.result()))
            except Exception as e:
                if tries < self._tries:
                    # A worker that is lost loses no result: another one does its work again.
                    under_way[self._submitted(candidate, None)] = candidate, tries + 1
                else:
                    reason = f"the worker was lost: {type(e).__name__}: {e}"[:300]
                    rows.append(Measurement(candidate.assignment, None, "crash", reason))
        return rows

    def _submitted(self, candidate: Candidate, milliseconds: float | None) -> Future[Any]:
        return self._pool.submit(self._run, self._work, assignment_to_json(candidate.assignment), milliseconds)

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        if not self._work.measured:
            # An estimate does not change.
            yield from self.stream(_once(candidates), deadline=deadline)
            return
        for candidate in candidates:
            left = None if deadline is None else max(0.1, deadline - time.monotonic())
            try:
                yield _row(candidate, self._submitted(candidate, 100.0).result(left))
            except Exception as e:
                yield Measurement(candidate.assignment, None, "crash", f"{type(e).__name__}: {e}"[:300])

    def close(self) -> None:
        """The pool is its owner's to close."""


def _once(candidates: Sequence[Candidate]) -> Source:
    left = list(candidates)

    def source(n: int) -> list[Candidate] | None:
        out, left[:] = left[:n], left[n:]
        return out or None

    return source


def _row(candidate: Candidate, told: dict[str, Any]) -> Measurement:
    # The worker's assignment is this one; what it had to say is the rest.
    return Measurement(**{**told, "assignment": candidate.assignment})
