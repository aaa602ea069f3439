"""cse: compute each value once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation
from xdsl.traits import IsolatedFromAbove, IsTerminator, MemoryEffectKind, NoMemoryEffect, get_effects

from helion_ir.passes.base import Pass


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
                if _same_regions(known, op):
                    return known
            scope = scope.outer
        return None


def _merge(block: Block, scope: _Scope) -> None:
    for op in tuple(block.ops):
        for region in op.regions:
            outer = None if _is_closed(op) else scope
            for inner in region.blocks:
                _merge(inner, _Scope(outer))
        effects = get_effects(op)
        if op.has_trait(IsTerminator):
            continue
        if effects is None or any(e.kind is not MemoryEffectKind.READ for e in effects):
            scope.reads.clear()
            continue
        if not op.results:
            continue
        key = _key(op)
        if effects:
            known = next((k for k in scope.reads.get(key, ()) if _same_regions(k, op)), None)
            table = scope.reads
        else:
            known = scope.find(key, op)
            table = scope.pure
        if known is None:
            table.setdefault(key, []).append(op)
            continue
        for old, new in zip(op.results, known.results):
            new.name_hint = new.name_hint or old.name_hint
            old.replace_all_uses_with(new)
        block.erase_op(op)


def _is_closed(op: Operation) -> bool:
    # What is pure in spite of its region applies it as a function, which is printed apart from the kernel.
    return op.has_trait(IsolatedFromAbove, value_if_unregistered=True) or op.has_trait(NoMemoryEffect)


def _key(op: Operation) -> Key:
    return (
        op.name,
        tuple(op.operands),
        tuple(op.result_types),
        frozenset(op.properties.items()),
        frozenset(op.attributes.items()),
    )


def _same_regions(a: Operation, b: Operation) -> bool:
    return all(r.is_structurally_equivalent(s) for r, s in zip(a.regions, b.regions))
