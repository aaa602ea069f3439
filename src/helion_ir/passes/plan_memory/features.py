"""What a configuration costs, in numbers: the features by which a tuner compares configurations it has not run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.index.expr import Evaluator, compiled
from helion_ir.passes.base import kernels, target_of

MEMORY = "memory"
"""The kernel's property with what plan-memory found, expressions over knobs."""

PLANNED = (
    "shared",
    "shared_least",
    "tensor",
    "registers",
    "loaded",
    "stored",
    "products",
    "arithmetic",
    "blocks",
    "programs",
)
"""The entries of that property; bytes and counts of a whole launch, except for the first four, which are of a program."""


class Features:
    """From an assignment to numbers, for one template.

    Made once a template, after which a call costs some microseconds: every expression is compiled, and none is built.

    ```python
    features = Features(stages.template(assignment))
    features(assignment)["shared_bytes"]
    ```

    What a call returns, all numbers that are at least 0; of several kernels, the most bytes of any and sums of the rest:

    | feature | meaning |
    |---|---|
    | shared_bytes | shared memory of a program, the best estimate |
    | shared_bytes_least | the same, as a lower bound: what exceeds the target here cannot be launched |
    | shared_ratio | the estimate by what the target has; above 1 it will not fit |
    | tensor_bytes | tensor memory of a program |
    | register_bytes | tiles live at once in the registers of a program |
    | registers_per_thread | the same, by thread, in registers of 32 bits; more than the target has are spilled |
    | bytes_loaded, bytes_stored | asked for by all programs, caches ignored |
    | dot_flops | operations of matrix units, of all programs |
    | flops | all operations, of all programs |
    | intensity | flops by byte moved |
    | blocks | blocks of the iteration space |
    | programs | programs launched |
    | occupancy | programs that one compute unit holds at once, by shared memory and registers |
    | waves | rounds of programs that the device needs, at least 1 |
    | flops_per_program, bytes_per_program | by program launched |
    | threads | of a program |
    """

    def __init__(self, template: ModuleOp):
        self._target = target_of(template)
        self._kernels: list[dict[str, Evaluator]] = []
        for kernel in kernels(template, KernelOp):
            if kernel.memory is None:
                continue
            plan: dict[str, Evaluator] = {}
            for name, attr in kernel.memory.data.items():
                assert isinstance(attr, ExprAttr)
                plan[name] = compiled(attr.data)
            self._kernels.append(plan)

    def __call__(self, assignment: Mapping[str, Any]) -> dict[str, float]:
        """The features of a complete assignment of the template's structure."""
        target = self._target
        rows = [{name: plan[name](assignment) for name in PLANNED} for plan in self._kernels]
        if not rows:
            rows = [dict.fromkeys(PLANNED, 0)]
        most = {name: max(row[name] for row in rows) for name in PLANNED[:4]}
        total = {name: sum(row[name] for row in rows) for name in PLANNED[4:]}
        threads = int(assignment.get("num_warps") or 4) * target.warp_size
        flops = total["products"] + total["arithmetic"]
        moved = total["loaded"] + total["stored"]
        programs = max(1, total["programs"])
        per_thread = most["registers"] / (4 * threads)
        occupancy = _occupancy(target.shared_memory, most["shared"], target.registers, per_thread * threads)
        at_once = target.compute_units * occupancy
        return {
            "shared_bytes": most["shared"],
            "shared_bytes_least": most["shared_least"],
            "shared_ratio": most["shared"] / target.shared_memory,
            "tensor_bytes": most["tensor"],
            "register_bytes": most["registers"],
            "registers_per_thread": per_thread,
            "bytes_loaded": total["loaded"],
            "bytes_stored": total["stored"],
            "dot_flops": total["products"],
            "flops": flops,
            "intensity": flops / max(1, moved),
            "blocks": total["blocks"],
            "programs": programs,
            "occupancy": occupancy,
            "waves": -(-programs // at_once),
            "flops_per_program": flops / programs,
            "bytes_per_program": moved / programs,
            "threads": threads,
        }


def _occupancy(shared: float, each: float, registers: float, needed: float) -> int:
    """Programs a compute unit holds, at least 1, at most 32."""
    by_shared = shared // each if each else 32
    by_registers = registers // needed if needed else 32
    return int(max(1, min(32, by_shared, by_registers)))
