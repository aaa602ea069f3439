"""A helper process that answers JSON requests one at a time, and can be killed without harm to this one."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from helion_ir.autotuner.worker_source import ForkServer, ForkServerError, fork_server, search_path

# A process whose device does not let go of it is not waited for longer than this.
REAP_SECONDS = 5.0
TAIL_BYTES = 2000


class WorkerStartError(RuntimeError):
    """Workers cannot be started at all, so that no configuration is to blame."""


class Worker:
    """One process that serves a module: a JSON object a line on its standard input, one a line back.

    A copy of the fork server where there is one, else `python -m <module>`. Neither is a copy of this process nor
    imports the author's script, so that scripts need no `__main__` guard; both share the module search path. It leads
    its own process group: what it starts dies with it, and a Ctrl-C in the terminal reaches only its parent.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None, server: ForkServer | None = None):
        self._errors = tempfile.TemporaryFile()
        self._server = server
        self._pid: int | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        theirs_in, mine_in = os.pipe()
        mine_out, theirs_out = os.pipe()
        self._stdin, self._stdout = mine_in, mine_out
        try:
            if server is not None:
                self._asked = server.fork(module, environment or {}, [theirs_in, theirs_out, self._errors.fileno()])
            else:
                self._popen = subprocess.Popen(
                    [sys.executable, "-m", module],
                    stdin=theirs_in,
                    stdout=theirs_out,
                    stderr=self._errors,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path()), **(environment or {})},
                    start_new_session=True,
                )
                self._pid = self._popen.pid
        except BaseException:
            os.close(mine_in)
            os.close(mine_out)
            self._errors.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        os.set_blocking(self._stdout, False)
        self._buffer = b""
        self._ended = False
        self._killed = False
        self._said_before = 0

    def fileno(self) -> int:
        return self._stdout

    @property
    def pid(self) -> int | None:
        """None while the fork server has not made the process yet. Raises `ForkServerError` where it never will."""
        if self._pid is None and self._server is not None:
            answer = self._server.answer(self._asked, wait=False)
            self._pid = answer["pid"] if answer is not None else None
        return self._pid

    @property
    def alive(self) -> bool:
        """Whether it still holds its end of the pipe; only for a worker that owes no answer."""
        self._read()
        return not self._ended

    def send(self, request: Mapping[str, Any]) -> bool:
        """Whether the request could be written; a dead worker's cannot."""
        self._said_before = os.fstat(self._errors.fileno()).st_size
        data = json.dumps(request).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._stdin, data) :]
        except OSError:
            return False
        return True

    def receive(self) -> dict[str, Any] | Literal["nothing yet", "ended"]:
        """A complete reply if one has arrived; never blocks."""
        self._read()
        if b"\n" not in self._buffer:
            return "ended" if self._ended else "nothing yet"
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError:
            return {"stage": "crash", "reason": "the worker's answer was garbled", "restart": True}

    def _read(self) -> None:
        while not self._ended:
            try:
                chunk = os.read(self._stdout, 1 << 16)
            except BlockingIOError:
                return
            self._ended = not chunk
            self._buffer += chunk

    def death(self) -> str:
        """How an ended worker ended, in words."""
        code = self._status()
        if code is None:
            return "closed its output"
        if code >= 0:
            return f"exit status {code}{self._last_words()}"
        try:
            return f"{signal.Signals(-code).name}{self._last_words()}"
        except ValueError:
            return f"signal {-code}{self._last_words()}"

    def _status(self) -> int | None:
        if self._popen is not None:
            try:
                return self._popen.wait(REAP_SECONDS)
            except subprocess.TimeoutExpired:
                return None
        assert self._server is not None
        try:
            pid = self.pid
            if pid is None:
                return None
            self._killed = True  # its number is free for others once it is reaped
            return self._server.reap(pid)
        except ForkServerError:
            return None

    def _last_words(self) -> str:
        # Of the last request only; earlier ones have answered for themselves.
        size = os.fstat(self._errors.fileno()).st_size
        self._errors.seek(max(self._said_before, size - TAIL_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()[:300]}" if lines else ""

    def kill(self) -> None:
        """End the process and all it started; safe to call twice."""
        if self._stdin < 0:
            return
        # A copy that is yet to be made finds its input at an end, and goes.
        os.close(self._stdin)
        os.close(self._stdout)
        self._stdin = -1
        try:
            if self._popen is not None:
                self._kill_group(self._popen.pid)
                self._popen.wait(REAP_SECONDS)
            elif self._server is not None and not self._killed:
                pid = self.pid
                if pid is None:
                    self._server.forget(self._asked)
                else:
                    self._kill_group(pid)
                    self._server.reap_later(pid)
        except (subprocess.TimeoutExpired, ForkServerError):
            return  # the system reaps it once the device lets go; a server takes its copies along
        finally:
            self._errors.close()

    def _kill_group(self, pid: int) -> None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            # Ended already, or not yet the leader of a group.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Reply:
    """What became of a request."""

    outcome: Literal["done", "timeout", "crash"]
    value: Mapping[str, Any]
    """The worker's answer, when done."""
    detail: str = ""
    """How it crashed, or after how long it was stopped."""
    seconds: float = 0.0
    worker: int = 0
    """Which of the pool's places it was done at."""


@dataclass(frozen=True)
class _Request:
    ticket: int
    body: Mapping[str, Any]
    limit: float


@dataclass
class _Slot:
    worker: Worker
    number: int
    started: float
    """When the worker began what it is at: its setup, or its first request."""
    setup_seconds: float
    ready: bool = False
    requests: deque[_Request] = field(default_factory=deque)
    """The one that it is at, and those that it will find next."""

    @property
    def end(self) -> float:
        """When the time is up of what it is at."""
        return self.started + (self.requests[0].limit if self.ready else self.setup_seconds)

    @property
    def owes(self) -> bool:
        return bool(self.requests) or not self.ready


class WorkerPool:
    """Workers that share a queue of requests. A request that hangs or kills its worker costs that one request.

    Workers start when first needed, or by `start`, and stay until `close`. Each gets `setup` first and must answer it
    within `setup_seconds`; when none ever has, three times over, `WorkerStartError` is raised. With `forked` they are
    copies of this process's fork server.
    """

    def __init__(
        self,
        module: str,
        size: int,
        *,
        setup: Mapping[str, Any] | None = None,
        setup_seconds: float = 120.0,
        environment: Mapping[str, str] | None = None,
        forked: bool = True,
        depth: int = 1,
        places: Sequence[Mapping[str, str]] = (),
    ):
        self.module = module
        self.size = max(1, size)
        self.setup: dict[str, Any] = {"setup": dict(setup or {})}
        self.setup_seconds = setup_seconds
        self.environment = dict(environment or {})
        self.forked = forked
        self.places = places
        """What the environment of the worker at each place has besides, as which device it sees."""
        self.depth = depth
        """Requests that a worker may be sent before it has answered: it then need not wait for the next."""
        self.on_ready: Callable[[int, float, Mapping[str, Any]], None] = lambda worker, seconds, answer: None
        """Called with place, seconds and answer when a worker has set itself up."""
        self.started = 0
        self._slots: list[_Slot] = []
        self._failed_starts = 0
        self._queue: deque[_Request] = deque()
        self._tickets = 0

    @property
    def outstanding(self) -> int:
        """Requests without an answer."""
        return len(self._queue) + sum(len(s.requests) for s in self._slots)

    def start(self, count: int | None = None) -> None:
        """Start workers before there is anything to do."""
        for _ in range((count or self.size) - len(self._slots)):
            self._start()

    def submit(self, request: Mapping[str, Any], limit: float) -> int:
        """Queue a request that may take `limit` seconds; gives the ticket under which `collect` answers it."""
        self._tickets += 1
        self._queue.append(_Request(self._tickets, request, limit))
        self._fill()
        return self._tickets

    def collect(self) -> list[tuple[int, Reply]]:
        """What has been answered since, without waiting."""
        out: list[tuple[int, Reply]] = []
        for slot in [s for s in self._slots if s.owes]:
            # Several answers may have come; a worker that was dropped meanwhile has no more to say.
            while slot in self._slots and slot.owes:
                message = slot.worker.receive()
                now = time.monotonic()
                if isinstance(message, dict):
                    out += self._answered(slot, message, now)
                elif message == "ended":
                    out += self._lost(slot, "crash", slot.worker.death(), now)
                elif now > slot.end:
                    out += self._lost(slot, "timeout", f"stopped after {slot.end - slot.started:.0f} s", now)
                else:
                    break
        self._fill()
        return out

    def drop(self) -> None:
        """Forget all requests; workers that are at one are ended."""
        self._queue.clear()
        # Whoever still works on a request would answer into the next one.
        for slot in [s for s in self._slots if s.requests]:
            slot.requests.clear()
            self._drop(slot)

    def run(
        self, requests: Sequence[Mapping[str, Any]], limit: float, *, deadline: float | None = None
    ) -> Iterator[tuple[int, Reply]]:
        """`(index, reply)` of each request, as they end; `limit` seconds each. Stops at `deadline` (monotonic)."""
        indices = {self.submit(request, limit): i for i, request in enumerate(requests)}
        try:
            while indices:
                if deadline is not None and time.monotonic() >= deadline:
                    return
                wait([self], deadline)
                for ticket, reply in self.collect():
                    yield indices.pop(ticket), reply
        finally:
            self.drop()

    def _fill(self) -> None:
        # Whoever died while idle must not take a request along.
        for slot in [s for s in self._slots if not s.owes and not s.worker.alive]:
            self._drop(slot)
        available = sum(not s.requests for s in self._slots)
        while len(self._slots) < self.size and available < len(self._queue):
            self._start()
            available += 1
        for depth in range(self.depth):
            for slot in [s for s in self._slots if s.ready and len(s.requests) == depth]:
                if not self._queue:
                    return
                if not slot.worker.send(self._queue[0].body):
                    if not slot.requests:
                        self._drop(slot)  # it died since; the request goes to the next
                    continue
                if not slot.requests:
                    slot.started = time.monotonic()
                slot.requests.append(self._queue.popleft())

    def _start(self) -> None:
        self.started += 1
        number = min(set(range(self.size + 1)) - {s.number for s in self._slots})
        environment = {**self.environment, **(self.places[number] if number < len(self.places) else {})}
        try:
            server = fork_server(environment) if self.forked else None
            worker = Worker(self.module, environment, server)
        except (ForkServerError, OSError):
            self.forked = False
            worker = Worker(self.module, environment)
        self._slots.append(_Slot(worker, number, time.monotonic(), self.setup_seconds))
        worker.send(self.setup)

    def _answered(self, slot: _Slot, message: dict[str, Any], now: float) -> Iterator[tuple[int, Reply]]:
        if not slot.ready:
            if "error" in message:
                yield from self._lost(slot, "crash", str(message["error"]), now)
                return
            slot.ready, self._failed_starts = True, 0
            self.on_ready(slot.number, now - slot.started, message)
            return
        if not slot.requests:
            return
        request = slot.requests.popleft()
        seconds, slot.started = now - slot.started, now
        # A device in an error state gives the same error to whoever comes next.
        if message.get("restart"):
            self._drop(slot)
        yield request.ticket, Reply("done", message, seconds=seconds, worker=slot.number)

    def _lost(
        self, slot: _Slot, outcome: Literal["timeout", "crash"], detail: str, now: float
    ) -> Iterator[tuple[int, Reply]]:
        request = slot.requests.popleft() if slot.requests else None
        self._drop(slot)
        if not slot.ready:
            self._failed_starts += 1
            if self._failed_starts >= 3:
                raise WorkerStartError(f"{self.module} does not start: {detail}")
        if request is not None:
            yield request.ticket, Reply(outcome, {}, detail, now - slot.started, slot.number)

    def _drop(self, slot: _Slot) -> None:
        slot.worker.kill()
        # What it had not begun goes to another.
        self._queue.extendleft(reversed(slot.requests))
        if slot in self._slots:
            self._slots.remove(slot)

    def keep_one(self) -> None:
        """End all workers but the one at the first place, and start no others; what they were at goes to it."""
        self.size = 1
        for slot in [s for s in self._slots if s.number != 0]:
            self._drop(slot)

    def ends(self) -> list[float]:
        """When, by the monotonic clock, the time of what workers are at is up."""
        return [s.end for s in self._slots if s.owes]

    def waiting_for(self) -> list[Worker]:
        """Workers that owe an answer."""
        return [s.worker for s in self._slots if s.owes]

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._slots):
            self._drop(slot)
        self._queue.clear()


LONGEST_WAIT = 0.5


def wait(pools: Sequence[WorkerPool], deadline: float | None = None, longest: float = LONGEST_WAIT) -> None:
    """Return when a worker of one of the pools has something to say, or its time is up, or the deadline has come."""
    ends = [end for pool in pools for end in pool.ends()] + ([deadline] if deadline is not None else [])
    seconds = min(max(0.0, min(ends, default=0.0) - time.monotonic()), longest)
    with selectors.DefaultSelector() as selector:
        for pool in pools:
            for worker in pool.waiting_for():
                selector.register(worker, selectors.EVENT_READ)
        selector.select(seconds)
