"""The root loops of stream-k: whole waves, the workers that share what is left, and those that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sympy import Expr, Integer, Symbol
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.host import BindOp
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.knob import declarations
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import SCALAR_I32, RangeType, TileType
from helion_ir.index.expr import FloorDiv, Mod, knob, operand
from helion_ir.passes.base import Pass
from helion_ir.passes.block_order import block_indices, grouping_of, orders_of, positions
from helion_ir.passes.dce import remove_dead
from helion_ir.passes.partial_sums import (
    CopyWithout,
    add_buffer,
    add_instead,
    insert,
    release,
    replace,
    site_name,
    unused_name,
    zero_before,
)
from helion_ir.passes.split_phases import SplitPhases
from helion_ir.passes.stream_k.site import Shares, Site

PARTS = "stream_k_parts"
BUFFERED = 1
"""What the decision is where a second launch adds up."""


def share_blocks(owner: Pass, module: ModuleOp, site: Site, shares: Shares, way: int) -> None:
    """Replace the root loop of a kernel; `way` is what was decided."""
    rewriter = _Rewriter(owner, module, site, shares)
    before = len(site.launch.arguments)
    if way == BUFFERED:
        buffers = rewriter.buffers()
        roots = [rewriter.whole(), rewriter.shared(buffers), control.BarrierOp(), rewriter.fixup(buffers)]
    else:
        assert site.atomic is not None
        roots = [rewriter.whole(), rewriter.shared({})]
        zero_before(owner, site, site.atomic.ref)
    for root in roots:
        owner.located(site.root, [root])
        if isinstance(root, control.ParallelOp):
            remove_dead(root.body)
    replace(owner, site.root, roots)
    if way == BUFFERED:
        added = site.launch.arguments.data[before:]
        SplitPhases().split(site.kernel, module)
        release(owner, module, added)


class _Rewriter:
    """Builds the root loops that take the place of one."""

    def __init__(self, owner: Pass, module: ModuleOp, site: Site, shares: Shares):
        self.owner, self.site, self.shares = owner, site, shares
        self.declared = declared = {d.sym_name.data: d.domain.data.values for d in declarations(module)}
        self.orders, self.group = orders_of(site.root, declared), grouping_of(site.root, declared)
        self.label = site.root.label.data

    # -- root loops ----------------------------------------------------------------------------------------------------
    def whole(self) -> control.ParallelOp:
        """The blocks of whole waves, as they were."""
        body = Block(arg_types=[SCALAR_I32])
        number = body.args[0]
        number.name_hint = "block"
        copier = CopyWithout(())
        self._place(body, number, copier)
        copier.block(self.site.root.body.block, body)
        return self._root(self.label, self.shares.whole, body)

    def shared(self, buffers: Mapping[int, SSAValue]) -> control.ParallelOp:
        """The workers: each computes its iterations of a block or two, and stores, or adds, what it has of the sum."""
        body, shares = Block(arg_types=[SCALAR_I32]), self.shares
        worker = body.args[0]
        worker.name_hint = "worker"
        first, last = self._apply_all(body, shares.blocks_of(operand(0)), [worker], ("first", "last"))
        inner = Block(arg_types=[SCALAR_I32])
        block = inner.args[0]
        block.name_hint = "block"
        number = self._apply(inner, operand(0) + shares.whole, [block], "number")
        copier = CopyWithout([self.site.loop, *(self.site.stores if buffers else ())])
        places = self._place(inner, number, copier)
        ends = (shares.begin(operand(0), operand(1)), shares.end(operand(0), operand(1)))
        places_in_block = self._apply_all(inner, ends, [worker, block], ("start", "stop"))
        bounds = [self._apply(inner, shares.iteration(operand(0)), [p], f"{p.name_hint}.k") for p in places_in_block]
        for op in self.site.root.body.block.ops:
            if op is self.site.loop:
                self._iterations(inner, bounds, copier)
            elif op not in copier.without:
                inner.add_op(copier.op(op))
        if buffers:
            slot = self._apply(inner, operand(0) + operand(1), [worker, block], "slot")
            for i, buffer in buffers.items():
                value = copier.values[self.site.loop.results[i]]
                subscripts = [slot, *self._within(inner, value.type, places, copier)]
                inner.add_op(memory.StoreOp(site_name(buffer), value, buffer, subscripts))
        else:
            add_instead(self.owner, next(op for op in inner.ops if isinstance(op, memory.StoreOp)))
        inner.add_op(control.YieldOp())
        body.add_op(control.ForOp(f"{self.label}.blocks", operand(0), operand(1), [], Region(inner), [first, last]))
        return self._root(f"{self.label}.shared", shares.workers, body)

    def fixup(self, buffers: Mapping[int, SSAValue]) -> control.ParallelOp:
        """Parts of the shared blocks: the sum of what the workers found, and all that follows it."""
        site, shares, body = self.site, self.shares, Block(arg_types=[SCALAR_I32])
        number = body.args[0]
        number.name_hint = "part"
        parted, parts = site.parted, f"{self.label}.{PARTS}"
        each = knob(parts) if parted is not None and parts in self.declared else Integer(1)
        block = self._apply(body, FloorDiv(operand(0), each), [number], "block")
        at = self._apply(body, operand(0) + shares.whole, [block], "number")
        symbols: dict[Symbol, Expr] = {}
        if parted is not None:
            symbols[knob(parted.block)] = FloorDiv(knob(parted.block), each)
        copier = CopyWithout([site.loop], symbols)
        places = self._place(body, at, copier)
        if parted is not None:
            inside = self._apply(body, Mod(operand(0), each), [number], "inside")
            argument = site.root.body.block.args[parted.position]
            part = control.PartOp(copier.values[argument], operand(0), symbols[knob(parted.block)], [inside])
            part.result.name_hint = argument.name_hint
            body.add_op(part)
            copier.values[argument] = part.result
        for op in site.root.body.block.ops:
            if op is site.loop:
                self._sums(body, buffers, block, places, copier)
            else:
                made = copier.op(op)
                if isinstance(made, memory.StoreOp):
                    made.properties.pop("schedule", None)  # a part is small enough
                body.add_op(made)
        return self._root(f"{self.label}.fixup", shares.shared * each, body)

    # -- what they are made of -----------------------------------------------------------------------------------------
    def _iterations(self, block: Block, bounds: Sequence[SSAValue], copier: CopyWithout) -> None:
        """The loop over a worker's iterations of one block. It counts them, so that the tile's bounds stay the tensor's."""
        loop = self.site.loop
        source = loop.body.block
        inits = [copier.values.get(v, v) for v in loop.iter_args]
        body = Block(arg_types=[SCALAR_I32, *[v.type for v in inits]])
        for old, new in zip(source.args[1:], body.args[1:]):
            new.name_hint = old.name_hint
            copier.values[old] = new
        tile = control.BlockOp(body.args[0], loop.lower.data, loop.upper.data, source.args[0].type)
        tile.result.name_hint = source.args[0].name_hint
        body.args[0].name_hint = "iteration"
        body.add_op(tile)
        copier.values[source.args[0]] = tile.result
        copier.block(source, body)
        made = control.ForOp(loop.label.data, operand(0), operand(1), inits, Region(body), bounds)
        made.location = loop.location
        for old, new in zip(loop.results, made.results):
            new.name_hint = old.name_hint
            copier.values[old] = new
        block.add_op(made)

    def _sums(
        self,
        block: Block,
        buffers: Mapping[int, SSAValue],
        shared: SSAValue,
        places: Sequence[SSAValue],
        copier: CopyWithout,
    ) -> None:
        """A loop over the workers of a block, which adds up what they found in their order."""
        results = self.site.loop.results
        types: list[Attribute] = [copier.attr(results[i].type) for i in buffers]
        inits = [compute.FullOp(0, t) for t in types if isinstance(t, TileType)]
        first, last = self._apply_all(block, self.shares.workers_of(operand(0)), [shared], ("first", "last"))
        body = Block(arg_types=[SCALAR_I32, *types])
        worker, *carried = body.args
        worker.name_hint = "worker"
        slot = self._apply(body, operand(0) + operand(1), [worker, shared], "slot")
        sums: list[SSAValue] = []
        for (i, buffer), argument in zip(buffers.items(), carried):
            subscripts = [slot, *self._within(body, results[i].type, places, copier)]
            loaded = memory.LoadOp(site_name(buffer), buffer, subscripts, argument.type)
            added = elementwise.AddOp(argument, loaded.result)
            body.add_ops([loaded, added])
            sums.append(added.result)
            argument.name_hint = added.result.name_hint = results[i].name_hint
        body.add_op(control.YieldOp(*sums))
        loop = control.ForOp(
            f"{self.label}.shares", operand(0), operand(1), [i.result for i in inits], Region(body), [first, last]
        )
        for i, new in zip(buffers, loop.results):
            new.name_hint = results[i].name_hint
            copier.values[results[i]] = new
        block.add_ops([*inits, loop])

    def _within(
        self, block: Block, type_: Attribute, places: Sequence[SSAValue], copier: CopyWithout
    ) -> list[SSAValue]:
        """Ranges that a carried tile has in its buffer: those of the root loop, counted from where their block begins."""
        assert isinstance(type_, TileType)
        out: list[SSAValue] = []
        root = self.site.root
        for at, d in enumerate(type_.dims):
            made: Operation
            if d.is_Integer:
                made = control.AxisOp(f"{self.label}.d{at}", 0, d)
            else:
                arguments = root.body.block.args
                i = next(i for i, a in enumerate(arguments) if isinstance(a.type, RangeType) and a.type.block.data == d)
                back = self._apply(block, -operand(0) * d - root.lower.data[i].data, [places[i]], "back")
                made = control.ShiftOp(copier.values[arguments[i]], back)
                made.result.name_hint = arguments[i].name_hint
            block.add_op(made)
            out.append(made.results[0])
        return out

    def buffers(self) -> dict[int, SSAValue]:
        """A parameter for every carried value that is used after the loop, with a slot for every share."""
        site, slots = self.site, 2 * self.shares.workers
        sizes: dict[Expr, str] = {}

        def bound(e: Expr, name: str) -> str:
            """A variable of the host's that holds a number."""
            if e.is_Integer:
                return str(e)
            if e not in sizes:
                sizes[e] = unused_name(site, name)
                insert(self.owner, BindOp(sizes[e], expr_attr(e)), site.launch)
            return sizes[e]

        out: dict[int, SSAValue] = {}
        for i in site.carried:
            type_ = site.loop.results[i].type
            assert isinstance(type_, TileType)
            shape = [bound(slots, "_shares"), *[bound(d, f"_size_{at}") for at, d in enumerate(type_.dims)]]
            out[i] = add_buffer(self.owner, site, i, [slots, *type_.dims], shape, wide=False)
        return out

    def _place(self, body: Block, number: SSAValue, copier: CopyWithout) -> list[SSAValue]:
        """Make the root loop's ranges those of a block; gives its number along each dimension."""
        site = self.site
        places = positions(body, [number], site.counts(), self.orders, self.group)
        copier.values.update(zip(site.root.body.block.args, block_indices(body, site.root, places)))
        return places

    def _root(self, label: str, programs: Expr, body: Block) -> control.ParallelOp:
        made = control.ParallelOp(label, [0], [programs], Region(body))
        made.location = self.site.root.location
        return made

    def _apply(self, block: Block, e: Expr, arguments: Sequence[SSAValue], hint: str) -> SSAValue:
        made = ApplyOp(e, arguments, SCALAR_I32)
        made.result.name_hint = hint
        block.add_op(made)
        return made.result

    def _apply_all(
        self, block: Block, exprs: Sequence[Expr], arguments: Sequence[SSAValue], hints: Sequence[str]
    ) -> list[SSAValue]:
        return [self._apply(block, e, arguments, hint) for e, hint in zip(exprs, hints)]
