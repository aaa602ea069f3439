"""A `SymNode` of our own: PyTorch computes with block sizes without a ShapeEnv, guards or hints.

`==` is structural: distinct polynomials are distinct sizes. Orderings are decided only where they hold for every
block size. The author's own comparisons never come here; they become conditions of the configuration before.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch.fx.experimental.sym_node import SymNode

from helion_ir.exc import BaseError
from helion_ir.frontend import polynomial
from helion_ir.frontend.polynomial import Poly

if TYPE_CHECKING:
    from helion_ir.frontend.sizes import BlockSizes


class DependsOnBlockSize(BaseError):
    """A Python decision would need the value of a block size, which only a configuration fixes."""


@dataclass(frozen=True)
class FloatTree:
    """Float arithmetic on sizes, kept exactly: leaves are polynomials and Python floats, `function` is a tile op's."""

    function: str
    args: tuple[FloatTree | Poly | float, ...]

    def __str__(self) -> str:
        infix = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}.get(self.function)
        if infix is not None:
            return f"({f' {infix} '.join(map(str, self.args))})"
        return f"{self.function}({', '.join(map(str, self.args))})"


Leaf = FloatTree | Poly | float
_FOLD: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "neg": operator.neg, "abs": abs, "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "log2": math.log2,
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
}  # fmt: skip


_Base: Any = SymNode  # declared for nodes of every kind, while these only ever meet each other


class SizeNode(_Base):
    """A node whose value is a polynomial (int), a float tree (float) or known (bool)."""

    def __init__(self, sizes: BlockSizes, pytype: type, value: Leaf | None, constant: int | float | bool | None = None):
        self.sizes, self.pytype, self.value, self.constant = sizes, pytype, value, constant
        self.why = ""
        self.shape_env = None  # makes torch's guard_or_false and the like ask guard_bool
        self.fx_node = None
        self._hint = constant
        self._expr = None

    # ---- construction ----

    @property
    def poly(self) -> Poly:
        assert isinstance(self.value, Poly)
        return self.value

    def _int(self, poly: Poly) -> SizeNode:
        return self.sizes.node(poly)

    def _bool(self, value: bool) -> SizeNode:
        return self.sizes.true if value else self.sizes.false

    def _float(self, function: str, *args: SizeNode) -> SizeNode:
        """A float; a constant if all operands are."""
        leaves = [_leaf(a) for a in args]
        if all(isinstance(leaf, float) for leaf in leaves):
            return self.wrap_float(_FOLD[function](*leaves))
        return SizeNode(self.sizes, float, FloatTree(function, tuple(leaves)))

    def wrap_int(self, num: int) -> SizeNode:
        return self.sizes.integer(num)

    def wrap_float(self, num: float) -> SizeNode:
        return SizeNode(self.sizes, float, num, num)

    def wrap_bool(self, num: bool) -> SizeNode:
        return self._bool(num)

    def clone(self) -> SizeNode:
        return self

    # ---- arithmetic ----

    def _arith(self, other: SizeNode, name: str, exact: Callable[[Poly, Poly], Poly]) -> SizeNode:
        if self.pytype is float or other.pytype is float:
            return self._float(name, self, other)
        return self._int(exact(self.poly, other.poly))

    def add(self, other: SizeNode) -> SizeNode:
        return self._arith(other, "add", operator.add)

    def sub(self, other: SizeNode) -> SizeNode:
        return self._arith(other, "sub", operator.sub)

    def mul(self, other: SizeNode) -> SizeNode:
        return self._arith(other, "mul", operator.mul)

    def neg(self) -> SizeNode:
        return self._int(-self.poly) if self.pytype is int else self._float("neg", self)

    def pos(self) -> SizeNode:
        return self

    def abs(self) -> SizeNode:
        if self.pytype is float:
            return self._float("abs", self)
        return self._int(polynomial.maximum(self.poly, -self.poly))

    def sym_float(self) -> SizeNode:
        if self.pytype is float:
            return self
        if self.constant is not None:
            return self.wrap_float(float(self.constant))
        return SizeNode(self.sizes, float, self.poly)

    def sym_int(self) -> SizeNode:
        return self if self.pytype is int else self.trunc()

    def int_truediv(self, other: SizeNode) -> SizeNode:
        return self._float("div", self, other)

    truediv = float_truediv = int_truediv

    def float_pow(self, other: SizeNode) -> SizeNode:
        if other.constant == 0.5:
            return self._float("sqrt", self)
        return self._float("pow", self, other)

    def pow_by_natural(self, other: SizeNode) -> SizeNode:
        if not isinstance(other.constant, int):
            raise DependsOnBlockSize(f"{self} ** {other} depends on a block size")
        out = Poly.const(1)
        for _ in range(other.constant):
            out = out * self.poly
        return self._int(out)

    def pow(self, other: SizeNode) -> SizeNode:
        return self.float_pow(other) if self.pytype is float else self.pow_by_natural(other)

    def int_floordiv(self, other: SizeNode) -> SizeNode:
        return self._int(polynomial.floordiv(self.poly, other.poly))

    floordiv = int_floordiv

    def mod(self, other: SizeNode) -> SizeNode:
        return self._int(polynomial.mod(self.poly, other.poly))

    def sym_min(self, other: SizeNode) -> SizeNode:
        return self._int(polynomial.minimum(self.poly, other.poly))

    def sym_max(self, other: SizeNode) -> SizeNode:
        return self._int(polynomial.maximum(self.poly, other.poly))

    def sym_sum(self, args: list[SizeNode]) -> SizeNode:
        out = Poly({})
        for a in args:
            out = out + a.poly
        return self._int(out)

    def _to_int(self, name: str, divide: Callable[[Poly, Poly], Poly] | None) -> SizeNode:
        """floor and ceil of a size or of a quotient of sizes are exact; of anything else they are not known here."""
        if self.pytype is int:
            return self
        if isinstance(self.value, Poly):
            return self._int(self.value)
        if self.constant is not None:
            return self.wrap_int(getattr(math, name)(self.constant))
        tree = self.value
        if isinstance(tree, FloatTree) and tree.function == "div" and divide is not None:
            over = [_as_poly(a) for a in tree.args]
            if over[0] is not None and over[1] is not None:
                return self._int(divide(over[0], over[1]))
        raise DependsOnBlockSize(f"{name}({self}) depends on a block size")

    def floor(self) -> SizeNode:
        return self._to_int("floor", polynomial.floordiv)

    def ceil(self) -> SizeNode:
        return self._to_int("ceil", polynomial.ceildiv)

    def trunc(self) -> SizeNode:
        nonnegative = isinstance(self.value, FloatTree) and all(
            (p := _as_poly(a)) is not None and polynomial.bounds(p)[0] >= 0 for a in self.value.args
        )
        return self._to_int("trunc", polynomial.floordiv if nonnegative else None)

    # ---- comparisons ----

    def eq(self, other: SizeNode) -> SizeNode:
        return self._bool(self._same(other))

    def ne(self, other: SizeNode) -> SizeNode:
        return self._bool(not self._same(other))

    def _same(self, other: SizeNode) -> bool:
        if self.pytype is float or other.pytype is float:
            a, b = _leaf(self), _leaf(other)
            if isinstance(a, float) and isinstance(b, float) or a == b:
                return a == b
            raise DependsOnBlockSize(f"whether {self} equals {other} depends on a block size")
        return self.sizes.same(self.poly, other.poly)

    def _less(self, other: SizeNode, or_equal: bool) -> SizeNode:
        if self.pytype is float or other.pytype is float:
            (a_least, a_most), (b_least, b_most) = _float_bounds(_leaf(self)), _float_bounds(_leaf(other))
            if a_most < b_least or or_equal and a_most <= b_least:
                order = True
            else:
                order = False if a_least > b_most or not or_equal and a_least >= b_most else None
        else:
            order = self.sizes.ordered(self.poly, other.poly, or_equal)
        if order is None:
            return self._undecided(f"whether {self} {'<=' if or_equal else '<'} {other} depends on a block size")
        return self._bool(order)

    def _undecided(self, why: str) -> SizeNode:
        """A truth value that only a configuration fixes: an error once a decision needs it."""
        node = SizeNode(self.sizes, bool, None)
        node.why = why
        return node

    def lt(self, other: SizeNode) -> SizeNode:
        return self._less(other, False)

    def le(self, other: SizeNode) -> SizeNode:
        return self._less(other, True)

    def gt(self, other: SizeNode) -> SizeNode:
        return other._less(self, False)

    def ge(self, other: SizeNode) -> SizeNode:
        return other._less(self, True)

    def sym_not(self) -> SizeNode:
        return self if self.constant is None else self._bool(not self.constant)

    def sym_and(self, other: SizeNode) -> SizeNode:
        if self.constant is False or other.constant is False:
            return self._bool(False)
        return self if self.constant is None else other

    def sym_or(self, other: SizeNode) -> SizeNode:
        if self.constant or other.constant:
            return self._bool(True)
        return self if self.constant is None else other

    and_, or_ = sym_and, sym_or

    def sym_ite(self, then_val: SizeNode, else_val: SizeNode) -> SizeNode:
        return then_val if self.guard_bool() else else_val

    # ---- what C++ and library code ask ----

    def guard_bool(self, file: str = "", line: int = 0) -> bool:
        if self.constant is None:
            raise DependsOnBlockSize(self.why)
        return bool(self.constant)

    bool_ = expect_true = expect_size = guard_size_oblivious = guard_bool

    def guard_or_false(self, file: str = "", line: int = 0) -> bool:
        return bool(self.constant)

    statically_known_true = guard_or_false

    def guard_or_true(self, file: str = "", line: int = 0) -> bool:
        return self.constant is not False

    def _number(self) -> int | float:
        if self.constant is None:
            raise DependsOnBlockSize(f"the number {self} is not known while the kernel is compiled")
        return self.constant

    def guard_int(self, file: str = "", line: int = 0) -> int:
        return int(self._number())

    int_ = guard_int

    def guard_float(self, file: str = "", line: int = 0) -> float:
        return float(self._number())

    def is_int(self) -> bool:
        return self.pytype is int

    def is_float(self) -> bool:
        return self.pytype is float

    def is_bool(self) -> bool:
        return self.pytype is bool

    def is_nested_int(self) -> bool:
        return False

    def nested_int(self) -> int | None:
        return None

    def is_constant(self) -> bool:
        return self.pytype is bool and self.constant is not None

    def is_symbolic(self) -> bool:
        return True

    def has_hint(self) -> bool:
        return self.constant is not None

    def maybe_as_int(self) -> int | None:
        return int(self.constant) if self.pytype is int and self.constant is not None else None

    constant_int = maybe_as_int

    # A tile has no layout: everything is contiguous.
    def is_contiguous(self, sizes: Any, strides: Any) -> SizeNode:
        return self._bool(True)

    is_non_overlapping_and_dense = is_contiguous

    def is_non_overlapping_and_dense_indicator(self, *args: Any) -> SizeNode:
        return self.wrap_int(1)

    def is_channels_last_contiguous_2d(self, sizes: Any, strides: Any) -> SizeNode:
        return self._bool(False)

    is_channels_last_contiguous_3d = is_channels_last_strides_2d = is_channels_last_strides_3d = (
        is_channels_last_contiguous_2d
    )

    @property
    def expr(self) -> Any:
        return self.value

    @property
    def hint(self) -> Any:
        return self.constant

    def _value_eq(self, other: Any) -> bool:
        return isinstance(other, SizeNode) and self.pytype is other.pytype and self.value == other.value

    def _value_hash(self) -> int:
        return hash((self.pytype, self.value))

    def str(self) -> str:
        return self.why or f"{self.value if self.constant is None else self.constant}"

    __str__ = __repr__ = _graph_repr = str


def _leaf(node: SizeNode) -> Leaf:
    if node.constant is not None:
        return float(node.constant)
    assert node.value is not None
    return node.value


def _float_bounds(leaf: Leaf) -> tuple[float, float]:
    """The least and the greatest value of a float; infinite where nothing is known."""
    if isinstance(leaf, int | float):
        return leaf, leaf
    if isinstance(leaf, Poly):
        low, high = polynomial.bounds(leaf)
        return float(low), float(high)
    args = [_float_bounds(a) for a in leaf.args]
    match leaf.function:
        case "add":
            return args[0][0] + args[1][0], args[0][1] + args[1][1]
        case "neg":
            return -args[0][1], -args[0][0]
        case "mul" | "div" | "pow" if all(a[0] >= 0 for a in args):
            return 0.0, math.inf
        case "sqrt" | "exp" | "abs":
            return 0.0, math.inf
        case _:
            return -math.inf, math.inf


def _as_poly(leaf: Leaf) -> Poly | None:
    if isinstance(leaf, float):
        return Poly.const(int(leaf)) if leaf.is_integer() else None
    return leaf if isinstance(leaf, Poly) else None


def _float_function(name: str) -> Callable[[SizeNode], SizeNode]:
    return lambda self: self._float(name, self)


for _name in ("sqrt", "exp", "log", "log2", "sin", "cos", "tan", "tanh"):
    setattr(SizeNode, _name, _float_function(_name))
    setattr(SizeNode, "sym_" + _name, getattr(SizeNode, _name))


def _remember(name: str) -> None:
    """Memoise a binary method by the identity of its operands, which are interned as long as they are ints."""
    compute = getattr(SizeNode, name)

    def method(self: SizeNode, other: SizeNode) -> SizeNode:
        if self.pytype is not int or other.pytype is not int:
            return compute(self, other)
        memo, key = self.sizes.memo, (name, id(self), id(other))
        if (out := memo.get(key)) is None:
            out = memo[key] = compute(self, other)
        return out

    setattr(SizeNode, name, method)


for _name in ("add", "sub", "mul", "int_floordiv", "mod", "eq", "ne", "lt", "le", "gt", "ge"):
    _remember(_name)
SizeNode.floordiv = SizeNode.int_floordiv
