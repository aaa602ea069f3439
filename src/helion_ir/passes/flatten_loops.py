"""flatten-loops: the blocks of several dimensions become blocks of one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.knob import BOOLEAN, DeclareOp, RequireOp, RuledOutOp, declarations
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.tile.elementwise_base import ElementwiseOp
from helion_ir.dialects.types import RangeType, TileType, i32, range_type, tile_type
from helion_ir.index.expr import FloorDiv, Mod, Ne, Not, knob, operand, string
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.block_order import MOST_IN_TEMPLATE
from helion_ir.passes.scope import INT32_MAX

FLATTEN = "flatten"
"""The decision's name in a root loop's `schedule`."""


@dataclass(frozen=True)
class FlattenLoops(Pass):
    """Number the indices of a root loop's dimensions through, so that one block, with one mask, may span several rows.

    ```mlir
    tile.parallel "mn" (%m = 0 to 100 : !tile.range<@m>, %n = 0 to 33 : !tile.range<@n>) attributes {schedule = {flatten = #knob.value<1>}}
      { %v = tile.load "x" %x[%m, %n] … : [@m, @n]   tile.store "out" (tile.exp %v), %out[%m, %n] }
    // becomes
    tile.parallel "mn" (%f = 0 to 3300 : !tile.range<@m * @n>) {
      %i = index.apply <d0 floordiv 33> (%f.index)   %j = index.apply <d0 mod 33> (%f.index)
      %v = tile.load "x" %x[%i, %j] … : [1, @m * @n]   tile.store "out" (tile.exp %v), %out[%i, %j] }
    ```

    Where a tensor has the loop's dimensions, contiguous and in order, the indices fold to %f again. Values keep their
    rank: the last of the loop's dimensions that one has gets all elements, the others 1.

    Legal where the loop has two or three dimensions, of block sizes of their own and constant bounds from 0, no more
    indices than 32 bits count, and what it does is elementwise along them: loads, stores, broadcasts, and reductions of
    other dimensions; and where each access has the loop's dimensions beside one another.
    Does not handle: inner loops, products, and tiles' begins and ends. Runs first of the passes that change loops.
    """

    name = "flatten-loops"
    decision = FLATTEN

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        for loop in _roots(module):
            name = flatten_knob(loop)
            if reason := why_not(loop):
                made: DeclareOp | RuledOutOp = RuledOutOp(name, [True], reason, owner=self.name)
            else:
                made = DeclareOp(
                    name, BOOLEAN, False, owner=self.name, field="flatten_loops",
                    doc=f"whether a block of {loop.label.data} holds indices of its dimensions numbered through",
                )  # fmt: skip
                open_schedule(loop, FLATTEN, knob(name))
            made.location = loop.location
            yield made

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kinds = next((d.domain.data.values for d in declarations(op) if d.sym_name.data == "pid_type"), ())
        for loop in _roots(op):
            if not take_schedule(loop, FLATTEN, self.name):
                continue
            if reason := why_not(loop):
                raise ValueError(f"flatten-loops: {loop.label.data} cannot be flattened any more: {reason}")
            _Flattener(self, loop).run()
            if "xyz" in kinds:
                first = op.body.block.first_op
                assert first is not None
                rule = expr_attr(Ne(knob("pid_type"), string("xyz")))
                made = RequireOp(
                    rule, f"{loop.label.data} is flattened, so that its grid has one axis", owner=self.name
                )
                op.body.block.insert_op_before(made, first)


def flatten_knob(loop: control.ParallelOp) -> str:
    return f"{loop.label.data}.flatten"


def unless_flattened(module: ModuleOp, op: Operation) -> Expr:
    """When an op is in a root loop of several dimensions: a condition over knobs."""
    at: Operation | None = op
    while at is not None and not isinstance(at, control.ParallelOp):
        at = at.parent_op()
    if at is None or not any(d.sym_name.data == flatten_knob(at) for d in declarations(module)):
        return Integer(1)
    return Not(knob(flatten_knob(at)))


# ---- legality -------------------------------------------------------------------------------------------------------


def why_not(loop: control.ParallelOp) -> str:
    """Why a root loop cannot be flattened; "" if it can."""
    args = loop.body.block.args
    if not 2 <= len(args) <= MOST_IN_TEMPLATE:
        return f"the loop has {len(args)} dimensions, not two or three"
    blocks = [a.type.block.data if isinstance(a.type, RangeType) else Integer(1) for a in args]
    if len(set(blocks)) < len(blocks) or not all(b.is_Symbol for b in blocks):
        return "not every dimension of the loop has a block size of its own"
    if any(e.data != 0 for e in loop.lower) or not all(e.data.is_Integer for e in loop.upper):
        return "the loop does not run from 0 to a constant along each dimension"
    if math.prod(int(e.data) for e in loop.upper) > INT32_MAX:
        return "32 bits cannot count the loop's indices"
    flat = _Flat(blocks)
    return next((r for op in loop.body.block.ops if (r := _why_not_op(op, flat))), "")


@dataclass(frozen=True)
class _Flat:
    """What becomes of types."""

    blocks: Sequence[Expr]

    @property
    def extent(self) -> Expr:
        return math.prod(self.blocks, start=Integer(1))

    def varies(self, dim: Expr) -> bool:
        return dim in self.blocks

    def dims(self, dims: Sequence[Expr]) -> tuple[Expr, ...]:
        """The last of the loop's dimensions, in its order, gets all elements; the others have one."""
        last = max((self.blocks.index(d) for d in dims if d in self.blocks), default=None)
        if last is None:
            return tuple(dims)
        kept = self.blocks[last]
        return tuple(self.extent if d == kept else Integer(1) if d in self.blocks else d for d in dims)

    def type(self, type_: Attribute) -> Attribute:
        return tile_type(self.dims(type_.dims), type_.element_type) if isinstance(type_, TileType) else type_

    def place(self, dims: Sequence[Expr]) -> int | None:
        """Where from the end all elements are."""
        dims = self.dims(dims)
        return next((len(dims) - i for i, d in enumerate(dims) if d == self.extent), None)


def _dims(value: SSAValue) -> tuple[Expr, ...]:
    assert isinstance(value.type, TileType)
    return value.type.dims


def _why_not_op(op: Operation, flat: _Flat) -> str:
    for value in (*op.operands, *op.results):
        if isinstance(value.type, TileType):
            own = [d for d in value.type.dims if flat.varies(d)]
            if len(set(own)) < len(own):
                return "a tile has one of the loop's dimensions twice"
    match op:
        case ElementwiseOp() | compute.FullOp() | compute.PermuteOp() | control.AxisOp() | control.IndexOp():
            return ""
        case compute.BroadcastOp():
            return "" if _moved(op, flat) is not None else "a dimension between those of the loop is broadcast"
        case compute.ReshapeOp():
            before, after = ([d for d in _dims(v) if d != 1] for v in (op.operand, op.result))
            return "" if before == after else "a tile is reshaped"
        case compute.ReduceOp():
            reduced = [_dims(op.operand)[i] for i in op.dims]
            return "a dimension of the loop is reduced" if any(flat.varies(d) for d in reduced) else ""
        case memory.LoadOp() | memory.StoreOp() | memory.AtomicOp():
            return _why_not_access(op, flat)
        case ApplyOp() if not _dims(op.result):
            return ""
        case control.BeginOp() | control.EndOp() | control.IdOp() if not flat.varies(op.range.type.block.data):  # pyright: ignore
            return ""
        case _:
            return f"{op.name} is not done element by element"


def _moved(op: compute.BroadcastOp, flat: _Flat) -> tuple[Expr, ...] | None:
    """The shape in which a broadcast's operand has its elements where the result has them; None if they cannot get there."""
    before, after = list(flat.dims(_dims(op.operand))), flat.dims(_dims(op.result))
    here, there = flat.place(_dims(op.operand)), flat.place(_dims(op.result))
    if here is None or here == there:
        return tuple(before)
    assert there is not None
    before = [Integer(1)] * (len(after) - len(before)) + before
    low, high = sorted((len(before) - here, len(before) - there))
    if any(d != 1 for d in before[low : high + 1] if d != flat.extent):
        return None
    before[len(before) - here], before[len(before) - there] = Integer(1), flat.extent
    return tuple(before)


def _why_not_access(op: memory.AccessOp, flat: _Flat) -> str:
    own = [(i, s) for i, s in enumerate(op.subscripts) if _subscript_varies(s, flat)]
    wide = [s for _, s in own if isinstance(s.type, TileType) and s.type.rank >= 2]
    if wide and len(own) > len(wide):
        return "a subscript of several dimensions stands beside one of the loop's"
    if any(isinstance(s.type, TileType) and s.type.rank >= 2 and not _subscript_varies(s, flat) for s in op.subscripts):
        return "a subscript has several dimensions"
    first, last = (own[0][0], own[-1][0]) if own else (0, 0)
    between = op.subscripts[first:last]
    if any(not _subscript_varies(s, flat) and not (isinstance(s.type, TileType) and not s.type.rank) for s in between):
        return "an access has another dimension between those of the loop"
    return ""


def _subscript_varies(s: SSAValue, flat: _Flat) -> bool:
    if isinstance(s.type, RangeType):
        return flat.varies(s.type.block.data)
    return any(flat.varies(d) for d in _dims(s))


# ---- rewriting ------------------------------------------------------------------------------------------------------


class _Flattener:
    """Rewrites one root loop."""

    def __init__(self, owner: FlattenLoops, loop: control.ParallelOp):
        self.owner, self.loop = owner, loop
        self.args = list(loop.body.block.args)
        self.extents = [int(e.data) for e in loop.upper]
        self.flat = _Flat([a.type.block.data for a in self.args])  # pyright: ignore
        self.body = Block(arg_types=[range_type(self.flat.extent)])
        self.body.args[0].name_hint = "flat"
        self.values: dict[SSAValue, SSAValue] = {}
        self.indices: dict[tuple[SSAValue | None, tuple[Expr, ...]], SSAValue] = {}

    def run(self) -> None:
        loop = self.loop
        for op in loop.body.block.ops:
            self._op(op)
        made = control.ParallelOp(loop.label.data, [0], [math.prod(self.extents)], Region(self.body))
        if loop.schedule is not None:
            made.schedule = loop.schedule
        made.location = loop.location
        block = loop.parent_block()
        assert block is not None
        block.insert_op_before(made, loop)
        loop.detach()
        loop.erase()

    def _op(self, op: Operation) -> None:
        match op:
            case control.IndexOp() if op.range in self.args:
                element = op.result.type.element_type  # pyright: ignore
                made = self._index(op.range, (self.flat.extent,), op)
                if element != i32:
                    made = self._add(elementwise.CastOp(made, element), op)
                self.values[op.result] = made
                return
            case compute.BroadcastOp():
                shape = _moved(op, self.flat)
                assert shape is not None
                value = self.values.get(op.operand, op.operand)
                if shape != _dims(value):
                    value = self._add(compute.ReshapeOp(value, shape), op)
                wanted = self.flat.dims(_dims(op.result))
                self.values[op.result] = value if shape == wanted else self._add(compute.BroadcastOp(value, wanted), op)
                return
            case _:
                pass
        subscripts = self._subscripts(op) if isinstance(op, memory.AccessOp) else {}
        made = op.create(
            operands=[subscripts.get(v) or self.values.get(v, v) for v in op.operands],
            result_types=[self.flat.type(r.type) for r in op.results],
            properties=op.properties,
            attributes=op.attributes,
        )
        self.body.add_op(made)
        made.location = op.location
        for old, new in zip(op.results, made.results):
            new.name_hint = old.name_hint
            self.values[old] = new

    def _subscripts(self, op: memory.AccessOp) -> dict[SSAValue, SSAValue]:
        """Indices in place of the loop's ranges, of the shape that the access has along its dimensions."""
        own = [s for s in op.subscripts if _subscript_varies(s, self.flat)]
        if not own or any(isinstance(s.type, TileType) and s.type.rank >= 2 for s in own):
            return {}
        dims = [s.type.block.data if isinstance(s.type, RangeType) else _dims(s)[0] for s in own]
        shape = self.flat.dims(dims)
        made: dict[SSAValue, SSAValue] = {}
        for s in own:
            if isinstance(s.type, RangeType):
                made[s] = self._index(s, shape, op)
            elif shape != _dims(value := self.values.get(s, s)):
                made[s] = self._add(compute.ReshapeOp(value, shape), op)
        return made

    def _index(self, argument: SSAValue, shape: tuple[Expr, ...], at: Operation) -> SSAValue:
        """The indices of one dimension, lane by lane."""
        if (found := self.indices.get((argument, shape))) is not None:
            return found
        whole = self._whole(shape, at)
        place = self.args.index(argument)  # pyright: ignore[reportArgumentType] - one of the loop's
        inner = math.prod(self.extents[place + 1 :])
        expr: Expr = FloorDiv(operand(0), Integer(inner)) if inner > 1 else operand(0)
        if place:
            expr = Mod(expr, Integer(self.extents[place]))
        made = self._add(ApplyOp(expr, [whole], tile_type(shape, i32)), at)
        made.name_hint = argument.name_hint
        self.indices[argument, shape] = made
        return made

    def _whole(self, shape: tuple[Expr, ...], at: Operation) -> SSAValue:
        """The indices of the flat range in a shape."""
        if (found := self.indices.get((None, shape))) is None:
            if len(shape) == 1:
                found = self._add(control.IndexOp(self.body.args[0], i32), at)
            else:
                found = self._add(compute.ReshapeOp(self._whole((self.flat.extent,), at), shape), at)
            found.name_hint = "flat.index"
            self.indices[None, shape] = found
        return found

    def _add(self, op: Operation, like: Operation) -> SSAValue:
        self.body.add_op(op)
        self.owner.located(like, [op])
        if op.results[0].name_hint is None and like.results:
            op.results[0].name_hint = like.results[0].name_hint
        return op.results[0]


def _roots(module: ModuleOp) -> list[control.ParallelOp]:
    return [op for op in walk(module) if isinstance(op, control.ParallelOp) and len(op.body.block.args) > 1]
