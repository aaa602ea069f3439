"""Where printed lines come from: the author's file and line, as a comment."""

from __future__ import annotations

import linecache
import os

from xdsl.dialects.builtin import FileLineColLoc, NameLoc
from xdsl.ir import Attribute


def origin_of(location: Attribute) -> tuple[str, int] | None:
    """File and line of a location, if it has one; what passes added to it is left out."""
    while type(location) is NameLoc:
        location = location.location
    return (location.filename.data, location.line.data) if type(location) is FileLineColLoc else None


def origin_line(file: str, line: int) -> str:
    """`# src[softmax.py:12]: y = x * 2`."""
    return f"# src[{os.path.basename(file)}:{line}]: {linecache.getline(file, line).strip()}".rstrip(": ")
