"""Assignments for running a module quickly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.knob import KnobValue, declarations, requirements
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import compiled, free_names, knobs_of

LARGEST_TILE = 1 << 21
"""Elements of the largest tile to make: what caches hold, and on a GPU enough to keep it busy."""


def default_assignment(module: ModuleOp) -> dict[str, KnobValue]:
    """Every knob at its default."""
    return {op.sym_name.data: op.default.data for op in declarations(module)}


def largest_assignment(module: ModuleOp) -> dict[str, KnobValue]:
    """Block sizes as large as they go, so that few programs run, and every other knob at its default.

    Block sizes are halved while a tile would have more than `LARGEST_TILE` elements or a `knob.require` fails; where
    that does not help, the result is the default assignment.
    """
    values = default_assignment(module)
    blocks = {
        op.sym_name.data: op.domain.data.values
        for op in declarations(module)
        if op.field is not None and op.field.data == "block_sizes"
    }
    for name, domain in blocks.items():
        values[name] = domain[-1]
    tiles = list(_tile_sizes(module))
    while (conflict := _conflict(module, values, tiles)) is not None:
        shrinkable = [n for n in conflict & blocks.keys() if values[n] != blocks[n][0]]
        if not shrinkable:
            shrinkable = [n for n in blocks if values[n] != blocks[n][0]]
        if not shrinkable:
            return default_assignment(module)
        widest = max(shrinkable, key=lambda n: int(values[n]))  # pyright: ignore
        values[widest] = blocks[widest][blocks[widest].index(values[widest]) - 1]
    return values


_Size = tuple[Callable[[dict[str, KnobValue]], int], frozenset[str]]


def _tile_sizes(module: ModuleOp) -> Iterator[_Size]:
    """For each tile type that knobs alone determine, its number of elements and the knobs."""
    seen: set[tuple[object, ...]] = set()
    for op in module.walk():
        for result in op.results:
            if isinstance(result.type, TileType) and result.type.rank and result.type.dims not in seen:
                dims = result.type.dims
                seen.add(dims)
                if all(n.startswith("@") for d in dims for n in free_names(d)):
                    sizes = [compiled(d) for d in dims]
                    names = frozenset().union(*[knobs_of(d) for d in dims])
                    yield (lambda values, sizes=sizes: math.prod(int(s(values)) for s in sizes)), names


def _conflict(module: ModuleOp, values: dict[str, KnobValue], tiles: list[_Size]) -> frozenset[str] | None:
    """The knobs of a tile that is too large, or of a requirement that fails; None if all is well."""
    for size, names in tiles:
        if names and names <= values.keys() and size(values) > LARGEST_TILE:
            return names
    for op in requirements(module):
        names = knobs_of(op.condition.data)
        if names <= values.keys() and not compiled(op.condition.data)(values):
            return names
    return None
