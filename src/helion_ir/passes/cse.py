"""cse: compute each value once."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation
from xdsl.traits import IsolatedFromAbove, NoMemoryEffect

from helion_ir.dialects.editing import replace
from helion_ir.dialects.operation import operands_of, ops_of
from helion_ir.passes.base import Pass
from helion_ir.passes.effects import NOTHING, READS, Effects, is_terminator, of_class, own_effects, union


@dataclass(frozen=True)
class Cse(Pass):
    """Replace an op by an equal one whose result is there already.

    Before:

        %a = index.apply <d0 * 64>(%pid) : …
        tile.for "k" (…) {
          %b = index.apply <d0 * 64>(%pid) : …
          … %b

    After:

        %a = index.apply <d0 * 64>(%pid) : …
        tile.for "k" (…) {
          … %a

    An op without effects is merged with one earlier in its own block or in a block around it. A load is merged with an
    earlier one of the same block if nothing in between may write, whatever the tensor: tensors may overlap.
    Locations are those of the op that stays.

    The function inside of a custom reduction or scan sees nothing from outside, so nothing is merged into it.

    Not handled: equal ops in two branches, neither of which contains the other; loads across the border of a region,
    or of different sites, whose knobs differ (plan-memory); operands in another order.

    Runs best after canonicalize, which gives equal things one form.
    """

    name = "cse"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in op.body.blocks:
            _merge(block, _Scope())


Key = tuple[Hashable, ...]
"""The class of an op and its operands; hashing types and properties as well would cost more than comparing them."""


@dataclass
class _Scope:
    """What is known in a block: its own ops, then those of the blocks around it."""

    outer: _Scope | None = None
    pure: dict[Key, list[Operation]] = field(default_factory=dict)
    reads: dict[Key, list[Operation]] = field(default_factory=dict)

    def find(self, key: Key, op: Operation) -> Operation | None:
        scope: _Scope | None = self
        while scope is not None:
            for known in scope.pure.get(key, ()):
                if _equal(known, op):
                    return known
            scope = scope.outer
        return None


def _merge(block: Block, scope: _Scope) -> Effects:
    """Merge the ops of a block, and say what they do together."""
    together: list[Effects] = []
    for op in ops_of(block):
        inside: list[Effects] = []
        for region in op.regions:
            outer = None if _is_closed(type(op)) else scope
            inside += [_merge(inner, _Scope(outer)) for inner in region.blocks]
        effects = of_class(type(op))
        if isinstance(effects, str):
            effects = union(inside) if effects == "recursive" else own_effects(op)
        together.append(effects)
        if is_terminator(type(op)):
            continue
        if effects is None or not effects <= READS:
            scope.reads = {}
            continue
        if not op.results:
            continue
        key = (type(op), *operands_of(op))
        if effects != NOTHING:
            known = next((k for k in scope.reads.get(key, ()) if _equal(k, op)), None)
            table = scope.reads
        else:
            known = scope.find(key, op)
            table = scope.pure
        if known is None:
            table.setdefault(key, []).append(op)
            continue
        replace(op, known.results)
    return union(together)


@functools.cache
def _is_closed(op: type[Operation]) -> bool:
    # What is pure in spite of its region applies it as a function, which is printed apart from the kernel.
    return op.has_trait(IsolatedFromAbove, value_if_unregistered=True) or op.has_trait(NoMemoryEffect)


def _equal(a: Operation, b: Operation) -> bool:
    """Whether two ops of one class with the same operands are the same."""
    return (
        a.result_types == b.result_types
        and a.properties == b.properties
        and a.attributes == b.attributes
        and all(r.is_structurally_equivalent(s) for r, s in zip(a.regions, b.regions))
    )
