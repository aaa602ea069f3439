"""Where programs may share the blocks that fill no whole wave, and how the iterations of these are divided."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.types import RangeType, TileType
from helion_ir.index.expr import CeilDiv, FloorDiv, Max, Min, Mod, knobs_of, scalars_of
from helion_ir.index.facts import Domains
from helion_ir.passes.scope import exceeds_int32, wide_scalars
from helion_ir.passes.summing_loops import SummingLoop, added_store, find_summing_loop, is_unit, may_be_parted


@dataclass(frozen=True)
class Shares:
    """The iterations of the shared blocks, divided evenly: worker w of W has those from w/W to (w + 1)/W of them.

    Every number is below the square of the workers or the iterations of one block, so that 32 bits hold it.
    """

    workers: Expr
    blocks: Expr
    """Of the whole grid."""
    iterations: Expr
    """Of one block."""

    @property
    def shared(self) -> Expr:
        """Blocks that whole waves leave over, the last ones; fewer than workers."""
        return Mod(self.blocks, self.workers)

    @property
    def whole(self) -> Expr:
        """Blocks that a program each computes, in whole waves."""
        return self.blocks - self.shared

    def blocks_of(self, worker: Expr) -> tuple[Expr, Expr]:
        """The shared blocks that a worker has iterations of, first and last + 1: two at most."""
        return FloorDiv(worker * self.shared, self.workers), CeilDiv((worker + 1) * self.shared, self.workers)

    def workers_of(self, block: Expr) -> tuple[Expr, Expr]:
        """The workers that have iterations of a shared block, by the same rule; first and last + 1."""
        shared = Max(self.shared, Integer(1))
        return FloorDiv(block * self.workers, shared), CeilDiv((block + 1) * self.workers, shared)

    def begin(self, worker: Expr, block: Expr) -> Expr:
        """Where in a block a worker begins, in W-ths of it: 0 where it began in the block before."""
        return Max(worker * self.shared - block * self.workers, Integer(0))

    def end(self, worker: Expr, block: Expr) -> Expr:
        """Where in a block a worker ends, likewise: W where it goes on in the next."""
        return Min((worker + 1) * self.shared - block * self.workers, self.workers)

    def iteration(self, place: Expr) -> Expr:
        """The iteration that begins at so many W-ths of a block, rounded down: `place * iterations // W`."""
        n, w = self.iterations, self.workers
        return place * FloorDiv(n, w) + FloorDiv(place * Mod(n, w), w)


@dataclass(frozen=True)
class Site(SummingLoop):
    """A kernel whose last blocks may be shared."""

    carried: tuple[int, ...]
    """Which of the values that the loop carries are used after it."""
    atomic: memory.StoreOp | None
    """The store that may add to its tensor instead."""
    parted: Parted | None
    """The first dimension of what is carried, if blocks may be added up in parts along it."""

    def shares(self, workers: Expr) -> Shares:
        blocks: Expr = Integer(1)
        for count in self.counts():
            blocks = blocks * count
        return Shares(workers, blocks, CeilDiv(self.extent, self.block))

    def counts(self) -> list[Expr]:
        """Blocks along each dimension of the root loop."""
        out: list[Expr] = []
        for argument, lower, upper in zip(self.root.body.block.args, self.root.lower, self.root.upper):
            block = argument.type.block.data if isinstance(argument.type, RangeType) else Integer(1)
            out.append(CeilDiv(upper.data - lower.data, block))
        return out


@dataclass(frozen=True)
class Parted:
    """A dimension of the root loop along which several programs of the second launch finish one block."""

    position: int
    block: str
    """The knob of its blocks."""


def find_site(module: ModuleOp, kernel: control.KernelOp, domains: Domains) -> Site | str:
    """The kernel's loop, if programs may share iterations of its last blocks; else why they may not."""
    found = find_summing_loop(module, kernel)
    if isinstance(found, str):
        return found
    ends = [e.data for e in (*found.root.upper, found.loop.upper)]
    if any(exceeds_int32(e, wide_scalars(found.root)) for e in ends):
        return "32 bits may not count the indices of the loops"
    ranges = [a for a in found.root.body.block.args if isinstance(a.type, RangeType)]
    carried = tuple(i for i, r in enumerate(found.loop.results) if r.first_use is not None)
    for i in carried:
        for d in _dims(found, i):
            if scalars_of(d):
                return "only a call says how large a tile is that the loop carries"
            if not d.is_Integer and len([r for r in ranges if _block(r) == d]) != 1:
                return "the loop carries a tile whose dimensions are not those of the root loop, each once"
    parted = _parted(found, carried, domains) if may_be_parted(found, domains) else None
    return Site(
        found.kernel, found.root, found.loop, found.launch, found.stores, carried, added_store(found, domains), parted
    )


def _parted(found: SummingLoop, carried: tuple[int, ...], domains: Domains) -> Parted | None:
    """The first dimension that everything carried has."""
    arguments = found.root.body.block.args
    for d in _dims(found, carried[0]):
        for position, argument in enumerate(arguments):
            if _block(argument) != d or not d.is_Symbol or is_unit(argument.type, domains):  # pyright: ignore - a range
                continue
            if all(d in _dims(found, i) for i in carried) and sum(_block(a) == d for a in arguments) == 1:
                (name,) = knobs_of(d)
                return Parted(position, name)
    return None


def _dims(found: SummingLoop, position: int) -> tuple[Expr, ...]:
    type_ = found.loop.results[position].type
    assert isinstance(type_, TileType)
    return type_.dims


def _block(argument: SSAValue) -> Expr:
    return argument.type.block.data if isinstance(argument.type, RangeType) else Integer(1)
