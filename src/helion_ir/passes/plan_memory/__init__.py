"""plan-memory: what a configuration needs of shared memory and registers, and which do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Operation

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp, declarations
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import Le, knob
from helion_ir.index.facts import KnownFacts, fact_of
from helion_ir.index.text import expr_text
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.plan_memory import traffic
from helion_ir.passes.plan_memory.features import MEMORY
from helion_ir.passes.plan_memory.footprint import bytes_of, elements_of, most
from helion_ir.passes.plan_memory.liveness import feeds_only_products, peak, points_of
from helion_ir.passes.plan_memory.products import tensor_memory
from helion_ir.passes.plan_memory.repetition import Repetition
from helion_ir.passes.plan_memory.shared import shared_memory
from helion_ir.passes.scope import knob_facts

LARGEST_TILE = 1 << 20
"""Elements of one tile at most, Triton's TRITON_MAX_TENSOR_NUMEL."""


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
        target = target_of(op)
        declared = {d.sym_name.data for d in declarations(op)}
        facts = knob_facts(op)
        for kernel in kernels(op, control.KernelOp):
            shared, registers = shared_memory(kernel, target, declared), _registers(kernel)
            tensor = tensor_memory(kernel, target, declared)
            times = Repetition(kernel, target)
            plan: dict[str, Expr] = {
                "shared": shared.likely,
                "shared_least": shared.least,
                "tensor": tensor,
                "registers": peak(points_of(kernel)),
                "loaded": traffic.loaded(kernel, times),
                "stored": traffic.stored(kernel, times),
                "products": traffic.products(kernel, times),
                "arithmetic": traffic.arithmetic(kernel, times),
                "blocks": times.blocks,
                "programs": times.programs,
            }
            kernel.properties[MEMORY] = DictionaryAttr({name: expr_attr(e) for name, e in plan.items()})
            limit = target.shared_memory
            self._require(kernel, op, facts, shared.least, Integer(limit), f"shared memory: {limit} bytes a program")
            reason = f"tensor memory: {target.tensor_memory} bytes a program"
            self._require(kernel, op, facts, tensor, Integer(target.tensor_memory), reason)
            if "num_warps" in declared:
                each = target.warp_size * target.max_registers_per_thread * 4
                room = knob("num_warps") * each
                reason = f"registers: {each} bytes a warp for the values that a loop carries"
                self._require(kernel, op, facts, registers, room + target.tensor_memory, reason)
                reason = f"registers: {each} bytes a warp for a tile loaded"
                for size, load in _first(_loaded(kernel)):
                    self._require(load, op, facts, size, room, reason)
            reason = f"a tile holds at most {LARGEST_TILE} elements"
            for size, made in _first(_sizes(kernel)):
                self._require(made, op, facts, size, Integer(LARGEST_TILE), reason)

    def _require(
        self, about: Operation, module: ModuleOp, facts: KnownFacts, need: Expr, room: Expr, reason: str
    ) -> None:
        if fact_of(need, facts).high <= fact_of(room, facts).low:  # true of every configuration
            return
        condition = Le(need, room)
        made = RequireOp(expr_attr(condition), reason, owner=self.name)
        self.located(about, [made])
        first = module.body.block.first_op
        assert first is not None
        module.body.block.insert_op_before(made, first)


def _first(sizes: Iterator[tuple[Expr, Operation]]) -> list[tuple[Expr, Operation]]:
    """Each size with the first op that has it, in the order of their text."""
    found: dict[Expr, Operation] = {}
    for size, op in sizes:
        found.setdefault(size, op)
    return sorted(found.items(), key=lambda item: expr_text(item[0]))


def _sizes(kernel: control.KernelOp) -> Iterator[tuple[Expr, Operation]]:
    for op in kernel.walk():
        for r in op.results:
            if isinstance(r.type, TileType) and not (size := elements_of(r.type)).is_Integer:
                yield size, op


def _loaded(kernel: control.KernelOp) -> Iterator[tuple[Expr, Operation]]:
    """Bytes of each tile loaded into registers; the operands of dots may stay in shared memory."""
    for op in kernel.walk():
        if isinstance(op, memory.LoadOp) and not feeds_only_products(op.result):
            size = bytes_of(op.result.type)
            if not size.is_Integer:
                yield size, op


def _registers(kernel: control.KernelOp) -> Expr:
    """Bytes of the values that the kernel's loops carry, the most of any."""
    out: Expr = Integer(0)
    for loop in [op for op in kernel.walk() if isinstance(op, control.ForOp)]:
        carried: Expr = Integer(0)
        for value in loop.iter_args:
            if isinstance(value.type, TileType) and value.type.rank:
                carried = carried + bytes_of(value.type)
        if carried != 0:
            out = most(out, carried)
    return out
