"""Random bits."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from helion_ir.dialects.tile.random import RandomWordOp
from helion_ir.dialects.triton.compute import CallOp
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers


@lowers(RandomWordOp)
def random_word(lower: Lowering, op: RandomWordOp) -> Sequence[SSAValue]:
    seed, offset, type_ = lower.get(op.seed), lower.get(op.offset), lower.type(op.result.type)
    return (lower.add(CallOp("plain.random_word", [seed, offset], type_, {"word": str(op.word.value.data)})),)
