"""What ops do besides computing their results, asked of every op by several passes: known once a class where it can be."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Literal

from xdsl.ir import Operation
from xdsl.traits import (
    IsTerminator,
    MemoryEffect,
    MemoryEffectKind,
    MemoryReadEffect,
    MemoryWriteEffect,
    NoMemoryEffect,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
    get_effects,
)

Effects = frozenset[MemoryEffectKind] | None
"""The kinds of effects; None where they may be any."""

NOTHING: frozenset[MemoryEffectKind] = frozenset()
READS = frozenset([MemoryEffectKind.READ])

_OF_TRAIT: dict[type, frozenset[MemoryEffectKind]] = {
    Pure: NOTHING,
    NoMemoryEffect: NOTHING,
    MemoryReadEffect: READS,
    MemoryWriteEffect: frozenset([MemoryEffectKind.WRITE]),
}


@functools.cache
def of_class(op: type[Operation]) -> Effects | Literal["recursive", "own"]:
    """The effects of every op of a class, or whether they are those of the ops inside, or each op's own."""
    traits = [t for t in op.traits if isinstance(t, MemoryEffect)]
    if not traits:
        return None
    if [type(t) for t in traits] == [RecursiveMemoryEffect]:
        return "recursive"
    if any(type(t) not in _OF_TRAIT for t in traits):
        return "own"
    return frozenset().union(*[_OF_TRAIT[type(t)] for t in traits])


def effects_of(op: Operation) -> Effects:
    """The kinds of effects of an op, as xDSL's `get_effects` has them."""
    known = of_class(type(op))
    if known == "recursive":
        return union(effects_of(inner) for region in op.regions for block in region.blocks for inner in block.ops)
    return own_effects(op) if known == "own" else known


def own_effects(op: Operation) -> Effects:
    found = get_effects(op)
    return None if found is None else frozenset([e.kind for e in found])


def union(several: Iterable[Effects]) -> Effects:
    """What several ops do together."""
    out = NOTHING
    for effects in several:
        if effects is None:
            return None
        if effects:
            out |= effects
    return out


@functools.cache
def is_kept(op: type[Operation]) -> bool:
    """Whether ops of a class stay whatever they compute: ends of blocks, and what is found by name."""
    return op.has_trait(IsTerminator, value_if_unregistered=False) or op.has_trait(
        SymbolOpInterface, value_if_unregistered=False
    )


@functools.cache
def is_terminator(op: type[Operation]) -> bool:
    """Whether ops of a class end blocks."""
    return op.has_trait(IsTerminator)
