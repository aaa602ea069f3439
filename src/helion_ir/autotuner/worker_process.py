"""A helper process that answers JSON requests one at a time, and can be killed without harm to this one."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# A process whose device does not let go of it is not waited for longer than this.
REAP_SECONDS = 5.0
TAIL_BYTES = 2000


class WorkerStartError(RuntimeError):
    """Workers cannot be started at all, so that no configuration is to blame."""


class Worker:
    """One `python -m <module>`: a JSON object a line on its standard input, one a line back.

    The process is not a copy of this one and does not import the author's script, so that scripts need no
    `__main__` guard; it shares the module search path. It leads its own process group: what it starts dies with it,
    and a Ctrl-C in the terminal reaches only its parent.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None):
        path = os.pathsep.join(p if p else os.getcwd() for p in sys.path)
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._buffer = b""
        self._said_before = 0

    def fileno(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, request: Mapping[str, Any]) -> bool:
        """Whether the request could be written; a dead worker's cannot."""
        self._said_before = os.fstat(self._errors.fileno()).st_size
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, OSError):
            return False
        return True

    def receive(self) -> dict[str, Any] | Literal["nothing yet", "ended"]:
        """A complete reply if one has arrived; never blocks."""
        ended = False
        while b"\n" not in self._buffer:
            try:
                chunk = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                return "nothing yet"
            if not chunk:
                ended = True
                break
            self._buffer += chunk
        if ended:
            return "ended"
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError:
            return {"stage": "crash", "reason": "the worker's answer was garbled", "restart": True}

    def death(self) -> str:
        """How an ended worker ended, in words."""
        try:
            code = self.process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its output"
        if code >= 0:
            return f"exit status {code}{self._last_words()}"
        try:
            return f"{signal.Signals(-code).name}{self._last_words()}"
        except ValueError:
            return f"signal {-code}{self._last_words()}"

    def _last_words(self) -> str:
        # Of the last request only; earlier ones have answered for themselves.
        size = os.fstat(self._errors.fileno()).st_size
        self._errors.seek(max(self._said_before, size - TAIL_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()[:300]}" if lines else ""

    def kill(self) -> None:
        """End the process and all it started; safe to call twice."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # unsent bytes of a request, to a process that is gone
        try:
            self.process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return  # the system reaps it once the device lets go
        finally:
            self._errors.close()


@dataclass(frozen=True)
class Reply:
    """What became of a request."""

    outcome: Literal["done", "timeout", "crash"]
    value: Mapping[str, Any]
    """The worker's answer, when done."""
    detail: str = ""
    """How it crashed, or after how long it was stopped."""
    seconds: float = 0.0


@dataclass
class _Slot:
    worker: Worker
    ready: bool = False
    job: int | None = None
    started: float = 0.0
    limit: float = 0.0


class WorkerPool:
    """Workers that share a queue of requests. A request that hangs or kills its worker costs that one request.

    Workers start when first needed and stay until `close`. Each gets `setup` first and must answer it within
    `setup_seconds`; when none ever has, three times over, `WorkerStartError` is raised.
    """

    def __init__(
        self,
        module: str,
        size: int,
        *,
        setup: Mapping[str, Any] | None = None,
        setup_seconds: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ):
        self.module = module
        self.size = max(1, size)
        self.setup: dict[str, Any] = {"setup": dict(setup or {})}
        self.setup_seconds = setup_seconds
        self.environment = dict(environment or {})
        self.started = 0
        self._slots: list[_Slot] = []
        self._failed_starts = 0

    def run(
        self, requests: Sequence[Mapping[str, Any]], limit: float, *, deadline: float | None = None
    ) -> Iterator[tuple[int, Reply]]:
        """`(index, reply)` of each request, as they end; `limit` seconds each. Stops at `deadline` (monotonic)."""
        queue = list(range(len(requests)))[::-1]
        try:
            while queue or any(s.job is not None for s in self._slots):
                if deadline is not None and time.monotonic() >= deadline:
                    return
                self._fill(queue, requests, limit)
                yield from self._collect(deadline)
        finally:
            # Whoever still works on a request of this call would answer into the next one.
            for slot in [s for s in self._slots if s.job is not None]:
                self._drop(slot)

    def _fill(self, queue: list[int], requests: Sequence[Mapping[str, Any]], limit: float) -> None:
        # Whoever died while idle must not take a request along.
        for slot in [s for s in self._slots if s.ready and s.job is None and not s.worker.alive]:
            self._drop(slot)
        starting = sum(not s.ready for s in self._slots)
        idle = sum(s.ready and s.job is None for s in self._slots)
        while len(self._slots) < self.size and idle + starting < len(queue):
            self._start()
            starting += 1
        for slot in list(self._slots):
            if not queue:
                return
            if slot.ready and slot.job is None:
                if not slot.worker.send(requests[queue[-1]]):
                    self._drop(slot)  # it died since; the request goes to the next
                    continue
                slot.job, slot.started, slot.limit = queue.pop(), time.monotonic(), limit

    def _start(self) -> None:
        slot = _Slot(Worker(self.module, self.environment), started=time.monotonic(), limit=self.setup_seconds)
        self.started += 1
        self._slots.append(slot)
        slot.worker.send(self.setup)

    def _collect(self, deadline: float | None) -> Iterator[tuple[int, Reply]]:
        busy = [s for s in self._slots if s.job is not None or not s.ready]
        with selectors.DefaultSelector() as selector:
            for slot in busy:
                selector.register(slot.worker, selectors.EVENT_READ, slot)
            ends = [s.started + s.limit for s in busy] + ([deadline] if deadline is not None else [])
            wait = min(max(0.0, min(ends, default=0.0) - time.monotonic()), 0.5)
            ready = [key.data for key, _ in selector.select(wait)]
        now = time.monotonic()
        for slot in busy:
            message = slot.worker.receive() if slot in ready else "nothing yet"
            if isinstance(message, dict):
                yield from self._answered(slot, message, now)
            elif message == "ended":
                yield from self._lost(slot, "crash", slot.worker.death(), now)
            elif now > slot.started + slot.limit:
                yield from self._lost(slot, "timeout", f"stopped after {slot.limit:.0f} s", now)

    def _answered(self, slot: _Slot, message: dict[str, Any], now: float) -> Iterator[tuple[int, Reply]]:
        if not slot.ready:
            if "error" in message:
                yield from self._lost(slot, "crash", str(message["error"]), now)
                return
            slot.ready, self._failed_starts = True, 0
            return
        job, slot.job = slot.job, None
        # A device in an error state gives the same error to whoever comes next.
        if message.get("restart"):
            self._drop(slot)
        if job is not None:
            yield job, Reply("done", message, seconds=now - slot.started)

    def _lost(
        self, slot: _Slot, outcome: Literal["timeout", "crash"], detail: str, now: float
    ) -> Iterator[tuple[int, Reply]]:
        job = slot.job
        self._drop(slot)
        if not slot.ready:
            self._failed_starts += 1
            if self._failed_starts >= 3:
                raise WorkerStartError(f"{self.module} does not start: {detail}")
        if job is not None:
            yield job, Reply(outcome, {}, detail, now - slot.started)

    def _drop(self, slot: _Slot) -> None:
        slot.worker.kill()
        if slot in self._slots:
            self._slots.remove(slot)

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._slots):
            self._drop(slot)
