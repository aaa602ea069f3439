"""Products that another one follows, whose rows are divided among all warps, and the registers of results.

Where the result of a product reaches another one, Triton divides its rows among all warps of the program, 16 each, so that
reductions of rows in between stay in a warp (TritonGPU/Transforms/AccelerateMatmul.cpp, warpsPerTileV3). Fewer rows than
that are held several times. It looks among the uses of a result, into loops but never out of one again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from sympy import Expr, Integer
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.tile import compute, control
from helion_ir.dialects.types import TileType, bit_width
from helion_ir.index.expr import And, CeilDiv, Eq, Lt, Max, Mod, Not, Or, Where, any_of
from helion_ir.passes.plan_memory.loops import Loop
from helion_ir.passes.scope import physical

ROWS_OF_WARP = 16
"""Rows that one warp of a group does (PTX, wgmma: 64 by four)."""


def registers_of_result(product: compute.DotOp, chained: Expr, warps: Expr) -> Expr:
    """The 32-bit registers that the threads of a program have of a product's result, all together: over knobs.

    Args:
        product: of tiles.
        chained: whether its rows are divided among all warps.
        warps: of the program.
    """
    type_ = product.result.type
    assert isinstance(type_, TileType)
    sizes = [physical(d) for d in type_.dims]
    sizes[-2] = Where(chained, Max(sizes[-2], ROWS_OF_WARP * warps), sizes[-2])
    elements: Expr = Integer(1)
    for size in sizes:
        elements = elements * size
    bits = bit_width(type_.element_type)
    return elements if bits == 32 else CeilDiv(elements * bits, Integer(32))


def is_chained(product: compute.DotOp, loops: Mapping[Operation, Loop]) -> Expr:
    """Whether a product's result reaches another product, a copy in an unrolled loop among them: over knobs."""
    found: list[Expr] = []
    seen: set[SSAValue] = set()
    waiting: deque[tuple[SSAValue, Expr]] = deque([(product.result, Integer(1))])
    while waiting:
        value, condition = waiting.popleft()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses:
            user = use.operation
            around = user.parent_op()
            if isinstance(user, compute.DotOp):
                found.append(condition)
            elif isinstance(user, control.YieldOp):
                if isinstance(around, control.ForOp):
                    loop = loops[around]
                    waiting.append((around.body.block.args[1 + use.index], And(condition, _is_copied(loop))))
                    waiting.append((around.results[use.index], And(condition, _is_folded(loop))))
            else:
                # First where no condition is added, so that each value is reached under the weakest.
                waiting.extendleft([(v, condition) for v in _made_of(user)])
    return any_of(found)


def _made_of(user: Operation) -> Iterator[SSAValue]:
    """What depends on an op's operands, by the op alone: in a loop, all that its body begins with."""
    if user.regions:
        for block in [b for region in user.regions for b in region.blocks]:
            yield from block.args
    else:
        yield from user.results


def _is_copied(loop: Loop) -> Expr:
    """Whether an iteration is followed by another one in the same body."""
    return Or(Lt(Integer(1), loop.unroll), loop.static)


def _is_folded(loop: Loop) -> Expr:
    """Whether an iteration, the last one, is in no loop: of few iterations none is left, or one is left over."""
    return Or(Not(loop.runs), Eq(Mod(loop.trips, loop.unroll), Integer(1)))
