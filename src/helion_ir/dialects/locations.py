"""Where an op comes from in the author's program."""

from __future__ import annotations

import linecache
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, CallSiteLoc, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute

from helion_ir.exc import Place


def author_location(location: Attribute) -> str | None:
    """`file:line:col` of the author's program in a location, through the names that passes put around it."""
    site = _site(location)
    return None if site is None else f"{site.filename.data}:{site.line.data}:{site.column.data}"


def author_place(location: Attribute) -> Place | None:
    """The author's line that a location is of, from its column on."""
    site = _site(location)
    if site is None:
        return None
    file, line, column = site.filename.data, site.line.data, site.column.data
    text = linecache.getline(file, line).rstrip("\n")
    return Place(file, line, column, len(text) + 1, text)


def _site(location: Attribute) -> FileLineColLoc | None:
    while isinstance(location, NameLoc):
        location = location.location
    if isinstance(location, FileLineColLoc):
        return location
    if isinstance(location, CallSiteLoc):
        return _site(location.callee)
    if isinstance(location, FusedLoc):
        inner_locations = cast(ArrayAttr[Attribute], location.locations)
        return next((site for inner in inner_locations if (site := _site(inner)) is not None), None)
    return None
