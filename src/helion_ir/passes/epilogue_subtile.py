"""epilogue-subtile: what follows a product is computed and stored in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue
from xdsl.traits import MemoryWriteEffect, RecursiveMemoryEffect

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, declarations, one_of
from helion_ir.dialects.operation import walk
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.tile.elementwise_base import ElementwiseOp
from helion_ir.dialects.types import RangeType, TileType, tile_type
from helion_ir.index.expr import NONE, And, Eq, FloorDiv, Le, Ne, Where, all_of, knob
from helion_ir.index.facts import decide
from helion_ir.passes.base import Pass
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.scope import domains_of

SUBTILE = "subtile"
"""The decision's name in the `schedule` of a store: how many parts."""
KNOB = "epilogue_subtile"
PARTS = (2, 4)

Write = memory.StoreOp | memory.AtomicOp


@dataclass(frozen=True)
class EpilogueSubtile(Pass):
    """Split the columns of a product's result, so that what is done to it and its store take one part after the other.

    ```mlir
    %acc = tile.for "k" … { … tile.dot … }   %b = tile.load "bias" %bias[%n] …   %s = tile.add %acc, (tile.broadcast %b)
    tile.store "out" %s, %out[%m, %n] attributes {schedule = {subtile = #knob.value<2>}} : [@m, @n]
    // becomes
    %acc.0 = tile.slice %acc dim 1 from 0 …   %acc.1 = tile.slice %acc dim 1 from (@n floordiv 2) …
    %n.0 = tile.part %n at <0>   %b.0 = tile.load "bias" %bias[%n.0] …   %s.0 = tile.add %acc.0, …   tile.store "out" %s.0, %out[%m, %n.0]
    %n.1 = tile.part %n at <1>   %b.1 = tile.load "bias" %bias[%n.1] …   %s.1 = tile.add %acc.1, …   tile.store "out" %s.1, %out[%m, %n.1]
    ```

    A part takes fewer registers, and less of the shared memory that a descriptor's store goes through. Only elementwise
    ops, broadcasts and loads follow the columns into the parts; what else they come from is computed whole and split.
    Legal always: no element is computed otherwise, and what is loaded from the tensor stored to is loaded before.

    Does not handle: columns that are an axis which reductions may loop over, and results of loops shared by several programs (split-k).
    Offered for stores and atomics, whose result nobody uses, of what a product went into.
    Runs after the passes that make or change loops, before make-masks, which sees each part's range.
    """

    name = "epilogue-subtile"
    decision = SUBTILE

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp]:
        known = {d.sym_name.data for d in declarations(module)}
        alone = all_of([Eq(knob(n), Integer(1)) for n in sorted(known) if n.endswith(".split_k")])
        found = [op for op in _writes(module) if (chain := find_chain(op)) is not None and chain.follows_product()]
        if not found:
            return
        yield DeclareOp(
            KNOB, one_of(None, *PARTS), None, owner=self.name, when=None if alone == 1 else expr_attr(alone),
            doc="parts in which the columns of a product's result are finished and stored",
        )  # fmt: skip
        for op in found:
            parts = Where(And(alone, Ne(knob(KNOB), NONE)), knob(KNOB), Integer(0))
            open_schedule(op, SUBTILE, parts)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for write in list(_writes(op)):
            parts = take_schedule(write, SUBTILE, self.name)
            if not isinstance(parts, int) or parts < 2:
                continue
            chain = find_chain(write)
            if chain is None:
                raise ValueError(f"epilogue-subtile: the store to {write.site.data} cannot be split any more")
            self._require(op, write, chain.extent, parts)
            _Splitter(self, chain, parts).run()

    def _require(self, module: ModuleOp, write: Write, extent: Expr, parts: int) -> None:
        condition = decide(Le(Integer(parts), extent), domains_of(module))
        if condition != 1:
            made = RequireOp(
                expr_attr(condition), f"{write.site.data} is stored in {parts} parts, of a column at least", owner=self.name
            )  # fmt: skip
            made.location = write.location
            first = module.body.block.first_op
            assert first is not None
            module.body.block.insert_op_before(made, first)


@dataclass
class Chain:
    """What of a store's operands varies along its columns."""

    write: Write
    columns: SSAValue
    """The range."""
    extent: Expr
    followed: list[Operation] = field(default_factory=list)
    """Ops to do in parts, operands first."""
    split: list[SSAValue] = field(default_factory=list)
    """Values to split."""

    def place(self, value: SSAValue) -> int | None:
        """The dimension of a value that the columns are, if it has one. Raises _Ambiguous where two are as long."""
        if not isinstance(value.type, TileType):
            return None
        places = [i for i, d in enumerate(value.type.dims) if d == self.extent]
        if len(places) > 1:
            raise _Ambiguous
        return places[0] if places else None

    def visit(self, value: SSAValue) -> None:
        """Sort out a value, and what it is made of."""
        if self.place(value) is None or value in self.split:
            return
        op = value.owner
        if not isinstance(op, Operation) or not self._follows(op):
            self.split.append(value)
            return
        if op not in self.followed:
            for operand in op.operands:
                self.visit(operand)
            self.followed.append(op)

    def _follows(self, op: Operation) -> bool:
        """Whether an op computes each column from that column of its operands, and may be done where the store is."""
        if op.parent_block() is not self.write.parent_block():
            return False
        match op:
            case ElementwiseOp() | compute.BroadcastOp() | compute.FullOp():
                return True
            case compute.ReshapeOp():  # may only add and drop extents of 1
                before, after = op.operand.type, op.result.type
                assert isinstance(before, TileType) and isinstance(after, TileType)
                return [d for d in before.dims if d != 1] == [d for d in after.dims if d != 1]
            case control.IndexOp():
                return op.range is self.columns
            case memory.LoadOp():
                return self._may_load_later(op)
            case _:
                return False

    def _may_load_later(self, op: memory.LoadOp) -> bool:
        if op.ref is self.write.ref and list(op.subscripts) != list(self.write.subscripts):
            return False
        ranges = [s for s in op.subscripts if isinstance(s.type, RangeType) and s.type.block.data == self.extent]
        if any(s is not self.columns for s in ranges):
            return False
        between = op.next_op
        while between is not None and between is not self.write:
            if between.has_trait(MemoryWriteEffect) or between.has_trait(RecursiveMemoryEffect):
                return False
            between = between.next_op
        return True

    def follows_product(self) -> bool:
        return any(_is_product(v) for v in self.split)


class _Ambiguous(Exception):
    """Two dimensions of a tile are as long as the columns."""


def find_chain(write: Write) -> Chain | None:
    """How a store may be done in parts; None where it may not."""
    ranges = [s for s in write.subscripts if isinstance(s.type, RangeType)]
    if not ranges or not _is_fixed(columns := ranges[-1]):
        return None
    assert isinstance(columns.type, RangeType)
    if isinstance(write, memory.AtomicOp) and write.result is not None and write.result.uses.get_length():
        return None
    extent = columns.type.block.data
    if extent.is_Integer and (int(extent) < max(PARTS) or int(extent) & (int(extent) - 1)):
        return None
    if not write.dims or write.dims[-1] != extent or ranges.count(columns) > 1:
        return None
    chain = Chain(write, columns, extent)
    try:
        for value in write.operands:
            chain.visit(value)
    except _Ambiguous:
        return None
    return chain


class _Splitter:
    """Rewrites one store."""

    def __init__(self, owner: EpilogueSubtile, chain: Chain, parts: int):
        self.owner, self.chain, self.parts = owner, chain, parts

    def run(self) -> None:
        chain, write = self.chain, self.chain.write
        pieces = {v: self._pieces(v) for v in chain.split}
        extent = chain.extent
        for _ in range(self.parts.bit_length() - 1):
            extent = FloorDiv(extent, Integer(2))
        for number in range(self.parts):
            part = control.PartOp(chain.columns, number, extent)
            part.result.name_hint = chain.columns.name_hint
            self._insert(part, write)
            values: dict[SSAValue, SSAValue] = {chain.columns: part.result}
            values.update({v: p[number] for v, p in pieces.items()})
            for op in (*chain.followed, write):
                self._insert(self._copy(op, values, extent), op)
        for op in (write, *reversed(chain.followed)):
            if not any(r.uses.get_length() for r in op.results):
                op.detach()
                op.erase()

    def _pieces(self, value: SSAValue) -> list[SSAValue]:
        """The parts of a value, halved and halved again."""
        assert isinstance(value.type, TileType)
        place = self.chain.place(value)
        assert place is not None
        pieces = [value]
        while len(pieces) < self.parts:
            pieces = [half for piece in pieces for half in self._halves(piece, place)]
        return pieces

    def _halves(self, value: SSAValue, place: int) -> Iterator[SSAValue]:
        assert isinstance(value.type, TileType)
        count = FloorDiv(value.type.dims[place], Integer(2))
        dims = [count if i == place else d for i, d in enumerate(value.type.dims)]
        for start in (Integer(0), count):
            made = compute.SliceOp(value, place, expr_attr(start), expr_attr(1), dims)
            made.result.name_hint = value.name_hint
            self._insert(made, self.chain.write)
            yield made.result

    def _copy(self, op: Operation, values: dict[SSAValue, SSAValue], extent: Expr) -> Operation:
        made = op.create(
            operands=[values.get(v, v) for v in op.operands],
            result_types=[self._narrowed(r, extent) for r in op.results],
            properties=op.properties,
            attributes=op.attributes,
        )
        made.location = op.location
        for old, new in zip(op.results, made.results):
            new.name_hint = old.name_hint
            values[old] = new
        return made

    def _narrowed(self, value: SSAValue, extent: Expr) -> Attribute:
        if (place := self.chain.place(value)) is None:
            return value.type
        assert isinstance(value.type, TileType)
        dims = [extent if i == place else d for i, d in enumerate(value.type.dims)]
        return tile_type(tuple(dims), value.type.element_type)

    def _insert(self, new: Operation, like: Operation) -> None:
        block = self.chain.write.parent_block()
        assert block is not None
        block.insert_op_before(new, self.chain.write)
        self.owner.located(like, [new])


def _is_fixed(columns: SSAValue) -> bool:
    """Whether a range is a loop's own, or an axis that no reduction loops over."""
    return (
        isinstance(columns, BlockArgument)
        or isinstance(columns.owner, control.BlockOp)
        or isinstance(columns.owner, control.AxisOp)
        and columns.owner.schedule is None
    )


def _is_product(value: SSAValue) -> bool:
    """Whether a value is a product, or what a loop with one makes."""
    owner = value.owner
    if isinstance(owner, control.ForOp | control.WhileOp | control.IfOp):
        return any(isinstance(op, compute.DotOp) for op in owner.walk())
    return isinstance(owner, compute.DotOp)


def _writes(module: ModuleOp) -> Iterator[Write]:
    return (op for op in walk(module) if isinstance(op, memory.StoreOp | memory.AtomicOp))
