"""Functions in plain `tl` operations, for what Triton's own do differently from PyTorch or not in its interpreter.

The IR calls them `plain.<name>`. A printed module contains the sources of those it uses, as `plain_<name>`. All take
and give fp32 unless they say otherwise, and compile on every target; those ending in `_64` compute in fp64 inside,
which is right for Triton's interpreter and slow on a GPU.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_FUNCTION = re.compile(r"^@.*\ndef (\w+)\(.*\n(?:(?:[ )].*)?\n)*", re.MULTILINE)
"""A decorated function of a file: what follows it up to a line that begins with neither a blank nor a closing parenthesis."""


_WORD = re.compile(r"\b\w+\b")
_PROSE = re.compile(r'"""(?s:.*?)"""|#.*')


def _read() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name != "__init__.py":
            for found in _FUNCTION.finditer(path.read_text() + "\n"):
                yield found[1], found[0].rstrip("\n")


_SOURCES = dict(_read())
"""Every function's text by its name. Read from the files, so that printing neither imports Triton nor parses them."""


def names() -> tuple[str, ...]:
    """Names of the functions, sorted."""
    return tuple(sorted(_SOURCES))


@functools.cache
def source(name: str) -> tuple[str, tuple[str, ...]]:
    """A function's text and the names of the library's functions it calls. Raises KeyError where there is none.

    >>> source("fmax_nan")[1]
    ()
    >>> source("trunc32")[1]
    ('copysign32',)
    """
    text = _SOURCES[name]
    used = set(_WORD.findall(_PROSE.sub("", text)))
    return text, tuple(sorted(used & _SOURCES.keys() - {name}))


@functools.cache
def _printed(name: str) -> str:
    text, dependencies = source(name)
    renamed = {name, *dependencies}
    return _WORD.sub(lambda m: f"plain_{m[0]}" if m[0] in renamed else m[0], text)


def printed_sources(wanted: Iterable[str]) -> list[str]:
    """The texts of functions and of all they call, each once and after what it calls, under their printed names."""
    order: dict[str, str] = {}

    def visit(name: str) -> None:
        if name not in order:
            for dependency in source(name)[1]:
                visit(dependency)
            order[name] = _printed(name)

    for name in wanted:
        if name not in _SOURCES:
            raise KeyError(f"the library has no function {name!r}; it has {', '.join(names())}")
        visit(name)
    return list(order.values())
