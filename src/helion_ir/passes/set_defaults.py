"""set-defaults: where the target starts from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from helion_ir.dialects.knob import KnobValue, ValueAttr, declarations
from helion_ir.dialects.tile import compute, control, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, bit_width
from helion_ir.index.expr import compiled, constant_of, free_names, knobs_of
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.chained_products import ROWS_OF_WARP, is_chained
from helion_ir.passes.plan_memory.liveness import points_of
from helion_ir.passes.plan_memory.loops import Loop, loops_of
from helion_ir.passes.scope import kernel_of, physical
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
    knob.declare @rows.block_size : pow2 16 to 4096 = 128 …       // and num_warps 8, num_stages 3, l2_grouping 8
    ```

    The numbers are the target's (`Target.preferred`): an extent of a product gets the preferred one, halved while fewer
    programs than compute units would run or operands in flight would not fit; other blocks grow along the contiguous
    dimension first, until a tile holds the preferred number of elements. What follows a wide product is done in halves
    (`epilogue_subtile`) where a thread could not hold all of it. Warps grow until a thread holds its share of a
    product's result, and of the tiles that are live at a time, but not beyond those that rows are divided among. `maxnreg`
    lets a thread have all registers where the target's assembler would spill for the sake of further programs, and
    products follow on each other or no further program exists. Domains stay. Does not handle: knobs of the
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
        if self._widened() and self._live(warps := self._number("num_warps")) > self._registers(warps):
            self._set("epilogue_subtile", 2)
        if self.preferred.spares_registers and self.dots and (self._chained or self._alone()):
            self._give_registers()
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
            columns = p.loaded_columns if self._is_plain(dot) else p.columns
            roles = ((lhs.dims[-2], p.rows), (rhs.dims[-1], columns), (lhs.dims[-1], inner))
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

    def _is_plain(self, product: compute.DotOp) -> bool:
        """Whether a product is the only one of its kernel, of operands as they are loaded, and a loop carries its sum."""
        alone = sum(kernel_of(d) is kernel_of(product) for d in self.dots) == 1
        return alone and _is_carried(product) and bool(_loaded(product.lhs) and _loaded(product.rhs))

    def _widened(self) -> bool:
        """Whether a block of columns is larger than those of computed operands would be."""
        columns = [_type(d.result).dims[-1] for d in self.dots if self._is_plain(d)]
        return any(self._extent(c) > self.preferred.columns for c in columns if knobs_of(c) & set(self.blocks))

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
        while (need := self._staged()) * stages + (kept := self._kept()) > self.target.shared_memory:
            operands = [t for loop in self.loops for t in _operands(loop)]
            names = {n for t in operands for d in t.dims for n in knobs_of(d)} & set(self.blocks)
            shrinkable = [n for n in names if self._number(n) > self._least(n)]
            if stages > 2 and need * (stages - 1) + kept <= self.target.shared_memory or not shrinkable:
                stages -= 1
                if stages < 2:
                    return 1
            else:
                self._halve(max(sorted(shrinkable), key=self._number))
        return stages

    def _staged(self) -> int:
        """Bytes that one stage of a pipeline holds, the most of any loop."""
        return max((sum(map(self._bytes, _operands(loop))) for loop in self.loops), default=0)

    def _kept(self) -> int:
        """Bytes of operands that lie in shared memory throughout a loop, the most of any."""
        if not self.target.staging.operands_in_place:
            return 0
        return max((sum(map(self._bytes, _operands(loop, outside=True))) for loop in self.loops), default=0)

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
        of_products = max((self._elements(_type(d.result).dims) // self._share(d) for d in self.dots), default=0)
        of_others = max((self._elements(s) for s in self.shapes), default=0) // p.thread_elements
        least, most = p.warps
        wanted = of_products if self.dots else of_others
        warps, room = min(most, max(least, wanted // lanes)), p.live_registers if self.dots else p.tile_registers
        if self.dots:
            # With more warps than take part in them, products would leave the asynchronous matrix unit.
            most = min(most, max(self.target.staging.async_warps, default=most))
        while warps < most and self._live(warps) > 4 * room * lanes * warps:
            rows = max((self._extent(_type(d.result).dims[-2]) for d in self.dots), default=0)
            if self._chained and rows <= warps * ROWS_OF_WARP:
                break  # further warps would hold rows again
            warps *= 2
        return warps

    def _registers(self, warps: int) -> int:
        """Bytes of the registers that the threads of a program can have."""
        return 4 * self.target.max_registers_per_thread * self.target.warp_size * warps

    def _give_registers(self) -> None:
        """Let a thread have as many registers as there are, if the threads of a program can."""
        threads = self._number("num_warps") * self.target.warp_size
        if self.target.max_registers_per_thread * threads <= self.target.registers:
            self._set("maxnreg", self.target.max_registers_per_thread)

    def _share(self, product: compute.DotOp) -> int:
        """Elements of a product's result that a thread holds."""
        return self.preferred.accumulated_elements if _is_carried(product) else self.preferred.product_elements

    @functools.cached_property
    def _chained(self) -> list[compute.DotOp]:
        """The products whose results reach another one."""
        loops: dict[Operation, Loop] = {}
        for kernel in kernels(self.module, control.KernelOp):
            loops |= {loop.op: loop for loop in loops_of(kernel.walk(), self.declared)}
        return [d for d in self.dots if is_chained(d, loops) == 1]

    def _alone(self) -> bool:
        """Whether no compute unit has two programs of any root loop."""
        return all(self._programs(root) <= self.target.compute_units for root in self.roots)

    def _live(self, warps: int) -> int:
        """Bytes of the tiles that are live at a time, the most of any point of the program."""
        points = {(p.live, p.op) for kernel in kernels(self.module, control.KernelOp) for p in points_of(kernel)}
        sizes = {t: self._bytes(t) for t in {_type(v) for live, _ in points for v in live}}
        return max(
            (sum(sizes[_type(v)] for v in live) + self._operands_of(op, warps) for live, op in points), default=0
        )

    def _operands_of(self, op: Operation, warps: int) -> int:
        """Bytes that a product's operands take of all threads, where matrix units read registers and products follow on
        products; what is only summed up leaves room to read operands little by little.

        Warps lie along rows and columns (TritonGPU/Transforms/AccelerateMatmul.cpp, warpsPerTileV2): each of them has
        all that its part of the result is made of.
        """
        staging = self.target.staging
        by_warps = staging.operands_in_place and not staging.async_rows
        if not by_warps or not isinstance(op, compute.DotOp) or not self._chained:
            return 0
        rows, columns = (self._extent(d) for d in _type(op.result).dims[-2:])
        along_rows = 1
        while along_rows < min(warps, rows // ROWS_OF_WARP) and rows * warps >= columns * along_rows**2:
            along_rows *= 2
        return self._bytes(_type(op.lhs)) * (warps // along_rows) + self._bytes(_type(op.rhs)) * along_rows

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


def _operands(loop: control.ForOp, *, outside: bool = False) -> list[TileType]:
    """What a loop loads for products right in it: pipelined, it is held once a stage. Or what was loaded before it."""
    loads: dict[memory.LoadOp, TileType] = {}
    for op in loop.body.block.ops:
        if isinstance(op, compute.DotOp):
            for load in (_loaded(op.lhs), _loaded(op.rhs)):
                if load is not None and (load.parent_block() is loop.body.block) is not outside:
                    loads[load] = _type(load.result)
    return list(loads.values())


def _is_carried(product: compute.DotOp) -> bool:
    """Whether a loop carries the sum of a product's terms."""
    return isinstance(product.acc, BlockArgument) and isinstance(product.parent_op(), control.ForOp)


def _loaded(value: SSAValue) -> memory.LoadOp | None:
    """What loads an operand of a product, in whatever shape it is multiplied."""
    owner = value.owner
    while isinstance(owner, compute.PermuteOp | compute.ReshapeOp):
        owner = owner.operand.owner
    return owner if isinstance(owner, memory.LoadOp) else None


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
