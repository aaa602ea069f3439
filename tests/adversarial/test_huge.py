"""Tensors of more elements than 32 bits count: 64 bits for their offsets, 32 for all others; nothing is allocated or run."""

from __future__ import annotations

import pytest
from tests.adversarial import kernels
from tests.adversarial.huge import HUGE, Memory
from xdsl.ir import SSAValue

import helion_ir as helion
from helion_ir.dialects.tile.memory import AccessOp
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.dialects.triton.memory import AddPtrOp
from helion_ir.dialects.types import RangeType, i64
from helion_ir.passes.scope import bounds_of, exceeds_int32, needs_int64, parameter_of, wide_scalars

MEMORY = Memory("cpu", blank=True)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("name", HUGE)
def test_only_offsets_that_need_64_bits_have_them(name: str, static: bool) -> None:
    case = HUGE[name]
    bound = helion.kernel(static_shapes=static)(case.kernel.fn).bind(case.make(MEMORY))
    stages = bound.stages_for("h200")
    accesses = [op for op in stages.declared.walk() if isinstance(op, AccessOp)]
    assert {parameter_of(op) for op in accesses if needs_int64(op)} == case.wide
    (kernel,) = [op for op in stages.template(stages.space.legal_default()).walk() if isinstance(op, KernelOp)]
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for op in kernel.walk():
        if isinstance(op, AddPtrOp):
            tensor, offset = op.operands
            name = kernel.arg_names.data[kernel.body.block.args.index(tensor)].data  # pyright: ignore
            found[offset.type.element_type == i64].add(name)  # pyright: ignore
    # An index of 64 bits is an offset of as many, whatever tensor it is in; nothing else is.
    assert found[True] == case.wide | {parameter_of(op) for op in accesses if any(map(_is_wide, op.subscripts))}
    assert not found[False] & case.wide


def _is_wide(subscript: SSAValue) -> bool:
    type_ = subscript.type
    if isinstance(type_, RangeType):
        bounds = bounds_of(subscript)
        return exceeds_int32(bounds.upper, wide_scalars(subscript.owner.parent_op()))  # pyright: ignore
    return type_.element_type == i64  # pyright: ignore


def test_more_programs_than_32_bits_count_are_ruled_out() -> None:
    bound = kernels.plus_one.bind(HUGE["elements one after the other"].make(MEMORY))
    space = bound.stages_for("h200").space
    few = {**space.legal_default(), "i.block_size": 4}
    assert space.is_legal(few) is None
    assert "32 bits" in str(space.is_legal({**few, "i.block_size": 2}))
