"""What of a tile module decides which configurations are good."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp


@dataclass
class KernelShape:
    """The loops of a kernel, and what it does in them."""

    blocks: list[str] = field(default_factory=list)
    """Knobs of block sizes, outermost loop first."""
    roles: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By block knob: m, n, k of the products that it is a dimension of."""
    contiguous: set[str] = field(default_factory=set)
    """Block knobs of dimensions whose elements lie side by side in the tensors."""
    grid: dict[str, int] = field(default_factory=dict)
    """By block knob the extent of its dimension of the grid, where it is known."""
    reduced: int = 0
    """The longest extent that is reduced in one piece, rounded up to a power of two; 0: none."""
    products: int = 0
    operand_bytes: int = 0
    """Of an element of the narrowest operand of a product; 0: none."""
    compute_units: int = 1
    """Of the target."""

    @classmethod
    def of(cls, module: ModuleOp) -> KernelShape:
        """The shape of a declared module."""
        from helion_ir.dialects.knob import declarations
        from helion_ir.dialects.tile.compute import DotOp, ReduceOp
        from helion_ir.dialects.tile.control import ParallelOp
        from helion_ir.dialects.tile.memory import AccessOp
        from helion_ir.passes.base import target_of

        shape = cls([op.sym_name.data for op in declarations(module) if op.field and op.field.data == "block_sizes"])
        shape.compute_units = max(1, target_of(module).compute_units)
        for op in module.walk():
            if isinstance(op, DotOp):
                shape._product(op)
            elif isinstance(op, ReduceOp):
                shape._reduction(op)
            elif isinstance(op, ParallelOp):
                shape._grid(op)
            elif isinstance(op, AccessOp):
                shape._access(op)
        return shape

    def programs(self, values: Mapping[str, Any]) -> int:
        """How many programs a configuration launches, as far as its grid is known."""
        return math.prod(-(-extent // max(1, values.get(block, 1))) for block, extent in self.grid.items())

    def _product(self, op: Any) -> None:
        from helion_ir.dialects.types import TileType
        from helion_ir.index.expr import knobs_of

        lhs, rhs = op.lhs.type, op.rhs.type
        assert isinstance(lhs, TileType) and isinstance(rhs, TileType)
        self.products += 1
        bits = min(_bits(lhs), _bits(rhs))
        self.operand_bytes = min(self.operand_bytes or bits // 8, bits // 8)
        for role, dim in (("m", lhs.dims[-2]), ("k", lhs.dims[-1]), ("n", rhs.dims[-1])):
            for name in knobs_of(dim):
                self.roles[name].add(role)

    def _reduction(self, op: Any) -> None:
        from helion_ir.dialects.types import TileType
        from helion_ir.index.expr import constant_of

        if isinstance(op.operands[0].type, TileType):
            for dim in op.operands[0].type.dims:
                extent = constant_of(dim)
                if extent is not None and extent > 1:
                    self.reduced = max(self.reduced, 1 << (extent - 1).bit_length())

    def _grid(self, op: Any) -> None:
        from helion_ir.dialects.types import RangeType
        from helion_ir.index.expr import constant_of, knobs_of

        for argument, low, high in zip(op.body.block.args, op.lower, op.upper):
            first, last = constant_of(low.data), constant_of(high.data)
            if isinstance(argument.type, RangeType) and first is not None and last is not None:
                for name in knobs_of(argument.type.block.data):
                    self.grid[name] = last - first

    def _access(self, op: Any) -> None:
        from helion_ir.dialects.types import RangeType
        from helion_ir.index.expr import constant_of, knobs_of

        for subscript, stride in zip(op.subscripts, op.ref.type.strides):
            if isinstance(subscript.type, RangeType) and constant_of(stride.data) == 1:
                self.contiguous |= knobs_of(subscript.type.block.data)


def _bits(tile: Any) -> int:
    return int(getattr(tile.element_type, "bitwidth", 16))
