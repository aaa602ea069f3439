"""forward-memory: what a program has in registers it does not load."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.tile.ranges import RangeScalarOp
from helion_ir.dialects.types import RangeType
from helion_ir.passes.aliasing import is_injective, may_alias, written_by
from helion_ir.passes.base import Pass, kernels

LOOPS = (control.ForOp, control.WhileOp)

Key = tuple[SSAValue, tuple[SSAValue, ...], SSAValue | None]
"""Tensor, subscripts and mask of an access."""


@dataclass(frozen=True)
class ForwardMemory(Pass):
    """Take a value that was stored, or loaded before, in place of loading it; load once what a loop does not change.

    ```mlir
    tile.store "out" %v, %out[%m] : …
    %w = tile.load "out" %out[%m] : …
    … %w
    // becomes
    tile.store "out" %v, %out[%m] : …
    … %v
    ```

    A load whose tensor, subscripts and mask are those of an earlier access is replaced if nothing in between may write
    the tensor. A load in a loop that writes nothing of the tensor moves before the loop when all it needs is there.
    This is more than speed: threads of a program that load what other threads of it stored would have to wait for each
    other.

    Which tensors may share memory (`passes/aliasing.py`):

    * arguments may be one memory with each other in any way, whatever a call passes: one tensor twice, overlapping
      views, views of one storage that interleave;
    * what the host function allocates (`torch.empty` and its kin, `clone`) shares memory with its own views, never with
      arguments or other allocations;
    * addresses that the kernel loads, of stack tensors, may be of anything;
    * what is stored is known to be what a load would give only where no two lanes are one element: subscripts are
      ranges and scalars, and the tensor is contiguous or its strides, known, step over each other.

    Not handled: elements known to differ although their tensor is the same; values that one iteration stores and the
    next loads; stores to index tiles, where the last of equal indices wins. A load by an index that was computed does
    not leave its loop, since without an iteration the index may lie outside of the tensor.

    Runs after cse, so that equal subscripts are one value; before declare-schedules: a load that is gone has no knobs.
    """

    name = "forward-memory"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, control.KernelOp):
            forwarding = _Forwarding(kernel)
            forwarding.hoist()
            forwarding.block(kernel.body.block, _Known())


@dataclass
class _Known:
    """The values that elements of tensors are known to have."""

    values: dict[Key, SSAValue] = field(default_factory=dict)

    def copy(self) -> _Known:
        return _Known(dict(self.values))

    def forget(self, written: list[SSAValue] | None, kernel: control.KernelOp) -> None:
        """Drop what a write to these tensors, or to any, may change."""
        if written is None:
            self.values.clear()
            return
        for key in [k for k in self.values if any(may_alias(k[0], w, kernel) for w in written)]:
            del self.values[key]


class _Forwarding:
    def __init__(self, kernel: control.KernelOp):
        self.kernel = kernel

    # -- out of loops ----------------------------------------------------------------------------------------------------
    def hoist(self) -> None:
        """Move loads of what a loop does not change before it, the innermost loops first."""
        loops = [op for op in self.kernel.walk() if isinstance(op, LOOPS)]
        for loop in reversed(loops):
            written = written_by(loop)
            if written is None:
                continue
            for region in loop.regions:
                for op in list(region.block.ops):
                    if isinstance(op, memory.LoadOp) and not any(may_alias(op.ref, w, self.kernel) for w in written):
                        self._move(op, loop)

    def _move(self, load: memory.LoadOp, loop: Operation) -> None:
        needed: list[Operation] = []
        for value in (*load.subscripts, *([load.mask] if load.mask is not None else [])):
            if not _is_inside(value, loop):
                continue
            # The position of a range outside, which the author's subscript asked for in the loop.
            if not isinstance(value.owner, RangeScalarOp) or _is_inside(value.owner.range, loop):
                return
            needed.append(value.owner)
        if not all(isinstance(s.type, RangeType) or isinstance(s.owner, RangeScalarOp) for s in load.subscripts):
            return
        block = loop.parent_block()
        assert block is not None
        for op in (*needed, load):
            op.detach()
            block.insert_op_before(op, loop)

    # -- to loads --------------------------------------------------------------------------------------------------------
    def block(self, block: Block, known: _Known) -> None:
        """Replace loads in a block, where `known` holds when it is entered."""
        for op in list(block.ops):
            match op:
                case memory.LoadOp():
                    self.load(op, known)
                case memory.StoreOp():
                    known.forget([op.ref], self.kernel)
                    if is_injective(op):
                        known.values[op.ref, tuple(op.subscripts), op.mask] = op.value
                case control.ParallelOp():
                    self.block(op.body.block, _Known())  # its programs are others
                    known.values.clear()
                case _:
                    written = written_by(op)
                    if op.regions and not isinstance(op, (*LOOPS, control.IfOp)):
                        inner = None  # a function, which sees nothing from outside
                    else:
                        inner = known.copy()
                        if isinstance(op, LOOPS):
                            inner.forget(written, self.kernel)
                    for nested in [b for region in op.regions for b in region.blocks]:
                        self.block(nested, inner.copy() if inner is not None else _Known())
                    known.forget(written, self.kernel)

    def load(self, op: memory.LoadOp, known: _Known) -> None:
        key = (op.ref, tuple(op.subscripts), op.mask)
        value = known.values.get(key)
        if value is None or value.type != op.result.type:
            known.values[key] = op.result
            return
        # The author's mask makes other lanes 0, which what was stored need not be.
        if op.mask is not None and not isinstance(value.owner, memory.LoadOp):
            return
        value.name_hint = value.name_hint or op.result.name_hint
        op.result.replace_all_uses_with(value)
        op.detach()
        op.erase()


def _is_inside(value: SSAValue, loop: Operation) -> bool:
    at = value.owner.parent_op() if isinstance(value.owner, Block) else value.owner
    while at is not None and at is not loop:
        at = at.parent_op()
    return at is loop
