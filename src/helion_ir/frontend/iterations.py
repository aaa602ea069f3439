"""Iterations of a top-level loop run at the same time: none may read what another writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sympy import Expr
from xdsl.ir import Block, BlockArgument, SSAValue

from helion_ir import exc
from helion_ir.dialects.locations import author_place
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.tile.compute import FullOp
from helion_ir.dialects.tile.elementwise import AddOp, SubOp
from helion_ir.dialects.tile.ranges import IndexOp, ShiftOp
from helion_ir.dialects.types import RangeType

Position = tuple[BlockArgument, int]
"""An index or range of the loop, and how far from it."""
GivenSize = Callable[[Expr], "int | None"]
"""The size that the author gave a block, if it is not tuned."""


def check_iterations(root: control.ParallelOp, given_size: GivenSize) -> None:
    """Raise `exc.LoopDependencyError` where an iteration surely uses elements that another one stores.

    That is so where one access is at the loop's range and another of the same tensor a constant number of elements from
    it, fewer than the range has, under no condition or mask of the author's. What subscripts do not show, or may be
    meant, such as flags that programs wait for, is let pass.
    """
    body = root.body.block
    accesses = list(_unconditional(body))
    for store in (a for a in accesses if isinstance(a, memory.StoreOp)):
        for other in accesses:
            if (
                other is not store
                and other.ref is store.ref
                and (found := _distance(root, store, other, given_size)) is not None
            ):
                raise _error(store, other, found)


def _unconditional(block: Block) -> Iterator[memory.LoadOp | memory.StoreOp]:
    """The accesses that every iteration makes."""
    for op in block.ops:
        if isinstance(op, memory.LoadOp | memory.StoreOp):
            if op.mask is None:
                yield op
        elif isinstance(op, control.ForOp):
            yield from _unconditional(op.body.block)


def _distance(
    root: control.ParallelOp, store: memory.AccessOp, other: memory.AccessOp, given_size: GivenSize
) -> tuple[str, int] | None:
    """Along which range of the loop the two accesses lie apart, and how far; None where they surely do not."""
    apart: tuple[str, int] | None = None
    if len(store.subscripts) != len(other.subscripts):
        return None
    for a, b in zip(store.subscripts, other.subscripts):
        if a is b:
            continue
        at, there = _position(a, root), _position(b, root)
        if at is None or there is None or at[0] is not there[0]:
            return None
        distance = there[1] - at[1]
        if distance and not _within(root, at[0], distance, given_size):
            return None
        apart = (at[0].name_hint or "the index", distance) if distance else apart
    return apart


def _within(root: control.ParallelOp, argument: BlockArgument, distance: int, given_size: GivenSize) -> bool:
    """Whether other iterations have elements at this distance: the range is longer, and one block is not all of it."""
    extent = root.upper.data[argument.index].data - root.lower.data[argument.index].data
    if not extent.is_Integer or abs(distance) >= int(extent):
        return False
    if not isinstance(argument.type, RangeType):
        return True
    block = given_size(argument.type.block.data)
    return block is None or block < int(extent)


def _position(value: SSAValue, root: control.ParallelOp) -> Position | None:
    owner = value.owner
    if isinstance(value, BlockArgument):
        return (value, 0) if owner is root.body.block else None
    if isinstance(owner, IndexOp):
        return _position(owner.range, root)
    if isinstance(owner, ShiftOp):
        return _moved(owner.range, owner.offset, 1, root)
    if isinstance(owner, AddOp):
        return _moved(owner.lhs, owner.rhs, 1, root) or _moved(owner.rhs, owner.lhs, 1, root)
    if isinstance(owner, SubOp):
        return _moved(owner.lhs, owner.rhs, -1, root)
    return None


def _moved(value: SSAValue, by: SSAValue, sign: int, root: control.ParallelOp) -> Position | None:
    found = _position(value, root) if isinstance(by.owner, FullOp) else None
    if found is None:
        return None
    assert isinstance(by.owner, FullOp)
    number = by.owner.value.data
    return (found[0], found[1] + sign * int(number)) if number == int(number) else None


def _error(store: memory.AccessOp, other: memory.AccessOp, found: tuple[str, int]) -> exc.BaseError:
    label, distance = found
    tensor = store.ref.name_hint or "a tensor"
    way = "written" if isinstance(other, memory.StoreOp) else "read"
    error = exc.LoopDependencyError(
        f"{tensor!r} is written, and {way} {abs(distance)} {'after' if distance > 0 else 'before'} that along {label!r}: another "
        f"iteration of the loop has that element, and iterations of a top-level loop are in no order; "
        f"use a tensor of its own for the result, or two loops"
    )
    return error.at(author_place(other.location))
