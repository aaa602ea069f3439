"""canonicalize: one form for equal things, and nothing that does nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern
from xdsl.traits import HasCanonicalizationPatternsTrait

from helion_ir.passes.base import Located, Pass
from helion_ir.passes.canonicalization import PATTERNS
from helion_ir.passes.dce import remove_dead


@dataclass(frozen=True)
class Canonicalize(Pass):
    """Apply the identities that hold always and everywhere, until none applies, and remove dead code.

    Before:

        %z = tile.full <0.0> -> !tile.tile<[], f32>
        %b = tile.broadcast %z : !tile.tile<[], f32> -> !tile.tile<[@m], f32>
        %f = tile.cast %x : !tile.tile<[@m], bf16> -> !tile.tile<[@m], f32>
        %g = tile.cast %f : !tile.tile<[@m], f32> -> !tile.tile<[@m], bf16>

    After:

        %b = tile.full <0.0> -> !tile.tile<[@m], f32>
        // %x in place of %g

    The identities are in `passes/canonicalization`, a file a family: views and casts, arithmetic with constants, index
    expressions, loops and branches. Ops of other dialects bring theirs by xDSL's canonicalization trait. Floating point
    arithmetic is exact: `x + 0.0` stays, for x may be -0.0.

    Not handled: anything that needs the range of an index (simplify-index); values that a `while` carries.

    Needs nothing to have run before.
    """

    name = "canonicalize"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        pattern = Located(ByClass(PATTERNS), self)
        PatternRewriteWalker(pattern, post_walk_func=remove_dead).rewrite_module(op)


@dataclass
class ByClass(RewritePattern):
    """Tries the patterns of an op's class in order, until one changes something."""

    patterns: Mapping[type[Operation], Sequence[RewritePattern]]

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        patterns = self.patterns.get(type(op))
        if patterns is None:
            patterns = [p for t in op.get_traits_of_type(HasCanonicalizationPatternsTrait) for p in t.get_patterns(type(op))]  # fmt: skip
        for pattern in patterns:
            pattern.match_and_rewrite(op, rewriter)
            if rewriter.has_done_action:
                return
