"""The exact number of assignments of a space, an inactive knob counting once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from helion_ir.dialects.knob import KnobValue

if TYPE_CHECKING:
    from helion_ir.autotuner.space import ConfigSpace, Knob


def count(space: ConfigSpace) -> int:
    """The number of distinct projected assignments.

    Knobs that share no condition multiply. Within a group, the knobs that conditions read are enumerated one at a
    time and the rest splits into smaller groups, so that the work is the number of ways to answer the conditions.
    """
    return _count(space, list(space._order), {})


def _count(space: ConfigSpace, knobs: list[Knob], known: Mapping[str, KnobValue]) -> int:
    total = 1
    for group in _groups(knobs, known):
        total *= _count_group(space, group, known)
    return total


def _count_group(space: ConfigSpace, group: list[Knob], known: Mapping[str, KnobValue]) -> int:
    # The first in condition order: whatever its own condition reads is known by now.
    first, *rest = group
    if first.when is not None and not first.when(known):
        values: tuple[KnobValue, ...] = (first.default,)
    else:
        values = first.values
    if not rest:
        return len(values)
    return sum(_count(space, rest, {**known, first.name: v}) for v in values)


def _groups(knobs: list[Knob], known: Mapping[str, KnobValue]) -> list[list[Knob]]:
    """`knobs` split where no open condition connects them; each part keeps the order."""
    part = {k.name: k.name for k in knobs}

    def root(name: str) -> str:
        while part[name] != name:
            name = part[name]
        return name

    for knob in knobs:
        for other in knob.reads:
            if other not in known:
                part[root(knob.name)] = root(other)
    out: dict[str, list[Knob]] = {}
    for knob in knobs:
        out.setdefault(root(knob.name), []).append(knob)
    return list(out.values())
