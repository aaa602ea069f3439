"""A process in which Triton interprets, and which makes a copy of itself for every job, so that none pays for imports.

Run as `python -m tests.triton_interpreter.server FD` by `client.py`, with TRITON_INTERPRET=1: Triton reads it when it is
imported. Jobs run one after the other. PyTorch runs in one thread, which is all that there is to copy.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from typing import Any

MESSAGE_BYTES = 1 << 16
BACKSTOP_SECONDS = 2.0

# What jobs import anyway. Parts of helion_ir import one another when they are first used: those are named here.
MODULES = (
    "torch", "numpy", "pytest", "sympy.tensor.tensor", "triton.language", "triton.runtime.interpreter",
    "triton.experimental.gluon", "triton.compiler.code_generator", "helion_ir", "helion_ir.language",
    "helion_ir.backend_triton.loader", "helion_ir.backend_triton.printer", "helion_ir.frontend.trace",
    "helion_ir.frontend.decompositions", "helion_ir.frontend.primitives", "helion_ir.interpreter", "helion_ir.passes.materialize_config",
    "helion_ir.passes.pipeline", "helion_ir.passes.registry", "helion_ir.runtime.bound_kernel",
    "helion_ir.runtime.kernel", "examples.harness",
)  # fmt: skip


def main(descriptor: int) -> None:
    """Do jobs, in order, until the other end is closed."""
    channel = socket.socket(fileno=descriptor)
    for name in MODULES:
        importlib.import_module(name)
    registry = importlib.import_module("examples.registry")
    registry.load_all()
    # What the first kernel of a process does once: tables of PyTorch's, xDSL's, sympy's and Triton's.
    for name in ("softmax", "matmul"):
        example = registry.load(name)
        importlib.import_module("examples.harness").run_in_triton_interpreter(example, example.cases[0].args())
    # Copies share what the collector does not touch; they end before they have much to collect.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    while True:
        data, files, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 2)
        if not data:
            return
        pid = os.fork()
        if not pid:
            channel.close()
            _do(json.loads(data), *files)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what the job may have started
        channel.sendall(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def _do(job: Mapping[str, Any], output: int, result: int) -> None:
    """Run a job; this is the copy, which leaves by os._exit alone."""
    status = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        # Tells where a job hangs, and where it crashes; the signal is for one that ends even that thread.
        faulthandler.enable()
        faulthandler.dump_traceback_later(job["seconds"], exit=True)
        signal.setitimer(signal.ITIMER_REAL, job["seconds"] + BACKSTOP_SECONDS)
        module, _, name = job["function"].partition(":")
        value = getattr(importlib.import_module(module), name)(*job["arguments"])
        with open(result, "w") as file:
            json.dump(value, file)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
