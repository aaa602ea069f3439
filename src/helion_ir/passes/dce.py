"""dce: remove what computes only values that nothing uses."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Region
from xdsl.pattern_rewriter import PatternRewriterListener

from helion_ir.passes.base import Pass
from helion_ir.passes.effects import NOTHING, READS, Effects, is_kept, of_class, own_effects, union


@dataclass(frozen=True)
class Dce(Pass):
    """Remove ops whose results are unused and which do nothing else.

    Before:

        %x = tile.load "x" %ref[%m] : …
        %y = tile.exp %x : t
        tile.store "out" %z, %out[%m] : …

    After:

        tile.store "out" %z, %out[%m] : …

    Reading memory has no effect of its own, so an unused load goes, and so does a loop that only reads and whose
    results are unused. Stores, atomics, barriers, the host's statements, kernels and knobs stay.

    Not handled: values that a loop carries around without using them (canonicalize removes those), and stores to
    memory that nobody reads.

    Needs nothing to have run before.
    """

    name = "dce"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        remove_dead(op.body)


def remove_dead(region: Region, listener: PatternRewriterListener | None = None) -> bool:
    """Remove what is dead in a region, and say whether anything was. Uses come after what they use: one sweep is enough."""
    removed = False

    def sweep(region: Region) -> Effects:
        nonlocal removed
        left: list[Effects] = []
        for block in reversed(region.blocks):
            op = block.last_op
            while op is not None:
                above = op.prev_op
                effects = of_class(type(op))
                inside = union([sweep(r) for r in reversed(op.regions)]) if op.regions else NOTHING
                if isinstance(effects, str):
                    effects = inside if effects == "recursive" else own_effects(op)
                if (
                    effects is not None
                    and effects <= READS
                    and not is_kept(type(op))
                    and all(r.first_use is None for r in op.results)
                ):
                    if listener is not None:
                        listener.handle_operation_removal(op)
                    block.erase_op(op)
                    removed = True
                else:
                    left.append(effects)
                op = above
        return union(left)

    sweep(region)
    return removed
