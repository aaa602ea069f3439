"""The base class of passes: xDSL's, with locations kept and with knobs of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from xdsl.context import Context
from xdsl.dialects.builtin import LocationAttr, ModuleOp, NameLoc, StringAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import GreedyRewritePatternApplier, PatternRewriter, PatternRewriteWalker, RewritePattern

from helion_ir.dialects.knob import DeclareOp, RuledOutOp
from helion_ir.dialects.operation import ops_of, walk
from helion_ir.dialects.types import string_attr
from helion_ir.targets import Target, get_target

TARGET = "helion_ir.target"
"""The module attribute that names the target."""


def target_of(module: ModuleOp) -> Target:
    """The target a module is compiled for; the CPU where none is set."""
    attr = module.attributes.get(TARGET)
    return get_target(attr.data if isinstance(attr, StringAttr) else "cpu")


KernelT = TypeVar("KernelT", bound=Operation)


def kernels(module: ModuleOp, kind: type[KernelT]) -> list[KernelT]:
    """The kernels of a module, which are among its outermost ops."""
    return [op for op in ops_of(module.body.block) if isinstance(op, kind)]


@dataclass(frozen=True)
class Pass(ModulePass):
    """A pass over a module: a frozen dataclass whose fields are its options.

    `apply` must leave valid IR. New ops inherit the location of what they replace, tagged with the pass: use
    `self.rewrite(module, patterns)`, or `self.located(old, new_ops)` where ops are built by hand.
    """

    name: ClassVar[str]
    after: ClassVar[str] = ""
    """For a pass of a plugin: the pass of the pipeline that it follows."""
    decision: ClassVar[str | None] = None
    """The decision of schedules that it carries out, if that is all it does; of schedules of one, the op's name.
    A structure in which bind-structure has left no such decision does without this pass."""
    alternatives: ClassVar[frozenset[str]] = frozenset()
    """Fields of the knobs for each of whose values this pass, or one after it, builds IR of its own: see declare-plain."""

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        """The knobs this pass will read, declared before any structure is bound, so that the whole space is known.

        Called by declare-schedules on the tile module; may also set the open `schedule` attribute of ops. A
        `knob.ruled_out` says why a knob has not all the values it could, or does not exist.
        """
        return iter(())

    def located(self, old: Operation, new: Sequence[Operation]) -> None:
        """Give ops without a location that of `old`, named after this pass."""
        if type(old.location) is UnknownLoc:
            return
        loc = self.tagged(old.location)
        for op in new:
            for inner in walk(op):
                if type(inner.location) is UnknownLoc:
                    inner.location = loc

    def tagged(self, location: LocationAttr) -> LocationAttr:
        """The location of what this pass makes of an op that has this one."""
        if type(location) is UnknownLoc:
            return location
        made = NameLoc.__new__(NameLoc)  # without xDSL's checks of what is right by construction
        vars(made).update(desc=string_attr(self.name), location=location)
        return made

    def rewrite(self, module: ModuleOp, patterns: Sequence[RewritePattern], *, recursively: bool = True) -> bool:
        """Apply patterns greedily; True if anything changed."""
        applier = GreedyRewritePatternApplier([Located(p, self) for p in patterns])
        return PatternRewriteWalker(applier, apply_recursively=recursively).rewrite_module(module)


@dataclass
class Located(RewritePattern):
    """Runs a pattern and stamps what it inserts with the matched op's location."""

    inner: RewritePattern
    owner: Pass

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        # One rewriter serves the whole walk, so the handler must go again.
        def stamp(new: Operation) -> None:
            self.owner.located(op, [new])

        rewriter.operation_insertion_handler.append(stamp)
        try:
            self.inner.match_and_rewrite(op, rewriter)
        finally:
            rewriter.operation_insertion_handler.remove(stamp)


def run(passes: Sequence[ModulePass], module: ModuleOp, ctx: Context) -> None:
    """Apply passes in order, without verification in between."""
    for p in passes:
        p.apply(ctx, module)
