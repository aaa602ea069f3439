"""Values that stand for what a call or a configuration will fix: tiles, conditions, scalars of the host."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import SymInt
from xdsl.ir import SSAValue

from helion_ir.exc import BaseError
from helion_ir.frontend.size_node import DependsOnBlockSize
from helion_ir.frontend.sizes import Size
from helion_ir.language.tiles import Tile

if TYPE_CHECKING:
    from sympy import Expr


class DeviceTile(Tile):
    """A tile while tracing: the SSA value of its range, its block size and the bounds of its loop."""

    def __init__(self, name: str, block: Size, value: SSAValue, lower: Any, upper: Any):
        self.name, self.block, self.value = name, block, value
        self.lower, self.upper = lower, upper

    def __repr__(self) -> str:
        return f"tile {self.name}"


@dataclass(frozen=True, eq=False)
class Condition:
    """A comparison of block sizes, tunables or integer arguments; false or true once those are known."""

    expr: Expr

    def __bool__(self) -> bool:
        raise DependsOnBlockSize(f"whether {self.expr} holds is not known at compile time")


@dataclass(frozen=True)
class Gone:
    """What a name holds after a loop or branch that left it without a single value; reading it raises `error`."""

    error: BaseError


class HostFloat(float):
    """A float argument, or one computed from arguments: known now, different in another call.

    `sources` are the names of the arguments it depends on; `decided` is told when a decision is taken on it, which
    makes those arguments part of the specialization.
    """

    sources: frozenset[str]
    decided: Callable[[frozenset[str]], None]

    @staticmethod
    def of(value: float, sources: frozenset[str], decided: Callable[[frozenset[str]], None]) -> HostFloat:
        self = HostFloat(value)
        self.sources, self.decided = sources, decided
        return self

    def __bool__(self) -> bool:
        self.decided(self.sources)
        return float(self) != 0.0

    def __hash__(self) -> int:
        return hash(float(self))


def _arithmetic(name: str) -> Callable[..., Any]:
    plain = getattr(float, name)

    def method(self: HostFloat, *others: Any) -> Any:
        result = plain(self, *others)
        if not isinstance(result, float):
            return result
        sources = self.sources.union(*[o.sources for o in others if isinstance(o, HostFloat)])
        return HostFloat.of(result, sources, self.decided)

    return method


def _compared(name: str) -> Callable[..., Any]:
    plain = getattr(float, name)

    def method(self: HostFloat, other: Any) -> Any:
        result = plain(self, other)
        return HostBool(result, self.sources, self.decided) if isinstance(result, bool) else result

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "radd", "rsub", "rmul", "rtruediv", "rfloordiv",
              "rmod", "rpow", "neg", "pos", "abs"):  # fmt: skip
    setattr(HostFloat, f"__{_name}__", _arithmetic(f"__{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(HostFloat, f"__{_name}__", _compared(f"__{_name}__"))


class HostBool:
    """A bool argument or a comparison of float arguments; deciding on it specializes the kernel."""

    def __init__(self, value: bool, sources: frozenset[str], decided: Callable[[frozenset[str]], None]):
        self.value, self.sources, self.decided = value, sources, decided

    def __bool__(self) -> bool:
        self.decided(self.sources)
        return self.value

    def __eq__(self, other: object) -> bool:
        return bool(self) == other

    def __hash__(self) -> int:
        return hash(self.value)


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "is": operator.is_, "is not": operator.is_not, "in": lambda a, b: a in b, "not in": lambda a, b: a not in b,
}  # fmt: skip


def compare_sizes(symbol: str, left: Expr, right: Expr) -> Expr:
    """The truth value of a comparison of two index expressions."""
    from helion_ir.index.expr import Eq, Le, Lt, Ne

    if symbol in (">", ">="):
        symbol, left, right = symbol.replace(">", "<"), right, left
    functions: dict[str, Any] = {"<": Lt, "<=": Le, "==": Eq, "!=": Ne}
    return functions[symbol](left, right)


def is_size(value: Any) -> bool:
    """Whether a value is a symbolic integer or a plain one."""
    return isinstance(value, SymInt) or (isinstance(value, int) and not isinstance(value, bool))
