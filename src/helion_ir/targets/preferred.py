"""What a device runs well untuned: where a search starts, and what a call without a search gets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preferred:
    """Sizes of good default configurations of one device; set-defaults fits them to a kernel.

    The numbers are those of the vendor's and Triton's own kernels for large shapes; elements are those of a tile.
    """

    rows: int = 128
    columns: int = 128
    """Extents of a matrix product's result in one program."""
    loaded_columns: int = 128
    """The columns of a kernel's only product, where both operands are multiplied as they are loaded: nothing else takes
    many registers."""
    inner_bytes: int = 128
    """Bytes along the inner dimension of a product's operands, so that fewer bits make longer rows."""
    least: int = 64
    """What a product's extents may shrink to so that every compute unit has a program."""
    stages: int = 3
    """Copies in flight of a product's operands."""
    product_elements: int = 64
    """Elements of a product's result a thread holds."""
    accumulated_elements: int = 64
    """The same where a loop carries the result, which then need not be in registers."""
    l2_grouping: int = 8
    """Rows of blocks of a product that run together."""
    elements: int = 1024
    """Elements of an elementwise program."""
    row_elements: int = 4096
    """Elements of a program that reduces, or loops over what it reads."""
    thread_elements: int = 32
    """Elements of the largest tile, other than of products, a thread holds before there are more warps."""
    live_registers: int = 300
    """Registers that the tiles of a product's kernel take of a thread, where most of them are live, before there are more
    warps. Beyond what a thread has: not all that is live is held, and this much compilers have been seen to place."""
    tile_registers: int = 255
    """The same of a kernel without products."""
    spares_registers: bool = False
    """Whether the assembler spills to hold more programs at once unless it is told that a thread may have all registers."""
    warps: tuple[int, int] = (4, 16)
    """Least and most warps."""
