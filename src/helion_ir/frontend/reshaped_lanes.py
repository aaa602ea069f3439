"""Inactive lanes that a reshape, slice or concatenation took to other places.

A dimension says by its extent which range's lanes it has. After `x[t].reshape(t.block_size // 2, 2)` none does, and yet
the last tile has lanes that are absent. Before an op that mixes such lanes its operand is filled where
`(t.index < t.end).reshape(t.block_size // 2, 2)` does not hold.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from sympy import Expr, Integer
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Block, Operation, SSAValue

from helion_ir import exc
from helion_ir.dialects.locations import author_place
from helion_ir.dialects.tile import compute, control, elementwise
from helion_ir.dialects.types import TileType, i1, i32, tile_type
from helion_ir.index.facts import Domains
from helion_ir.passes.make_masks import holds_zero
from helion_ir.passes.mixing import mixed, neutral
from helion_ir.passes.reshape_groups import groups_of
from helion_ir.passes.scope import bounds_of, partial, range_for

Emit = Callable[[Operation], SSAValue]
Lanes = Callable[[Emit], SSAValue]
"""Makes the mask of a value's active lanes: its dimensions, or 1 where all are alike."""


def moves_lanes(op: Operation) -> bool:
    """Whether an op makes dimensions that are no range's of some that may be one's."""
    match op:
        case compute.ReshapeOp():
            before, after = ([d for d in _dims(v) if d != 1] for v in (op.operand, op.result))
            return before != after
        case compute.CatOp():
            return any(not _dims(v)[op.dim.value.data].is_Integer for v in op.arguments)
        case compute.SliceOp():
            return not _dims(op.operand)[op.dim.value.data].is_Integer
    return False


def fill_reshaped(kernel: control.KernelOp, domains: Domains, index: IntegerType) -> None:
    """Fill what ops mix, where a reshape has hidden which lanes are active; `index` is the type of indices."""
    ops = list(kernel.walk())
    if not any(moves_lanes(op) for op in ops):
        return
    for op in ops:
        found = _Found(op, domains, index)
        if isinstance(op, compute.CustomScanOp):
            for value in op.arguments:
                if found.lanes(value) is not None:
                    raise exc.BackendUnsupported(
                        "hl.associative_scan of a tile that was reshaped, sliced or concatenated, whose last lanes may be "
                        "inactive; scan it before",
                        author_place(op.location),
                    )
        for number, axes, absent in mixed(op):
            value = op.operands[number]
            if holds_zero(value, absent) or (lanes := found.lanes(value)) is None:
                continue
            mask = lanes(found.emit)
            if any(_dims(mask)[i] != 1 for i in axes):
                op.operands[number] = found.emit(compute.FillOp(value, mask, absent))


class _Found:
    """The lanes that reshapes have moved, as one op sees them."""

    def __init__(self, op: Operation, domains: Domains, index: IntegerType):
        self.op, self.domains, self.index = op, domains, index
        self.known: dict[SSAValue, Lanes | None] = {}

    def emit(self, new: Operation) -> SSAValue:
        block = self.op.parent_block()
        assert block is not None
        new.location = self.op.location
        block.insert_op_before(new, self.op)
        return new.results[0]

    def lanes(self, value: SSAValue) -> Lanes | None:
        """The mask of what reshapes have hidden; None where they have hidden nothing."""
        if value not in self.known:
            self.known[value] = None  # what a loop carries is what it began with
            if (made := self._lanes(value)) is not None:
                self.known[value] = functools.cache(made)
        return self.known[value]

    def _lanes(self, value: SSAValue) -> Lanes | None:
        if not isinstance(value.type, TileType) or not value.type.rank:
            return None
        owner = value.owner
        if isinstance(owner, Block):
            loop = owner.parent_op()
            if isinstance(loop, control.ForOp) and value.index:  # pyright: ignore
                return self.lanes(loop.iter_args[value.index - 1])  # pyright: ignore
            return None
        match owner:
            case compute.ReshapeOp():
                return self._reshaped(owner)
            case elementwise.ElementwiseOp() | compute.FillOp():
                return _all([self.lanes(v) for v in owner.operands if _rank(v) == _rank(value)])
            case control.ForOp():
                at = list(owner.results).index(value)  # pyright: ignore
                return _all([self.lanes(owner.iter_args[at]), self.lanes(_yielded(owner.body.block)[at])])
            case control.IfOp():
                at = list(owner.results).index(value)  # pyright: ignore
                return _all([self.lanes(_yielded(r.block)[at]) for r in (owner.then, owner.orelse)])
            case compute.DotOp():
                rows, columns = self.lanes(owner.lhs), self.lanes(owner.rhs)
                rank = _rank(value)
                return _all([_without(rows, rank - 1), _without(columns, rank - 2)])
            case compute.CatOp():
                return self._joined(owner)
            case compute.SliceOp() | compute.FlipOp():
                whole = _all([self._along(owner.operand, i, owner) for i in _axes(owner)])
                inner = _all([self.lanes(owner.operand), whole if isinstance(owner, compute.SliceOp) else None])
                return None if inner is None else lambda emit: _same(emit, owner, inner(emit))
        operand = owner.operands[0] if owner.operands else None
        inner = self.lanes(operand) if operand is not None else None
        if inner is None:
            return None
        match owner:
            case compute.BroadcastOp():
                added = _rank(value) - _rank(owner.operand)
                return lambda emit: _reshape(emit, m := inner(emit), [Integer(1)] * added + list(_dims(m)))
            case compute.PermuteOp():
                return lambda emit: emit(compute.PermuteOp(inner(emit), owner.order.data))
            case compute.ReduceOp():
                return lambda emit: _reduce(emit, inner(emit), owner.dims)
            case compute.CustomReduceOp():
                return lambda emit: _reduce(emit, inner(emit), [owner.dim.value.data])
            case compute.ScanOp() | compute.CustomScanOp():
                return inner
            case compute.SortOp():
                return lambda emit: _active_first(emit, inner(emit))
        return None

    def _reshaped(self, op: compute.ReshapeOp) -> Lanes | None:
        inner = self.lanes(op.operand)
        source, result = _dims(op.operand), _dims(op.result)
        parts: list[Lanes] = []
        for before, after in _places(source, result):
            moved = [source[i] for i in before] != [result[i] for i in after]
            ranges = {i: r for i in before if (r := self._range(source[i], op)) is not None} if moved else {}
            if ranges or inner is not None:
                parts.append(lambda emit, b=before, a=after, r=ranges: self._group(emit, op, inner, b, a, r))
        return _all(parts)

    def _group(
        self,
        emit: Emit,
        op: compute.ReshapeOp,
        inner: Lanes | None,
        before: Sequence[int],
        after: Sequence[int],
        ranges: dict[int, SSAValue],
    ) -> SSAValue:
        source, result = _dims(op.operand), _dims(op.result)
        shape = [d if i in before else Integer(1) for i, d in enumerate(source)]
        masks = [self._active(emit, r, i, len(source)) for i, r in ranges.items()]
        if inner is not None:
            # What other groups hide is in their parts.
            masks.append(_reduce(emit, inner(emit), [i for i in range(len(source)) if i not in before], keep=True))
        mask = _both(emit, [_broadcast(emit, m, shape) for m in masks])
        return _reshape(emit, mask, [d if i in after else Integer(1) for i, d in enumerate(result)])

    def _range(self, dim: Expr, op: Operation) -> SSAValue | None:
        """The loop's range that a dimension has, which may have inactive lanes, if it is there where they are mixed."""
        found = range_for(dim, op)
        if found is None or bounds_of(found).whole or partial(found, self.domains) == 0:
            return None
        block = found.owner
        assert isinstance(block, Block)
        at: Operation | None = self.op
        while at is not None:
            if at.parent_block() is block:
                return found
            at = at.parent_op()
        return None

    def _active(self, emit: Emit, range_: SSAValue, place: int, rank: int) -> SSAValue:
        index = emit(control.IndexOp(range_, self.index))
        end = emit(control.EndOp(range_))
        if end.type != tile_type((), self.index):
            end = emit(elementwise.CastOp(end, self.index))
        end = emit(compute.BroadcastOp(end, _dims(index)))
        active = emit(elementwise.CompareOp("lt", index, end))
        return _reshape(emit, active, [*[Integer(1)] * place, *_dims(index), *[Integer(1)] * (rank - place - 1)])

    def _along(self, value: SSAValue, axis: int, op: Operation) -> Lanes | None:
        """The active lanes along a dimension that is a range's."""
        found = self._range(_dims(value)[axis], op)
        return None if found is None else lambda emit: self._active(emit, found, axis, _rank(value))

    def _joined(self, op: compute.CatOp) -> Lanes | None:
        parts = [_all([self.lanes(v), self._along(v, op.dim.value.data, op)]) for v in op.arguments]
        if all(p is None for p in parts):
            return None

        def made(emit: Emit) -> SSAValue:
            masks: list[SSAValue] = []
            for part, value in zip(parts, op.arguments):
                if part is None:
                    masks.append(emit(compute.FullOp(True, tile_type(_dims(value), i1))))
                else:
                    masks.append(_broadcast(emit, part(emit), _dims(value)))
            return emit(compute.CatOp(masks, op.dim.value.data, tile_type(_dims(op.result), i1)))

        return made


def _places(source: Sequence[Expr], result: Sequence[Expr]) -> Iterator[tuple[list[int], list[int]]]:
    """Which dimensions become which, by number; of extent 1 there are none."""
    left = [i for i, d in enumerate(source) if d != 1]
    right = [i for i, d in enumerate(result) if d != 1]
    for a, b in groups_of(source, result):
        yield left[: len(a)], right[: len(b)]
        left, right = left[len(a) :], right[len(b) :]


def _all(parts: Sequence[Lanes | None]) -> Lanes | None:
    known = list(dict.fromkeys(p for p in parts if p is not None))
    if not known:
        return None
    return lambda emit: _both(emit, [p(emit) for p in known])


def _both(emit: Emit, masks: Sequence[SSAValue]) -> SSAValue:
    out = masks[0]
    for mask in masks[1:]:
        shape = [b if a == 1 else a for a, b in zip(_dims(out), _dims(mask))]
        out = emit(elementwise.BitwiseAndOp(_broadcast(emit, out, shape), _broadcast(emit, mask, shape)))
    return out


def _without(lanes: Lanes | None, axis: int) -> Lanes | None:
    """The mask of a factor as that of a product, which has not the factor's dimension `axis`."""
    return None if lanes is None else lambda emit: _reduce(emit, lanes(emit), [axis], keep=True)


def _reduce(emit: Emit, mask: SSAValue, axes: Sequence[int], keep: bool = False) -> SSAValue:
    """Which lanes are left of a reduction: those that have an active one."""
    dims = _dims(mask)
    long = [i for i in axes if dims[i] != 1]
    if long:
        mask = emit(compute.ReduceOp("any", emit(compute.FillOp(mask, mask, 0)), long))
    return _reshape(emit, mask, [Integer(1) if i in axes else d for i, d in enumerate(dims) if keep or i not in axes])


def _same(emit: Emit, op: compute.SliceOp | compute.FlipOp, mask: SSAValue) -> SSAValue:
    """A slice or flip of the mask."""
    axes = _axes(op)
    source, result, dims = _dims(op.operand), _dims(op.result), _dims(mask)
    if all(dims[i] == 1 for i in axes):
        return mask
    mask = _broadcast(emit, mask, [source[i] if i in axes else d for i, d in enumerate(dims)])
    if isinstance(op, compute.FlipOp):
        return emit(compute.FlipOp(mask, op.flipped.data))
    shape = [result[i] if i in axes else d for i, d in enumerate(dims)]
    return emit(compute.SliceOp(mask, axes[0], op.start, op.step, shape))


def _active_first(emit: Emit, mask: SSAValue) -> SSAValue:
    """The mask of what was sorted: inactive lanes come last."""
    if _dims(mask)[-1] == 1:
        return mask
    ones = emit(compute.FillOp(emit(elementwise.CastOp(mask, i32)), mask, neutral("max", i32)))
    first = emit(compute.SortOp(ones, descending=True))
    zero = emit(compute.FullOp(0, tile_type(_dims(first), i32)))
    return emit(elementwise.CompareOp("gt", first, zero))


def _axes(op: compute.SliceOp | compute.FlipOp) -> list[int]:
    return [op.dim.value.data] if isinstance(op, compute.SliceOp) else list(op.flipped.data)


def _reshape(emit: Emit, value: SSAValue, dims: Sequence[Expr]) -> SSAValue:
    return value if list(_dims(value)) == list(dims) else emit(compute.ReshapeOp(value, dims))


def _broadcast(emit: Emit, value: SSAValue, dims: Sequence[Expr]) -> SSAValue:
    return value if list(_dims(value)) == list(dims) else emit(compute.BroadcastOp(value, dims))


def _yielded(block: Block) -> Sequence[SSAValue]:
    last = block.last_op
    assert isinstance(last, control.YieldOp)
    return last.arguments


def _dims(value: SSAValue) -> tuple[Expr, ...]:
    assert isinstance(value.type, TileType)
    return value.type.dims


def _rank(value: SSAValue) -> int:
    return value.type.rank if isinstance(value.type, TileType) else -1
