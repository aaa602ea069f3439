"""The number of assignments of a space, an inactive knob counting once: of all, and of the legal ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helion_ir.dialects.knob import KnobValue

if TYPE_CHECKING:
    from helion_ir.autotuner.space import ConfigSpace, Knob, Requirement

MOST_ENUMERATED = 20_000
"""Combinations of the knobs that requirements read that are looked at, one by one."""


@dataclass(frozen=True)
class Bounds:
    """Inclusive bounds of a number.

    >>> str(Bounds(12, 12)), str(Bounds(3, 2_000_000))
    ('12', 'at least 3, at most 2,000,000')
    """

    low: int
    high: int

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def __str__(self) -> str:
        return f"{self.low:,}" if self.exact else f"at least {self.low:,}, at most {self.high:,}"


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


def count_legal(space: ConfigSpace) -> Bounds:
    """The number of assignments that break no requirement.

    Combinations of the knobs that requirements read are enumerated, each standing for those of all other knobs. Where
    there are too many, or where each structure has requirements of its own, requirements are dropped for the upper bound,
    and knobs are held at the values of the default configuration for the lower.
    """
    default = space.legal_default()
    every = space.requirements_of(default)
    if not space.structural or space._further is None:
        kept = _affordable(space, every)
        exact = _count_where(space, kept, {})
        if len(kept) == len(every):
            return Bounds(exact, exact)
        return Bounds(_least(space, every, default), exact)
    high = _count_where(space, _affordable(space, list(space.requires)), {})
    return Bounds(_least(space, every, default), high)


def _affordable(space: ConfigSpace, rules: Sequence[Requirement]) -> list[Requirement]:
    """As many of the requirements as can be enumerated together, those of few combinations first."""
    kept: list[Requirement] = []
    for rule in sorted(rules, key=lambda r: _combinations(space, _closure(space, r.reads))):
        if _combinations(space, _closure(space, [n for k in (*kept, rule) for n in k.reads])) <= MOST_ENUMERATED:
            kept.append(rule)
    return kept


def _least(space: ConfigSpace, rules: Sequence[Requirement], default: Mapping[str, KnobValue]) -> int:
    """Legal assignments of the default's structure, of which so many knobs are held that the rest can be enumerated."""
    fixed = {n: default[n] for n in _closure(space, list(space.structural))}
    read = _closure(space, [n for r in rules for n in r.reads])
    for name in sorted(read, key=lambda n: len(space[n].values), reverse=True):
        if _combinations(space, [n for n in read if n not in fixed]) <= MOST_ENUMERATED:
            break
        fixed[name] = default[name]
    return _count_where(space, rules, fixed)


def _count_where(space: ConfigSpace, rules: Sequence[Requirement], fixed: Mapping[str, KnobValue]) -> int:
    read = set(_closure(space, [n for r in rules for n in r.reads])) | set(fixed)
    first = [k for k in space._order if k.name in read]
    rest = [k for k in space._order if k.name not in read]
    conditions = sorted({n for k in rest for n in k.reads} & read)
    counted: dict[tuple[KnobValue, ...], int] = {}
    total = 0
    for known in _assignments(first, fixed, {}):
        if all(rule.holds(known) for rule in rules):
            key = tuple([known[n] for n in conditions])
            if key not in counted:
                counted[key] = _count(space, rest, known)
            total += counted[key]
    return total


def _assignments(
    knobs: Sequence[Knob], fixed: Mapping[str, KnobValue], known: dict[str, KnobValue]
) -> Iterator[dict[str, KnobValue]]:
    """Every projected assignment of knobs in condition order, those of `fixed` at their values."""
    if not knobs:
        yield known
        return
    knob, *rest = knobs
    values = knob.values
    if knob.name in fixed:
        values = (fixed[knob.name],)
    if knob.when is not None and not knob.when(known):
        values = (knob.default,)
    for value in values:
        yield from _assignments(rest, fixed, {**known, knob.name: value})


def _closure(space: ConfigSpace, names: Sequence[str]) -> list[str]:
    """Knobs with those that their conditions read, in turn."""
    found: dict[str, None] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            left += space[name].reads
    return list(found)


def _combinations(space: ConfigSpace, names: Sequence[str]) -> int:
    return math.prod(len(space[n].values) for n in names)
