"""Where printed lines come from: the author's file and line, as a comment."""

from __future__ import annotations

import linecache
from pathlib import Path

from xdsl.dialects.builtin import FileLineColLoc, NameLoc
from xdsl.ir import Attribute


def origin_of(location: Attribute) -> tuple[str, int] | None:
    """File and line of a location, if it has one; what passes added to it is left out."""
    while isinstance(location, NameLoc):
        location = location.location
    return (location.filename.data, location.line.data) if isinstance(location, FileLineColLoc) else None


def origin_line(file: str, line: int) -> str:
    """`# src[softmax.py:12]: y = x * 2`."""
    return f"# src[{Path(file).name}:{line}]: {linecache.getline(file, line).strip()}".rstrip(": ")
