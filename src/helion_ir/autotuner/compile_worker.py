"""A process that compiles printed modules, so that Triton's disk cache has them when they are run.

Run as `python -m helion_ir.autotuner.compile_worker` by `compile_pool.py`. It never touches a device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.autotuner.worker_loop import Answer, reason_of, serve

NICENESS = 10


def set_up(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Answer]:
    """Load what the compiling function needs; give the function that compiles a module."""
    from helion_ir.autotuner.printed_module import load_object

    # What is measured meanwhile is launched from a process that must not wait for a core.
    os.nice(NICENESS)
    compile_one = load_object(setup["compile"])(setup)

    def answer(job: Mapping[str, Any]) -> Answer:
        try:
            return compile_one(job)
        except Exception as e:
            return {"stage": "compile", "reason": reason_of(e)}

    return answer


if __name__ == "__main__":
    serve(set_up)
