"""What worker processes are asked to do in tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.autotuner.worker_loop import serve


def set_up(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    if setup.get("broken"):
        raise RuntimeError("no such device")
    return answer


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    match job["do"]:
        case "square":
            print("noise on standard output")
            os.write(1, b"more of it\n")
            return {"value": job["n"] ** 2, "pid": os.getpid()}
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            print("out of luck", file=sys.stderr)
            sys.stderr.flush()
            os._exit(3)
        case "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            with open(job["pids"], "w") as f:
                f.write(f"{os.getpid()} {child.pid}")
            time.sleep(600)
        case "device":
            time.sleep(0.02)  # so that each worker gets some
            return {"device": os.environ["CUDA_VISIBLE_DEVICES"]}
        case "restart":
            return {"value": -1, "pid": os.getpid(), "restart": True}
    return {}


def compiler(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A compiler for `compile_pool`: does what the file says."""

    def compile_one(job: Mapping[str, Any]) -> dict[str, Any]:
        with open(job["path"]) as f:
            text = f.read()
        if "segfault" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in text:
            time.sleep(600)
        if "raise" in text:
            raise ValueError("unsupported conversion")
        return {"stage": "ok", "visible": os.environ["CUDA_VISIBLE_DEVICES"], "arch": setup["target"]["arch"]}

    return compile_one


if __name__ == "__main__":
    serve(set_up)
