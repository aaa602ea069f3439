"""plan-memory: what a configuration needs of shared memory and registers, and which do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp, declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.types import TileType, bit_width
from helion_ir.index.expr import NONE, Eq, Le, Max, Where, knob
from helion_ir.passes.base import Pass, target_of
from helion_ir.passes.scope import physical
from helion_ir.targets import Target

MEMORY = "memory"
"""The kernel's property with its planned bytes, expressions over knobs."""

LARGEST_TILE = 1 << 20
"""Elements of one tile at most, Triton's TRITON_MAX_TENSOR_NUMEL."""


@dataclass(frozen=True)
class PlanMemory(Pass):
    """Write the bytes each kernel needs, in knobs, and rule out what cannot fit the target.

    ```mlir
    tile.kernel @matmul (…) { … tile.dot … }
    // becomes, under `knob.require <(@m.block_size * @k.block_size * 2 + …) * max(@num_stages - 1, 1) le 232448>, "…"`
    tile.kernel @matmul (…) attributes {memory = {shared = …, registers = …}} { … }
    ```

    Shared memory is a lower bound: the operands of dots, as many times as the pipeline holds them beside the one in
    use, so no configuration that fits is ever ruled out. Does not handle: scratch of reductions and of layout
    conversions, forwarding and hoisting. Runs on tiles, before convert-tile-to-triton, where loads are still visible.
    """

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = target_of(op)
        declared = {d.sym_name.data for d in declarations(op)}
        for kernel in [k for k in op.walk() if isinstance(k, control.KernelOp)]:
            shared, registers = _shared(kernel, declared), _registers(kernel)
            plan: dict[str, Attribute] = {"shared": expr_attr(shared), "registers": expr_attr(registers)}
            kernel.properties[MEMORY] = DictionaryAttr(plan)
            self._require(op, shared, target.shared_memory, f"shared memory: {target.shared_memory} bytes a program")
            if "num_warps" in declared and registers != 0:
                room = _register_bytes(target)
                reason = f"registers: {room} bytes a warp for the values that a loop carries"
                self._require(op, registers, knob("num_warps") * room + target.tensor_memory, reason)
            for size in sorted(set(_sizes(kernel)), key=str):
                self._require(op, size, LARGEST_TILE, f"a tile holds at most {LARGEST_TILE} elements")

    def _require(self, module: ModuleOp, need: Expr, room: Expr | int, reason: str) -> None:
        condition = Le(need, Integer(room) if isinstance(room, int) else room)
        if condition == 1:
            return
        made = RequireOp(expr_attr(condition), reason, owner=self.name)
        first = module.body.block.first_op
        assert first is not None
        module.body.block.insert_op_before(made, first)


def _bytes(type_: Attribute) -> Expr:
    assert isinstance(type_, TileType)
    return _elements(type_) * (bit_width(type_.element_type) // 8)


def _elements(type_: TileType) -> Expr:
    out: Expr = Integer(1)
    for d in type_.dims:
        out = out * physical(d)
    return out


def _sizes(kernel: control.KernelOp) -> Iterator[Expr]:
    for op in kernel.walk():
        for r in op.results:
            if isinstance(r.type, TileType) and not _elements(r.type).is_Integer:
                yield _elements(r.type)


def _register_bytes(target: Target) -> int:
    return target.warp_size * target.max_registers_per_thread * 4


def _shared(kernel: control.KernelOp, declared: set[str]) -> Expr:
    """The most that any pipelined loop stages, as a lower bound."""
    most: Expr = Integer(0)
    for loop in [op for op in kernel.walk() if isinstance(op, control.ForOp)]:
        staged: Expr = Integer(0)
        for value in dict.fromkeys(_staged(loop)):
            staged = staged + _bytes(value.type)
        if staged == 0:
            continue
        stages = _stages(loop.label.data, declared)
        need = staged * Max(stages - 1, Integer(1))
        most = need if most == 0 else Max(most, need)
    return most


def _stages(label: str, declared: set[str]) -> Expr:
    whole = knob("num_stages") if "num_stages" in declared else Integer(1)
    own = f"loop.{label}.num_stages"
    if own not in declared:
        return whole
    return Where(Eq(knob(own), NONE), whole, knob(own))


VIEWS = (compute.PermuteOp, compute.ReshapeOp)


def _staged(loop: control.ForOp) -> Iterator[SSAValue]:
    """Loads directly in a loop that feed a dot's operands unchanged: only those are sure to be staged whole."""
    for op in loop.body.block.ops:
        if not isinstance(op, compute.DotOp):
            continue
        for value in (op.lhs, op.rhs):
            owner = value.owner
            while isinstance(owner, VIEWS):
                value = owner.operand
                owner = value.owner
            if isinstance(owner, memory.LoadOp) and owner.parent_block() is loop.body.block:
                yield value


def _registers(kernel: control.KernelOp) -> Expr:
    """Bytes of the values that the kernel's loops carry, the most of any."""
    most: Expr = Integer(0)
    for loop in [op for op in kernel.walk() if isinstance(op, control.ForOp)]:
        carried: Expr = Integer(0)
        for value in loop.iter_args:
            if isinstance(value.type, TileType) and value.type.rank:
                carried = carried + _bytes(value.type)
        if carried != 0:
            most = carried if most == 0 else Max(most, carried)
    return most
