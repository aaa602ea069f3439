"""Where worker processes come from: copies of a fork server, or, where that does not work, fresh interpreters."""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from helion_ir.autotuner.fork_server import MESSAGE_BYTES

SERVER = "helion_ir.autotuner.fork_server"
# Read while Triton is imported, so that it cannot be changed in a copy.
IMPORT_VARIABLES = ("TRITON_INTERPRET",)


class ForkServerError(RuntimeError):
    """The fork server is gone, or cannot be started."""


class ForkServer:
    """The near end of a `fork_server` process. Requests are answered in order, and nobody waits for most answers."""

    def __init__(self, environment: Mapping[str, str]):
        self.owner = os.getpid()
        self._given = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(search_path())}
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._channel.setsockopt(socket.SOL_SOCKET, option, MESSAGE_BYTES)
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env=self._given,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._next = 0
        self._answers: dict[int, Mapping[str, Any]] = {}
        self._forgotten: set[int] = set()
        self._warmed: set[str] = set()
        self._lock = threading.RLock()

    @property
    def usable(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, module: str, environment: Mapping[str, str], descriptors: list[int]) -> int:
        """Ask for a copy that serves `module` on three descriptors; gives the request's number at once."""
        wanted = {**os.environ, **environment}
        changed = {k: v for k, v in wanted.items() if self._given.get(k) != v}
        unset = [k for k in self._given if k not in wanted and k != "PYTHONPATH"]
        request = {"module": module, "environment": changed, "unset": unset, "path": search_path()}
        return self._send("fork", request, descriptors)

    def warm(self, target: Mapping[str, Any]) -> None:
        """Have the server do once what the first compilation of a process does; copies made later benefit."""
        if target["name"] not in self._warmed:
            self._warmed.add(target["name"])
            fields = {k: v for k, v in target.items() if isinstance(v, (str, int, float, bool, type(None)))}
            self._forgotten.add(self._send("warm", {"target": fields}))

    def reap(self, pid: int) -> int | None:
        """The exit status of a copy that has ended or been killed."""
        answer = self.answer(self._send("reap", {"pid": pid, "wait": True}), wait=True)
        return answer.get("status") if answer is not None else None

    def reap_later(self, pid: int) -> None:
        """As `reap`, for when nobody asks how it ended."""
        self._forgotten.add(self._send("reap", {"pid": pid, "wait": False}))

    def answer(self, number: int, *, wait: bool) -> Mapping[str, Any] | None:
        """The answer to a request, if it has come. Raises `ForkServerError` where none can come any more."""
        with self._lock:
            while number not in self._answers:
                if not wait and not select.select([self._channel], [], [], 0)[0]:
                    return None
                try:
                    data = self._channel.recv(MESSAGE_BYTES)
                except OSError as e:
                    raise ForkServerError(str(e)) from e
                if not data:
                    raise ForkServerError(f"the fork server ended: {self._last_words()}")
                answer = json.loads(data)
                if answer["id"] in self._forgotten:
                    self._forgotten.discard(answer["id"])
                else:
                    self._answers[answer["id"]] = answer
            return self._answers.pop(number)

    def forget(self, number: int) -> None:
        """Nobody will ask for this answer."""
        self._forgotten.add(number)

    def _send(self, what: str, request: Mapping[str, Any], descriptors: list[int] | None = None) -> int:
        with self._lock:
            self._next += 1
            data = json.dumps({"do": what, "id": self._next, **request}).encode()
            try:
                socket.send_fds(self._channel, [data], descriptors or [])
            except OSError as e:
                raise ForkServerError(f"{e}: {self._last_words()}") from e
            return self._next

    def _last_words(self) -> str:
        size = os.fstat(self._errors.fileno()).st_size
        self._errors.seek(max(0, size - 2000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"

    def close(self) -> None:
        """End the server and, with it, its copies."""
        self._channel.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()


_servers: dict[tuple[str | None, ...], ForkServer] = {}


def fork_server(environment: Mapping[str, str] | None = None) -> ForkServer | None:
    """The server of this process for workers with this environment, started if need be; None where there can be none."""
    if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        return None
    wanted = {**os.environ, **(environment or {})}
    key = tuple(wanted.get(name) for name in IMPORT_VARIABLES)
    found = _servers.get(key)
    if found is None or not found.usable:
        if not _servers:
            atexit.register(close_servers)
        fixed = {name: wanted[name] for name in IMPORT_VARIABLES if name in wanted}
        found = _servers[key] = ForkServer(fixed)
    return found


def close_servers() -> None:
    """End the servers of this process; they start again when needed."""
    for server in _servers.values():
        server.close()
    _servers.clear()


def search_path() -> list[str]:
    """Where a worker looks for modules: where this process does."""
    return [p if p else os.getcwd() for p in sys.path]
