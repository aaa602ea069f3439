"""Where a sum over a loop may be split among programs, each with a place of its own for its part."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import RangeType, TileType
from helion_ir.index.facts import Domains
from helion_ir.passes.summing_loops import SummingLoop, added_store, find_summing_loop, is_unit


@dataclass(frozen=True)
class Place:
    """Where one carried value goes in a buffer of partial sums: subscripts after the split's, and extents."""

    subscripts: tuple[SSAValue, ...]
    """Arguments of the root loop, and axes."""
    extents: tuple[int, ...]
    leading: int
    """How many of the first are scalars, or ranges of one index, that give the tile no dimension."""


@dataclass(frozen=True)
class Site(SummingLoop):
    """A kernel whose one loop may be split."""

    places: tuple[Place | None, ...]
    """Of every carried value, None of those that are not used after the loop."""
    atomic: memory.StoreOp | None
    """The store that may add to its tensor instead."""

    @property
    def size(self) -> int:
        """Indices that the loop runs over."""
        return int(self.extent)


def find_site(module: ModuleOp, kernel: control.KernelOp, domains: Domains) -> Site | str:
    """The kernel's loop, if its programs may share it; else why they may not."""
    found = find_summing_loop(module, kernel)
    if isinstance(found, str):
        return found
    root, loop = found.root, found.loop
    if not _is_static((*root.lower, *root.upper, loop.lower, loop.upper)):
        return "only a call says how far the loops run"
    places = [_place(r, root, loop, domains) if r.first_use is not None else None for r in loop.results]
    if any(p is None for p, r in zip(places, loop.results) if r.first_use is not None):
        return "the dimensions of what the loop carries do not tell the programs apart"
    return Site(kernel, root, loop, found.launch, found.stores, tuple(places), added_store(found, domains))


def _is_static(bounds: tuple) -> bool:
    return all(b.data.is_Integer for b in bounds)


# -- where partial sums go -----------------------------------------------------------------------------------------------
def _place(value: SSAValue, root: control.ParallelOp, loop: control.ForOp, domains: Domains) -> Place | None:
    """Subscripts that tell the programs' partial sums apart and have the dimensions of the value in their order."""
    assert isinstance(value.type, TileType)
    extents = {a: int(u.data) for a, u in zip(root.body.block.args, root.upper)}
    first = [a for a in root.body.block.args if not isinstance(a.type, RangeType) or is_unit(a.type, domains)]
    tiles = [a for a in root.body.block.args if a not in first]
    for op in root.body.block.ops:
        if isinstance(op, control.AxisOp) and op.is_before_in_block(loop) and op.lower.data == 0:
            if any(t.type == op.result.type for t in root.body.block.args):
                return None  # whose lanes a dimension's are cannot be told
            if not op.upper.data.is_Integer or any(t.type == op.result.type for t in tiles):
                continue
            tiles.append(op.result)  # pyright: ignore[reportArgumentType]
            extents[op.result] = int(op.upper.data)  # pyright: ignore[reportArgumentType]
    found: list[SSAValue] = []
    for d in value.type.dims:
        of = [t for t in tiles if isinstance(t.type, RangeType) and t.type.block.data == d]
        if d == 1:  # any range of one index may stand for it
            of = [t for t in first if isinstance(t.type, RangeType) and t.type.block.data == 1][:1]
            first = [t for t in first if t not in of]
        if len(of) != 1 or of[0] in found:
            return None
        found += of
    if any(t in root.body.block.args and t not in found for t in tiles):
        return None
    subscripts = (*first, *found)
    return Place(subscripts, tuple(extents[s] for s in subscripts), len(first))  # pyright: ignore[reportArgumentType]
