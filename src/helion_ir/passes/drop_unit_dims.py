"""drop-unit-dims: a dimension whose block is always 1 leaves the tiles it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.dialects.builtin import i64 as builtin_i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.knob import declarations
from helion_ir.dialects.tile import compute, control, elementwise, memory, ranges
from helion_ir.dialects.types import RangeType, TileType, ints, tile_type
from helion_ir.index.expr import knob
from helion_ir.passes.base import Pass, kernels

RETYPED = (
    elementwise.ElementwiseOp, compute.FullOp, compute.ReshapeOp, compute.RandomOp, compute.FillOp, ApplyOp,
    control.ForOp, control.IfOp, control.WhileOp, control.YieldOp, control.ConditionOp, control.ParallelOp,
    ranges.AxisOp, ranges.ShiftOp, ranges.RangeScalarOp, ranges.IndexOp, compute.IotaOp,
)  # fmt: skip
"""Ops that mean the same with a unit dimension gone."""


@dataclass(frozen=True)
class DropUnitDims(Pass):
    """Take dimensions whose block size can only be 1 out of every type; accesses are subscripted by the index itself.

    ```mlir
    %q = tile.load "q" %q[%head, %rows, %d] : … -> !tile.tile<[@head.block_size, @rows.block_size, 64], bf16>
    // under `knob.declare @head.block_size : pow2 1 to 1` becomes
    %h = tile.begin %head : …
    %q = tile.load "q" %q[%h, %rows, %d] : … -> !tile.tile<[@rows.block_size, 64], bf16>
    ```

    So a batched product becomes the plain one that tensor cores do. Does not handle: a kernel that mixes lanes along the
    dimension other than by a reduction, or indexes with tiles of rank two or more that have it; it is left as it is.
    Runs before declare-schedules, which offers descriptors by what accesses look like.
    """

    name = "drop-unit-dims"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        units = {knob(d.sym_name.data) for d in declarations(op) if d.domain.data.values == (1,)}
        for kernel in kernels(op, control.KernelOp):
            here = {u for u in units if _named(kernel, u) and all(_droppable(o, u) for o in kernel.walk())}
            if not here:
                continue
            made = _Dropper(self, here).kernel(kernel)
            block = kernel.parent_block()
            assert block is not None
            block.insert_op_before(made, kernel)
            kernel.detach()
            kernel.erase(safe_erase=False)


def _dims(value: SSAValue) -> tuple[Expr, ...]:
    return value.type.dims if isinstance(value.type, TileType) else ()


def _named(kernel: control.KernelOp, unit: Symbol) -> bool:
    return any(unit in _dims(r) for op in kernel.walk() for r in op.results)


def _droppable(op: Operation, unit: Symbol) -> bool:
    values = (*op.operands, *op.results)
    if isinstance(op, memory.AccessOp):
        # Tiles of rank two or more stand as a group whose places would shift.
        return not any(unit in _dims(s) and len(_dims(s)) > 1 for s in op.subscripts)
    if not any(unit in _dims(v) for v in values):
        return True
    if any(_dims(v).count(unit) > 1 for v in values):
        return False
    match op:
        case compute.ReduceOp():
            return op.kind.data not in ("argmax", "argmin") or unit not in [_dims(op.operand)[i] for i in op.dims]
        case compute.DotOp():
            return unit not in (*_dims(op.lhs)[-2:], *_dims(op.rhs)[-2:])
        case compute.ScanOp() | compute.SliceOp() | compute.GatherOp() | compute.CatOp():
            return _dims(op.operands[0])[op.dim.value.data] != unit
        case compute.BroadcastOp() | compute.PermuteOp():
            return True
    return isinstance(op, RETYPED)


class _Dropper:
    """Copies a kernel without its unit dimensions."""

    def __init__(self, owner: DropUnitDims, units: set[Symbol]):
        self.owner, self.units = owner, units
        self.values: dict[SSAValue, SSAValue] = {}

    def type(self, type_: Attribute) -> Attribute:
        if not isinstance(type_, TileType) or not self.units & set(type_.dims):
            return type_
        return tile_type(tuple(d for d in type_.dims if d not in self.units), type_.element_type)

    def kept(self, dims: Sequence[Expr]) -> list[int]:
        """Positions of the dimensions that stay."""
        return [i for i, d in enumerate(dims) if d not in self.units]

    def kernel(self, op: control.KernelOp) -> control.KernelOp:
        made = control.KernelOp(op.sym_name.data, [a.data for a in op.arg_names], self.region(op.body))
        made.properties.update(op.properties)
        made.location = op.location
        return made

    def region(self, region: Region) -> Region:
        blocks: list[Block] = []
        for source in region.blocks:
            block = Block(arg_types=[self.type(a.type) for a in source.args])
            for old, new in zip(source.args, block.args):
                new.name_hint = old.name_hint
                self.values[old] = new
            blocks.append(block)
        for source, block in zip(region.blocks, blocks):
            for op in source.ops:
                self.op(op, block)
        return Region(blocks)

    def op(self, op: Operation, block: Block) -> None:
        last = block.last_op
        results = self.build(op, block)
        new = last.next_op if last is not None else block.first_op
        while new is not None:
            self.owner.located(op, [new])
            new = new.next_op
        for old, made in zip(op.results, results):
            self.values[old] = made
            made.name_hint = made.name_hint or old.name_hint

    def build(self, op: Operation, block: Block) -> Sequence[SSAValue]:
        """Append what stands for `op`; returns what stands for its results."""
        operands = [self.values.get(x, x) for x in op.operands]
        properties = dict(op.properties)
        match op:
            case memory.AccessOp():
                operands = [
                    self.subscript(x, block) if x in op.subscripts else self.values.get(x, x) for x in op.operands
                ]
            case ranges.IndexOp() if self.unit_range(op.range):
                begin = ranges.BeginOp(operands[0])
                block.add_op(begin)
                wanted = self.type(op.result.type)
                if begin.result.type == wanted:
                    return [begin.result]
                assert isinstance(wanted, TileType)
                cast = elementwise.CastOp(begin.result, wanted.element_type)
                block.add_op(cast)
                return [cast.result]
            case compute.ReduceOp():
                kept = self.kept(_dims(op.operand))
                axes = [kept.index(i) for i in op.dims if i in kept]
                if not axes:
                    return self.unreduced(op, operands[0], block)
                properties["axes"] = ints(axes)
            case compute.PermuteOp():
                kept = self.kept(_dims(op.operand))
                properties["order"] = ints([kept.index(i) for i in op.order.data if i in kept])
            case compute.BroadcastOp():
                operands = [self.aligned(op, operands[0], block)]
            case compute.ScanOp() | compute.SliceOp() | compute.GatherOp() | compute.CatOp():
                kept = self.kept(_dims(op.operands[0]))
                properties["dim"] = IntegerAttr(kept.index(op.dim.value.data), builtin_i64)
            case _:
                pass
        made = op.create(
            operands=operands,
            result_types=[self.type(r.type) for r in op.results],
            properties=properties,
            attributes=op.attributes,
            regions=[self.region(r) for r in op.regions],
        )
        made.location = op.location
        block.add_op(made)
        return list(made.results)

    def unit_range(self, value: SSAValue) -> bool:
        return isinstance(value.type, RangeType) and value.type.block.data in self.units

    def subscript(self, value: SSAValue, block: Block) -> SSAValue:
        """A range of one index as that index."""
        new = self.values.get(value, value)
        if not self.unit_range(value):
            return new
        begin = ranges.BeginOp(new)
        block.add_op(begin)
        return begin.result

    def unreduced(self, op: compute.ReduceOp, value: SSAValue, block: Block) -> Sequence[SSAValue]:
        """The one element is its own sum."""
        assert isinstance(op.result.type, TileType) and isinstance(value.type, TileType)
        if value.type.element_type == op.result.type.element_type:
            return [value]
        cast = elementwise.CastOp(value, op.result.type.element_type)
        block.add_op(cast)
        return [cast.result]

    def aligned(self, op: compute.BroadcastOp, value: SSAValue, block: Block) -> SSAValue:
        """The operand without the extents of 1 that stand where the result has a unit dimension."""
        before, result = _dims(op.operand), _dims(op.result)
        lead = len(result) - len(before)
        gone = [i for i, d in enumerate(before) if d == 1 and result[lead + i] in self.units]
        if not gone:
            return value
        left = [d for i, d in enumerate(before) if i not in gone and d not in self.units]
        made = compute.ReshapeOp(value, left)
        block.add_op(made)
        return made.result
