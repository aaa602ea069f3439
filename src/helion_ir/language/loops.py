"""The loops of device code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helion_ir.language.active import implementation
from helion_ir.language.tiles import Tile


def tile(begin_or_end: Any, end: Any = None, /, block_size: Any = None) -> Iterator[Any]:
    """Loop over a range in blocks: `for t in hl.tile(n)`, `hl.tile(begin, end)`, `for i, j in hl.tile([m, n])`.

    At the top level of a kernel the iterations run in parallel, one program each; inside another device loop they run
    in order and may carry values. Lists of bounds give a tuple of tiles.

    Args:
        begin_or_end: The end of the range, or its beginning if `end` is given. An integer, a size, a scalar tensor
            (inside another loop), or a list of those, one a dimension.
        end: The end of the range, exclusive.
        block_size: Indices a tile; tuned if omitted. An integer power of two, the result of
            `hl.register_block_size`, arithmetic on those, or a list, one a dimension.

    Returns:
        An iterable for a `for` statement, of `Tile`s or of tuples of them.

    Raises:
        LoopFunctionNotInFor: used elsewhere than in a `for`.
        TileOfTile, IncorrectTileUsage, InvalidTileRange: bounds that make no range.
    """
    return implementation("tile")(begin_or_end, end, block_size=block_size)


def grid(begin_or_end: Any, end: Any = None, /, step: Any = None) -> Iterator[Any]:
    """Loop over single indices: `for i in hl.grid(n)`; the variable is a scalar, and a subscript with it drops the dimension.

    At the top level of a kernel each index is a program of its own; inside another loop this is `range`.

    Args:
        begin_or_end: The end, or the beginning if `end` is given; lists give tuples of scalars.
        end: The end, exclusive.
        step: Distance of the indices, 1 by default.
    """
    return implementation("grid")(begin_or_end, end, step=step)


def static_range(begin_or_end: Any, end: Any = None, /, step: int = 1) -> Iterator[int]:
    """A `range` of compile-time integers whose loop is unrolled, so that its variable can index Python lists.

    Under dynamic shapes wrap sizes in `hl.specialize` first.
    """
    return implementation("static_range")(begin_or_end, end, step)


def jagged_tile(lengths: Any) -> Iterator[Tile]:
    """Loop to the largest of `lengths`, a device tensor over the enclosing tiles; each row is active up to its own length."""
    return implementation("jagged_tile")(lengths)


def pdl_wait() -> None:
    """Before the first device loop: wait until earlier kernels of the stream have ended and what they stored is visible.

    With it the kernel is launched programmatically on devices that have that (sm_90 and later): it may begin while the
    one before still runs, if that one calls `hl.pdl_launch_dependents()`. Elsewhere launches are ordered anyway.
    """
    return implementation("pdl_wait")()


def pdl_launch_dependents() -> None:
    """Before the first or after the last device loop: the next kernel of the stream may begin, if it calls `hl.pdl_wait()`."""
    return implementation("pdl_launch_dependents")()


def barrier() -> None:
    """Between two top-level device loops: what the loops before stored is visible to the loops after."""
    return implementation("barrier")()
