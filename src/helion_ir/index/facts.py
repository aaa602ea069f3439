"""What is known about an index expression: its range, and what divides it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from helion_ir.index.expr import (
    NONE,
    And,
    CeilDiv,
    Comparison,
    FloorDiv,
    Max,
    Min,
    Mod,
    NextPow2,
    Not,
    Or,
    Where,
    compiled,
    free_names,
    knobs_of,
)

INFINITY = math.inf


@dataclass(frozen=True)
class Fact:
    """Inclusive bounds and a divisor of every value; the default says nothing."""

    low: float = -INFINITY
    high: float = INFINITY
    divisor: int = 1

    @property
    def constant(self) -> int | None:
        return int(self.low) if self.low == self.high else None


ANYTHING = Fact()
BOOLEAN = Fact(0, 1)

Facts = Mapping[str, Fact]
"""Facts by the names of symbols, knobs with their `@`."""


class KnownFacts(dict[str, Fact]):
    """Facts that stay as they are, with what followed from them, so that nothing is worked out twice.

    What mentions none of the operands belongs to the table without them, which serves a kernel's every expression.
    """

    def __init__(self, facts: Facts, outer: KnownFacts | None = None, own: frozenset[str] = frozenset()):
        super().__init__(facts)
        self.derived: dict[Expr, Fact] = {}
        self.folded: dict[Expr, Expr] = {}
        self._outer, self._own = outer, own
        self._with_operands: dict[tuple[Fact, ...], KnownFacts] = {}

    def with_operands(self, operands: Sequence[Fact]) -> KnownFacts:
        """These facts with those of `d0, d1, …`."""
        key = tuple(operands)
        if (known := self._with_operands.get(key)) is None:
            more = {f"d{i}": fact for i, fact in enumerate(key)}
            known = self._with_operands[key] = KnownFacts({**self, **more}, self, frozenset(more))
        return known

    def behind(self, e: Expr) -> KnownFacts:
        """The table in which all that matters for an expression is."""
        return self if self._outer is None or not self._own.isdisjoint(free_names(e)) else self._outer


def fact_of(e: Expr, facts: Facts, memo: dict[Expr, Fact] | None = None) -> Fact:
    """What follows for `e` from facts about its symbols, by interval arithmetic and divisors of terms.

    >>> from helion_ir.index.expr import symbol
    >>> fact_of(symbol("i") * 4 + 8, {"i": Fact(0, 7)})
    Fact(low=8, high=36, divisor=4)
    """
    if isinstance(facts, KnownFacts):
        facts = facts.behind(e)
        memo = facts.derived
    elif memo is None:
        memo = {}
    if (known := memo.get(e)) is None:
        known = memo[e] = _fact(e, facts, memo)
    return known


def _fact(e: Expr, facts: Facts, memo: dict[Expr, Fact]) -> Fact:
    if e.is_Integer:
        value = int(e)
        return Fact(value, value, abs(value))  # 0 is divisible by everything: gcd(0, n) == n
    if isinstance(e, Symbol):
        return facts.get(e.name, ANYTHING)
    a = [fact_of(x, facts, memo) for x in e.args]  # pyright: ignore
    match e:
        case sympy.Add():
            return Fact(sum(x.low for x in a), sum(x.high for x in a), math.gcd(*[x.divisor for x in a]))
        case sympy.Mul():
            low, high, divisor = a[0].low, a[0].high, a[0].divisor
            for x in a[1:]:
                corners = [_times(p, q) for p in (low, high) for q in (x.low, x.high)]
                low, high, divisor = min(corners), max(corners), divisor * x.divisor
            return Fact(low, high, divisor)
        case sympy.Pow():
            n = int(a[1].low)
            return (
                Fact(a[0].low ** n, a[0].high ** n, a[0].divisor ** n)
                if a[0].low >= 0
                else Fact(divisor=a[0].divisor ** n)
            )
        case Comparison() | And() | Or() | Not():
            return BOOLEAN
        case FloorDiv() | CeilDiv():
            return _divided(a[0], a[1], up=isinstance(e, CeilDiv))
        case Mod():
            divisor = math.gcd(a[0].divisor, a[1].divisor)
            if a[1].low > 0:
                high = min(a[1].high - 1, a[0].high) if a[0].low >= 0 else a[1].high - 1
                return Fact(0, high, divisor)
            return Fact(divisor=divisor)
        case Min():
            return Fact(min(a[0].low, a[1].low), min(a[0].high, a[1].high), math.gcd(a[0].divisor, a[1].divisor))
        case Max():
            return Fact(max(a[0].low, a[1].low), max(a[0].high, a[1].high), math.gcd(a[0].divisor, a[1].divisor))
        case Where():
            return Fact(min(a[1].low, a[2].low), max(a[1].high, a[2].high), math.gcd(a[1].divisor, a[2].divisor))
        case NextPow2():
            return Fact(max(1, a[0].low), 2 * a[0].high)
    return ANYTHING


def _times(p: float, q: float) -> float:
    return 0 if p == 0 or q == 0 else p * q


def _divided(a: Fact, b: Fact, *, up: bool) -> Fact:
    if b.low <= 0:
        return ANYTHING

    def quotient(x: float, y: float) -> float:
        if math.isinf(x):
            return x
        if math.isinf(y):
            return 0 if x >= 0 and not up else (1 if x > 0 else (0 if x == 0 or up else -1))
        return -(-x // y) if up else x // y

    corners = [quotient(p, q) for p, q in itertools.product((a.low, a.high), (b.low, b.high))]
    exact = b.constant is not None and a.divisor % b.constant == 0
    divisor = a.divisor // b.constant if exact and b.constant else 1
    return Fact(min(corners), max(corners), divisor)


Domains = Mapping[str, tuple]
"""The values of knobs, named without `@`."""

MOST_COMBINATIONS = 512


def decide(predicate: Expr, domains: Domains) -> Expr:
    """A truth value over knobs: 0 or 1 if it is that for every combination of their values, else itself.

    >>> from helion_ir.index.expr import Ne, knob
    >>> decide(Ne(Mod(sympy.Integer(1024), knob("bk")), 0), {"bk": (16, 32, 64)})
    0
    """
    if predicate.is_Integer:
        return predicate
    names = _only_knobs(predicate)
    if not names or not all([n in domains for n in names]):
        return predicate
    values = tuple([tuple(domains[n]) for n in names])
    if math.prod([len(v) for v in values]) > MOST_COMBINATIONS:
        return predicate
    return _decided(predicate, names, values)


@functools.lru_cache(4096)
def _only_knobs(predicate: Expr) -> tuple[str, ...]:
    """The knobs that a predicate reads, in order; none where it reads anything else."""
    names = sorted(knobs_of(predicate))
    return tuple(names) if len(predicate.free_symbols) == len(names) else ()


@functools.lru_cache(4096)  # several passes ask about the same ranges
def _decided(predicate: Expr, names: tuple[str, ...], domains: tuple[tuple, ...]) -> Expr:
    function = compiled(predicate)
    # A number that may be none is not none where an expression computes with it: the structure bound says so.
    numbers = domains if NONE in predicate.free_symbols else [[v for v in d if v is not None] for d in domains]
    seen = {bool(function(dict(zip(names, values)))) for values in itertools.product(*numbers)}
    return sympy.Integer(int(seen.pop())) if len(seen) == 1 else predicate
