"""Numbers that the tuner, the caller or the compiler fixes; to be called on the host, before the device loops."""

from __future__ import annotations

from typing import Any

from helion_ir.language.active import implementation
from helion_ir.language.fragments import Fragment


class constexpr:
    """Mark a value as known at compile time.

    As an annotation (`def kernel(x, flag: hl.constexpr)`) or around an argument (`kernel(x, hl.constexpr(4))`) each
    value compiles a kernel of its own, in which it is a literal: usable in shapes and `hl.static_range`, and an `if`
    on it keeps one branch. Inside of a kernel `hl.constexpr(value)` is the value.
    """

    value: Any

    def __new__(cls, value: Any) -> Any:
        from helion_ir.language.active import current

        if current() is not None:
            return implementation("constexpr")(value)
        self = super().__new__(cls)
        self.value = value.value if isinstance(value, constexpr) else value
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, constexpr) and self.value == other.value

    def __hash__(self) -> int:
        return hash((constexpr, self.value))

    def __repr__(self) -> str:
        return f"constexpr({self.value!r})"


def specialize(value: Any) -> Any:
    """Make sizes and integer arguments known at compile time: `n = hl.specialize(x.size(1))`.

    Each value compiles a kernel of its own. Takes an integer or nested lists and tuples of them, and returns the same
    with plain integers.

    Raises:
        SpecializeOnDevice: called in a device loop.
        SpecializeArgType: given something else.
    """
    return implementation("specialize")(value)


def register_block_size(min_or_max: Any, max: Any = None, /) -> int:
    """A block size to be tuned, for `hl.tile(..., block_size=...)`, shapes, and arithmetic on the host.

    `hl.register_block_size(max)` or `hl.register_block_size(min, max)`. Tuning searches powers of two up to the least
    one that is at least `max`, usually a size. Loops that follow each other may share one.
    """
    return implementation("register_block_size")(min_or_max, max)


def register_tunable(name: str, fragment: Fragment) -> Any:
    """A number to be tuned: `split_k = hl.register_tunable("split_k", PowerOfTwoFragment(1, 64, 1))`.

    Args:
        name: A string literal, the key of `Config` that holds the value.
        fragment: What to choose from, constructed in the call.

    Raises:
        TunableNameConflict: the name is taken.
        TunableTypeNotSupported: `fragment` is no fragment of numbers or bools.
    """
    return implementation("register_tunable")(name, fragment)
