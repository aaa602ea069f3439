"""A process that has imported PyTorch and Triton and makes workers by copying itself, so that none pays for imports.

Run as `python -m helion_ir.autotuner.fork_server FD` by `worker_source.py`. It never touches a device: a copy may.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

MESSAGE_BYTES = 1 << 20
REAP_SECONDS = 5.0

# What workers import anyway. Triton's are for the compilers; the rest is PyTorch and this package.
FIRST = ("torch", "helion_ir.autotuner.worker_loop", "helion_ir.autotuner.trial", "helion_ir.autotuner.author_names")
LATER = ("triton", "triton.language", "triton.compiler", "triton.backends", "helion_ir.autotuner.warm")


def main(descriptor: int) -> None:
    """Answer requests, in order, until the other end is closed."""
    channel = socket.socket(fileno=descriptor)
    started = time.monotonic()
    for name in FIRST:
        importlib.import_module(name)
    seconds = time.monotonic() - started
    # Copies share what the collector does not touch.
    gc.freeze()
    killed: set[int] = set()
    while True:
        while killed and not select.select([channel], [], [], 0.05)[0]:
            killed = {pid for pid in killed if _runs(pid)}
        data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 3)
        if not data:
            return
        request = json.loads(data)
        match request["do"]:
            case "fork":
                answer = {"pid": _fork(request, descriptors, channel), "imported": seconds}
            case "warm":
                answer = _warm(request["target"])
            case "reap" if request["wait"]:
                answer = {"status": _reap(request["pid"])}
            case "reap":
                killed.add(request["pid"])
                answer = {}
            case other:
                answer = {"error": f"unknown request {other!r}"}
        channel.sendall(json.dumps({"id": request["id"], **answer}).encode())


def _fork(request: Mapping[str, Any], descriptors: list[int], channel: socket.socket) -> int:
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    # From here on this is the worker, which leaves by os._exit alone.
    status = 1
    try:
        channel.close()
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.update(request["environment"])
        for name in request["unset"]:
            os.environ.pop(name, None)
        sys.path[:] = request["path"]
        sys.argv[:] = [request["module"]]

        from helion_ir.autotuner.worker_loop import serve

        serve(importlib.import_module(request["module"]).set_up)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _reap(pid: int) -> int | None:
    """The exit status of an ended copy, negative for a signal; None where it does not end."""
    until = time.monotonic() + REAP_SECONDS
    while time.monotonic() < until:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return None
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def _runs(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def _warm(target: Mapping[str, Any]) -> dict[str, Any]:
    """Do once what the first compilation of a process does: digests of Triton's files, versions of tools, dialects."""
    start = time.monotonic()
    try:
        for name in LATER:
            importlib.import_module(name)
        from helion_ir.autotuner.warm import compile_something

        compile_something(target)
    except Exception as e:
        # Every worker will meet the same and say so for its configuration.
        return {"warmed": time.monotonic() - start, "trouble": f"{type(e).__name__}: {e}"}
    gc.freeze()
    return {"warmed": time.monotonic() - start}


if __name__ == "__main__":
    main(int(sys.argv[1]))
