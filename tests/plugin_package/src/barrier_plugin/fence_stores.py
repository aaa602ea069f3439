"""fence-stores: let the tuner put a barrier in front of the stores of a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region
from xdsl.rewriter import InsertPoint, Rewriter

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import BOOLEAN, ChooseOp, DeclareOp, YieldOp
from helion_ir.dialects.triton.memory import BarrierOp, BlockStoreOp, DescriptorStoreOp, StoreOp
from helion_ir.index.expr import knob
from helion_ir.passes.base import Pass


@dataclass(frozen=True)
class FenceStores(Pass):
    """Before each store, a barrier if the knob `@fence_stores` says so."""

    name = "fence-stores"
    after: ClassVar[str] = "convert-tile-to-triton"

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        yield DeclareOp("fence_stores", BOOLEAN, False, owner=self.name, doc="whether a barrier precedes each store")

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for store in [o for o in op.walk() if isinstance(o, StoreOp | BlockStoreOp | DescriptorStoreOp)]:
            choice = ChooseOp(expr_attr(knob("fence_stores")), [0, 1], [_alternative(), _alternative(BarrierOp())], [])
            Rewriter.insert_op(choice, InsertPoint.before(store))
            self.located(store, [choice])


def _alternative(*ops: Operation) -> Region:
    return Region(Block([*ops, YieldOp()]))
