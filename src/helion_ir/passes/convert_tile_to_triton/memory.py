"""Loads, stores and atomics: by pointers, block pointers or descriptors, masked where lanes may be inactive."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from sympy import Add, Expr, Integer
from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import KnobValue, ValueAttr
from helion_ir.dialects.tile import control
from helion_ir.dialects.tile import memory as tile
from helion_ir.dialects.triton import memory as triton
from helion_ir.dialects.triton.compute import ExpandDimsOp, PermuteOp
from helion_ir.dialects.types import RangeType, RefType, TileType, i32, i64
from helion_ir.index.expr import operand
from helion_ir.passes.access_forms import block_extents, descriptor_order
from helion_ir.passes.choose_indexing import BLOCK_POINTER, DESCRIPTOR, POINTER
from helion_ir.passes.convert_tile_to_triton.lowering import Lowering, lowers
from helion_ir.passes.scope import physical


def pointer(lower: Lowering, op: tile.AccessOp) -> SSAValue:
    """The addresses of an access, one a lane."""

    def make() -> SSAValue:
        address = lower.add(triton.AddPtrOp(lower.get(op.ref), offsets(lower, op)))
        return lower.broadcast(address, _physical_dims(op))  # along a stride of 0 nothing varies

    return lower.once((op.ref, *op.subscripts), make)


def offsets(lower: Lowering, op: tile.AccessOp) -> SSAValue:
    """Where the elements of an access lie in the tensor; of extent 1 along dimensions that they do not vary along."""
    ref = op.ref.type
    assert isinstance(ref, RefType)
    strides = tuple([s.data for s in ref.strides.data])
    wide = lower.needs_int64(op)
    return lower.once((wide, strides, *op.subscripts), lambda: _offsets(lower, op, strides, wide))


def _offsets(lower: Lowering, op: tile.AccessOp, strides: Sequence[Expr], wide: bool) -> SSAValue:
    dims = _physical_dims(op)
    operands: list[SSAValue] = []
    covered: set[int] = set()
    for (value, places), stride in zip(_placed(lower, op, len(dims)), strides):
        if stride == 0:
            continue
        operands.append(lower.cast(value, i64) if wide else value)
        covered.update(places)
    shape = [d if i in covered else Integer(1) for i, d in enumerate(dims)] if covered else []
    return lower.apply(_linear(tuple([s for s in strides if s != 0])), operands, shape, i64 if wide else i32)


@functools.lru_cache(maxsize=4096)
def _linear(strides: tuple[Expr, ...]) -> Expr:
    """The sum of operands times strides."""
    return Add(*[operand(i) * stride for i, stride in enumerate(strides)])


def _physical_dims(op: tile.AccessOp) -> list[Expr]:
    return [physical(d) for d in op.dims]


def _placed(lower: Lowering, op: tile.AccessOp, rank: int) -> list[tuple[SSAValue, Sequence[int]]]:
    """Each subscript's indices, expanded to the rank of the access, with the dimensions they vary along."""
    out: list[tuple[SSAValue, Sequence[int]]] = []
    place, group, widest = 0, -1, 0
    for s in op.subscripts:
        own = s.type.rank if isinstance(s.type, TileType) else 1
        if own < 2:  # a range or a line of indices has a dimension, a scalar has none
            value = lower.get(s) if isinstance(s.type, TileType) else lower.ranges[s].index
            out.append((lower.expand(value, place, rank), [place]) if own else (value, []))
            place += own
            continue
        if group < 0:
            widest = max([t.rank for x in op.subscripts if isinstance(t := x.type, TileType)])
            group, place = place, place + widest
        value = lower.get(s)
        assert isinstance(value.type, TileType)
        own = value.type.rank
        places = range(group + widest - own, group + widest)
        missing = [i for i in range(rank) if i not in places]
        varying = [p for p, d in zip(places, value.type.dims) if d != 1]
        if missing:
            value = lower.add(ExpandDimsOp(value, missing))
        out.append((value, varying))
    return out


def masked(
    lower: Lowering,
    op: tile.AccessOp,
    build: Callable[[SSAValue | None], Sequence[SSAValue]],
    types: Sequence[Attribute],
    hint: str | None,
) -> Sequence[SSAValue]:
    """Build an access with its mask, or both ways where only some configurations need one."""
    if op.mask is None:
        return build(None)
    mask = op.mask
    if isinstance(made := mask.owner, control.MaskOp):
        return lower.by_mask(made, build, types, hint)
    return build(lower.get(mask))


def addressed(
    lower: Lowering,
    op: tile.AccessOp,
    build: dict[str, Callable[[], Sequence[SSAValue]]],
    types: Sequence[Attribute],
    hint: str | None,
) -> Sequence[SSAValue]:
    """Build an access in the ways its indexing knob allows."""
    attr = op.indexing
    if not isinstance(attr, ExprAttr):
        return build[attr.data if isinstance(attr, ValueAttr) else POINTER]()
    name = next(iter(attr.data.free_symbols)).name.removeprefix("@")  # pyright: ignore
    cases: dict[KnobValue, Callable[[], Sequence[SSAValue]]] = {v: build[str(v)] for v in lower.domains[name]}
    return lower.choose(attr.data, cases, types, hint)


# ---- block pointers and descriptors -----------------------------------------------------------------------------------


def _rectangle(lower: Lowering, op: tile.AccessOp) -> tuple[list[SSAValue], ArrayAttr[ExprAttr]]:
    """First index and extent of the block along each dimension of the tensor."""
    offsets: list[SSAValue] = []
    block: list[ExprAttr] = []
    for s in op.subscripts:
        if isinstance(s.type, RangeType):
            offsets.append(lower.cast(lower.ranges[s].offset, i32))
            block.append(expr_attr(lower.ranges[s].block))
        else:
            offsets.append(lower.cast(lower.get(s), i32))
            block.append(expr_attr(1))
    return offsets, ArrayAttr(block)


def _block_pointer(lower: Lowering, op: tile.AccessOp) -> SSAValue:
    """A block pointer of the tile's rank: what scalars select is where its tensor begins.

    A block of one element along a dimension would keep Triton from multiplying matrices where they lie in shared
    memory. A descriptor keeps such dimensions: it reads past them at no cost, and is made once for all programs.
    """
    ref = op.ref.type
    assert isinstance(ref, RefType)
    offsets, block = _rectangle(lower, op)
    kept = _along_ranges(op)
    strides = [int(s.data) if s.data.is_Integer else 1 << 62 for s in ref.strides]
    order = sorted(range(len(kept)), key=lambda n: (strides[kept[n]], -n))
    shape, steps, extents = (ArrayAttr([a.data[i] for i in kept]) for a in (ref.shape, ref.strides, block))
    made = triton.MakeBlockPtrOp(_selected(lower, op), [offsets[i] for i in kept], shape, steps, extents, order)
    return lower.add(made, f"{op.site.data}.block")


def _along_ranges(op: tile.AccessOp) -> list[int]:
    return [i for i, s in enumerate(op.subscripts) if isinstance(s.type, RangeType)]


def _selected(lower: Lowering, op: tile.AccessOp) -> SSAValue:
    """The address of the part of a tensor that an access's scalar subscripts select."""
    ref = op.ref.type
    assert isinstance(ref, RefType)
    scalars = [i for i, s in enumerate(op.subscripts) if not isinstance(s.type, RangeType)]
    strides = {i: ref.strides.data[i].data for i in scalars if ref.strides.data[i].data != 0}
    if not strides:
        return lower.get(op.ref)
    element = i64 if lower.needs_int64(op) else i32
    values = [lower.cast(lower.get(op.subscripts[i]), element) for i in strides]
    offset = lower.apply(_linear(tuple(strides.values())), values, (), element)
    return lower.add(triton.AddPtrOp(lower.get(op.ref), offset))


def _boundary(op: tile.AccessOp) -> list[int]:
    """Dimensions of a block pointer along which the block may reach beyond the tensor."""
    if op.mask is None or not isinstance(op.mask.owner, control.MaskOp):
        return []
    return [n for n, i in enumerate(_along_ranges(op)) if op.subscripts[i] in op.mask.owner.ranges]


def _descriptor(lower: Lowering, op: tile.AccessOp) -> tuple[SSAValue, list[SSAValue], list[int]]:
    """The descriptor of a tensor, where the block lies in it, and the order in which it has the tensor's dimensions."""
    ref = op.ref.type
    assert isinstance(ref, RefType)
    offsets, block = _rectangle(lower, op)
    order = descriptor_order(ref)
    shape, strides, extents = (ArrayAttr([a.data[i] for i in order]) for a in (ref.shape, ref.strides, block))
    made = triton.MakeDescriptorOp(lower.get(op.ref), shape, strides, extents)
    return lower.add(made, f"{op.site.data}.descriptor"), [offsets[i] for i in order], order


def _by_memory(op: tile.AccessOp, order: Sequence[int]) -> tuple[list[Expr], list[int]]:
    """Extents of the block's dimensions that are ranges, in the descriptor's order, and where each comes in the access.

    Those of one element go before anything is transposed: Triton's matrix units read a transposed matrix where it
    lies, but not one of higher rank.
    """
    extents = block_extents(op)
    ranges = [i for i in order if isinstance(op.subscripts[i].type, RangeType)]
    return [extents[i] for i in ranges], [sorted(ranges).index(i) for i in ranges]


def _permute(lower: Lowering, value: SSAValue, order: Sequence[int]) -> SSAValue:
    return value if list(order) == sorted(order) else lower.add(PermuteOp(value, order))


# ---- the ops ------------------------------------------------------------------------------------------------------------


@lowers(tile.LoadOp)
def load(lower: Lowering, op: tile.LoadOp) -> Sequence[SSAValue]:
    types, hint = [lower.type(op.result.type)], op.result.name_hint
    dims = lower.dims(op.result.type)

    def by_pointer() -> Sequence[SSAValue]:
        address = pointer(lower, op)

        def build(mask: SSAValue | None) -> Sequence[SSAValue]:
            return [lower.add(triton.LoadOp(address, mask, op.eviction, op.cache), hint)]

        return masked(lower, op, build, types, hint)

    def by_block() -> Sequence[SSAValue]:
        made = lower.add(triton.BlockLoadOp(_block_pointer(lower, op), _boundary(op), op.eviction, op.cache), hint)
        return [lower.reshape(made, dims)]

    def by_descriptor() -> Sequence[SSAValue]:
        descriptor, offsets, order = _descriptor(lower, op)
        made = lower.add(triton.DescriptorLoadOp(descriptor, offsets), hint)
        extents, places = _by_memory(op, order)
        made = lower.reshape(made, extents)
        return [lower.reshape(_permute(lower, made, [places.index(i) for i in range(len(places))]), dims)]

    ways = {POINTER: by_pointer, BLOCK_POINTER: by_block, DESCRIPTOR: by_descriptor}
    return addressed(lower, op, ways, types, hint)


def described(lower: Lowering, op: tile.AccessOp, value: SSAValue) -> tuple[SSAValue, list[SSAValue], SSAValue]:
    """A descriptor, the offsets of a block in it, and a tile to write there, in the descriptor's shape."""
    descriptor, offsets, order = _descriptor(lower, op)
    extents, places = _by_memory(op, order)
    value = lower.reshape(value, [extents[places.index(i)] for i in range(len(places))])
    value = lower.reshape(_permute(lower, value, places), [e.data for e in descriptor.type.shape])  # pyright: ignore
    return descriptor, offsets, value


@lowers(tile.StoreOp)
def store(lower: Lowering, op: tile.StoreOp) -> Sequence[SSAValue]:
    def by_pointer() -> Sequence[SSAValue]:
        address = pointer(lower, op)

        def build(mask: SSAValue | None) -> Sequence[SSAValue]:
            lower.add(triton.StoreOp(address, lower.get(op.value), mask, op.cache))
            return ()

        return masked(lower, op, build, (), None)

    def by_block() -> Sequence[SSAValue]:
        made = _block_pointer(lower, op)
        value = lower.reshape(lower.get(op.value), [e.data for e in made.type.shape])  # pyright: ignore
        lower.add(triton.BlockStoreOp(made, value, _boundary(op), op.cache))
        return ()

    def by_descriptor() -> Sequence[SSAValue]:
        descriptor, offsets, value = described(lower, op, lower.get(op.value))
        lower.add(triton.DescriptorStoreOp(descriptor, offsets, value))
        return ()

    return addressed(lower, op, {POINTER: by_pointer, BLOCK_POINTER: by_block, DESCRIPTOR: by_descriptor}, (), None)
