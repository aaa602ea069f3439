"""How near results must come to the reference: from the types and the lengths of sums in the IR."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.targets import Target

SINGLE_EPS = 2.0**-23
# TF32 and bfloat16 as operands: the bits of a product of 32-bit numbers on a matrix unit.
DOT_EPS = {"tf32": 2.0**-10, "bf16x3": 2.0**-15, "bf16x6": 2.0**-20, "tf32x3": 2.0**-20, "ieee": SINGLE_EPS}
NARROW_EPS = {"bf16": 2.0**-8, "f16": 2.0**-11, "f8E4M3FN": 2.0**-4, "f8E5M2": 2.0**-3}
# Sums in another order differ by about the root of their length, in units; differences and approximate functions, by more.
MARGIN = 16.0
LEAST, MOST = 1e-3, 1e-2
# Of what few bits of a sum cost: past it nothing would be told from an error.
MOST_NARROW = 0.1
_FLOATS_OF_8_BITS = ("f8E4M3FN", "f8E5M2")


def single_precision_tolerance(module: ModuleOp) -> float:
    """The relative distance, over the size of the results, that two right results of a kernel in 32 bits may have.

    Grows with the longest sum, with what is multiplied in TF32 and with what is rounded to narrower types on the way,
    since another tiling rounds at other places. Between 1e-3 and 1e-2: shorter sums are not judged more strictly, as
    differences of nearly equal numbers leave fewer digits.

    Args:
        module: the tile module, before or after its knobs are declared.
    """
    from helion_ir.dialects.tile.compute import DotOp
    from helion_ir.dialects.tile.elementwise import CastOp
    from helion_ir.dialects.types import TileType

    product, rounding = 0.0, 0.0
    for op in module.walk():
        if isinstance(op, DotOp) and isinstance(op.lhs.type, TileType) and str(op.lhs.type.element_type) == "f32":
            product = max(product, DOT_EPS.get(op.precision.data, DOT_EPS["tf32"]))
        if isinstance(op, CastOp) and isinstance(op.result.type, TileType):
            # What is rounded and stored is judged by the type it is stored in.
            if any(use.operation.name != "tile.store" for use in op.result.uses):
                rounding = max(rounding, NARROW_EPS.get(str(op.result.type.element_type), 0.0))
    near = MARGIN * SINGLE_EPS * math.sqrt(_longest_sum(module)) + 4 * product + 4 * rounding
    return min(MOST, max(LEAST, near))


def narrow_product_tolerance(module: ModuleOp, target: Target) -> float:
    """What results may be further apart, over their size, where matrix units keep few bits of a sum of 8-bit floats.

    Every instruction adds the products of `dot_min_k8` elements and cuts the sum to `narrow_sum_bits`, always towards
    zero, so that the loss grows with the number of instructions.

    Args:
        module: the tile module, before or after its knobs are declared.
        target: where it runs.
    """
    from helion_ir.dialects.tile.compute import DotOp
    from helion_ir.dialects.types import TileType

    if target.narrow_sum_bits >= 24:
        return 0.0
    for op in module.walk():
        if (
            isinstance(op, DotOp)
            and isinstance(op.lhs.type, TileType)
            and str(op.lhs.type.element_type) in _FLOATS_OF_8_BITS
        ):
            return min(MOST_NARROW, _longest_sum(module) / target.dot_min_k8 * 2.0 ** (1 - target.narrow_sum_bits))
    return 0.0


def _longest_sum(module: ModuleOp) -> int:
    """A sum runs along one dimension of a tensor, or over what the author has flattened into one."""
    from helion_ir.dialects.types import RefType
    from helion_ir.index.expr import constant_of

    longest = 1
    for op in module.walk():
        for value in (*op.operands, *op.results, *(a for r in op.regions for b in r.blocks for a in b.args)):
            if isinstance(value.type, RefType):
                longest = max([longest, *(constant_of(d) or 1 for d in value.type.dims)])
    return longest
