"""Extents of tiles and numbers made from them: index expressions that PyTorch can compute with."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, cast

from torch import SymFloat, SymInt

from helion_ir.frontend import polynomial
from helion_ir.frontend.polynomial import LARGEST, MOST, Atom, Poly
from helion_ir.frontend.size_node import DependsOnBlockSize, FloatTree, Leaf, SizeNode

if TYPE_CHECKING:
    from sympy import Expr

__all__ = ["BlockSizes", "DependsOnBlockSize", "FloatTree", "Size"]

Size = int | SymInt


class BlockSizes:
    """The sizes of one kernel: makes SymInts whose meaning is an index expression, and reads it back.

    `requirements` collects what was assumed of block sizes on the way: (condition, reason) pairs for `knob.require`.

    >>> sizes = BlockSizes()
    >>> bm = sizes.symbol(knob("tile_m.block_size"))
    >>> sizes.expr(2 * bm + 1)
    2*@tile_m.block_size + 1
    """

    def __init__(self) -> None:
        self.requirements: list[tuple[Expr, str]] = []
        self.interned: dict[Poly, SizeNode] = {}
        self.integers: dict[int, SizeNode] = {}
        self.memo: dict[tuple, SizeNode] = {}
        self.true, self.false = SizeNode(self, bool, None, True), SizeNode(self, bool, None, False)
        self._exprs: dict[Poly, Expr] = {}
        self._sizes: dict[Expr, Size] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        self._blocks: set[str] = set()

    # ---- to and from index expressions ----

    def symbol(self, expr: Expr, *, bounds: tuple[int, int] | None = None) -> SymInt:
        """The size that `expr` means; an int if it is constant.

        Args:
            expr: an index expression over knobs and kernel scalars.
            bounds: the least and the greatest value of a single symbol; by default 1 to 2**20 for a block size and
                0 to 2**31 - 1 for any other. Only library code that compares sizes depends on them.
        """
        if bounds is not None and expr.is_Symbol:
            self._bounds[str(expr)] = bounds
        if (known := self._sizes.get(expr)) is None:
            poly = self._poly(expr)
            value = poly.constant
            known = self._sizes[expr] = int(value) if isinstance(value, int) else SymInt(self.node(poly))
        return cast(SymInt, known)

    def block(self, name: Expr) -> SymInt:
        """The size of a block, whatever the author calls it: a power of two."""
        self._blocks.add(str(name))
        return self.symbol(name)

    def expr(self, size: Size) -> Expr:
        """The index expression of a size. Raises DependsOnBlockSize for a size of another kernel."""
        poly = self.poly(size)
        if (known := self._exprs.get(poly)) is None:
            known = self._exprs[poly] = _to_expr(poly)
        return known

    def poly(self, size: Size) -> Poly:
        """The polynomial of a size; private to the frontend."""
        if isinstance(size, int):
            return Poly.const(int(size))
        node = size.node
        if not isinstance(node, SizeNode) or not isinstance(node.value, Poly):
            raise DependsOnBlockSize(f"{size} is no size of this kernel")
        return node.value

    def tree(self, number: SymFloat) -> Leaf:
        """Float arithmetic on sizes as it was written; leaves are polynomials and floats."""
        node = number.node
        if not isinstance(node, SizeNode) or node.value is None:
            raise DependsOnBlockSize(f"{number} is no number of this kernel")
        return float(node.constant) if node.constant is not None else node.value

    def expr_of(self, poly: Poly) -> Expr:
        """The index expression of a polynomial that `tree` returned."""
        return self.expr(self._size(poly))

    def _poly(self, e: Expr) -> Poly:
        import sympy

        from helion_ir.index.expr import IndexFunction, is_string

        if e.is_Integer:
            return Poly.const(int(e))
        if isinstance(e, sympy.Symbol) and not is_string(e):
            block = e.name in self._blocks or e.name.startswith("@") and e.name.endswith(".block_size")
            bounds = self._bounds.get(e.name, (1, MOST) if block else (0, LARGEST))
            return Poly.atom(Atom("", name=e.name, bounds=bounds, power_of_two=block))
        args = [self._poly(cast("Expr", a)) for a in e.args]
        if isinstance(e, sympy.Add):
            return functools.reduce(lambda a, b: a + b, args)
        if isinstance(e, sympy.Mul):
            return functools.reduce(lambda a, b: a * b, args)
        if isinstance(e, sympy.Pow) and e.exp.is_Integer and int(e.exp) > 0:
            return functools.reduce(lambda a, b: a * b, [args[0]] * int(e.exp))
        if isinstance(e, IndexFunction) and (function := polynomial.FUNCTIONS.get(e.text)) is not None:
            return function(*args)
        raise DependsOnBlockSize(f"{e} is no size")

    def node(self, poly: Poly) -> SizeNode:
        """The one node of a polynomial: nodes are interned, so that results can be remembered by identity."""
        if (node := self.interned.get(poly)) is None:
            value = poly.constant
            node = self.interned[poly] = SizeNode(self, int, poly, None if value is None else int(value))
        return node

    def integer(self, value: int) -> SizeNode:
        if (node := self.integers.get(value)) is None:
            node = self.integers[value] = self.node(Poly.const(value))
        return node

    def _size(self, poly: Poly) -> Size:
        value = poly.constant
        return int(value) if isinstance(value, int) else SymInt(self.node(poly))

    # ---- questions ----

    def plain(self, size: Size) -> Size:
        """The size as an int if it is one."""
        if isinstance(size, SymInt) and isinstance(size.node, SizeNode) and (n := size.node.maybe_as_int()) is not None:
            return n
        return size

    def same(self, a: Poly, b: Poly) -> bool:
        """Whether two sizes are equal for every block size, or become so under a requirement that is then recorded."""
        if a == b:
            return True
        x, needs = self._halved(a)
        y, more = self._halved(b)
        if (needs or more) and x == y:
            self._record([*needs, *more])
            return True
        return False

    def ordered(self, a: Poly, b: Poly, or_equal: bool) -> bool | None:
        """Whether a <= b (a < b), as library code asks it; None if a block size decides."""
        order = polynomial.ordered(a, b, or_equal=or_equal)
        if order is None:
            (x, needs), (y, more) = self._halved(a), self._halved(b)
            if (needs or more) and (order := polynomial.ordered(x, y, or_equal=or_equal)) is not None:
                self._record([*needs, *more])
        return order

    def equal(self, a: Size, b: Size) -> bool:
        """Whether two extents are the same; different block sizes never are."""
        return a is b or (
            a == b if isinstance(a, int) and isinstance(b, int) else self.same(self.poly(a), self.poly(b))
        )

    def at_most(self, a: Size, b: Size) -> bool | None:
        """Whether a <= b for every value; None if that depends on one."""
        return polynomial.ordered(self.poly(a), self.poly(b), generic=False)

    def exact(self, size: Size) -> Size:
        """A size used as an extent: `bm // 2` becomes half of bm, and that bm is even becomes a requirement."""
        if isinstance(size, int):
            return size
        poly, needs = self._halved(self.poly(size))
        self._record(needs)
        return self._size(poly) if needs else self.plain(size)

    def quotient(self, a: Size, b: Size) -> Size | None:
        """a / b as an extent, where that is one (with the requirement recorded), else None."""
        whole = self.poly(a).quotient(self.poly(b))
        if whole is None:
            return None
        if whole.integral:
            return self._size(whole)
        exact, needs = self._halved(polynomial.floordiv(self.poly(a), self.poly(b)))
        if exact != whole:
            return None
        self._record(needs)
        return self._size(whole)

    def _halved(self, poly: Poly) -> tuple[Poly, list[tuple[Poly, Poly]]]:
        """`poly` with quotients of block sizes by powers of two as fractions; and the (dividend, divisor) pairs."""
        if all(not a.function for a in poly.atoms()):
            return poly, []
        needs: list[tuple[Poly, Poly]] = []
        out = Poly({})
        for mono, coefficient in poly.terms.items():
            term = Poly.const(coefficient)
            for atom in mono:
                term = term * self._halved_atom(atom, needs)
            out = out + term
        return out, needs

    def _halved_atom(self, atom: Atom, needs: list[tuple[Poly, Poly]]) -> Poly:
        if atom.function in ("floordiv", "ceildiv", "mod"):
            over, inner = self._halved(atom.args[0])
            divisor = atom.args[1].constant
            if (
                isinstance(divisor, int)
                and divisor > 0
                and divisor & (divisor - 1) == 0
                and all(m and all(a.power_of_two for a in m) for m in over.terms)
            ):
                needs += [*inner, (over, Poly.const(divisor))]
                return Poly({}) if atom.function == "mod" else over.scaled(polynomial.Fraction(1, divisor))
        return Poly.atom(atom)

    def _record(self, needs: list[tuple[Poly, Poly]]) -> None:
        from helion_ir.index.expr import Eq, Mod

        for dividend, divisor in needs:
            scale = math.lcm(*[polynomial.Fraction(c).denominator for c in dividend.terms.values()])
            over, by = self.expr(self._size(dividend.scaled(scale))), self.expr(self._size(divisor.scaled(scale)))
            condition = cast("Expr", Eq(Mod(over, by), 0))
            entry = (condition, f"a tile is divided into {divisor} equal parts")
            if condition != 1 and entry not in self.requirements:
                self.requirements.append(entry)

    # ---- functions that operators do not say ----

    def cdiv(self, a: Size, b: Size) -> Size:
        """a / b rounded up; b > 0."""
        return self._size(polynomial.ceildiv(self.poly(a), self.poly(b)))

    def min(self, a: Size, b: Size) -> Size:
        return self._size(polynomial.minimum(self.poly(a), self.poly(b)))

    def max(self, a: Size, b: Size) -> Size:
        return self._size(polynomial.maximum(self.poly(a), self.poly(b)))

    def next_power_of_2(self, a: Size) -> Size:
        """The least power of two that is at least `a`."""
        return self._size(polynomial.next_power_of_2(self.poly(a)))


def _to_expr(poly: Poly) -> Expr:
    from sympy import Add, Integer, Mul

    from helion_ir.index.expr import FUNCTIONS, symbol

    def product(mono: polynomial.Monomial, coefficient: int) -> Expr:
        factors: list[Any] = [
            FUNCTIONS[a.function](*[_to_expr(x) for x in a.args]) if a.function else symbol(a.text) for a in mono
        ]
        return Mul(Integer(coefficient), *factors)

    whole = Add(*[product(m, c) for m, c in poly.terms.items() if isinstance(c, int)])
    parts = {m: c for m, c in poly.terms.items() if not isinstance(c, int)}
    if not parts:
        return whole
    # the fractions sum to an integer under the requirements recorded with them; one by one they need not
    by = math.lcm(*[c.denominator for c in parts.values()])
    return whole + FUNCTIONS["floordiv"](Add(*[product(m, int(c * by)) for m, c in parts.items()]), Integer(by))
