"""Loops over chunks of an axis in the place of ops on all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympy import Expr
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import RangeType, TileType, i1, range_type, tile_type
from helion_ir.index.expr import Mod, Ne, knob
from helion_ir.passes.base import Pass
from helion_ir.passes.make_masks import holds_zero
from helion_ir.passes.mixing import neutral
from helion_ir.passes.scope import domains_of, settled

COMBINE: dict[str, type[elementwise.BinaryOp]] = {
    "sum": elementwise.AddOp, "prod": elementwise.MulOp, "max": elementwise.MaximumOp, "min": elementwise.MinimumOp,
    "any": elementwise.BitwiseOrOp, "all": elementwise.BitwiseAndOp,
}  # fmt: skip


def extent_of(axis: control.AxisOp) -> Expr:
    assert isinstance(axis.result.type, RangeType)
    return axis.result.type.block.data


def varies(value: SSAValue, axis: control.AxisOp) -> bool:
    """A value varies along the axis if its type names the extent: no data-flow analysis is needed."""
    if value is axis.result:
        return True
    return isinstance(value.type, TileType) and extent_of(axis) in value.type.dims


def reduced(op: compute.ReduceOp) -> list[Expr]:
    assert isinstance(op.operand.type, TileType)
    return [op.operand.type.dims[i] for i in op.dims]


def touched(op: Operation, axis: control.AxisOp) -> bool:
    return any(varies(v, axis) for v in (*op.operands, *op.results))


class Roller:
    """Rewrites one block: what does not vary along the axis stays, the rest moves into the loops that need it."""

    def __init__(self, owner: Pass, module: ModuleOp, axis: control.AxisOp):
        self.owner, self.axis, self.extent = owner, axis, extent_of(axis)
        self.chunk = knob(f"reduction.{axis.label.data}")
        self.partial = settled(Ne(Mod(self.extent, self.chunk), 0), domains_of(module))
        self.labels: dict[str, int] = {}
        self.inside: set[SSAValue] = set()
        """What does not vary along the axis and is computed in loops all the same, since it depends on what they carry."""

    def run(self) -> None:
        block = self.axis.parent_block()
        assert block is not None
        varying = [op for op in block.ops if op is not self.axis and touched(op, self.axis)]
        for op in varying:
            if isinstance(op, compute.ReduceOp) and self.extent in reduced(op):
                self.roll_reduction(op)
            elif isinstance(op, memory.StoreOp):
                self.roll_store(op)
        for op in reversed(varying):  # users first
            op.detach()
            op.erase()
        self.axis.detach()
        self.axis.erase()

    def retype(self, type_: Attribute) -> Attribute:
        if isinstance(type_, TileType):
            return tile_type(tuple(self.chunk if d == self.extent else d for d in type_.dims), type_.element_type)
        return range_type(self.chunk) if isinstance(type_, RangeType) and type_.block.data == self.extent else type_

    def recompute(self, value: SSAValue, block: Block, known: dict[SSAValue, SSAValue]) -> SSAValue:
        """The chunk of a value, computed at the end of `block`; what does not vary is visible from outside."""
        if value not in known and not varies(value, self.axis) and value not in self.inside:
            return value
        if value not in known:
            op = value.owner
            assert isinstance(op, Operation)
            operands = [self.recompute(x, block, known) for x in op.operands]
            copy = op.create(
                operands=operands,
                result_types=[self.retype(r.type) for r in op.results],
                properties=dict(op.properties),
            )
            copy.location = op.location
            block.add_op(copy)
            for old, new in zip(op.results, copy.results):
                new.name_hint = old.name_hint
                known[old] = new
        return known[value]

    def loop(
        self, role: str, at: Operation, inits: Sequence[SSAValue], fill: Callable[..., list[SSAValue]]
    ) -> control.ForOp:
        body = Block(arg_types=[range_type(self.chunk), *[i.type for i in inits]])
        body.args[0].name_hint = self.axis.result.name_hint or self.axis.label.data
        for argument, init in zip(body.args[1:], inits):
            argument.name_hint = init.name_hint
        known: dict[SSAValue, SSAValue] = {self.axis.result: body.args[0]}
        body.add_op(control.YieldOp(*fill(body, known, *body.args)))
        # Named by role, so that tuned configurations carry over when the kernel changes elsewhere.
        label = f"{self.axis.label.data}.{role}"
        self.labels[label] = self.labels.get(label, -1) + 1
        label += f".{self.labels[label]}" if self.labels[label] else ""
        made = control.ForOp(label, self.axis.lower.data, self.axis.upper.data, list(inits), Region(body))
        self.insert(made, at)
        return made

    def insert(self, new: Operation, before: Operation) -> None:
        block = before.parent_block()
        assert block is not None
        block.insert_op_before(new, before)
        self.owner.located(before, [new])

    def roll_reduction(self, op: compute.ReduceOp) -> None:
        kind = op.kind.data
        chunked = self.retype(op.operand.type)
        assert isinstance(chunked, TileType)
        identity = neutral(kind, chunked.element_type)
        init = compute.FullOp(identity, chunked)
        init.result.name_hint = "acc"
        self.insert(init, op)

        def fill(body: Block, known: dict[SSAValue, SSAValue], chunk: SSAValue, acc: SSAValue) -> list[SSAValue]:
            value = self.recompute(op.operand, body, known)
            if self.partial != 0 and not holds_zero(op.operand, identity):
                shape = tuple(d if d == self.chunk else expr_attr(1).data for d in chunked.dims)
                mask = control.MaskOp([chunk], self.partial, tile_type(shape, i1))
                filled = compute.FillOp(value, mask.result, identity)
                body.add_ops([mask, filled])
                value = filled.result
            combined = COMBINE[kind](acc, value)
            body.add_op(combined)
            return [combined.result]

        made = self.loop(kind, op, [init.result], fill)
        made.results[0].name_hint = "acc"
        final = compute.ReduceOp(kind, made.results[0], op.dims, op.result.type.element_type)  # pyright: ignore
        final.result.name_hint = op.result.name_hint
        self.insert(final, op)
        op.result.replace_all_uses_with(final.result)

    def roll_store(self, op: memory.StoreOp) -> None:
        def fill(body: Block, known: dict[SSAValue, SSAValue], chunk: SSAValue) -> list[SSAValue]:
            operands = [self.recompute(x, body, known) for x in op.operands]
            copy = memory.StoreOp.create(operands=operands, properties=dict(op.properties))
            copy.location = op.location
            body.add_op(copy)
            return []

        self.loop("store", op, [], fill)
