"""Tiles: the loop variables of hl.tile."""

from __future__ import annotations

from typing import Any

from helion_ir.exc import IncorrectTileUsage
from helion_ir.language.active import implementation


class Tile:
    """A block of consecutive indices, `[begin, begin + block_size)` cut off at the end of the loop's range.

    Loops over `hl.tile` yield tiles; a kernel never makes one. A tile can stand in a subscript (`x[tile]`), in a
    shape, where it means its block size (`hl.zeros([tile])`), and before `+ k` in a subscript (`x[tile + k]`).
    """

    @property
    def index(self) -> Any:
        """The indices, as a 1-D tensor of the kernel's index dtype and `block_size` elements."""
        return implementation("tile_index")(self)

    @property
    def begin(self) -> Any:
        """The first index, a scalar."""
        return implementation("tile_begin")(self)

    @property
    def end(self) -> Any:
        """One past the last index inside of the range, a scalar: `min(begin + block_size, end of the loop)`."""
        return implementation("tile_end")(self)

    @property
    def id(self) -> Any:
        """`begin // block_size`, a scalar; counted from index 0 wherever the loop begins."""
        return implementation("tile_id")(self)

    @property
    def count(self) -> Any:
        """How many tiles the loop has, a scalar."""
        return implementation("tile_count")(self)

    @property
    def block_size(self) -> Any:
        """How many indices a tile has; a number that the configuration fixes, usable in shapes and `if`s."""
        return implementation("tile_block_size")(self)

    def __add__(self, offset: Any) -> Any:
        """The indices moved by a scalar; as a subscript still a block, so cheaper than `tile.index + offset`."""
        return implementation("tile_shift")(self, offset)

    def _refused(self, *_: Any) -> Any:
        raise IncorrectTileUsage("only `tile + k` is defined on a tile; use tile.index to compute with its indices")

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = __mod__ = __neg__ = _refused
    __rfloordiv__ = __rmod__ = __rtruediv__ = __pow__ = __rpow__ = __and__ = __or__ = __xor__ = _refused
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = __float__ = __bool__ = _refused


def tile_index(tile: Tile) -> Any:
    """`tile.index`: the indices of the tile as a 1-D tensor."""
    return implementation("tile_index")(tile)


def tile_begin(tile: Tile) -> Any:
    """`tile.begin`: the first index of the tile."""
    return implementation("tile_begin")(tile)


def tile_end(tile: Tile) -> Any:
    """`tile.end`: one past the last index of the tile that lies inside of the loop's range."""
    return implementation("tile_end")(tile)


def tile_id(tile: Tile) -> Any:
    """`tile.id`: begin // block_size."""
    return implementation("tile_id")(tile)


def tile_block_size(tile: Tile) -> Any:
    """`tile.block_size`: the number of indices that the configuration gives each tile."""
    return implementation("tile_block_size")(tile)
