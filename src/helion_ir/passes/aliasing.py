"""Which host tensors may share memory, and which accesses are one element a lane."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import BlockArgument, Operation, SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.tile.ranges import PartOp
from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.types import RangeType, RefType, TileType
from helion_ir.passes.effects import READS, effects_of


def may_alias(a: SSAValue, b: SSAValue, kernel: control.KernelOp) -> bool:
    """Whether writing one tensor may change another.

    What the host function allocated shares memory only with views of it (`allocations` of the kernel); arguments may
    overlap each other in any way.
    """
    return a is b or _allocation(a, kernel) == _allocation(b, kernel)


def _allocation(ref: SSAValue, kernel: control.KernelOp) -> int | None:
    """Which of the host function's allocations a tensor is part of; None of arguments."""
    if kernel.allocations is None or not isinstance(ref, BlockArgument) or ref.owner is not kernel.body.block:
        return None
    name = kernel.arg_names.data[ref.index].data
    return next((i for i, group in enumerate(kernel.allocations) if name in [n.data for n in group]), None)


Access = memory.StoreOp | memory.LoadOp
Loop = control.ForOp | control.ParallelOp | control.WhileOp


def touched_again(root: Operation, kernel: control.KernelOp) -> Iterator[tuple[Access, Access]]:
    """Accesses with later ones of the same program to what may be the same memory, one of the two a store.

    Later is further down, or in a later iteration of a loop. Programs are not ordered among each other, so that the
    iterations of a root loop do not count.
    """
    accesses = [op for op in root.walk() if isinstance(op, memory.StoreOp | memory.LoadOp)]
    for at, first in enumerate(accesses):
        loops = {loop for loop in loops_around(first) if not isinstance(loop, control.ParallelOp)}
        for place, second in enumerate(accesses):
            if isinstance(first, memory.LoadOp) and isinstance(second, memory.LoadOp):
                continue
            if not may_alias(first.ref, second.ref, kernel) or _are_parts(first, second):
                continue
            if place > at or any(not _moves_on(first, second, loop) for loop in loops & set(loops_around(second))):
                yield first, second


def _moves_on(first: Access, second: Access, loop: Loop) -> bool:
    """Whether each iteration of a loop has elements of its own, of both accesses."""
    if (
        not isinstance(loop, control.ForOp)
        or first.ref is not second.ref
        or list(first.subscripts) != list(second.subscripts)
    ):
        return False
    return is_injective(first) and any(s in loop.body.block.args for s in first.subscripts)


def _are_parts(first: Access, second: Access) -> bool:
    """Whether two accesses are different parts of one range of a tensor."""
    if first.ref is not second.ref or not is_injective(first):
        return False
    for a, b in zip(first.subscripts, second.subscripts):
        if isinstance(a.owner, PartOp) and isinstance(b.owner, PartOp) and a.owner.range is b.owner.range:
            if a.type == b.type and a.owner.at != b.owner.at:
                return True
    return False


def loops_around(op: Operation) -> list[Loop]:
    """The loops that an op is in, innermost first."""
    out: list[Loop] = []
    above = op.parent_op()
    while above is not None:
        if isinstance(above, control.ForOp | control.ParallelOp | control.WhileOp):
            out.append(above)
        above = above.parent_op()
    return out


def written_by(op: Operation) -> list[SSAValue] | None:
    """The tensors that an op may write, those of its regions included; None if it may be any."""
    out: list[SSAValue] = []
    for inner in op.walk():
        if isinstance(inner, memory.StoreOp | memory.AtomicOp):
            out.append(inner.ref)
        elif isinstance(inner, StackStoreOp | control.BarrierOp):
            return None
        elif not inner.regions and not isinstance(inner, StackLoadOp):
            effects = effects_of(inner)
            if effects is None or not effects <= READS:
                if not isinstance(inner, control.YieldOp | control.ConditionOp):
                    return None
    return out


def is_injective(access: memory.AccessOp) -> bool:
    """Whether no two active lanes of an access are one element, so that what a lane stores is what it would load.

    So it is of ranges and scalars in a tensor whose elements do not overlap; index tiles may name an element twice.
    """
    ref = access.ref.type
    assert isinstance(ref, RefType)
    for s in access.subscripts:
        if not isinstance(s.type, RangeType) and not (isinstance(s.type, TileType) and s.type.rank == 0):
            return False
    reach = 0
    dims = zip(ref.dims, (s.data for s in ref.strides), access.subscripts)
    moving = [(stride, extent) for extent, stride, s in dims if isinstance(s.type, RangeType) and extent != 1]
    if not all(x.is_Integer for pair in moving for x in pair):
        return False
    for stride, extent in sorted((int(stride), int(extent)) for stride, extent in moving):
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True
