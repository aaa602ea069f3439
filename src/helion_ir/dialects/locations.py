"""Where an op comes from in the author's program."""

from __future__ import annotations

from typing import cast

from xdsl.dialects.builtin import ArrayAttr, CallSiteLoc, FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute


def author_location(location: Attribute) -> str | None:
    """`file:line:col` of the author's program in a location, through the names that passes put around it."""
    while isinstance(location, NameLoc):
        location = location.location
    if isinstance(location, FileLineColLoc):
        return f"{location.filename.data}:{location.line.data}:{location.column.data}"
    if isinstance(location, CallSiteLoc):
        return author_location(location.callee)
    if isinstance(location, FusedLoc):
        inner_locations = cast(ArrayAttr[Attribute], location.locations)
        return next((text for inner in inner_locations if (text := author_location(inner)) is not None), None)
    return None
