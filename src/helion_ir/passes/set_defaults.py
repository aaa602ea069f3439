"""set-defaults: where the target starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from helion_ir.dialects.knob import KnobValue, ValueAttr, declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, bit_width
from helion_ir.index.expr import compiled, constant_of, free_names, knobs_of
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.plan_memory.liveness import points_of
from helion_ir.passes.scope import physical
from helion_ir.targets import Target
from helion_ir.targets.preferred import Preferred

UNKNOWN_EXTENT = 1024
"""What an extent counts as that only a call fixes."""
LEAST_ELEMENTS = 256
"""Elements of a program that rows are not divided below to occupy more compute units."""


@dataclass(frozen=True)
class SetDefaults(Pass):
    """Give block sizes, warps, stages and program order the defaults that suit the kernel on its target.

    ```mlir
    knob.declare @rows.block_size : pow2 16 to 4096 = 32 …        // feeds a product of 4096 x 4096 on an h200
    // becomes
    knob.declare @rows.block_size : pow2 16 to 4096 = 128 …       // and num_warps 8, num_stages 4, l2_grouping 8
    ```

    The numbers are the target's (`Target.preferred`): an extent of a product gets the preferred one, halved while fewer
    programs than compute units would run or operands in flight would not fit; other blocks grow along the contiguous
    dimension first, until a tile holds the preferred number of elements. Warps grow until a thread holds its share of a
    product's result, and of the tiles that are live at a time. Domains stay. Does not handle: knobs of the
    author's, and reductions, whose defaults depend on the length alone. What a default still breaks (a `knob.require`
    that only lowering finds), `ConfigSpace.legal_default` mends.
    Runs after declare-schedules, which declares the knobs.
    """

    name = "set-defaults"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = target_of(op)
        if target.preferred is None:
            return
        chosen = _Defaults(op, target, target.preferred).choose()
        for d in declarations(op):
            value = chosen.get(d.sym_name.data, d.default.data)
            if value in d.domain.data:
                d.properties["default"] = ValueAttr(value)


class _Defaults:
    """The defaults of one module while they are found."""

    def __init__(self, module: ModuleOp, target: Target, preferred: Preferred):
        self.module, self.target, self.preferred = module, target, preferred
        self.declared = {d.sym_name.data: d for d in declarations(module)}
        self.values: dict[str, KnobValue] = {n: d.default.data for n, d in self.declared.items()}
        self.blocks = [n for n, d in self.declared.items() if d.field is not None and d.field.data == "block_sizes"]
        self.dots = [op for op in module.walk() if isinstance(op, compute.DotOp)]
        self.roots = [op for op in module.walk() if isinstance(op, control.ParallelOp)]
        self.loops = [op for op in module.walk() if isinstance(op, control.ForOp)]
        self.shapes = list(dict.fromkeys(t.dims for t in _tile_types(module) if t.rank))
        self.chunks = dict(self._chunks())
        """The physical extents of axes that are looped over by default, with their chunks."""

    def choose(self) -> dict[str, KnobValue]:
        products = self._products()
        self._fill([b for b in self.blocks if b not in products and self._shapes_of(b)])
        self._occupy([b for b in self.blocks if b not in products])
        if self.dots:
            self._set("num_stages", self._fit())
        self._set("num_warps", self._warps())
        for root in self.roots:
            self._order(root)
        return self.values

    # -- products ------------------------------------------------------------------------------------------------------
    def _products(self) -> list[str]:
        """Set the blocks that products are made of; gives their names."""
        p, wanted = self.preferred, dict[str, int]()
        for dot in self.dots:
            lhs, rhs = _type(dot.lhs), _type(dot.rhs)
            inner = 8 * p.inner_bytes // bit_width(lhs.element_type)
            roles = ((lhs.dims[-2], p.rows), (rhs.dims[-1], p.columns), (lhs.dims[-1], inner))
            for extent, size in roles:
                for name in knobs_of(extent) & set(self.blocks):
                    wanted[name] = min(self._largest(name, extent, size), wanted.get(name, size))
        self.values.update(wanted)
        for root in self.roots:
            own = [n for n in _blocks_of(root) if n in wanted]
            while self._programs(root) < self.target.compute_units:
                shrinkable = [n for n in own if self._number(n) > max(p.least, self._least(n))]
                if not shrinkable:
                    break
                self._halve(max(shrinkable, key=self._number))
        # What loops carry beside one another stays in registers.
        most = 2 * p.rows * p.columns
        for loop in self.loops:
            carried = [_type(v).dims for v in loop.iter_args if isinstance(v.type, TileType) and v.type.rank]
            while sum(map(self._elements, carried)) > most:
                names = {n for dims in carried for d in dims for n in knobs_of(d)} & set(wanted)
                shrinkable = [n for n in names if self._number(n) > self._least(n)]
                if not shrinkable:
                    break
                self._halve(max(sorted(shrinkable), key=self._number))
        return list(wanted)

    def _largest(self, name: str, extent: Expr, size: int) -> int:
        """The largest value of a block with which an extent made of it is at most `size`."""
        least, *more = [v for v in self.declared[name].domain.data.values if type(v) is int]
        known = {n: v for n, v in self.values.items() if n in knobs_of(extent)}
        if len(free_names(extent)) > len(known):
            return least
        fitting = [v for v in more if int(compiled(extent)({**known, name: v})) <= size]
        return max(fitting, default=least)

    def _fit(self) -> int:
        """The stages whose operands fit the shared memory, with smaller blocks where two do not."""
        stages = self.preferred.stages
        while (need := self._staged()) * stages > self.target.shared_memory:
            operands = [t for loop in self.loops for t in _operands(loop)]
            names = {n for t in operands for d in t.dims for n in knobs_of(d)} & set(self.blocks)
            shrinkable = [n for n in names if self._number(n) > self._least(n)]
            if stages > 2 and need * (stages - 1) <= self.target.shared_memory or not shrinkable:
                stages -= 1
                if stages < 2:
                    return 1
            else:
                self._halve(max(sorted(shrinkable), key=self._number))
        return stages

    def _staged(self) -> int:
        """Bytes that one stage of a pipeline holds, the most of any loop."""
        return max((sum(map(self._bytes, _operands(loop))) for loop in self.loops), default=0)

    def _bytes(self, t: TileType) -> int:
        return self._elements(t.dims) * bit_width(t.element_type) // 8

    # -- everything else -----------------------------------------------------------------------------------------------
    def _fill(self, names: Sequence[str]) -> None:
        """Grow blocks from their least, those along contiguous memory first, those of root loops last."""
        inner = _contiguous(self.module)
        roots = {n for root in self.roots for n in _blocks_of(root)}
        serial = bool(self.loops) or any(isinstance(op, compute.ReduceOp) for op in self.module.walk())
        budget = self.preferred.row_elements if serial or self.dots else self.preferred.elements
        for name in names:
            self.values[name] = self._least(name)
        ranks = {n: (n not in inner, n in roots) for n in names}
        for rank in sorted(set(ranks.values())):
            growing = [n for n in names if ranks[n] == rank]
            while growing:
                growing = [n for n in growing if self._grown(n, budget)]

    def _grown(self, name: str, budget: int) -> bool:
        """Whether a block could be doubled, and now is."""
        before = self._number(name)
        if before * 2 not in self.declared[name].domain.data:
            return False
        self.values[name] = before * 2
        if max(map(self._elements, self._shapes_of(name))) <= budget:
            return True
        self.values[name] = before
        return False

    def _occupy(self, names: Sequence[str]) -> None:
        """Divide rows among more programs while compute units would have none."""
        for root in self.roots:
            own = [n for n in _blocks_of(root) if n in names]
            while self._programs(root) < self.target.compute_units:
                largest = max((self._elements(s) for n in own for s in self._shapes_of(n)), default=0)
                shrinkable = [n for n in own if self._number(n) > self._least(n)]
                if largest <= LEAST_ELEMENTS or not shrinkable:
                    break
                self._halve(shrinkable[0])

    def _warps(self) -> int:
        p, lanes = self.preferred, self.target.warp_size
        products = {_type(d.result).dims for d in self.dots}
        of_products = max((self._elements(s) for s in products), default=0) // (lanes * p.product_elements)
        of_others = max((self._elements(s) for s in self.shapes), default=0) // (lanes * p.thread_elements)
        least, most = p.warps
        if not self.dots:
            return min(most, max(least, of_others))
        warps, live = min(most, max(least, of_products)), self._live()
        # With more warps than take part in them, products would leave the asynchronous matrix unit.
        most = min(most, max(self.target.staging.async_warps, default=most))
        while warps < most and live > 4 * p.live_registers * lanes * warps:
            warps *= 2
        return warps

    def _live(self) -> int:
        """Bytes of the tiles that are live at a time, the most of any point of the program."""
        points = {p.live for kernel in kernels(self.module, control.KernelOp) for p in points_of(kernel)}
        sizes = {t: self._bytes(t) for t in {_type(v) for live in points for v in live}}
        return max((sum(sizes[_type(v)] for v in live) for live in points), default=0)

    def _order(self, root: control.ParallelOp) -> None:
        """Blocks of a product by rows and columns, grouped; of anything else along contiguous memory first."""
        label, n = root.label.data, len(root.body.block.args)
        dims = [_block(a) for a in root.body.block.args]
        for dot in self.dots:
            wanted = (_type(dot.lhs).dims[-2], _type(dot.rhs).dims[-1])
            if all(d in dims for d in wanted) and wanted[0] != wanted[1]:
                rows, columns = (dims.index(d) for d in wanted)
                rest = [i for i in range(n) if i not in (rows, columns)]
                self._set(f"{label}.loop_order", (rows, columns, *reversed(rest)))
                blocks, group = self._counts(root)[rows], self.preferred.l2_grouping
                while group > 1 and group > blocks:
                    group //= 2
                self._set(f"{label}.l2_grouping", group)
                return
        self._set(f"{label}.loop_order", tuple(reversed(range(n))))

    # -- what the values mean ------------------------------------------------------------------------------------------
    def _set(self, name: str, value: KnobValue) -> None:
        """The value of a knob, or the nearest number in its domain."""
        declared = self.declared.get(name)
        if declared is None:
            return
        numbers = [v for v in declared.domain.data.values if type(v) is int]
        if type(value) is int and numbers:
            wanted = value
            value = min(numbers, key=lambda v: abs(v - wanted))
        if value in declared.domain.data:
            self.values[name] = value

    def _number(self, name: str) -> int:
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def _halve(self, name: str) -> None:
        self.values[name] = self._number(name) // 2

    def _least(self, name: str) -> int:
        return min(v for v in self.declared[name].domain.data.values if isinstance(v, int))

    def _shapes_of(self, name: str) -> list[tuple[Expr, ...]]:
        return [s for s in self.shapes if any(name in knobs_of(d) for d in s)]

    def _elements(self, dims: tuple[Expr, ...]) -> int:
        total = 1
        for d in dims:
            total *= self._extent(physical(d))
        return total

    def _extent(self, e: Expr) -> int:
        """An extent under the values so far; a whole axis that is looped over counts as one chunk of it."""
        if (known := constant_of(e)) is not None:
            return min(known, self.chunks.get(known, known))
        names = {n: self.values[n] for n in knobs_of(e) if n in self.values}
        if len(names) < len(free_names(e)):
            return UNKNOWN_EXTENT
        return int(compiled(e)(names))

    def _chunks(self) -> Iterator[tuple[int, int]]:
        for op in self.module.walk():
            if isinstance(op, control.AxisOp) and type(chunk := self.values.get(f"reduction.{op.label.data}")) is int:
                extent = constant_of(_block(op.result))
                if extent is not None:
                    yield 1 << (extent - 1).bit_length(), chunk

    def _counts(self, root: control.ParallelOp) -> list[int]:
        """Blocks along each dimension of a root loop."""
        counts = []
        for lower, upper, argument in zip(root.lower, root.upper, root.body.block.args):
            extent = constant_of(upper.data - lower.data)
            block = self._extent(_block(argument))
            counts.append(-(-(UNKNOWN_EXTENT if extent is None else extent) // max(block, 1)))
        return counts

    def _programs(self, root: control.ParallelOp) -> int:
        total = 1
        for count in self._counts(root):
            total *= count
        return total


def _type(value: SSAValue) -> TileType:
    assert isinstance(value.type, TileType)
    return value.type


def _block(argument: SSAValue) -> Expr:
    """Indices a range has; one for the scalar of a grid."""
    return argument.type.block.data if isinstance(argument.type, RangeType) else Integer(1)


def _blocks_of(root: control.ParallelOp) -> list[str]:
    """The knobs that the blocks of a root loop are, in the order of its dimensions."""
    return [n for a in root.body.block.args for n in sorted(knobs_of(_block(a)))]


def _tile_types(module: ModuleOp) -> Iterator[TileType]:
    for op in module.walk():
        for r in op.results:
            if isinstance(r.type, TileType):
                yield r.type


def _operands(loop: control.ForOp) -> Iterator[TileType]:
    """What a loop loads for products right in it: pipelined, it is held once a stage."""
    for op in loop.body.block.ops:
        if isinstance(op, compute.DotOp):
            for value in (op.lhs, op.rhs):
                owner = value.owner
                while isinstance(owner, compute.PermuteOp | compute.ReshapeOp):
                    value, owner = owner.operand, owner.operand.owner
                if isinstance(owner, memory.LoadOp) and owner.parent_block() is loop.body.block:
                    yield owner.result.type


def _contiguous(module: ModuleOp) -> frozenset[str]:
    """The knobs whose blocks lie along contiguous memory in an access of the most dimensions that has them."""
    ranks: dict[str, int] = {}
    found: dict[str, bool] = {}
    for op in module.walk():
        if not isinstance(op, memory.AccessOp):
            continue
        assert isinstance(op.ref.type, RefType)
        rank = len(op.dims)
        for subscript, stride in zip(op.subscripts, op.ref.type.strides):
            for name in knobs_of(_block(subscript)) if isinstance(subscript.type, RangeType) else ():
                if rank > ranks.get(name, 0):
                    ranks[name], found[name] = rank, False
                if rank == ranks[name]:
                    found[name] |= stride.data == 1
    return frozenset(n for n, inner in found.items() if inner)
