"""Integer functions that also take sizes which only a configuration or a call fixes."""

from __future__ import annotations

from typing import Any

from helion_ir.language.active import current, implementation


def cdiv(a: Any, b: Any) -> Any:
    """a / b rounded up, for b > 0.

    >>> cdiv(10, 4)
    3
    """
    if type(a) is int and type(b) is int or current() is None:
        return -(-a // b)
    return implementation("cdiv")(a, b)


def next_power_of_2(n: Any) -> Any:
    """The least power of two that is at least `n`; 1 for n <= 0.

    >>> next_power_of_2(1000)
    1024
    """
    if type(n) is int or current() is None:
        return 1 << max(int(n) - 1, 0).bit_length()
    return implementation("next_power_of_2")(n)
