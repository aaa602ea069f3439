"""make-masks: inactive lanes become explicit."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.editing import replace_uses
from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import RequireOp
from helion_ir.dialects.locations import author_place
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import binary, compute, control, elementwise, memory, unary
from helion_ir.dialects.tile.stack import StackLoadOp, StackStoreOp
from helion_ir.dialects.types import RangeType, TileType, i1, i32, tile_type
from helion_ir.exc import BackendUnsupported
from helion_ir.index.expr import Not, any_of, knobs_of
from helion_ir.index.facts import decide
from helion_ir.index.text import expr_text
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.mixing import MIXING, mixed
from helion_ir.passes.scope import bounds_of, domains_of, partial, physical, range_for, ranges_in_scope


@dataclass(frozen=True)
class MakeMasks(Pass):
    """Give every access the mask its ranges imply, and fill inactive lanes before ops that mix lanes.

    ```mlir
    %v = tile.load "x" %x[%m] : …
    // where 1000 is not always a multiple of the block becomes
    %b = tile.mask(%m) partial <1000 mod @m.block_size ne 0> : …
    %v = tile.load "x" %x[%m] mask %b : …
    ```

    A mask that no value of the knobs needs is not made. Does not handle: a dimension made by reshaping a partial one
    that is then mixed; configurations in which it would be partial are ruled out by a `knob.require`.
    Runs after map-grid, when every range that will be is there, and sets `explicit_masks` on the kernel.
    """

    name = "make-masks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, control.KernelOp):
            masks = _Masks(self, op)
            for inner in [o for o in walk(kernel) if _is_concerned(type(o))]:
                try:
                    masks.visit(inner)
                except BackendUnsupported as error:
                    raise error.at(author_place(inner.location)) from None
            kernel.properties["explicit_masks"] = UnitAttr()


class _Masks:
    def __init__(self, owner: MakeMasks, module: ModuleOp):
        self.owner, self.module, self.domains = owner, module, domains_of(module)
        self._partial: dict[SSAValue, Expr] = {}
        self._made: dict[Hashable, SSAValue] = {}

    def partial(self, value: SSAValue) -> Expr:
        """When a range may have inactive lanes; its accesses all ask."""
        if (known := self._partial.get(value)) is None:
            known = self._partial[value] = partial(value, self.domains)
        return known

    # -- which lanes ---------------------------------------------------------------------------------------------------
    def range_of(self, dim: Expr, op: Operation) -> SSAValue | None:
        """The range whose lanes a dimension's are, if some of them may be inactive."""
        found = range_for(dim, op)
        if found is None:
            if physical(dim) == dim:
                return None
            # An extent that no axis has (hl.zeros([t, 7])): padded when lowered.
            made = control.AxisOp("pad", 0, dim)
            self.insert(made, op)
            return made.result
        return None if self.partial(found) == 0 else found

    def mask_of(self, ranges: dict[int, SSAValue], dims: tuple[Expr, ...], op: Operation) -> SSAValue:
        """Which lanes of a tile of these dimensions are active in the ranges given by dimension; 1 elsewhere."""
        shape = tuple([d if i in ranges else Integer(1) for i, d in enumerate(dims)])
        key = (op.parent, shape, *ranges.items())
        if (known := self._made.get(key)) is not None:
            return known
        condition = decide(any_of([self.partial(r) for r in ranges.values()]), self.domains)
        made = control.MaskOp(list(ranges.values()), condition, tile_type(shape, i1))
        self.insert(made, op)
        made.result.name_hint = "mask"
        self._made[key] = made.result
        return made.result

    def insert(self, new: Operation, before: Operation) -> None:
        block = before.parent_block()
        assert block is not None
        block.insert_op_before(new, before)
        self.owner.located(before, [new])

    # -- accesses --------------------------------------------------------------------------------------------------------
    def visit(self, op: Operation) -> None:
        match op:
            case memory.AccessOp():
                self.access(op)
            case StackLoadOp() | StackStoreOp():
                self.stack(op)
            case compute.ScanOp() if not op.reverse.value.data:
                pass  # inactive lanes come last
            case compute.CustomScanOp() if op.reverse.value.data:
                self.guarded_scan(op)
            case compute.FlipOp():
                for i in op.flipped.data:
                    found = range_for(_type(op.operand).dims[i], op)
                    if found is not None and not bounds_of(found).whole:
                        self.require(self.partial(found), "a tile is flipped, which must have no inactive lanes")
            case _:
                for number, axes, value in mixed(op):
                    op.operands[number] = self.filled(op.operands[number], axes, value, op)

    def access(self, op: memory.AccessOp) -> None:
        dims = op.dims
        ranges: dict[int, SSAValue] = {}
        given: dict[int, SSAValue] = {}
        place, grouped = 0, False
        for s in op.subscripts:  # a range subscript is the range itself, whatever else has its extent
            if isinstance(s.type, RangeType):
                given[place] = s
                place += 1
            elif (rank := _type(s).rank) < 2:
                place += rank
            elif not grouped:  # tiles of rank two or more stand together, where the first of them does
                place, grouped = place + _widest(op), True
        for i, dim in enumerate(dims):
            if i in given:
                if self.partial(given[i]) != 0:
                    ranges[i] = given[i]
            elif (found := self.range_of(dim, op)) is not None:
                ranges[i] = found
        if not ranges:
            return
        mask = self.mask_of(ranges, dims, op)
        if op.mask is not None:
            mask = self.both(op.mask, mask, dims, op)
            index = list(op.operands).index(op.mask)
            op.operands[index] = mask
            return
        op.set_mask(mask)

    def stack(self, op: StackLoadOp | StackStoreOp) -> None:
        dims = _type(op.offsets).dims
        found = {i: r for i, d in enumerate(dims) if (r := self.range_of(d, op)) is not None}
        if not found:
            return
        mask = self.mask_of(found, dims, op)
        if op.mask is not None:
            mask = self.both(op.mask, mask, dims, op)
        if isinstance(op, StackLoadOp):
            new: Operation = StackLoadOp(op.addresses, op.offsets, mask, op.result.type)
        else:
            new = StackStoreOp(op.value, op.addresses, op.offsets, mask)
        new.location = op.location
        self.replace(op, new)

    def replace(self, op: Operation, new: Operation) -> None:
        block = op.parent_block()
        assert block is not None
        block.insert_op_before(new, op)
        for old, made in zip(op.results, new.results):
            made.name_hint = old.name_hint
            replace_uses(old, made)
        op.detach()
        op.erase()

    def both(self, author: SSAValue, implied: SSAValue, dims: tuple[Expr, ...], op: Operation) -> SSAValue:
        wide: list[SSAValue] = []
        for value in (author, implied):
            if _type(value).dims != dims:
                made = compute.BroadcastOp(value, dims)
                self.insert(made, op)
                value = made.result
            wide.append(value)
        both = elementwise.BitwiseAndOp(*wide)
        self.insert(both, op)
        return both.result

    # -- lanes that mix --------------------------------------------------------------------------------------------------
    def filled(self, value: SSAValue, axes: tuple[int, ...], neutral_value: float | int, op: Operation) -> SSAValue:
        dims = _type(value).dims
        ranges: dict[int, SSAValue] = {}
        for i in axes:
            if (found := self.range_of(dims[i], op)) is not None:
                ranges[i] = found
            elif range_for(dims[i], op) is None and knobs_of(dims[i]) and not _has(value, neutral_value):
                self.require_full(dims[i], op)
        if not ranges or holds_zero(value, neutral_value):
            return value
        mask = self.mask_of(ranges, dims, op)
        made = compute.FillOp(value, mask, neutral_value)
        self.insert(made, op)
        made.result.name_hint = value.name_hint
        return made.result

    def require_full(self, dim: Expr, op: Operation) -> None:
        """Rule out configurations in which the ranges that a derived dimension was made of are partial."""
        for r in ranges_in_scope(op):
            assert isinstance(r.type, RangeType)
            block = r.type.block.data
            if block == dim or not knobs_of(block) & knobs_of(dim):
                continue
            reason = f"a reshaped tile is reduced along {expr_text(dim)}, which must have no inactive lanes"
            self.require(self.partial(r), reason)

    def require(self, inactive: Expr, reason: str) -> None:
        """Rule out the configurations in which there are inactive lanes. Raises BackendUnsupported if there are always."""
        if inactive == 0:
            return
        if inactive == 1:
            raise BackendUnsupported(reason)
        first = self.module.body.block.first_op
        assert first is not None
        made = RequireOp(expr_attr(Not(inactive)), reason, owner=self.owner.name)
        self.module.body.block.insert_op_before(made, first)

    def guarded_scan(self, op: compute.CustomScanOp) -> None:
        """A scan from the end meets the inactive lanes first. There is no neutral element, so a tile that says which
        lanes are active is scanned along, and the function is applied to active lanes only."""
        type_ = _type(op.arguments[0])
        dim = op.dim.value.data
        found = self.range_of(type_.dims[dim], op)
        if found is None:
            return
        active = elementwise.CastOp(self.mask_of({dim: found}, type_.dims, op), i32)
        self.insert(active, op)
        flags = compute.BroadcastOp(active.result, type_.dims)
        self.insert(flags, op)
        region = op.detach_region(op.combine)
        _guard(region.block, len(op.arguments))
        made = compute.CustomScanOp([*op.arguments, flags.result], dim, True, region)
        self.insert(made, op)
        for old, new in zip(op.results, made.results):
            new.name_hint = old.name_hint
            replace_uses(old, new)
        op.detach()
        op.erase()


@functools.cache
def _is_concerned(op: type[Operation]) -> bool:
    """Whether ops of a class touch memory, mix lanes, or move them."""
    return issubclass(op, (memory.AccessOp, StackLoadOp, StackStoreOp, compute.FlipOp, compute.CustomScanOp, *MIXING))


def _guard(block: Block, count: int) -> None:
    """Make a function of scalars (left, right) take and give a flag each, and skip what is not flagged."""
    flag = tile_type((), i32)
    left, right = list(block.args[:count]), list(block.args[count:])
    left_flag, right_flag = block.insert_arg(flag, count), block.insert_arg(flag, 2 * count + 1)
    end = block.last_op
    assert isinstance(end, control.YieldOp)
    zero = compute.FullOp(0, flag)
    tests = [elementwise.CompareOp("eq", f, zero.result) for f in (left_flag, right_flag)]
    made: list[Operation] = [zero, *tests]
    results: list[SSAValue] = []
    for value, a, b in zip(end.arguments, left, right):
        kept = elementwise.WhereOp(tests[1].result, a, value)
        chosen = elementwise.WhereOp(tests[0].result, b, kept.result)
        made += [kept, chosen]
        results.append(chosen.result)
    either = elementwise.MaximumOp(left_flag, right_flag)
    block.insert_ops_before([*made, either], end)
    end.detach()
    end.erase()
    block.add_op(control.YieldOp(*results, either.result))


def _widest(op: memory.AccessOp) -> int:
    return max((s.type.rank for s in op.subscripts if isinstance(s.type, TileType) and s.type.rank >= 2), default=0)


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type


EXACT_ON_ZERO = (
    compute.PermuteOp, elementwise.CastOp, unary.AbsOp, unary.NegOp, binary.ShiftLeftOp, binary.ShiftRightOp,
)  # fmt: skip
"""Give 0 wherever their first operand is 0."""


def holds_zero(value: SSAValue, wanted: float | int) -> bool:
    """Whether inactive lanes are known to hold the wanted value, because they come from a load as 0."""
    if wanted != 0:
        return False
    match owner := value.owner:
        case memory.LoadOp():
            return True
        case compute.CatOp():
            return all(holds_zero(a, wanted) for a in owner.arguments)
        case binary.BitwiseAndOp():
            return any(holds_zero(a, wanted) for a in owner.operands)
        case compute.ReshapeOp():
            return not _moves_padding(owner) and holds_zero(owner.operand, wanted)
    return isinstance(owner, EXACT_ON_ZERO) and holds_zero(owner.operands[0], wanted)


def _has(value: SSAValue, wanted: float | int) -> bool:
    """Whether inactive lanes of whatever origin hold the wanted value."""
    held = value.owner.value.data if isinstance(value.owner, compute.FillOp) else None
    return held == wanted or (held != held and wanted != wanted) or holds_zero(value, wanted)


def _moves_padding(op: compute.ReshapeOp) -> bool:
    """Whether the lanes that pad a constant extent are others after a reshape."""
    before, after = ([d for d in _type(v).dims if d != 1] for v in (op.operand, op.result))
    return before != after and any(physical(d) != d for d in (*before, *after))
