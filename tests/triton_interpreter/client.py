"""Functions of tests run where Triton interprets, which it decides for a process when it is imported."""

from __future__ import annotations

import json
import os
import reprlib
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from tests.triton_interpreter.server import MESSAGE_BYTES

ROOT = Path(__file__).parents[2]
SHOWN_CHARACTERS = 6000
# One thread each: there are as many of these as workers, and a library's threads would not survive a copy.
ENVIRONMENT = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class JobFailed(AssertionError):
    """A function that raised, crashed or took too long where Triton interprets."""


class TritonInterpreter:
    """A process with everything imported; each call of `run` is a copy of it. The first call starts it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def run(self, function: Callable[..., Any], *arguments: Any, seconds: float = 120.0) -> Any:
        """Call a function of a module in a process of its own, where Triton interprets.

        Args:
            function: found again by its name; the module is imported anew.
            arguments: what JSON can say.
            seconds: of wall-clock time, after which it is ended.

        Returns: what the function returns, as JSON has it.
        Raises: JobFailed with everything that the function wrote, its traceback included.
        """
        assert isinstance(function, FunctionType) and "." not in function.__qualname__, "a function of a module"
        name = f"{function.__module__}:{function.__name__}"
        job = json.dumps({"function": name, "arguments": arguments, "seconds": seconds}).encode()
        assert len(job) <= MESSAGE_BYTES, "arguments are too long for one message"
        channel = self._channel or self._start()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as result:
            try:
                socket.send_fds(channel, [job], [output.fileno(), result.fileno()])
                answer = channel.recv(MESSAGE_BYTES)
            except ConnectionError:
                answer = b""
            if not answer:
                self.close()
                raise JobFailed("the process that runs jobs ended; what it wrote went to standard error")
            if status := json.loads(answer):
                how = signal.Signals(-status).name if status < 0 else f"status {status}"
                call = f"{name}({', '.join(map(reprlib.repr, arguments))})"
                raise JobFailed(f"{call} ended with {how}:\n{_text(output)[-SHOWN_CHARACTERS:]}")
            return json.loads(_text(result))

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._channel is not None:
            self._channel.close()
            self._process.wait()
        self._process = self._channel = None

    def _start(self) -> socket.socket:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.triton_interpreter.server", str(other.fileno())],
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}, cwd=ROOT, pass_fds=[other.fileno()],
            )  # fmt: skip
        return self._channel


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
