"""Reductions of loaded tiles that decide what a loop carries on, which Triton moves out of the loop.

Where a loop starts from a constant and yields what one operation makes of such a reduction, Triton lets each thread combine
what it has loaded and reduces once after the loop (TritonGPU/Transforms/OptimizeThreadLocality.cpp). It takes for granted
that the operation is the reduction's own and that its other operand is what the loop carried. Where it is not, as in
`carried * 0.5 + x.sum(1)`, an assertion fails; where the operation is another, as in `maximum(carried, x.sum(1))`, the
result is wrong without a word.
"""

from __future__ import annotations

from xdsl.ir import BlockArgument, Operation, SSAValue

from helion_ir.dialects.tile import binary, compute, control, memory
from helion_ir.dialects.types import TileType, bit_width

_COMBINING: dict[str, type[Operation]] = {
    "sum": binary.AddOp, "prod": binary.MulOp, "max": binary.MaximumOp, "min": binary.MinimumOp,
}  # fmt: skip


def is_moved(op: compute.ReduceOp | compute.CustomReduceOp) -> bool:
    """Whether Triton may move this reduction out of its loop."""
    operands = list(op.operands)
    if not all(_is_loaded(v) for v in operands):
        return False
    type_ = operands[0].type
    assert isinstance(type_, TileType)
    dims = op.dims if isinstance(op, compute.ReduceOp) else (op.dim.value.data,)
    return type_.rank > 1 and type_.rank - 1 in dims and any(_carries_on(r) is not None for r in op.results)


def is_sum_of_loop(op: compute.ReduceOp | compute.CustomReduceOp) -> bool:
    """Whether it is right to move it: what the loop carries is combined with it in the reduction's own way."""
    if not isinstance(op, compute.ReduceOp) or len(op.dims) != 1:
        return False
    user = _carries_on(op.result)
    if not isinstance(user, _COMBINING.get(op.kind.data, ())):
        return False
    loop = user.parent_op()
    others = [v for v in user.operands if v is not op.result]
    assert isinstance(loop, control.ForOp)
    last = loop.body.block.last_op
    assert last is not None
    (place,) = [use.index for use in user.results[0].uses if use.operation is last]
    return others == [loop.body.block.args[1 + place]]


def _is_loaded(value: SSAValue) -> bool:
    owner = value.owner
    if isinstance(owner, compute.FillOp):
        return _is_loaded(owner.operand)
    assert isinstance(value.type, TileType)
    # Smaller elements are converted before they are reduced.
    return isinstance(owner, memory.LoadOp) and bit_width(value.type.element_type) >= 32


def _carries_on(value: SSAValue) -> Operation | None:
    """The one operation that makes of a value what its loop yields."""
    if isinstance(value, BlockArgument) or len(uses := list(value.uses)) != 1:
        return None
    user = uses[0].operation
    loop = user.parent_op()
    if not isinstance(loop, control.ForOp) or len(user.results) != 1 or user.parent_op() is not value.owner.parent_op():
        return None
    taken = [use.operation for use in user.results[0].uses]
    return user if len(taken) == 1 and isinstance(taken[0], control.YieldOp) else None
