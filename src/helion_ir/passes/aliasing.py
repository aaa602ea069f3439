"""Which host tensors may share memory, what an op writes, and which accesses are one element a lane."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from sympy import Expr, Integer
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.types import RangeType, RefType, TileType
from helion_ir.passes.effects import READS, effects_of


def may_alias(a: SSAValue, b: SSAValue, kernel: control.KernelOp) -> bool:
    """Whether writing one tensor may change another.

    What the host function allocated shares memory only with views of it (`allocations` of the kernel); arguments may
    overlap each other in any way.
    """
    known = allocations(kernel)
    return a is b or known.get(a) == known.get(b)


def allocations(kernel: control.KernelOp) -> dict[SSAValue, int]:
    """Which of the host function's allocations each parameter of a kernel is part of; arguments are missing."""
    groups = {} if kernel.allocations is None else {n.data: i for i, g in enumerate(kernel.allocations) for n in g}
    parameters = zip(kernel.arg_names.data, kernel.body.block.args)
    return {value: groups[name.data] for name, value in parameters if name.data in groups}


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


def is_injective(access: memory.AccessOp, also: AbstractSet[int] = frozenset()) -> bool:
    """Whether no two active lanes of an access are one element, so that what a lane stores is what it would load.

    So it is of ranges and scalars in a tensor whose elements do not overlap; index tiles may name an element twice.
    `also` are the subscripts that are scalars but vary, as do the ranges.
    """
    for s in access.subscripts:
        if not _is_range(s) and not (isinstance(s.type, TileType) and s.type.rank == 0):
            return False
    return elements_apart(access.ref, [i for i, s in enumerate(access.subscripts) if _is_range(s) or i in also])


def _is_range(subscript: SSAValue) -> bool:
    return isinstance(subscript.type, RangeType)


def elements_apart(tensor: SSAValue, dims: Iterable[int]) -> bool:
    """Whether different indices along some dimensions of a tensor are different elements."""
    ref = tensor.type
    assert isinstance(ref, RefType)
    strides = [s.data for s in ref.strides]
    expected: Expr = Integer(1)
    for stride, extent in reversed(list(zip(strides, ref.dims))):
        if stride != expected:
            break
        expected = expected * extent
    else:
        return True  # contiguous, whatever its sizes are
    moving = [(strides[i], ref.dims[i]) for i in dims if ref.dims[i] != 1]
    if not all(x.is_Integer for pair in moving for x in pair):
        return False
    reach = 0
    for stride, extent in sorted((int(stride), int(extent)) for stride, extent in moving):
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True
