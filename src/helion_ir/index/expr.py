"""Index expressions: sympy as a container, over inert functions of our own.

Symbols: `@name` is a knob, `d0, d1, …` are the operands of the op that carries the expression, any other name is a
scalar argument of the kernel (or a constexpr of a Triton kernel), and a quoted name is a string constant, so that
`@pid_type eq "flat"` is an expression too, as `@m.loop_order eq [1, 0]` is. Truth values are the integers 0 and 1.

sympy sorts sums and products and merges equal terms; everything else is ours. Nothing here may reason with
relations (`sympy.Min`, `Piecewise`, `simplify`): it costs milliseconds and proves nothing about ranges.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import sympy
from sympy import Expr, Integer, Symbol


@functools.cache
def symbol(name: str) -> Symbol:
    """The one way to make a symbol, so that equal names are equal expressions.

    >>> symbol("@bm") * 2 == 2 * symbol("@bm")
    True
    """
    return Symbol(name, integer=True)


def knob(name: str) -> Symbol:
    """The value of knob `name`; `knob("bm")` prints as `@bm`."""
    return symbol("@" + name)


def string(value: str) -> Symbol:
    """A string constant, to compare with a knob of strings."""
    return symbol(f'"{value}"')


NONE = symbol("none")
ZERO, ONE = Integer(0), Integer(1)


def operand(position: int) -> Symbol:
    """The operand at `position` of the op that carries the expression."""
    return symbol(f"d{position}")


def is_string(e: Expr) -> bool:
    return isinstance(e, Symbol) and e.name.startswith('"')


def is_permutation(e: Expr) -> bool:
    """Whether this is the value of a knob that orders something, which can be compared only."""
    return isinstance(e, Symbol) and e.name.startswith("[")


def is_literal(e: Expr) -> bool:
    """Whether this is a constant that is no number."""
    return isinstance(e, Symbol) and (e.name[0] in '"[' or e is NONE)


class IndexFunction(sympy.Function):
    """Base of the inert functions: evaluated on integers, kept as they are on anything else."""

    is_integer = True
    text: ClassVar[str]
    """The keyword of the printed form."""

    def __new__(cls, *args: Expr | int) -> Expr:  # pyright: ignore
        for a in args:
            if type(a) is not int:
                return cls._made(*args)
        return cls.compute(*args)  # pyright: ignore - of numbers it is a number

    # sympy's own makes a set of the number of arguments, and asks each whether it is a float: five times as long.
    @classmethod
    @functools.lru_cache(1 << 16)
    def _made(cls, *args: Expr | int) -> Expr:
        if (wanted := cls._nargs) is not None and len(args) not in wanted:
            plural = "s" if wanted != (1,) else ""
            raise TypeError(f"{cls.__name__} takes exactly {wanted[0]} argument{plural} ({len(args)} given)")
        exprs = [a if isinstance(a, Expr) else Integer(a) for a in args]
        reduced = cls.eval(*exprs)
        return Expr.__new__(cls, *exprs) if reduced is None else reduced

    @staticmethod
    def compute(*args: Any) -> int:
        raise NotImplementedError

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:  # pyright: ignore
        if all(a.is_Integer for a in args):
            return Integer(cls.compute(*[int(a) for a in args]))
        return cls.reduced(*args)

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        """Identities that hold for every value, checked on construction; nothing that needs a range."""
        return None


class FloorDiv(IndexFunction):
    """a // b, rounding toward minus infinity."""

    nargs = 2
    text = "floordiv"

    @staticmethod
    def compute(*args: int) -> int:
        return args[0] // args[1]

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        a, b = args
        return a if b == 1 else Integer(0) if a == 0 else None


class CeilDiv(IndexFunction):
    """a / b, rounding toward plus infinity."""

    nargs = 2
    text = "ceildiv"

    @staticmethod
    def compute(*args: int) -> int:
        return -(-args[0] // args[1])

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        a, b = args
        return a if b == 1 else Integer(0) if a == 0 else None


class Mod(IndexFunction):
    """a - b * (a // b); has the sign of b."""

    nargs = 2
    text = "mod"

    @staticmethod
    def compute(*args: int) -> int:
        return args[0] % args[1]

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        a, b = args
        return Integer(0) if b == 1 or a == 0 else None


class Min(IndexFunction):
    nargs = 2
    text = "min"

    @staticmethod
    def compute(*args: int) -> int:
        return min(args)

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        return args[0] if args[0] == args[1] else None


class Max(IndexFunction):
    nargs = 2
    text = "max"

    @staticmethod
    def compute(*args: int) -> int:
        return max(args)

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        return args[0] if args[0] == args[1] else None


class NextPow2(IndexFunction):
    """The least power of two that is at least `a` (1 for a <= 0)."""

    nargs = 1
    text = "next_power_of_2"

    @staticmethod
    def compute(*args: int) -> int:
        return 1 << max(args[0] - 1, 0).bit_length()


class Comparison(IndexFunction):
    nargs = 2

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:
        a, b = args
        if (
            is_string(a)
            and is_string(b)
            or NONE in (a, b)
            and all(is_string(x) or x == NONE or x.is_Integer for x in (a, b))
        ):
            return Integer(int((a == b) == (cls is Eq)))
        return super().eval(*args)

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        return Integer(cls.compute(0, 0)) if args[0] == args[1] else None


class Eq(Comparison):
    text = "eq"

    @staticmethod
    def compute(*args: int) -> int:
        return int(args[0] == args[1])


class Ne(Comparison):
    text = "ne"

    @staticmethod
    def compute(*args: int) -> int:
        return int(args[0] != args[1])


class Lt(Comparison):
    text = "lt"

    @staticmethod
    def compute(*args: int) -> int:
        return int(args[0] < args[1])


class Le(Comparison):
    text = "le"

    @staticmethod
    def compute(*args: int) -> int:
        return int(args[0] <= args[1])


class And(IndexFunction):
    nargs = 2
    text = "and"

    @staticmethod
    def compute(*args: int) -> int:
        return int(bool(args[0]) and bool(args[1]))

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        a, b = args
        if a == 0 or b == 0:
            return Integer(0)
        return b if a == 1 else a if b == 1 or a == b else None


class Or(IndexFunction):
    nargs = 2
    text = "or"

    @staticmethod
    def compute(*args: int) -> int:
        return int(bool(args[0]) or bool(args[1]))

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        a, b = args
        if a == 1 or b == 1:
            return Integer(1)
        return b if a == 0 else a if b == 0 or a == b else None


class Not(IndexFunction):
    nargs = 1
    text = "not"

    @staticmethod
    def compute(*args: int) -> int:
        return int(not args[0])

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        (a,) = args
        return a.args[0] if isinstance(a, Not) else None  # pyright: ignore


class Where(IndexFunction):
    """b if a else c; the branch not taken is not evaluated, so it may name a knob that is none."""

    nargs = 3
    text = "where"

    @staticmethod
    def compute(*args: int) -> int:
        return args[1] if args[0] else args[2]

    @classmethod
    def reduced(cls, *args: Expr) -> Expr | None:
        condition, a, b = args
        return (a if condition != 0 else b) if condition.is_Integer else a if a == b else None


FUNCTIONS: dict[str, type[IndexFunction]] = {
    f.text: f for f in (FloorDiv, CeilDiv, Mod, Min, Max, NextPow2, Eq, Ne, Lt, Le, And, Or, Not, Where)
}


def as_expr(value: Any) -> Expr:
    """An int, bool, str, None, permutation or expression as an expression.

    >>> as_expr(3) + knob("bm")
    @bm + 3
    """
    if isinstance(value, Expr):
        return value
    if isinstance(value, str):
        return string(value)
    if isinstance(value, tuple):
        return symbol(str(list(value)))
    return NONE if value is None else Integer(int(value))


def any_of(terms: Iterable[Expr | int]) -> Expr:
    """The disjunction of truth values; false when there are none."""
    out: Expr | int = ZERO
    for term in terms:
        out = term if out is ZERO else Or(out, term)
    return out  # pyright: ignore - as a function of numbers, it is one


def all_of(terms: Iterable[Expr | int]) -> Expr:
    """The conjunction of truth values; true when there are none."""
    out: Expr | int = ONE
    for term in terms:
        out = term if out is ONE else And(out, term)
    return out  # pyright: ignore


def product(factors: Sequence[Expr]) -> Expr:
    """The product of expressions, 1 where there are none."""
    return functools.reduce(operator.mul, factors) if factors else Integer(1)


@functools.cache
def free_names(e: Expr) -> frozenset[str]:
    """Names of the symbols, constants excluded; knobs keep their `@`."""
    if isinstance(e, Symbol):
        return frozenset() if is_literal(e) else frozenset([e.name])
    return frozenset().union(*[free_names(a) for a in e.args])  # pyright: ignore


@functools.cache
def knobs_of(e: Expr) -> frozenset[str]:
    """Names, without `@`, of the knobs that `e` reads."""
    return frozenset(n[1:] for n in free_names(e) if n.startswith("@"))


@functools.cache
def scalars_of(e: Expr) -> frozenset[str]:
    """Names of the run-time scalars that `e` reads: neither knobs nor operands `d0, d1, …`.

    >>> sorted(scalars_of(knob("bm") * symbol("n") + operand(0)))
    ['n']
    """
    return frozenset(n for n in free_names(e) if not n.startswith("@") and not (n[0] == "d" and n[1:].isdigit()))


def constant_of(e: Expr) -> int | None:
    """The value of a constant integer expression, else None."""
    return int(e) if e.is_Integer else None


# A memo of its own in place of `Expr.subs`, which reasons about assumptions and takes fifty times as long.
def substitute(e: Expr, values: Mapping[Symbol, Expr], memo: dict[Expr, Expr] | None = None) -> Expr:
    """`e` with symbols replaced, rebuilt bottom-up so that constants fold."""
    if not values:
        return e
    memo = {} if memo is None else memo
    if (known := memo.get(e)) is not None:
        return known
    if isinstance(e, Symbol):
        out = values.get(e, e)
    elif not e.args:
        out = e
    else:
        args = [substitute(a, values, memo) for a in e.args]  # pyright: ignore
        out = e if all(a is b for a, b in zip(args, e.args)) else e.func(*args)
    memo[e] = out
    return out


def value_of(e: Expr, values: Mapping[str, Any]) -> Any:
    """What `compiled(e)(values)` is: a value that is asked for once is not worth compiling.

    >>> value_of(CeilDiv(symbol("n"), knob("bm")), {"n": 10, "bm": 4})
    3
    """
    if e.is_Integer:
        return int(e)
    if isinstance(e, Symbol):
        return values[e.name[1:]] if e.name[0] == "@" else _literal(e) if is_literal(e) else values[e.name]
    if isinstance(e, Where):
        condition, a, b = e.args
        return value_of(a if value_of(condition, values) else b, values)  # pyright: ignore
    first = value_of(e.args[0], values)  # pyright: ignore
    if isinstance(e, And | Or):
        return value_of(e.args[1], values) if bool(first) is isinstance(e, And) else first  # pyright: ignore
    args = [first, *[value_of(a, values) for a in e.args[1:]]]  # pyright: ignore
    if isinstance(e, IndexFunction):
        value = e.compute(*args)
        return bool(value) if isinstance(e, Comparison | Not) else value
    return sum(args) if e.is_Add else math.prod(args) if e.is_Mul else args[0] ** args[1]


def _literal(e: Symbol) -> str | tuple[int, ...] | None:
    if is_string(e):
        return e.name[1:-1]
    return tuple(map(int, e.name[1:-1].split(","))) if is_permutation(e) else None


Evaluator = Callable[[Mapping[str, Any]], Any]
"""A compiled expression: a function of `{name: value}`, knobs named without `@`."""


@functools.cache
def compiled(e: Expr) -> Evaluator:
    """`e` as a Python function of a mapping from names to values (about 0.1 µs a call).

    >>> compiled(CeilDiv(symbol("n"), knob("bm")))({"n": 10, "bm": 4})
    3
    """
    if isinstance(e, Symbol) and not is_literal(e):
        name = e.name.removeprefix("@")
        return lambda c: c[name]
    return _function(_python(e))


@functools.cache
def compiled_together(exprs: tuple[Expr, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Several expressions as one function, for what is always asked together.

    >>> compiled_together((knob("bm") * 2, knob("bn")))({"bm": 4, "bn": 5})
    (8, 5)
    """
    return _function(f"({''.join([f'{_python(e)}, ' for e in exprs])})")


def _function(source: str) -> Callable[[Mapping[str, Any]], Any]:
    # The source is made here, from a parsed tree. What Python compiles costs 40 µs, however little it is.
    return eval(f"lambda c: {source}", {"cdiv": CeilDiv.compute, "next_power_of_2": NextPow2.compute})


def _python(e: Expr) -> str:
    if e.is_Integer:
        return f"({int(e)})"
    if isinstance(e, Symbol):
        return repr(_literal(e)) if is_literal(e) else f"c[{e.name.removeprefix('@')!r}]"
    a = [_python(x) for x in e.args]  # pyright: ignore
    match e:
        case sympy.Add():
            return f"({' + '.join(a)})"
        case sympy.Mul():
            return f"({' * '.join(a)})"
        case sympy.Pow():
            return f"({a[0]} ** {a[1]})"
        case FloorDiv():
            return f"({a[0]} // {a[1]})"
        case Mod():
            return f"({a[0]} % {a[1]})"
        case CeilDiv():
            return f"cdiv({a[0]}, {a[1]})"
        case NextPow2():
            return f"next_power_of_2({a[0]})"
        case Min() | Max():
            return f"{type(e).text}({a[0]}, {a[1]})"
        case Not():
            return f"(not {a[0]})"
        case Where():
            return f"({a[1]} if {a[0]} else {a[2]})"
        case And() | Or():
            return f"({a[0]} {type(e).text} {a[1]})"
        case Eq() | Ne() | Lt() | Le():
            return f"({a[0]} {COMPARE[type(e)]} {a[1]})"
    raise ValueError(f"not an index expression: {sympy.srepr(e)}")


COMPARE: dict[type[Expr], str] = {Eq: "==", Ne: "!=", Lt: "<", Le: "<="}
