"""Folding rules for index expressions: FloorDiv and Mod split and recombine, bounds remove comparisons.

Bottom-up with a memo. `sympy` only keeps sums and products canonical; every rule is ours and checked by brute force.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy
from sympy import Expr, Integer, Symbol

from helion_ir.index.expr import And, CeilDiv, Eq, FloorDiv, Le, Lt, Max, Min, Mod, Ne, Not, Or, all_of
from helion_ir.index.facts import Facts, KnownFacts, fact_of


def fold(e: Expr, facts: Facts, memo: dict[Expr, Expr] | None = None) -> Expr:
    """A simpler expression equal to `e` for all values that `facts` allow.

    >>> from helion_ir.index.expr import symbol
    >>> from helion_ir.index.facts import Fact
    >>> i, j = symbol("i"), symbol("j")
    >>> fold(FloorDiv(64 * i + j, Integer(64)), {"i": Fact(0, 9), "j": Fact(0, 63)})
    i
    """
    if isinstance(facts, KnownFacts):
        facts = facts.behind(e)
        memo = facts.folded
    elif memo is None:
        memo = {}
    if (known := memo.get(e)) is not None:
        return known
    out = e
    # Knobs only: an operand may be what gives a tile its shape, whatever its value.
    if isinstance(e, Symbol) and e.name.startswith("@") and (value := fact_of(e, facts).constant) is not None:
        out = Integer(value)
    elif e.args:
        args = [fold(a, facts, memo) for a in e.args]  # pyright: ignore
        out = e if all(a is b for a, b in zip(args, e.args)) else e.func(*args)
        out = _fold_one(out, facts)
    memo[e] = out
    return out


def _fold_one(e: Expr, facts: Facts) -> Expr:
    match e:
        case FloorDiv():
            return _floordiv(e.args[0], e.args[1], facts)  # pyright: ignore
        case Mod():
            return _mod(e.args[0], e.args[1], facts)  # pyright: ignore
        case CeilDiv():
            return _ceildiv(e.args[0], e.args[1], facts)  # pyright: ignore
        case Min() | Max():
            a, b = (fact_of(x, facts) for x in e.args)  # pyright: ignore
            small = isinstance(e, Min)
            if a.high <= b.low:
                return e.args[0] if small else e.args[1]  # pyright: ignore
            if b.high <= a.low:
                return e.args[1] if small else e.args[0]  # pyright: ignore
            apart = fact_of(e.args[1] - e.args[0], facts)  # pyright: ignore
            if apart.low >= 0:
                return e.args[0] if small else e.args[1]  # pyright: ignore
            if apart.high <= 0:
                return e.args[1] if small else e.args[0]  # pyright: ignore
        case Lt() | Le() | Eq() | Ne():
            return _compare(e, facts)
        case And():
            return _conjunction(e)
        case Or() | Not():
            return e
        case sympy.Add():
            return _recombine(e)
    return e


def split(a: Expr, d: Expr) -> tuple[Expr, Expr]:
    """(q, r) with a == d * q + r, where q takes the terms that d visibly divides."""
    q: list[Expr] = []
    r: list[Expr] = []
    constant = int(d) if d.is_Integer else None
    for term in sympy.Add.make_args(a):
        coefficient, rest = term.as_coeff_Mul()
        if constant is not None and coefficient.is_Integer:
            whole = int(coefficient) // constant
            left = int(coefficient) - whole * constant
            if left == 0:
                q.append(whole * rest)
            elif rest == 1 and whole:  # a constant term is split by itself
                q.append(Integer(whole))
                r.append(Integer(left))
            else:
                r.append(term)  # pyright: ignore
        else:
            factors = list(sympy.Mul.make_args(term))
            if d in factors:
                factors.remove(d)  # pyright: ignore
                q.append(sympy.Mul(*factors))
            else:
                r.append(term)  # pyright: ignore
    return sympy.Add(*q), sympy.Add(*r)


def _below(r: Expr, d: Expr, facts: Facts) -> bool:
    """Whether 0 <= r < d for certain."""
    known = fact_of(r, facts)
    if known.low < 0:
        return False
    if known.high < fact_of(d, facts).low:
        return True
    return fact_of(d - 1 - r, facts).low >= 0


def _floordiv(a: Expr, d: Expr, facts: Facts) -> Expr:
    if fact_of(d, facts).low <= 0:
        return FloorDiv(a, d)
    q, r = split(a, d)
    if _below(r, d, facts):
        return q
    inner = FloorDiv(r, d)
    if isinstance(r, FloorDiv) and fact_of(r.args[1], facts).low > 0:  # pyright: ignore
        inner = FloorDiv(r.args[0], r.args[1] * d)  # pyright: ignore # (x // b) // d == x // (b * d)
    return inner if q == 0 else q + inner


def _mod(a: Expr, d: Expr, facts: Facts) -> Expr:
    if fact_of(d, facts).low <= 0:
        return Mod(a, d)
    if d.is_Integer and fact_of(a, facts).divisor % int(d) == 0:
        return Integer(0)
    _, r = split(a, d)
    if _below(r, d, facts):
        return r
    if isinstance(r, Mod) and r.args[1].is_Integer and d.is_Integer and int(r.args[1]) % int(d) == 0:  # pyright: ignore
        return Mod(r.args[0], d)  # pyright: ignore
    return Mod(r, d)


def _ceildiv(a: Expr, d: Expr, facts: Facts) -> Expr:
    if fact_of(d, facts).low <= 0:
        return CeilDiv(a, d)
    q, r = split(a, d)
    if r == 0:
        return q
    known = fact_of(r, facts)
    if known.low >= 1 and _below(r - 1, d, facts):
        return q + 1
    rest = CeilDiv(r, d)
    if isinstance(r, CeilDiv) and fact_of(r.args[1], facts).low > 0:  # pyright: ignore
        rest = CeilDiv(r.args[0], r.args[1] * d)  # pyright: ignore # rounding up twice is rounding up once
    return rest if q == 0 else q + rest


def _compare(e: Expr, facts: Facts) -> Expr:
    left, right = e.args
    if not (left.is_integer and right.is_integer):  # strings and none
        return e
    known = fact_of(right - left, facts)  # pyright: ignore
    match e:
        case Lt():
            return Integer(1) if known.low > 0 else Integer(0) if known.high <= 0 else _divided(e)
        case Le():
            return Integer(1) if known.low >= 0 else Integer(0) if known.high < 0 else _divided(e)
    apart = known.low > 0 or known.high < 0
    same = known.low == known.high == 0
    if apart or same:
        return Integer(int(same == isinstance(e, Eq)))
    return e


def _divided(e: Expr) -> Expr:
    """c * x < n is x < ceil(n / c), and c * x <= n is x <= floor(n / c), for a constant n and a positive c that all terms have."""
    left, right = e.args
    if not right.is_Integer or left.is_Integer:
        return e
    terms = [t.as_coeff_Mul() for t in sympy.Add.make_args(left)]  # pyright: ignore
    common = math.gcd(*[int(c) for c, rest in terms if rest != 1])
    if common <= 1 or any(int(c) % common for c, rest in terms if rest == 1):
        return e
    n = int(right)  # pyright: ignore
    smaller = sympy.Add(*[int(c) // common * rest for c, rest in terms])
    return Lt(smaller, Integer(-(-n // common))) if isinstance(e, Lt) else Le(smaller, Integer(n // common))


def _conjunction(e: Expr) -> Expr:
    """Of comparisons of one expression with constants from above, the strictest."""
    terms: list[Expr] = []
    waiting = [e]
    while waiting:
        at = waiting.pop()
        if isinstance(at, And):
            waiting += reversed(at.args)  # pyright: ignore
        else:
            terms.append(at)
    bounds: dict[Expr, int] = {}
    for t in terms:
        if isinstance(t, Lt | Le) and t.args[1].is_Integer:  # pyright: ignore
            below = int(t.args[1]) + isinstance(t, Le)  # pyright: ignore
            bounds[t.args[0]] = min(below, bounds.get(t.args[0], below))  # pyright: ignore
    kept: list[Expr] = []
    for t in terms:
        if isinstance(t, Lt | Le) and t.args[1].is_Integer:  # pyright: ignore
            below = int(t.args[1]) + isinstance(t, Le)  # pyright: ignore
            if below > bounds[t.args[0]]:  # pyright: ignore
                continue
        if t not in kept:
            kept.append(t)
    return e if len(kept) == len(terms) else all_of(kept)


def _recombine(e: Expr) -> Expr:
    """c * d * (y // d) + c * (x % d) is c * y, where y is x, or x modulo a multiple of d."""
    terms = sympy.Add.make_args(e)
    for term in terms:
        c, rest = term.as_coeff_Mul()
        if not isinstance(rest, Mod):
            continue
        x, d = rest.args
        for y in (x, *_moduli(terms, x, d)):  # pyright: ignore
            division = FloorDiv(y, d)  # pyright: ignore
            if isinstance(y, FloorDiv) and all(n.is_Integer and int(n) > 0 for n in (d, y.args[1])):  # pyright: ignore
                division = FloorDiv(y.args[0], y.args[1] * d)  # pyright: ignore # as _floordiv writes it
            wanted = c * d * division
            if isinstance(division, FloorDiv) and wanted in terms:
                return _recombine(e - wanted - term + c * y)  # pyright: ignore
    return e


def _moduli(terms: Sequence[object], x: Expr, d: Expr) -> list[Expr]:
    """What is x modulo a multiple of d, of the numerators in a sum."""
    out: list[Expr] = []
    for term in terms:
        for factor in sympy.Mul.make_args(term):  # pyright: ignore
            if not isinstance(factor, FloorDiv):
                continue
            y, by = factor.args
            if by == d and isinstance(y, Mod) and y.args[0] == x and d.is_Integer and y.args[1].is_Integer:
                if int(y.args[1]) % int(d) == 0:  # pyright: ignore
                    out.append(y)  # pyright: ignore
    return out
