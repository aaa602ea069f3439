"""plan-memory: what a configuration needs of shared memory and registers, and which do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp, declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, bit_width
from helion_ir.index.expr import NONE, And, CeilDiv, Eq, Le, Where, free_names, knob, knobs_of
from helion_ir.index.fold import fold
from helion_ir.passes.base import Pass, target_of
from helion_ir.passes.plan_memory import traffic
from helion_ir.passes.plan_memory.features import MEMORY
from helion_ir.passes.plan_memory.footprint import bytes_of, elements_of, most
from helion_ir.passes.plan_memory.liveness import VIEWS, feeds_only_products, peak, points_of
from helion_ir.passes.plan_memory.repetition import Repetition
from helion_ir.passes.scope import bounds_of, knob_facts
from helion_ir.targets import Target

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

    Shared memory is a lower bound, so no configuration that fits is ever ruled out: the largest operand of a dot, and
    where the loop is sure to be pipelined its operands as many times as it holds them beside the one in use. It is
    sure if the loop repeats, has none inside and accesses nothing indirectly; of loads narrower than an asynchronous
    copy it is not. What a loop carries must fit in registers, or it would be spilled. Does not handle: scratch of
    reductions and of layout conversions, forwarding and hoisting.
    Runs on tiles, before convert-tile-to-triton, where loads are still visible.
    """

    name = "plan-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = target_of(op)
        declared = {d.sym_name.data for d in declarations(op)}
        for kernel in [k for k in op.walk() if isinstance(k, control.KernelOp)]:
            shared, registers = _shared(kernel, declared), _registers(kernel)
            times = Repetition(kernel, target)
            plan: dict[str, Expr] = {
                "shared": shared,
                "shared_least": shared,
                "tensor": Integer(0),
                "registers": peak(points_of(kernel)),
                "loaded": traffic.loaded(kernel, times),
                "stored": traffic.stored(kernel, times),
                "products": traffic.products(kernel, times),
                "arithmetic": traffic.arithmetic(kernel, times),
                "blocks": times.blocks,
                "programs": times.programs,
            }
            kernel.properties[MEMORY] = DictionaryAttr({name: expr_attr(e) for name, e in plan.items()})
            self._require(op, shared, target.shared_memory, f"shared memory: {target.shared_memory} bytes a program")
            if "num_warps" in declared and registers != 0:
                room = _register_bytes(target)
                reason = f"registers: {room} bytes a warp for the values that a loop carries"
                self._require(op, registers, knob("num_warps") * room + target.tensor_memory, reason)
            if "num_warps" in declared:
                room = _register_bytes(target)
                for size in sorted(set(_loaded(kernel)), key=str):
                    self._require(
                        op, size, knob("num_warps") * room, f"registers: {room} bytes a warp for a tile loaded"
                    )
            for size in sorted(set(_sizes(kernel)), key=str):
                self._require(op, size, LARGEST_TILE, f"a tile holds at most {LARGEST_TILE} elements")

    def _require(self, module: ModuleOp, need: Expr, room: Expr | int, reason: str) -> None:
        condition = Le(need, Integer(room) if isinstance(room, int) else room)
        if fold(condition, knob_facts(module)) == 1:  # true of every configuration
            return
        made = RequireOp(expr_attr(condition), reason, owner=self.name)
        first = module.body.block.first_op
        assert first is not None
        module.body.block.insert_op_before(made, first)


def _sizes(kernel: control.KernelOp) -> Iterator[Expr]:
    for op in kernel.walk():
        for r in op.results:
            if isinstance(r.type, TileType) and not elements_of(r.type).is_Integer:
                yield elements_of(r.type)


def _register_bytes(target: Target) -> int:
    return target.warp_size * target.max_registers_per_thread * 4


def _shared(kernel: control.KernelOp, declared: set[str]) -> Expr:
    """The most that any loop over dots keeps in shared memory, as a lower bound."""
    out: Expr = Integer(0)
    for loop in [op for op in kernel.walk() if isinstance(op, control.ForOp)]:
        operands = list(dict.fromkeys(_operands(loop)))
        if not operands:
            continue
        # Operands reach the matrix unit through shared memory, but the place of one may serve the next.
        need: Expr = Integer(0)
        for value in operands:
            need = most(need, bytes_of(value.type))
        copied: Expr = Integer(0)
        for value in operands:
            if _is_copied(value, loop):
                copied = copied + bytes_of(value.type)
        if copied != 0:
            stages = _stages(loop.label.data, declared)
            pipelined = And(Le(Integer(2), stages), _repeats(loop, declared))
            need = most(need, Where(pipelined, copied * (stages - 1), Integer(0)))
        out = most(out, need)
    return out


def _stages(label: str, declared: set[str]) -> Expr:
    whole = knob("num_stages") if "num_stages" in declared else Integer(1)
    own = f"loop.{label}.num_stages"
    if own not in declared:
        return whole
    return Where(Eq(knob(own), NONE), whole, knob(own))


def _repeats(loop: control.ForOp, declared: set[str]) -> Expr:
    """Whether a loop still is one when Triton pipelines it: a single iteration is folded away, also once unrolled."""
    assert isinstance(loop.body.block.args[0].type, RangeType)
    extent = loop.upper.data - loop.lower.data
    if len(free_names(extent)) > len(knobs_of(extent)):
        return Integer(1)  # bounds of the launch or of the device
    unroll = f"loop.{loop.label.data}.loop_unroll_factor"
    copies = Where(Eq(knob(unroll), NONE), Integer(1), knob(unroll)) if unroll in declared else Integer(1)
    return Le(2 * copies, CeilDiv(extent, loop.body.block.args[0].type.block.data))


def _operands(loop: control.ForOp) -> Iterator[SSAValue]:
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


COPY_BITS = 32
"""The least an asynchronous copy moves at once (PTX, cp.async); narrower loads are not pipelined."""


def _is_copied(value: SSAValue, loop: control.ForOp) -> bool:
    """Whether Triton is sure to pipeline a load when it pipelines the loop: it can be copied asynchronously."""
    load, block = value.owner, loop.body.block
    assert isinstance(load, memory.LoadOp) and isinstance(load.ref.type, RefType)
    if not isinstance(block.args[0].type, RangeType):
        return False
    for op in block.ops:
        if op.regions:
            return False  # only innermost loops are pipelined
        if isinstance(op, memory.LoadOp) and not all(_is_address(s, block) for s in op.subscripts):
            return False  # an indirect access divides the stages among its levels
    bits = bit_width(load.ref.type.element_type)
    if bits < 16:
        return False  # what of these the matrix unit cannot transpose goes through registers
    return bits >= COPY_BITS or _is_aligned(load, COPY_BITS // bits)


def _is_address(subscript: SSAValue, block: Block) -> bool:
    owner = subscript.owner
    return isinstance(subscript.type, RangeType) or (isinstance(owner, Operation) and owner.parent_block() is not block)


def _is_aligned(load: memory.LoadOp, elements: int) -> bool:
    """Whether that many neighbours are accessed together: they are contiguous, and so are addresses and masks."""
    assert isinstance(load.ref.type, RefType)
    if load.mask is not None and not isinstance(load.mask.owner, control.MaskOp):
        return False
    inner = 0
    for subscript, stride in zip(load.subscripts, load.ref.type.strides):
        if stride.data != 1:
            if not stride.data.is_Integer or int(stride.data) % elements:
                return False
            continue
        if not isinstance(subscript.type, RangeType) or isinstance(subscript.owner, control.ShiftOp):
            return False
        b = bounds_of(subscript)
        if not all(e.is_Integer and int(e) % elements == 0 for e in (b.lower, b.upper)):
            return False
        inner += 1
    return inner == 1


def _loaded(kernel: control.KernelOp) -> Iterator[Expr]:
    """Bytes of each tile loaded into registers; the operands of dots may stay in shared memory."""
    for op in kernel.walk():
        if isinstance(op, memory.LoadOp) and not feeds_only_products(op.result):
            size = bytes_of(op.result.type)
            if not size.is_Integer:
                yield size


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
