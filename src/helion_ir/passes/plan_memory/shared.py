"""Shared memory of a program, in bytes: a lower bound that rules configurations out, and the best estimate."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from xdsl.ir import Operation, SSAValue

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import RangeType, TileType, bit_width
from helion_ir.index.expr import And, Eq, FloorDiv, Le, Lt, Max, Min, Not, Or, Where, all_of, any_of, string
from helion_ir.passes.plan_memory.copying import addressed_by_loads, contiguous_along, copies_whole_words
from helion_ir.passes.plan_memory.footprint import Size, Terms, most, product_of, total
from helion_ir.passes.plan_memory.liveness import VIEWS
from helion_ir.passes.plan_memory.loops import Loop, loops_of
from helion_ir.passes.plan_memory.products import blocks_of, divided, rows_blocks, runs_beside, warps_of
from helion_ir.targets import Target


@dataclass(frozen=True)
class Shared:
    """Bytes of shared memory, expressions over knobs."""

    least: Size
    """What every compiled program of the configuration has at least: what exceeds the target cannot be launched."""
    likely: Size
    """The best estimate; 0 where the terms have none."""


def shared_memory(ops: Sequence[Operation], target: Target, declared: Collection[str], terms: Terms) -> Shared:
    """What a kernel, given by its ops in program order, needs of shared memory.

    Triton keeps there the operands of products, as many copies as a pipelined loop has stages; what goes through
    registers to a product of another layout; results on their way to a store; and the blocks of tensor descriptors.
    At different times they share the place, so that a kernel needs the most of any of its loops and stores.
    """
    plan = _Plan(ops, target, declared, terms)
    least: Size = 0
    likely: Size = 0
    for found in plan.needs():
        least, likely = most(least, found.least), most(likely, found.likely)
    return Shared(least, likely)


class _Plan:
    def __init__(self, ops: Sequence[Operation], target: Target, declared: Collection[str], terms: Terms):
        self.target, self.staging = target, target.staging
        self.terms = terms
        self.loops = loops_of(ops, declared, terms)
        self.fused = any_of([loop.fused for loop in self.loops])
        self.warps, self.blocks = warps_of(declared, terms), blocks_of(declared, terms)
        self.products = [op for op in ops if isinstance(op, compute.DotOp)]
        accesses = [op for op in ops if isinstance(op, memory.AccessOp)]
        self.loads = [op for op in accesses if isinstance(op, memory.LoadOp)]
        self.stores = [op for op in accesses if not isinstance(op, memory.LoadOp)]
        self.reductions = [op for op in ops if isinstance(op, compute.ReduceOp)] if terms.estimated else []
        self.feeding = _ancestors(v for p in self.products for v in (p.lhs, p.rhs))

    @functools.cached_property
    def from_products(self) -> set[SSAValue]:
        return _descendants(self.products)

    def needs(self) -> Iterable[Shared]:
        """What the parts of the kernel need that are never there at the same time."""
        for loop in self.loops:
            yield self.of_loop(loop)
        for product in self.products:  # where no loop is left around it, or is not pipelined
            waiting = self.waiting(product)
            yield Shared(Where(self.fused, 0, waiting.least), waiting.likely)
        for op in (*self.loads, *self.stores):
            yield self.of_access(op)
        for op in self.reductions:
            if op.operand not in self.from_products:
                yield Shared(0, self.scratch(op))

    # -- loops -----------------------------------------------------------------------------------------------------------
    def of_loop(self, loop: Loop) -> Shared:
        """The copies that a pipelined loop holds, and beside them what else its products and stores need."""
        pipelined = And(loop.innermost, Le(2, loop.stages))
        loads = [x for x in self.loads if loop.holds(x)] if pipelined != 0 else []
        if not loads:
            return Shared(0, 0)
        products = [x for x in self.products if loop.holds(x)]
        sure: dict[SSAValue, Size] = {}
        likely: list[Size] = []
        # An address that was loaded is a level of its own, among which the stages are divided.
        indirect = any(addressed_by_loads(x, loop.op) for x in loads)
        for load in loads:
            direct = [p for p in products if _reads(p, load.result)]
            by_product = load.result in self.feeding
            if not by_product and (loop.explicit == 0 or not self.staging.pipelines_any_loop):
                continue
            eligible = self.copied(load)
            if not by_product:
                eligible = And(loop.explicit, eligible)
            copies = loop.copies(load)
            if self.terms.estimated:
                each = self.share(load, products) * copies
                likely.append(Where(eligible, each * self.buffers(loop, direct), 0))
            whole = copies_whole_words(load, self.staging, self.terms)
            if (direct or not products) and not indirect and whole != 0:
                certain = all_of([whole, eligible, Not(self.is_doubtful(load, direct))])
                if contiguous_along(load) not in loop.op.regions[0].block.args:
                    # Fused loops select the position of a block, and then nothing is known of its alignment.
                    certain = And(certain, Or(Not(self.fused), self.is_by(load, "tensor_descriptor")))
                least = divided(self.terms.bytes(load.result.type), self.blocks) * copies
                found = Where(certain, least * self.buffers(loop, direct, at_least=True), 0)
                # Once the loops inside are gone, loads of one tensor may be of one address, of which Triton keeps one.
                sure[load.ref] = most(sure.get(load.ref, 0), found)
        kept = self.waiting_outside(loop, products) if self.staging.operands_in_place else []
        moved = [any_of([self.fused, self.is_by(x, "tensor_descriptor"), self.is_reshaped(x)]) for x in kept]
        surely = total(
            [Where(m, 0, divided(self.terms.bytes(x.result.type), self.blocks)) for m, x in zip(moved, kept)]
        )
        return Shared(
            Where(pipelined, total(sure.values()) + surely, 0) if sure else 0,
            Where(pipelined, total(likely) + self.beside(loop, products, kept), 0),
        )

    def beside(self, loop: Loop, products: list[compute.DotOp], kept: list[memory.LoadOp]) -> Size:
        """The likely bytes of what a pipelined loop has beside its copies: what is kept, and the most of what passes."""
        if not self.terms.estimated:
            return 0
        passing: Size = 0
        for p in products:
            passing = most(passing, self.computed(p))
        for store in [x for x in self.stores if loop.holds(x)]:
            passing = most(passing, Where(Or(loop.fused, loop.innermost), self.of_access(store).likely, 0))
        return total([self.terms.bytes(x.result.type) for x in kept]) + passing

    def buffers(self, loop: Loop, direct: list[compute.DotOp], *, at_least: bool = False) -> Size:
        """Copies of a load that a pipelined loop holds: one a stage that it is ahead, and one in use by a product that
        runs beside."""
        ahead = loop.stages - 1
        count = total([loop.copies(p) for p in self.products if loop.holds(p)])
        if direct and self.staging.async_rows:
            beside = all_of([self.runs_beside(p) for p in direct])
            if at_least and self.target.tensor_memory:
                # Of several products only some are awaited a stage later, and none where warps have roles.
                beside = all_of([beside, Eq(count, 1), Not(loop.specialized)])
            ahead = Where(beside, loop.stages, ahead)
        if self.staging.chained_stages and count != 0:
            chained = And(Eq(count, 2), Eq(loop.stages, self.staging.chained_stages))
            ahead = Where(chained, 1, ahead)
        return ahead

    def share(self, load: memory.LoadOp, products: list[compute.DotOp]) -> Size:
        """Bytes of a load that each block of a cluster holds: it is divided along rows or columns of its product."""
        size = self.terms.bytes(load.result.type)
        for p in products:
            rows = rows_blocks(p, self.blocks, self.terms)
            if _source(p.lhs) is load.result:
                return divided(size, rows)
            if _source(p.rhs) is load.result:
                return divided(size, FloorDiv(self.blocks, rows))
        return divided(size, self.blocks)

    def runs_beside(self, product: compute.DotOp) -> Size:
        return runs_beside(product, self.warps, self.staging, self.terms)

    def copied(self, load: memory.LoadOp) -> Size:
        """Whether a load is wide enough, for each thread, to be copied asynchronously."""
        if not self.staging.least_copy_bits:
            return 1
        bits = self.terms.elements(load.result.type) * bit_width(load.result.type.element_type)  # pyright: ignore
        wide = Le(self.warps * (self.target.warp_size * self.staging.least_copy_bits), bits)
        return Or(self.is_by(load, "tensor_descriptor"), wide)

    def is_doubtful(self, load: memory.LoadOp, direct: list[compute.DotOp]) -> Size:
        """Whether a block of another rank than its tile may not be pipelined: by a descriptor, where products take their
        results to tensor memory."""
        if not self.target.tensor_memory:
            return 0
        described = self.is_by(load, "tensor_descriptor") if _has_scalars(load) else 0
        return And(described, any_of([self.runs_beside(p) for p in direct]))

    def waiting_outside(self, loop: Loop, products: list[compute.DotOp]) -> list[memory.LoadOp]:
        """Loads from before the loop that its products read in every iteration."""
        found = dict.fromkeys(_source(v).owner for p in products for v in (p.lhs, p.rhs))
        return [x for x in found if isinstance(x, memory.LoadOp) and not loop.holds(x)]

    # -- products --------------------------------------------------------------------------------------------------------
    def waiting(self, product: compute.DotOp) -> Shared:
        """What a product needs whose operands are not pipelined."""
        sizes: list[Size] = []
        sure: list[Size] = []
        beside = self.runs_beside(product)
        alone: Size = 0
        for value in (product.lhs, product.rhs):
            if isinstance(load := _source(value).owner, memory.LoadOp):
                doubtful = Or(self.is_reshaped(load), self.may_fit_registers(product, load))
                size = Where(doubtful, 0, divided(self.terms.bytes(value.type), self.blocks))
                if self.terms.estimated:
                    sizes.append(self.share(load, [product]))
                # What a descriptor loads may go on to registers before the other operand is there.
                sure.append(Where(Or(beside, Not(self.is_by(load, "tensor_descriptor"))), size, 0))
                alone = most(alone, size)
        likely = self.together(sizes) + self.computed(product) if self.terms.estimated else 0
        return Shared(most(self.together(sure), alone), likely)

    def may_fit_registers(self, product: compute.DotOp, load: memory.LoadOp) -> Size:
        """Whether an operand that is contiguous along the sum may be loaded in the layout that a product reads, or get
        there within a warp: seen for gfx950 with one warp, and where four lanes load a row by 16 bytes each."""
        along = contiguous_along(load)
        assert isinstance(product.lhs.type, TileType)
        summed = product.lhs.type.dims[-1]
        if self.staging.operands_in_place or along is None or not isinstance(along.type, RangeType):
            return 0
        if along.type.block.data != summed:
            return 0
        row = self.terms.extent(summed) * bit_width(product.lhs.type.element_type)
        return Or(Le(self.warps, 1), Le(row, 4 * 128))

    def together(self, sizes: list[Size]) -> Size:
        """Bytes of a product's operands, where they are not pipelined."""
        if self.staging.operands_in_place:
            return total(sizes)
        out: Size = 0
        for size in sizes:
            out = most(out, size)
        return out

    def computed(self, product: compute.DotOp) -> Size:
        """Bytes that an operand needs which a product before made, if its layout is another for the next."""
        out: Size = 0
        for value, left in ((product.lhs, True), (product.rhs, False)):
            if value not in self.from_products or not isinstance(value.type, TileType):
                continue
            assert isinstance(product.result.type, TileType)
            rows, columns = (self.terms.extent(d) for d in product.result.type.dims[-2:])
            size = self.terms.bytes(value.type)
            if self.staging.operands_in_place:
                # Warps go along the columns of a result with fewer rows, and then each needs all of the operand.
                moves = And(Lt(rows, columns), Lt(1, self.warps))
                beside = self.runs_beside(product)
                out = out + Where(beside, 0 if left else size, Where(moves, size, 0))
            else:
                # Warps go along the rows, 32 each; those beyond hold rows again.
                out = out + Where(And(Le(columns, rows), Lt(rows, 32 * self.warps)), size, 0)
        return out

    # -- accesses --------------------------------------------------------------------------------------------------------
    def of_access(self, op: memory.AccessOp) -> Shared:
        """What an access needs by itself: a descriptor's block, or a product's result in the layout of stores."""
        value = op.result if isinstance(op, memory.LoadOp) else _stored(op)
        if value is None or not isinstance(value.type, TileType) or not value.type.rank:
            return Shared(0, 0)
        described = self.is_by(op, "tensor_descriptor")
        if described == 0 and not self.terms.estimated:
            return Shared(0, 0)
        size = self.terms.bytes(value.type)
        by_descriptor = Where(described, size, 0)
        least = divided(by_descriptor, self.blocks)
        if isinstance(op, memory.LoadOp) or value not in self.from_products or value.type.rank < 2:
            return Shared(0 if isinstance(op, memory.LoadOp) else least, by_descriptor)
        if self.staging.results_converted:
            return Shared(least, size)
        return Shared(least, by_descriptor)

    def is_by(self, op: memory.AccessOp, kind: str) -> Size:
        """Whether an access is addressed in a way."""
        return Eq(self.terms.of(op.indexing.data), string(kind)) if isinstance(op.indexing, ExprAttr) else 0

    def is_reshaped(self, load: memory.LoadOp) -> Size:
        """Whether a load of a part of its tensor may go to a product without being staged: a descriptor's block has
        another rank than its result; by a block pointer it was seen once, for gfx950, with one warp."""
        if not _has_scalars(load):
            return 0
        return Or(self.is_by(load, "block_ptr"), self.is_by(load, "tensor_descriptor"))

    def scratch(self, op: compute.ReduceOp) -> Size:
        """Partial results of the warps that share a row."""
        type_ = op.operand.type
        assert isinstance(type_, TileType)
        if not type_.rank:
            return 0
        columns = self.terms.extent(type_.dims[-1])
        last = type_.rank - 1 in op.dims
        result = product_of([self.terms.extent(d) for i, d in enumerate(type_.dims) if i not in op.dims])
        along = Max(1, FloorDiv(columns, self.target.warp_size * 4))
        warps = Min(self.warps, along) if last else self.warps
        return Where(Lt(1, warps), result * warps * 4, 0)


def _has_scalars(load: memory.LoadOp) -> bool:
    return any(isinstance(s.type, TileType) and s.type.rank == 0 for s in load.subscripts)


def _stored(op: memory.AccessOp) -> SSAValue | None:
    if isinstance(op, memory.StoreOp):
        return op.value
    return op.arguments[-1] if isinstance(op, memory.AtomicOp) else None


def _source(value: SSAValue) -> SSAValue:
    """What a value is a view of."""
    while isinstance(value.owner, VIEWS):
        value = value.owner.operand
    return value


def _reads(product: compute.DotOp, value: SSAValue) -> bool:
    return _source(product.lhs) is value or _source(product.rhs) is value


PASSING = (elementwise.ElementwiseOp, compute.ViewOp, compute.FillOp)
"""Ops whose result has the layout of their operands."""


def _ancestors(values: Iterable[SSAValue]) -> set[SSAValue]:
    """The values that these are computed from, elementwise, themselves included."""
    seen: set[SSAValue] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        if isinstance(value.owner, PASSING):
            waiting += value.owner.operands
    return seen


def _descendants(products: Iterable[compute.DotOp]) -> set[SSAValue]:
    """The values that are computed from products' results, elementwise and over the results of loops."""
    seen: set[SSAValue] = set()
    waiting: list[SSAValue] = [p.result for p in products]
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses:
            user = use.operation
            if isinstance(user, (*PASSING, compute.DotOp)):
                waiting += user.results
            elif isinstance(user, control.YieldOp):
                parent = user.parent_op()
                if isinstance(parent, control.ForOp):
                    waiting += [parent.results[use.index], parent.body.block.args[1 + use.index]]
                elif isinstance(parent, control.IfOp):
                    waiting.append(parent.results[use.index])
    return seen
