"""plan-memory: what a configuration needs of shared memory and registers, and which do not fit."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.tile import control
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.plan_memory.features import MEMORY
from helion_ir.passes.plan_memory.plan import LARGEST_TILE, Plan

__all__ = ["LARGEST_TILE", "MEMORY", "Plan", "PlanMemory"]


@dataclass(frozen=True)
class PlanMemory(Pass):
    """Write the bytes each kernel needs, in knobs, and rule out what cannot fit the target.

    ```mlir
    tile.kernel @matmul (…) { … tile.dot … }
    // becomes, under `knob.require <max(…, (@m.block_size * @k.block_size * 2 + …) * (@num_stages - 1)) le 232448>, "…"`
    tile.kernel @matmul (…) attributes {memory = {shared = …, registers = …}} { … }
    ```

    `shared_least` is a lower bound of what Triton's compiler will use, so no configuration that fits is ever ruled out;
    `shared` is the best estimate. Both count the operands of products as often as a pipelined loop holds them, and what
    stays beside them; the estimate also results on their way to a store, blocks of descriptors and scratch of reductions.
    What a loop carries must fit in registers, or it would be spilled. The rest of the property, such as bytes loaded, is
    what `Stages.features` tells a tuner of a configuration. Does not handle: scratch of scans and sorts.
    Runs on tiles, before convert-tile-to-triton, where loads are still visible.
    """

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        Plan(op).write(self, kernels(op, control.KernelOp))
