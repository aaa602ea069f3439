"""propose-evictions: what the caches are told of a load unless a configuration says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.knob import DeclareOp, ValueAttr, declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.tile.ranges import BeginOp
from helion_ir.dialects.types import RangeType
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.scope import bounds_of

FIRST, LAST = "evict_first", "evict_last"


@dataclass(frozen=True)
class ProposeEvictions(Pass):
    """Let what is read again stay in the caches, and what is read once make room for what programs share.

    ```mlir
    knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "" …
    // where a later loop of the program reads the same rows of x becomes
    knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "evict_last" …
    ```

    Only defaults change, and the knob's documentation says why. `evict_last`: a later loop of the same program reads
    what this one does, be it the author's or made by roll-reductions, if it makes them by default. `evict_first`: that
    later loop reads it for the last time; or every element is read once, while another load of the kernel is of what
    other programs read too.
    Does not handle: index tiles, of which nobody knows what they read.
    Does nothing where the target's record does not ask for it (`Preferred.evictions`), unless `always`.
    Runs after set-defaults, which decides what is looped over by default.
    """

    name = "propose-evictions"

    always: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        preferred = target_of(op).preferred
        if not self.always and (preferred is None or not preferred.evictions):
            return
        declared = {d.sym_name.data: d for d in declarations(op)}
        for kernel in kernels(op, control.KernelOp):
            loads = [o for o in kernel.walk() if isinstance(o, memory.LoadOp)]
            shared = [o for o in loads if _is_plain(o) and not _is_own(o)]
            chosen: dict[str, set[tuple[str, str]]] = {}
            for load in loads:
                chosen.setdefault(f"load.{load.site.data}.eviction", set()).add(
                    _proposed(load, loads, shared, declared)
                )
            for name, proposals in chosen.items():
                if len(proposals) == 1 and name in declared:
                    _set(declared[name], *proposals.pop())


def _set(declared: DeclareOp, policy: str, reason: str) -> None:
    if policy and policy in declared.domain.data:
        declared.properties["default"] = ValueAttr(policy)
        declared.properties["doc"] = StringAttr(f"{declared.doc.data}; by default {policy}, since {reason}")


def _proposed(
    load: memory.LoadOp, loads: list[memory.LoadOp], shared: list[memory.LoadOp], declared: dict[str, DeclareOp]
) -> tuple[str, str]:
    """A policy, or "", and why."""
    if not _is_plain(load) or not _is_own(load):
        return "", ""
    at = loads.index(load)
    if any(_same_region(load, other) for other in loads[at + 1 :]):
        return LAST, "a later loop reads it again"
    if any(_same_region(other, load) for other in loads[:at]):
        return FIRST, "it is read for the last time"
    if (axis := _walked_again(load, declared)) is not None:
        return LAST, f"{axis} is walked again, in chunks"
    if others := [o for o in shared if o.ref is not load.ref]:
        return FIRST, f"nobody reads it again, while programs share {others[0].site.data}"
    return "", ""


def _is_plain(load: memory.LoadOp) -> bool:
    return all(isinstance(s.type, RangeType) or isinstance(s.owner, BeginOp) for s in load.subscripts)


def _range(subscript: SSAValue) -> SSAValue:
    return subscript.owner.range if isinstance(subscript.owner, BeginOp) else subscript


def _is_own(load: memory.LoadOp) -> bool:
    """Whether no other program, and no other iteration of a loop around it, reads what a load does."""
    ranges = {_range(s) for s in load.subscripts}
    at: Operation | None = load.parent_op()
    while at is not None and not isinstance(at, control.KernelOp):
        if isinstance(at, control.ParallelOp | control.ForOp):
            if any(isinstance(a.type, RangeType) and a not in ranges for a in _indices(at)):
                return False
        elif isinstance(at, control.WhileOp):
            return False
        at = at.parent_op()
    return True


def _indices(loop: control.ParallelOp | control.ForOp) -> list[SSAValue]:
    return list(loop.body.block.args if isinstance(loop, control.ParallelOp) else loop.body.block.args[:1])


def _same_region(first: memory.LoadOp, second: memory.LoadOp) -> bool:
    """Whether two loads read the same elements of one tensor, each in a loop of its own."""
    if first.ref is not second.ref or first.parent_op() is second.parent_op() or not _is_plain(second):
        return False
    for a, b in zip(map(_range, first.subscripts), map(_range, second.subscripts), strict=True):
        if a is b:
            continue
        x, y = bounds_of(a), bounds_of(b)
        if (x.lower, x.upper, x.symbols) != (y.lower, y.upper, y.symbols):
            return False
    return True


def _walked_again(load: memory.LoadOp, declared: dict[str, DeclareOp]) -> str | None:
    """The axis of a load that more than one loop walks in chunks by default: what a reduction of it gives comes first."""
    for s in load.subscripts:
        if isinstance(s.owner, control.AxisOp) and (d := declared.get(f"reduction.{s.owner.label.data}")) is not None:
            if type(d.default.data) is int and _passes(load, s.owner) > 1:
                return s.owner.label.data
    return None


def _passes(load: memory.LoadOp, axis: control.AxisOp) -> int:
    """How many loops over an axis need a load: one more for each reduction that what follows waits for."""
    extent = axis.result.type.block.data  # pyright: ignore[reportAttributeAccessIssue]
    depth: dict[SSAValue, int] = {load.result: 1}
    most = 1
    for op in _after(load):
        known = [depth[o] for o in op.operands if o in depth]
        if not known or op.regions:
            continue
        here = max(known)
        if isinstance(op, compute.ReduceOp) and any(op.operand.type.dims[i] == extent for i in op.dims):  # pyright: ignore
            depth[op.result] = here + 1
        else:
            # What meets the axis again is computed in a loop of its own.
            if any(_has(o, extent) for o in op.operands):
                most = max(most, here)
            depth |= {r: here for r in op.results}
    return most


def _has(value: SSAValue, extent: object) -> bool:
    return extent in getattr(value.type, "dims", ())


def _after(load: memory.LoadOp) -> Iterator[Operation]:
    block = load.parent_block()
    assert block is not None
    at = load.next_op
    while at is not None:
        yield at
        at = at.next_op
