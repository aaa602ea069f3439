"""Polynomials over named and opaque positive atoms: what a size is while PyTorch computes with it.

Private to the frontend: `sizes.py` converts to and from the index expressions of the IR. A sum of products is
canonical by construction, so that equality is a dictionary comparison and costs no call into sympy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from fractions import Fraction

MOST = 1 << 20
"""No block size is larger."""
GENERIC = 64
"""What a block size is taken for when a library asks whether it is 0, 1 or 2, to treat that size specially."""
LARGEST = (1 << 31) - 1

Number = int | Fraction


class Atom:
    """A symbol (`function` empty), or a function of polynomials that no sum of products can say.

    `bounds` are the least and the greatest value of a symbol; those of a function follow from its arguments.
    `power_of_two` says that every value is one: block sizes are, an author's tunable need not be.
    """

    __slots__ = ("_hash", "args", "bounds", "function", "power_of_two", "text")

    def __init__(
        self,
        function: str,
        args: tuple[Poly, ...] = (),
        name: str = "",
        bounds: tuple[int, int] = (0, 0),
        power_of_two: bool = False,
    ):
        self.function, self.args, self.bounds = function, args, bounds
        self.power_of_two = power_of_two or function == "next_power_of_2"
        self.text = f"{function}({', '.join(map(str, args))})" if function else name
        self._hash = hash((function, self.text))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Atom)
            and self.function == other.function
            and self.text == other.text
            and self.args == other.args
        )

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: Atom) -> bool:
        return (self.text, self.function) < (other.text, other.function)


Monomial = tuple[Atom, ...]


class Poly:
    """A sum of products of atoms with rational coefficients. Immutable."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: dict[Monomial, Number]):
        self.terms: dict[Monomial, Number] = {m: _plain(c) for m, c in terms.items() if c}
        self._hash: int | None = None

    @classmethod
    def const(cls, value: Number) -> Poly:
        return cls({(): value})

    @classmethod
    def atom(cls, atom: Atom) -> Poly:
        return cls({(atom,): 1})

    def __add__(self, other: Poly) -> Poly:
        out = dict(self.terms)
        for m, c in other.terms.items():
            out[m] = out.get(m, 0) + c
        return Poly(out)

    def __neg__(self) -> Poly:
        return self.scaled(-1)

    def __sub__(self, other: Poly) -> Poly:
        return self + -other

    def __mul__(self, other: Poly) -> Poly:
        out: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                key = tuple(sorted(m + n)) if m and n else m or n
                out[key] = out.get(key, 0) + c * d
        return Poly(out)

    def scaled(self, factor: Number) -> Poly:
        return Poly({m: c * factor for m, c in self.terms.items()})

    @property
    def constant(self) -> Number | None:
        """The value of a constant polynomial."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    @property
    def negative(self) -> bool:
        """Whether every coefficient is below zero."""
        return bool(self.terms) and all(c < 0 for c in self.terms.values())

    def quotient(self, other: Poly) -> Poly | None:
        """self / other as a polynomial, coefficients possibly fractions; None where there is none."""
        if len(other.terms) != 1:
            return Poly.const(1) if self == other and self.terms else None
        ((mono, coeff),) = other.terms.items()
        out: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            rest = _without(m, mono)
            if rest is None:
                return None
            out[rest] = Fraction(c) / coeff
        return Poly(out)

    @property
    def integral(self) -> bool:
        """Whether all coefficients are integers."""
        return all(isinstance(c, int) for c in self.terms.values())

    def atoms(self) -> set[Atom]:
        return {a for m in self.terms for a in m}

    def __eq__(self, other: object) -> bool:
        return self is other or isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __str__(self) -> str:
        def product(m: Monomial, c: Number) -> str:
            return " * ".join(([] if c == 1 and m else [str(c)]) + [a.text for a in m])

        order = sorted(self.terms.items(), key=lambda t: (not t[0], [a.text for a in t[0]]))
        return " + ".join(product(m, c) for m, c in order) or "0"

    __repr__ = __str__


def _plain(c: Number) -> Number:
    return c.numerator if isinstance(c, Fraction) and c.denominator == 1 else c


def _without(m: Monomial, factors: Iterable[Atom]) -> Monomial | None:
    rest = list(m)
    for a in factors:
        if a not in rest:
            return None
        rest.remove(a)
    return tuple(rest)


def _opaque(function: str, *args: Poly) -> Poly:
    return Poly.atom(Atom(function, args))


def _values(*args: Poly) -> list[int] | None:
    """The arguments as integers if all are constant."""
    values = [a.constant for a in args]
    return [int(v) for v in values if v is not None] if None not in values else None


def floordiv(a: Poly, b: Poly) -> Poly:
    """a // b for b > 0, by identities that hold for every value.

    >>> k, s = (Poly.atom(Atom("", name=n)) for n in "ks")
    >>> floordiv(k + s - Poly.const(1), s)
    ceildiv(k, s)
    """
    return _rounded(a, b, "floordiv")


def ceildiv(a: Poly, b: Poly) -> Poly:
    """a / b rounded up, for b > 0."""
    return _rounded(a, b, "ceildiv")


def _rounded(a: Poly, b: Poly, function: str) -> Poly:
    up = function == "ceildiv"
    if b.constant == 1:
        return a
    if (values := _values(a, b)) is not None:
        return Poly.const(-(-values[0] // values[1]) if up else values[0] // values[1])
    whole, rest = _whole_part(a, b)
    if not rest.terms:
        return whole
    other = "floordiv" if up else "ceildiv"
    # floor((x - 1) / b) is ceil(x / b) - 1, and ceil((x + 1) / b) is floor(x / b) + 1: the forms of cdiv end here.
    step = 1 if up else -1
    loose = rest.terms.get((), 0)
    divisor = b.constant
    if isinstance(divisor, int) and loose % divisor == step % divisor and loose != step:
        whole, rest, loose = whole + Poly.const((loose - step) // divisor), rest + Poly.const(step - loose), step
    if loose == step:
        if rest == Poly.const(step):
            return whole + Poly.const(step)
        return whole + Poly.const(step) + _rounded(rest - Poly.const(step), b, other)
    if rest.negative:
        return whole - _rounded(-rest, b, other)
    rest, b = _reduced(rest, b)
    return whole + (rest if b.constant == 1 else _opaque(function, rest, b))


def _whole_part(a: Poly, b: Poly) -> tuple[Poly, Poly]:
    """(q, r) with a = q * b + r, as many terms as possible in q."""
    if a == b:
        return Poly.const(1), Poly({})
    if len(b.terms) != 1:
        # (k + s - 1) // (a + b): a multiple of the whole divisor may hide among the terms
        for sign in (1, -1):
            if all(a.terms.get(m) == sign * c for m, c in b.terms.items()):
                return Poly.const(sign), a - b.scaled(sign)
        return Poly({}), a
    q: dict[Monomial, Number] = {}
    r: dict[Monomial, Number] = {}
    ((mono, coeff),) = b.terms.items()
    for m, c in a.terms.items():
        rest = _without(m, mono)
        share = Fraction(c) / coeff
        if rest is not None and share.denominator == 1:
            q[rest] = share.numerator
        elif rest == () and isinstance(c, int) and isinstance(coeff, int):
            q[()], r[m] = c // coeff, c % coeff
        else:
            r[m] = c
    return Poly(q), Poly(r)


def _reduced(a: Poly, b: Poly) -> tuple[Poly, Poly]:
    """a and b without a factor they share; only where b is one product of integers and atoms."""
    if len(b.terms) != 1 or not a.integral or not b.integral:
        return a, b
    ((mono, coeff),) = b.terms.items()
    shared: list[Atom] = []
    for atom in mono:
        if all(_without(m, [*shared, atom]) is not None for m in a.terms):
            shared.append(atom)
    factor = math.gcd(int(coeff), *[int(c) for c in a.terms.values()])
    common = Poly({tuple(shared): factor})
    return a.quotient(common) or a, b.quotient(common) or b


def mod(a: Poly, b: Poly) -> Poly:
    """a - b * (a // b), for b > 0."""
    if (values := _values(a, b)) is not None:
        return Poly.const(values[0] % values[1])
    _, rest = _whole_part(a, b)
    if not rest.terms:
        return rest
    return _opaque("mod", rest, b)


def minimum(a: Poly, b: Poly) -> Poly:
    """The smaller, decided where one is smaller for every value."""
    order = ordered(a, b, generic=False)
    return a if order else b if order is False else _opaque("min", *sorted((a, b), key=str))


def maximum(a: Poly, b: Poly) -> Poly:
    """The larger, decided where one is larger for every value."""
    order = ordered(a, b, generic=False)
    return b if order else a if order is False else _opaque("max", *sorted((a, b), key=str))


def next_power_of_2(a: Poly) -> Poly:
    if isinstance(a.constant, int):
        return Poly.const(1 << max(a.constant - 1, 0).bit_length())
    if len(a.terms) == 1:
        ((mono, c),) = a.terms.items()
        if isinstance(c, int) and c > 0 and c & (c - 1) == 0 and all(x.power_of_two for x in mono):
            return a
    return _opaque("next_power_of_2", a)


FUNCTIONS = {
    "floordiv": floordiv, "ceildiv": ceildiv, "mod": mod, "min": minimum, "max": maximum,
    "next_power_of_2": next_power_of_2,
}  # fmt: skip


def bounds(p: Poly, least: int = 1) -> tuple[Number, Number]:
    """The least and the greatest value of `p`; block sizes count as at least `least`."""
    low: Number = 0
    high: Number = 0
    for m, c in p.terms.items():
        a, b = functools.reduce(_times, (atom_bounds(x, least) for x in m), (1, 1))
        low, high = low + min(c * a, c * b), high + max(c * a, c * b)
    return low, high


def _times(x: tuple[Number, Number], y: tuple[Number, Number]) -> tuple[Number, Number]:
    products = [a * b for a in x for b in y]
    return min(products), max(products)


def atom_bounds(atom: Atom, least: int) -> tuple[Number, Number]:
    if not atom.function:
        low, high = atom.bounds
        return (max(low, min(least, high)), high) if low >= 0 else (low, high)
    ranges = [bounds(a, least) for a in atom.args]
    a = ranges[0]
    b = ranges[1] if len(ranges) > 1 else (1, 1)
    match atom.function:
        case "floordiv" | "ceildiv":
            ends = [Fraction(x) / y for x in a for y in (max(b[0], 1), max(b[1], 1))]
            rounded = math.floor if atom.function == "floordiv" else math.ceil
            return rounded(min(ends)), rounded(max(ends))
        case "mod":
            return 0, max(b[1] - 1, 0)
        case "min":
            return min(a[0], b[0]), min(a[1], b[1])
        case "max":
            return max(a[0], b[0]), max(a[1], b[1])
        case _:
            return max(a[0], 1), 2 * max(a[1], 1)


def ordered(a: Poly, b: Poly, *, or_equal: bool = True, generic: bool = True) -> bool | None:
    """Whether a <= b (a < b) for every value; None if that depends on one.

    With `generic`, comparisons with numbers of at most 2 are answered for sizes of at least 64: PyTorch asks them to
    treat empty and single-element dimensions specially, and what it does for large ones is right for all.
    """
    diff = _without_positive_factors(b - a)
    for least in (1, GENERIC) if generic and abs(diff.terms.get((), 0)) <= 2 else (1,):
        low, high = bounds(diff, least)
        if low > 0 or or_equal and low == 0:
            return True
        if high < 0 or not or_equal and high == 0:
            return False
    return None


def _without_positive_factors(p: Poly) -> Poly:
    """`p` divided by atoms that all its terms share and that are at least 1: the sign stays."""
    if () in p.terms or not p.terms:
        return p
    first, *rest = p.terms
    for atom in first:
        if atom_bounds(atom, 1)[0] >= 1 and all(atom in m for m in rest):
            return _without_positive_factors(p.quotient(Poly.atom(atom)) or p)
    return p
