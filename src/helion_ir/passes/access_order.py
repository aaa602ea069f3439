"""Which accesses of a program have to come after others, and where its threads wait for each other for that."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.tile.compute import FullOp
from helion_ir.dialects.tile.inline import InlineTritonOp, TritonCallOp
from helion_ir.dialects.tile.ranges import BeginOp, IdOp, PartOp
from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.types import RefType
from helion_ir.passes.aliasing import allocations, elements_apart, is_injective

Loop = control.ForOp | control.ParallelOp | control.WhileOp

ACCESSES = (memory.AccessOp, StackLoadOp, StackStoreOp, InlineTritonOp, TritonCallOp)
"""Ops that touch memory; what the author wrote for a lower level touches the tensors that it is given."""
ACQUIRING, RELEASING = ("acquire", "acq_rel"), ("release", "acq_rel")
COMMUTATIVE = ("add", "max", "min", "and", "or", "xor")


@dataclass(frozen=True)
class InOrder:
    """Two accesses of a program, the second of which has to come after the first."""

    first: Operation
    second: Operation
    place: Operation
    """What comes between whenever it comes before this op, which the second is or is in."""


def in_order(root: Operation, kernel: control.KernelOp) -> Iterator[InOrder]:
    """Accesses with later ones of the same program that have to come after them.

    These may be of the same memory, and one of the two writes it; or they are any accesses before an atomic that
    releases, or after one that acquires, since only the thread that does the atomic is ordered by the hardware.

    Later is further down, or in a later iteration of a loop. Programs are not ordered among each other, so that the
    iterations of a root loop do not count.
    """
    known = allocations(kernel)
    accesses = [_Access.of(op, known) for op in walk(root) if _touches_memory(type(op))]
    for at, a in enumerate(accesses):
        for place, b in enumerate(accesses):
            ordered = a.acquires or b.releases
            if not ordered and not ((a.writes or b.writes) and a.may_touch(b)):
                continue
            between = _further_down(a.op, b.op) if place > at else None
            if between is None and a.loops and b.loops:
                between = _in_next_iteration(a, b)
            if between is not None and (ordered or not _needs_no_order(a.op, b.op)):
                yield InOrder(a.op, b.op, between)


@functools.cache
def _touches_memory(op: type[Operation]) -> bool:
    return issubclass(op, ACCESSES)


@dataclass(frozen=True)
class _Access:
    """What is asked of an access beside every other one."""

    op: Operation
    loops: Sequence[Loop]
    """Those of its program that it is in, innermost first."""
    writes: bool
    acquires: bool
    releases: bool
    memory: frozenset[int | None] | None
    """The host's allocations that it may touch, None among them for arguments, which may overlap each other; and None
    for addresses that the kernel loads, which are of any."""

    @staticmethod
    def of(op: Operation, known: Mapping[SSAValue, int]) -> _Access:
        anywhere = isinstance(op, StackLoadOp | StackStoreOp)
        memory = None if anywhere else frozenset([known.get(v) for v in op.operands if type(v.type) is RefType])
        loops = [loop for loop in loops_around(op) if not isinstance(loop, control.ParallelOp)]
        return _Access(op, loops, writes(op), _has_order(op, ACQUIRING), _has_order(op, RELEASING), memory)

    def may_touch(self, other: _Access) -> bool:
        """Whether two accesses may be of the same memory."""
        return self.memory is None or other.memory is None or not self.memory.isdisjoint(other.memory)


def _further_down(first: Operation, second: Operation) -> Operation | None:
    """The op that a later access is in, where the earlier one is not in it; None in the other branch of an if."""
    if first.parent is second.parent:
        return second
    above = set(_ancestors(first))
    for op in _ancestors(second):
        around = op.parent_op()
        if around in above:
            apart = next(a for a in _ancestors(first) if a.parent_op() is around)
            other_branch = isinstance(around, control.IfOp) and apart.parent_region() is not op.parent_region()
            return None if other_branch else op
    return None


def _in_next_iteration(first: _Access, second: _Access) -> Operation | None:
    """The op that an access is in, in the innermost loop whose next iteration comes to it after another access."""
    for op in _ancestors(second.op):
        loop = op.parent_op()
        if isinstance(loop, control.ForOp | control.WhileOp) and loop in first.loops:
            if not _moves_on(first.op, second.op, loop):
                return op
    return None


def _ancestors(op: Operation) -> Iterator[Operation]:
    """An op and those that it is in, innermost first."""
    at: Operation | None = op
    while at is not None:
        yield at
        at = at.parent_op()


def waits(root: Operation, kernel: control.KernelOp) -> frozenset[Operation]:
    """The ops before which the threads of a program wait for each other, so that accesses happen `in_order`.

    Nothing else orders them: which thread has which element is Triton's choice, access by access. A store that is done
    over and over to one place is done by the same threads. A wait serves all pairs that it stands between.
    """
    found: set[Operation] = set()
    pairs = [p for p in in_order(root, kernel) if p.first is not p.second or not _stays(p.first)]
    if not pairs:
        return frozenset()
    order = {op: place for place, op in enumerate(walk(root))}
    for pair in sorted(pairs, key=lambda p: order[p.place]):
        block = pair.place.parent_block()
        # In a later iteration whatever stands before the place in the loop does.
        since = order[pair.first] if order[pair.first] < order[pair.place] else -1
        if not any(w.parent_block() is block and since < order[w] <= order[pair.place] for w in found):
            found.add(pair.place)
    return frozenset(found)


def _stays(access: Operation) -> bool:
    """Whether a store is to the same elements in every iteration of the loops that it is in."""
    if not isinstance(access, memory.StoreOp):
        return False
    inside = {loop for loop in loops_around(access) if not isinstance(loop, control.ParallelOp)}
    owners = [s.owner if isinstance(s.owner, Operation) else s.owner.parent_op() for s in access.subscripts]
    return not any(o in inside or (o is not None and inside & set(loops_around(o))) for o in owners)


def writes(access: Operation) -> bool:
    return not isinstance(access, memory.LoadOp | StackLoadOp)


def _has_order(access: Operation, orders: tuple[str, ...]) -> bool:
    return isinstance(access, memory.AtomicOp) and access.sem.data in orders


def _needs_no_order(first: Operation, second: Operation) -> bool:
    """Whether two accesses of the same memory may happen in either order."""
    return _commute(first, second) or _of_one_thread(first, second) or _are_parts(first, second)


def _commute(first: Operation, second: Operation) -> bool:
    """Whether two atomics give the same in either order: of one kind, with results that nobody uses."""
    return (
        isinstance(first, memory.AtomicOp)
        and isinstance(second, memory.AtomicOp)
        and first.kind == second.kind
        and first.kind.data in COMMUTATIVE
        and not any(op.result is not None and op.result.uses.get_length() for op in (first, second))
    )


def _of_one_thread(first: Operation, second: Operation) -> bool:
    """Whether both write one element, which the first thread of a program does."""
    return all(isinstance(op, memory.StoreOp | memory.AtomicOp) and not op.dims for op in (first, second))


def _moves_on(first: Operation, second: Operation, loop: Loop) -> bool:
    """Whether each iteration of a loop has elements of its own, of both accesses."""
    if (
        not isinstance(loop, control.ForOp)
        or not isinstance(first, memory.AccessOp)
        or not isinstance(second, memory.AccessOp)
        or first.ref is not second.ref
        or list(first.subscripts) != list(second.subscripts)
    ):
        return False
    moving = {i for i, s in enumerate(first.subscripts) if _position(s) in loop.body.block.args}
    return bool(moving) and is_injective(first, moving)


def _position(subscript: SSAValue) -> SSAValue:
    """The range whose place a scalar is, which differs from iteration to iteration; of others, what they are."""
    made = subscript.owner
    return made.range if isinstance(made, BeginOp | IdOp) else subscript


def _are_parts(first: Operation, second: Operation) -> bool:
    """Whether two accesses are of different parts of a tensor: of a range, or of what constants select."""
    if not isinstance(first, memory.AccessOp) or not isinstance(second, memory.AccessOp):
        return False
    if first.ref is not second.ref or not elements_apart(first.ref, range(len(first.subscripts))):
        return False
    for a, b in zip(first.subscripts, second.subscripts):
        match a.owner, b.owner:
            case PartOp() as x, PartOp() as y if (
                x.range is y.range and a.type == b.type and x.at != y.at and not x.symbols and not y.symbols
            ):
                return True
            case FullOp() as x, FullOp() as y if a.type == b.type and x.value != y.value:
                return True
    return False


def loops_around(op: Operation) -> list[Loop]:
    """The loops that an op is in, innermost first."""
    out: list[Loop] = []
    above = op.parent_op()
    while above is not None:
        if isinstance(above, control.ForOp | control.ParallelOp | control.WhileOp):
            out.append(above)
        above = above.parent_op()
    return out
