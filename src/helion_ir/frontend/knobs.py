"""The knobs that the frontend declares: block sizes, with their domains and defaults, and tunables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sympy import Expr, Integer
from xdsl.ir import Operation

from helion_ir import exc
from helion_ir.dialects.knob import DeclareOp, Domain, KnobValue, pow2
from helion_ir.dialects.tile.compute import DotOp
from helion_ir.dialects.tile.ranges import AxisOp
from helion_ir.dialects.types import TileType, bit_width
from helion_ir.frontend.sizes import BlockSizes, Size
from helion_ir.index.expr import Le, Max, compiled, knob, knobs_of, scalars_of

if TYPE_CHECKING:
    from helion_ir.language.fragments import Fragment

OWNER = "frontend"
LARGEST_BLOCK = 4096
"""Of any single dimension; products are bounded by what fits, which passes decide."""
UNKNOWN_LARGEST = 1024
"""Where the extent is not known until run time."""
LEAST_DOT, LEAST_DOT_K_8BIT = 16, 32
"""What matrix units need of a dimension; of the inner one for 8-bit elements."""
MOST_ELEMENTS = 1 << 20
"""Of one tile under the default configuration."""


@dataclass
class BlockKnob:
    """A block size to be tuned."""

    name: str
    low: int
    high: int
    extent: int | None
    doc: str
    batch: bool = False


@dataclass
class FixedBlock:
    """A block size that the author gave: a name for it, of one value, which tells it from an axis of that length."""

    name: str
    size: int
    doc: str


@dataclass
class Tunable:
    """A number to be tuned, from hl.register_tunable."""

    name: str
    domain: Domain
    default: KnobValue


class Knobs:
    """Collects declarations while a kernel is traced; domains and defaults are settled at the end."""

    def __init__(self, sizes: BlockSizes):
        self.sizes = sizes
        self._declared: dict[str, BlockKnob | FixedBlock | Tunable] = {}
        self._labels: dict[str, int] = {}
        self._inside: list[tuple[str, Expr, str]] = []

    def label(self, name: str) -> str:
        """A name for a loop, axis or registered block size; `.1`, `.2` are appended to one that is taken."""
        count = self._labels.get(name, 0)
        self._labels[name] = count + 1
        return f"{name}.{count}" if count else name

    def block_size(self, name: str, extent: Size | None, *, low: int = 1, doc: str, symbolic: bool = False) -> Size:
        """Declare a block size for `extent` indices; 1 if there is only one, unless it must be `symbolic`."""
        if isinstance(extent, int) and extent == 1 and low == 1 and not symbolic:
            return 1
        known = extent if isinstance(extent, int) else None
        high = UNKNOWN_LARGEST if known is None else min(LARGEST_BLOCK, _next_power_of_2(known))
        self._declared[name] = BlockKnob(name, low, max(low, high), known, doc)
        return self.sizes.block(knob(name))

    def given_size(self, block: Expr) -> int | None:
        """The size that the author gave a block; None of one that is tuned."""
        found = next((d for n, d in self._declared.items() if knob(n) == block), None)
        return found.size if isinstance(found, FixedBlock) else int(block) if block.is_Integer else None

    def fixed_block(self, name: str, size: int, *, doc: str) -> Size:
        """A block of a given size whose last one may have inactive lanes, which are found by its name."""
        self._declared[name] = FixedBlock(name, size, doc)
        return self.sizes.block(knob(name))

    def inside(self, name: str, within: Expr, reason: str) -> None:
        """A block size is at most that of the tile around its own, unless that is smaller than any it can have."""
        if not scalars_of(within) and (name, within, reason) not in self._inside:
            self._inside.append((name, within, reason))

    def tunable(self, name: str, fragment: Fragment) -> Expr:
        """Declare a tunable. Raises TunableNameConflict if the name is taken by another one."""
        wanted = Tunable(name, fragment.domain(), fragment.default())
        if self._declared.get(name, wanted) != wanted:
            raise exc.TunableNameConflict(f"there is another tunable named '{name}'")
        self._declared[name] = wanted
        return knob(name)

    def values(self) -> tuple[KnobValue, ...]:
        return tuple(k.default for k in self._declared.values() if isinstance(k, Tunable))

    def declarations(self, kernel: Operation) -> Iterator[DeclareOp]:
        """The declarations, in the order of the source, once the kernel that uses them is known."""
        blocks = {k.name: k for k in self._declared.values() if isinstance(k, BlockKnob)}
        _constrain(blocks, kernel)
        defaults = _defaults(
            blocks, kernel, {k.name: k.default for k in self._declared.values() if isinstance(k, Tunable)}
        )
        for name, declared in self._declared.items():
            if isinstance(declared, Tunable):
                yield DeclareOp(name, declared.domain, declared.default, owner=OWNER, doc="a tunable of the kernel")
            elif isinstance(declared, FixedBlock):
                yield DeclareOp(name, pow2(declared.size, declared.size), declared.size, owner=OWNER, doc=declared.doc)
            else:
                domain = pow2(declared.low, declared.high)
                yield DeclareOp(name, domain, defaults[name], owner=OWNER, doc=declared.doc, field="block_sizes")

    def requirements(self) -> Iterator[tuple[Expr, str]]:
        """Conditions on the block sizes and why, once `declarations` has settled what products need of them."""
        for name, within, reason in self._inside:
            block = self._declared.get(name)
            least = block.low if isinstance(block, BlockKnob) else 1
            yield Le(knob(name), Max(within, Integer(least)) if least > 1 else within), reason


def _next_power_of_2(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def _constrain(blocks: dict[str, BlockKnob], kernel: Operation) -> None:
    """Raise least block sizes to what matrix products need; their batches go one by one."""
    for op in kernel.walk():
        if not isinstance(op, DotOp):
            continue
        lhs, rhs = op.lhs.type, op.rhs.type
        assert isinstance(lhs, TileType) and isinstance(rhs, TileType)
        k = LEAST_DOT_K_8BIT if bit_width(lhs.element_type) == 8 else LEAST_DOT
        for extent, least in ((lhs.dims[-2], LEAST_DOT), (rhs.dims[-1], LEAST_DOT), (lhs.dims[-1], k)):
            _at_least(blocks, extent, least)
        for batch in (*lhs.dims[:-2], *rhs.dims[:-2]):
            for name in knobs_of(batch):
                if name in blocks and batch == knob(name):
                    blocks[name].low = blocks[name].high = 1
                    blocks[name].batch = True


def _at_least(blocks: dict[str, BlockKnob], extent: Expr, least: int) -> None:
    """Let the one knob in `extent` begin where `extent` reaches `least`."""
    names = knobs_of(extent)
    if len(names) != 1 or (name := next(iter(names))) not in blocks:
        return
    block, value = blocks[name], compiled(extent)
    if block.batch:
        return
    while block.low < LARGEST_BLOCK and value({name: block.low}) < least:
        block.low *= 2
    block.high = max(block.high, block.low)


def _defaults(blocks: dict[str, BlockKnob], kernel: Operation, tunables: dict[str, KnobValue]) -> dict[str, int]:
    """Defaults that compile and run tolerably: 32 each, less with many dimensions or long reductions."""
    count = len([b for b in blocks.values() if b.high > 1])
    longest = max((_extent(op) for op in kernel.walk() if isinstance(op, AxisOp)), default=1)
    if count <= 2:
        base = 32 if longest <= 128 else 16 if longest <= 256 else 1
    else:
        base = 16 if count == 3 else 8 if count == 4 else 4
    out = {n: max(b.low, min(base, b.high)) for n, b in blocks.items()}
    shapes = {r.type.dims for op in kernel.walk() for r in op.results if isinstance(r.type, TileType)}
    for dims in sorted(shapes, key=str):
        names = [n for n in blocks if any(n in knobs_of(d) for d in dims)]
        while _elements(dims, {**tunables, **out}) > MOST_ELEMENTS:
            shrinkable = [n for n in names if out[n] > blocks[n].low]
            if not shrinkable:
                break
            largest = max(shrinkable, key=lambda n: out[n])
            out[largest] //= 2
    return out


def _extent(axis: AxisOp) -> int:
    extent = axis.upper.data - axis.lower.data
    return int(extent) if extent.is_Integer else 1


def _elements(dims: tuple[Expr, ...], values: dict) -> int:
    total = 1
    for d in dims:
        if {n.removeprefix("@") for n in map(str, d.free_symbols)} <= values.keys():
            total *= int(compiled(d)(values))
    return total
