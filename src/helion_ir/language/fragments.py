"""What a tunable may be: the arguments of `hl.register_tunable`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from helion_ir import exc
from helion_ir.dialects.knob import BOOLEAN, Domain, KnobValue, integers, one_of, pow2


class Fragment:
    """A part of a configuration: which values it may take, and which it has if nobody says."""

    def domain(self) -> Domain:
        """The values, as a domain of the `knob` dialect."""
        raise NotImplementedError

    def default(self) -> KnobValue:
        """The value without tuning."""
        raise NotImplementedError


@dataclass(frozen=True, init=False)
class IntegerFragment(Fragment):
    """Integers from `low` to `high`, both included; the default is `low` unless given."""

    low: int
    high: int
    default_value: int

    def __init__(self, low: int, high: int, default: int | None = None):
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "default_value", low if default is None else default)
        if not low <= self.default_value <= high:
            raise ValueError(f"{self.default_value} does not lie between {low} and {high}")

    def domain(self) -> Domain:
        return integers(self.low, self.high)

    def default(self) -> int:
        return self.default_value


@dataclass(frozen=True, init=False)
class PowerOfTwoFragment(IntegerFragment):
    """Powers of two from `low` to `high`, which are powers of two themselves."""

    def __init__(self, low: int, high: int, default: int | None = None):
        super().__init__(low, high, default)
        for value in (low, high, self.default_value):
            if value < 1 or value & (value - 1):
                raise ValueError(f"{value} is not a power of two")

    def domain(self) -> Domain:
        return pow2(self.low, self.high)


@dataclass(frozen=True, init=False)
class EnumFragment(Fragment):
    """One of several values, the first by default; `search_choices` restricts what tuning tries."""

    choices: tuple[Any, ...]
    search_choices: tuple[Any, ...] | None

    def __init__(self, choices: Sequence[Any], search_choices: Sequence[Any] | None = None):
        if not choices:
            raise ValueError("an EnumFragment needs a choice")
        object.__setattr__(self, "choices", tuple(choices))
        object.__setattr__(self, "search_choices", None if search_choices is None else tuple(search_choices))

    def domain(self) -> Domain:
        return one_of(*self.choices)

    def default(self) -> KnobValue:
        return self.choices[0]


@dataclass(frozen=True)
class BooleanFragment(Fragment):
    """True or False, False by default."""

    def domain(self) -> Domain:
        return BOOLEAN

    def default(self) -> bool:
        return False


@dataclass(frozen=True)
class ListOf(Fragment):
    """A list of `length` values of one fragment; for fields of Config, not for tunables."""

    inner: Fragment
    length: int


class NumThreadsFragment(Fragment):
    """Threads along a dimension of a tile; here for its name. Raises InvalidAPIUsage when made, with the reason."""

    def __init__(self, *_: Any, **__: Any):
        raise exc.InvalidAPIUsage(
            "NumThreadsFragment is for backends whose programs deal out threads; Triton deals them out itself, of as many "
            "warps as num_warps of the Config says. For a number of your own use PowerOfTwoFragment"
        )
