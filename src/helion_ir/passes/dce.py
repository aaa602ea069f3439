"""dce: remove what computes only values that nothing uses."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.transforms.dead_code_elimination import region_dce

from helion_ir.passes.base import Pass


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
        region_dce(op.body)
