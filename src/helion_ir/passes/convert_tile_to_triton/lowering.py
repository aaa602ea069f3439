"""The state of the conversion, and how its parts add ops."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from sympy import Expr, Integer
from xdsl.dialects.builtin import UNKNOWN_LOC, LocationAttr, ModuleOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from helion_ir.dialects.editing import append, block_of, name_after, region_of, take_name
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.knob import ChooseOp, KnobValue, RequireOp, YieldOp
from helion_ir.dialects.locations import author_place
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.tile import control as tile_control
from helion_ir.dialects.tile.memory import AccessOp
from helion_ir.dialects.triton import compute
from helion_ir.dialects.triton.memory import BarrierOp
from helion_ir.dialects.types import EMULATED_FLOATS, NumberAttr, TileType, f32, i1, i32, i64, number, tile_type
from helion_ir.exc import BackendUnsupported
from helion_ir.index.expr import Lt, Ne, NextPow2, Not, all_of, operand, substitute
from helion_ir.index.facts import Domains, decide
from helion_ir.index.text import expr_text
from helion_ir.passes.base import Pass
from helion_ir.passes.scope import Bounds, bounds_of, needs_int64, partial, physical, wide_scalars
from helion_ir.targets import Target


@dataclass(frozen=True)
class Range:
    """A lowered range: its first index, its indices, and where its lanes end."""

    offset: SSAValue
    index: SSAValue
    bounds: Bounds
    block: Expr
    active: SSAValue | None
    """Which lanes lie before the upper bound, made once for all accesses; of a shifted range, its own before the shift."""
    first: SSAValue


@dataclass
class Lowering:
    """One kernel's conversion: where ops go, and what became of the tile dialect's values."""

    owner: Pass
    module: ModuleOp
    kernel: tile_control.KernelOp
    target: Target
    domains: Domains
    """The values of the knobs."""
    values: dict[SSAValue, SSAValue] = field(default_factory=dict)
    ranges: dict[SSAValue, Range] = field(default_factory=dict)
    block: Block = field(default_factory=Block)
    after_barrier: frozenset[Operation] = frozenset()
    """Ops before which the program's threads wait for each other: see `passes/access_order.py`."""
    location: LocationAttr = UNKNOWN_LOC
    """That of what is added, from the op that is being lowered."""
    _powers: set[Expr] = field(default_factory=set)
    """Extents known to be powers of two."""
    _shared: dict[Hashable, SSAValue] = field(default_factory=dict)
    """What was made `once` in the current block and in those around it."""
    _wide: dict[SSAValue, bool] = field(default_factory=dict)
    """Of each tensor, whether its elements' offsets may exceed 32 bits."""

    def __post_init__(self) -> None:
        self.wide_scalars = wide_scalars(self.kernel)

    def needs_int64(self, access: AccessOp) -> bool:
        if (known := self._wide.get(access.ref)) is None:
            known = self._wide[access.ref] = needs_int64(access)
        return known

    # -- adding ops ------------------------------------------------------------------------------------------------------
    def add(self, op: Operation, hint: str | None = None) -> SSAValue:
        """Append an op; returns its first result, if it has one."""
        op.location = self.location
        append(self.block, op)
        if hint and op.results:
            op.results[0].name_hint = hint
        return op.results[0] if op.results else None  # pyright: ignore

    def once(self, key: Hashable, make: Callable[[], SSAValue]) -> SSAValue:
        """What all ask for alike, such as addresses: made when it is first asked for, and seen from there on in the
        block and in those inside of it."""
        if (found := self._shared.get(key)) is None:
            found = self._shared[key] = make()
        return found

    def apply(
        self, expr: Expr | int, operands: Sequence[SSAValue], dims: Sequence[Expr] = (), element: Attribute = i32
    ) -> SSAValue:
        """An index expression over lowered values; widened to i64 if an operand is."""
        if element is i32 and any([_is_i64(o) for o in operands]):
            element = i64
        return self.add(ApplyOp(expr, operands, tile_type(tuple(dims), element)))

    def constant(self, value: int) -> SSAValue:
        return self.apply(value, [])

    def cast(self, value: SSAValue, element: Attribute) -> SSAValue:
        return value if _element(value) == element else self.add(compute.CastOp(value, element))

    def call(
        self, callee: str, arguments: Sequence[SSAValue], element: Attribute | None = None, **keywords: str
    ) -> SSAValue:
        """A pure call on tiles of one shape, the first argument's."""
        first = arguments[0].type
        assert isinstance(first, TileType)
        type_ = first if element is None else tile_type(first.dims, element)
        return self.add(compute.CallOp(callee, arguments, type_, keywords))

    def binary(self, operator: str, lhs: SSAValue, rhs: SSAValue, element: Attribute | None = None) -> SSAValue:
        """An infix operator on tiles of one shape."""
        assert isinstance(lhs.type, TileType)
        return self.add(
            compute.BinaryOp(operator, lhs, rhs, lhs.type if element is None else tile_type(lhs.type.dims, element))
        )

    def full(self, value: float | int, like: SSAValue) -> SSAValue:
        """A tile of one value with the type of another."""
        assert isinstance(like.type, TileType)
        return self.full_of(number(value, like.type.element_type), like.type)

    def full_of(self, value: NumberAttr, type_: TileType) -> SSAValue:
        """A tile of one value; the interpreter can make none of bf16 or of 8-bit floats."""
        if type(type_.element_type) in EMULATED_FLOATS:
            from helion_ir.passes.convert_tile_to_triton.arithmetic import to_element

            return to_element(self, self.add(compute.FullOp(value, tile_type(type_.dims, f32))), type_.element_type)
        return self.add(compute.FullOp(value, type_))

    def expand(self, value: SSAValue, place: int, rank: int) -> SSAValue:
        """A 1-D tile as dimension `place` of `rank`."""
        if rank == 1:
            return value
        others = (*range(place), *range(place + 1, rank))
        return self.once((value, others), lambda: self.add(compute.ExpandDimsOp(value, others)))

    def broadcast(self, value: SSAValue, dims: Sequence[Expr]) -> SSAValue:
        assert isinstance(value.type, TileType)
        if value.type.dims == tuple(dims):
            return value
        if 0 < value.type.rank < len(dims):
            value = self.add(compute.ExpandDimsOp(value, list(range(len(dims) - value.type.rank))))
        return self.add(compute.BroadcastToOp(value, dims))

    def reshape(self, value: SSAValue, dims: Sequence[Expr]) -> SSAValue:
        assert isinstance(value.type, TileType)
        return value if value.type.dims == tuple(dims) else self.add(compute.ReshapeOp(value, dims))

    def choose(
        self,
        selector: Expr,
        cases: Mapping[KnobValue, Callable[[], Sequence[SSAValue]]],
        types: Sequence[Attribute],
        hint: str | None = None,
    ) -> Sequence[SSAValue]:
        """One alternative a case, or the only one there can be."""
        if selector.is_Integer:
            return cases[int(selector)]()
        if len(cases) == 1:
            return next(iter(cases.values()))()
        regions = [self.inside(Block(), lambda build=build: self.add(YieldOp(*build()))) for build in cases.values()]
        made = ChooseOp(expr_attr(selector), list(cases), regions, types)
        self.add(made)
        for r in made.results:
            r.name_hint = hint
        return list(made.results)

    # -- looking up ------------------------------------------------------------------------------------------------------
    def type(self, type_: Attribute) -> Attribute:
        """The type with physical extents."""
        if not isinstance(type_, TileType):
            return type_
        logical, dims = type_.dims, self.dims(type_)
        return type_ if dims == logical else tile_type(dims, type_.element_type)

    def dims(self, type_: Attribute) -> tuple[Expr, ...]:
        assert isinstance(type_, TileType)
        return tuple([self.extent(d) for d in type_.dims])

    def extent(self, dim: Expr) -> Expr:
        """The physical extent of a dimension. Raises BackendUnsupported if it never is a power of two; configurations
        in which it is none are ruled out."""
        made = physical(dim)
        if made != dim or dim.is_Integer or dim.is_Symbol or isinstance(dim, NextPow2) or dim in self._powers:
            return made
        odd = decide(Ne(NextPow2(dim), dim), self.domains)
        if odd == 1:
            apart = "; keep the dimensions that make it apart, as in v.sum((0, 1)) in the place of v.flatten().sum()"
            raise BackendUnsupported(
                f"a tile of {expr_text(dim)} elements along a dimension: Triton's are powers of two"
                + (apart if dim.is_Mul else "")
            )
        if odd != 0:
            reason = f"a tile has {expr_text(dim)} elements along a dimension, which must be a power of two"
            self.require(Not(odd), reason)
        self._powers.add(dim)
        return made

    def require(self, condition: Expr, reason: str) -> None:
        """Rule out the configurations for which a condition over knobs is false."""
        first = self.module.body.block.first_op
        assert first is not None
        self.module.body.block.insert_op_before(
            RequireOp(expr_attr(condition), reason, owner=self.owner.name), first
        )  # fmt: skip

    def get(self, value: SSAValue) -> SSAValue:
        """What became of a value. A mask is computed where it is used, since most uses can do without it."""
        if (found := self.values.get(value)) is not None:
            return found
        if isinstance(mask := value.owner, tile_control.MaskOp):
            return self.mask(mask)
        raise KeyError(f"{value} was not lowered")

    # -- ranges and masks --------------------------------------------------------------------------------------------------
    def define_range(self, value: SSAValue, offset: SSAValue) -> None:
        """Lower a range given its first index."""
        bounds = bounds_of(value)
        block = physical(bounds.block)
        arange = self.add(compute.ArangeOp(tile_type((block,), i32)))
        name_after(arange, value, "range", ".lane")
        index = self.apply(FIRST_PLUS_LANE, [offset, arange], (block,))
        name_after(index, value, "range", ".index")
        active = self._active(value, bounds, index) if partial(value, self.domains, bounds) != 0 else None
        self.ranges[value] = Range(offset, index, bounds, block, active, offset)

    def _active(self, value: SSAValue, bounds: Bounds, index: SSAValue) -> SSAValue:
        """Where the range begins, so that loops inside and all accesses share it; dce removes what nobody uses."""
        shifted = {operand(i): operand(1 + i) for i in range(len(bounds.symbols))}
        before = Lt(operand(0), substitute(bounds.upper, shifted))
        operands = [index, *[self.get(s) for s in bounds.symbols]]
        assert isinstance(index.type, TileType)
        active = self.add(ApplyOp(before, operands, tile_type(index.type.dims, i1)))
        name_after(active, value, "range", ".mask")
        return active

    def by_mask(
        self,
        op: tile_control.MaskOp,
        build: Callable[[SSAValue | None], Sequence[SSAValue]],
        types: Sequence[Attribute],
        hint: str | None,
        full: int = 0,
    ) -> Sequence[SSAValue]:
        """Build with the mask of the ranges that a configuration leaves partial; the first `full` ranges are not."""
        if full == len(op.ranges):
            return build(None)
        alone = len(op.ranges) == 1
        return self.choose(
            op.partial.data if alone else partial(op.ranges[full], self.domains),
            {1: lambda: build(self.mask(op, full)), 0: lambda: self.by_mask(op, build, types, hint, full + 1)},
            types,
            hint,
        )

    def mask(self, op: tile_control.MaskOp, full: int = 0) -> SSAValue:
        """Which lanes are active in all of the ranges but the first few."""
        return self.once((MASK, full, op.result.type, *op.ranges), lambda: self._mask(op, full))

    def _mask(self, op: tile_control.MaskOp, full: int) -> SSAValue:
        type_ = op.result.type
        assert isinstance(type_, TileType)
        places = [i for i, d in enumerate(type_.dims) if d != 1]  # as they are: one of no lanes is padded to one
        dims = tuple([Integer(1) if i in places[:full] else d for i, d in enumerate(self.dims(type_))])
        masks: list[SSAValue] = []
        for place, value in zip(places[full:], op.ranges[full:]):
            active = self.ranges[value].active
            assert active is not None, "a mask over a range that is always full"
            masks.append(self.expand(active, place, len(dims)))
        if len(masks) == 1:
            return masks[0]
        made = self.add(ApplyOp(all_of([operand(i) for i in range(len(masks))]), masks, tile_type(dims, i1)))
        made.name_hint = "mask"
        return made

    # -- driving -----------------------------------------------------------------------------------------------------------
    def ops(self, source: Block) -> None:
        """Lower every op of a block to the end of the current one."""
        for op in ops_of(source):
            self.op(op)

    def op(self, op: Operation) -> None:
        handler = LOWER.get(type(op))
        if handler is None:
            raise BackendUnsupported(f"{op.name} has no lowering to Triton", author_place(op.location))
        outer, self.location = self.location, self.owner.tagged(op.location)
        if self.after_barrier and op in self.after_barrier:
            self.add(BarrierOp())
        try:
            results = handler(self, op)
        except BackendUnsupported as error:
            raise error.at(author_place(op.location)) from None
        self.location = outer
        for old, new in zip(op.results, results):
            self.values[old] = new
            if old.name_hint:
                take_name(new, old)

    def region(
        self, source: Block, arguments: Sequence[Attribute], before: Callable[[Block], None] | None = None
    ) -> Region:
        """Lower a block into a region of its own with arguments of these types, mapped in order."""
        inner = block_of(arguments)
        for old, new in zip(source.args, inner.args):
            take_name(new, old)
            self.values[old] = new

        def fill() -> None:
            if before is not None:
                before(inner)
            self.ops(source)

        return self.inside(inner, fill)

    def inside(self, block: Block, fill: Callable[[], object]) -> Region:
        """The region of a block that `fill` adds to."""
        outer = self.block, self._shared
        self.block, self._shared = block, self._shared.copy()
        fill()
        self.block, self._shared = outer
        return region_of(block)


MASK = "mask"
FIRST_PLUS_LANE = operand(0) + operand(1)


def _is_i64(value: SSAValue) -> bool:
    element = _element(value)
    return element is not i32 and element == i64


def _element(value: SSAValue) -> Attribute:
    assert isinstance(value.type, TileType)
    return value.type.element_type


Handler = Callable[[Lowering, Operation], Sequence[SSAValue]]
LOWER: dict[type[Operation], Handler] = {}
"""How each op is lowered; the values returned stand for its results."""


def lowers(*ops: type[Operation]) -> Callable[[Callable], Callable]:
    """Register the lowering of some ops."""

    def register(function: Callable) -> Callable:
        for op in ops:
            LOWER[op] = function
        return function

    return register
