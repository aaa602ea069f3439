"""Which matrix products run beside other work, and the tensor memory that those keep their results in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from xdsl.ir import BlockArgument, Operation

from helion_ir.dialects.tile import compute, control
from helion_ir.dialects.types import TileType, bit_width
from helion_ir.index.expr import And, CeilDiv, Eq, FloorDiv, Le, Max, Min, Where, any_of, knob
from helion_ir.passes.plan_memory.footprint import SYMBOLIC, Size, Terms, most
from helion_ir.targets import Target
from helion_ir.targets.staging import Staging

LANES = 128
"""Rows of tensor memory; a result of more rows takes further columns."""
COLUMN = LANES * 4
"""Bytes of one of its columns."""


def warps_of(declared: Collection[str], terms: Terms) -> Size:
    """The launch's warps."""
    return terms.of(knob("num_warps")) if "num_warps" in declared else 4


def blocks_of(declared: Collection[str], terms: Terms) -> Size:
    """The thread blocks of the launch's clusters, among which tiles are divided."""
    return terms.of(knob("num_ctas")) if "num_ctas" in declared else 1


def divided(size: Size, blocks: Size) -> Size:
    """A tile's bytes in each of the blocks that share it."""
    return FloorDiv(size, blocks)


def rows_blocks(product: compute.DotOp, blocks: Size, terms: Terms) -> Size:
    """Blocks of a cluster along the rows of a product: one for each 64 at most; the others are along the columns."""
    assert isinstance(product.result.type, TileType)
    rows = terms.extent(product.result.type.dims[-2])
    return Min(blocks, Max(1, FloorDiv(rows, 64)))


def runs_beside(product: compute.DotOp, warps: Size, staging: Staging, terms: Terms) -> Size:
    """Whether a product is one of those that read shared memory while other work goes on."""
    return And(suits_groups(product, staging, terms), any_of([Eq(warps, w) for w in staging.async_warps]))


def suits_groups(product: compute.DotOp, staging: Staging, terms: Terms = SYMBOLIC) -> Size:
    """Whether a product is one that groups of warps do together, given the warps for it."""
    type_, operand = product.result.type, product.lhs.type
    assert isinstance(type_, TileType) and isinstance(operand, TileType)
    exact = product.precision.data == "ieee" and bit_width(operand.element_type) >= 32
    if type_.rank != 2 or not staging.async_rows or exact:
        return 0
    return Le(staging.async_rows, terms.extent(type_.dims[0]))


def tensor_memory(ops: Sequence[Operation], target: Target, declared: Collection[str], terms: Terms) -> Size:
    """The least bytes of tensor memory of a program, given by its ops: results that a loop carries are all there, others may take turns."""
    if not target.tensor_memory:
        return 0
    warps, blocks = warps_of(declared, terms), blocks_of(declared, terms)
    carried: dict[Operation | None, Size] = {}
    others: Size = 0
    for product in [op for op in ops if isinstance(op, compute.DotOp)]:
        type_ = product.result.type
        assert isinstance(type_, TileType)
        beside = runs_beside(product, warps, target.staging, terms)
        if beside == 0:
            continue
        rows, columns = (terms.extent(d) for d in type_.dims)
        size = Where(beside, CeilDiv(rows, LANES) * columns * COLUMN, 0)
        size = divided(size, blocks)
        loop = product.parent_op()
        if isinstance(product.acc, BlockArgument) and isinstance(loop, control.ForOp):
            carried[loop] = carried.get(loop, 0) + size
        else:
            others = most(others, size)
    out = others
    for size in carried.values():
        out = most(out, size)
    return out
