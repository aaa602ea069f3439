"""Captures calls on tiles and runs the IR they became on real tensors, all tiles full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

import torch
from xdsl.ir import Operation

from helion_ir.dialects.tile.control import YieldOp
from helion_ir.frontend.capture import Capture
from helion_ir.frontend.sizes import BlockSizes, Size
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.index.expr import knob
from helion_ir.interpreter.scope import Scope
from helion_ir.targets.cpu import CPU

BLOCKS = {"tile_m.block_size": 8, "tile_n.block_size": 16, "tile_k.block_size": 32}


class Captured:
    """A block being captured: `inputs` are its arguments."""

    def __init__(self, is_author: Callable[[CodeType], bool] = lambda code: False):
        self.sizes = BlockSizes()
        self.bm, self.bn, self.bk = (self.sizes.symbol(knob(name)) for name in BLOCKS)
        self.capture = Capture(self.sizes, "cpu", is_author)

    def inputs(self, *inputs: tuple[Sequence[Size], torch.dtype]) -> list[TileTensor]:
        """Tiles of these shapes, as arguments of the block."""
        cap = self.capture
        args = [cap.block.insert_arg(cap.type_of(dims, dtype), len(cap.block.args)) for dims, dtype in inputs]
        return [cap.tile(arg, list(dims), dtype) for arg, (dims, dtype) in zip(args, inputs)]

    @property
    def ops(self) -> list[Operation]:
        return list(self.capture.block.ops)

    def run(self, outputs: Sequence[TileTensor], values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What the block computes for these arguments; every op is verified first."""
        block = self.capture.block
        block.add_op(YieldOp(*[o.value for o in outputs]))
        for op in block.walk():
            op.verify()
        scope = Scope(dict(BLOCKS), CPU, True)
        body = scope.block(block)
        frame: list[Any] = [None] * len(scope.slots)
        for argument, value in zip(block.args, values):
            frame[scope.slot(argument)] = value
        return [torch.as_tensor(r) for r in body(frame)]

    def text(self) -> str:
        """The ops as text."""
        block = self.capture.block
        return "\n".join(str(op) for op in block.ops)


def tiles_of(result: Any) -> list[Any]:
    """The tensors of a result: one, or those of a tuple."""
    return list(result) if isinstance(result, tuple | list) else [result]
