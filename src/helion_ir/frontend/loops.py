"""Device loops: bounds, block sizes and the ops for hl.tile, hl.grid and range."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue

from helion_ir import exc
from helion_ir.dialects.tile.control import ForOp, ParallelOp
from helion_ir.dialects.tile.ranges import BeginOp, EndOp
from helion_ir.dialects.types import RangeType, range_type
from helion_ir.frontend.regions import MOST_UNROLLED, assigned, iterated
from helion_ir.frontend.signed_sizes import divides_negative
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import DeviceTile, is_size
from helion_ir.index.expr import operand
from helion_ir.language import loops as language
from helion_ir.language.tiles import Tile

if TYPE_CHECKING:
    from sympy import Expr

    from helion_ir.frontend.expressions import Scope
    from helion_ir.frontend.walker import Walker

Bound = Any
"""An int, a SymInt, or a TileTensor of one element."""


@dataclass
class LoopCall:
    """What hl.tile or hl.grid was called with, one entry a dimension."""

    kind: str
    lower: list[Bound]
    upper: list[Bound]
    extra: list[Any]
    """Block sizes of hl.tile, steps of hl.grid; None if not given."""
    single: bool
    """Whether the variable is one tile and not a tuple of them."""

    def __iter__(self) -> Any:
        raise exc.LoopFunctionNotInFor(f"hl.{self.kind} can be used as the iterable of a `for` only")


def loop_call(kind: str, begin_or_end: Any, end: Any, extra: Any, extra_name: str) -> LoopCall:
    """Check and arrange the arguments of hl.tile or hl.grid."""
    begin, end = (None, begin_or_end) if end is None else (begin_or_end, end)
    listed = isinstance(end, list | tuple)
    if begin is not None and isinstance(begin, list | tuple) != listed:
        raise exc.IncorrectTileUsage(f"the bounds of hl.{kind} must both be lists or both be single values")
    uppers: list[Any] = list(end) if listed else [end]
    lowers: list[Any] = [0] * len(uppers) if begin is None else list(begin) if listed else [begin]
    extras = list(extra) if isinstance(extra, list | tuple) else [extra] * len(uppers)
    if not len(uppers) == len(lowers) == len(extras) or not uppers:
        raise exc.IncorrectTileUsage(f"hl.{kind} needs as many beginnings as ends, and one {extra_name} each")
    for bound in (*lowers, *uppers):
        _check_bound(kind, bound)
    for step in extras if kind == "grid" else ():
        if isinstance(step, int) and step <= 0 or not (step is None or is_size(step) or isinstance(step, TileTensor)):
            raise exc.IncorrectTileUsage(f"the step of hl.grid must be a positive integer, not {step!r}")
    for low, high in zip(lowers, uppers):
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise exc.InvalidTileRange(f"the range begins at {low}, after its end {high}")
    return LoopCall(kind, lowers, uppers, extras, not listed)


def _check_bound(kind: str, bound: Any) -> None:
    if isinstance(bound, Tile):
        raise exc.TileOfTile()
    if isinstance(bound, HostTensor):
        raise bound.direct()
    if isinstance(bound, TileTensor):
        if bound.dtype.is_floating_point or bound.dtype == torch.bool:
            raise exc.IncorrectTileUsage(f"a bound of hl.{kind} must be an integer, this is {bound.dtype}")
    elif not is_size(bound):
        raise exc.IncorrectTileUsage(
            f"a bound of hl.{kind} must be an integer, a size or a scalar tensor, not {bound!r}"
        )


@dataclass
class Bounds:
    """Bounds as index expressions over the operands of the loop's op."""

    walker: Walker
    operands: list[SSAValue] = field(default_factory=list)
    on_device: bool = False
    """Whether the loop's op may have operands that are computed before it; a launch's grid is computed by Python."""

    def expr(self, bound: Bound) -> Expr:
        trace = self.walker.trace
        if not isinstance(bound, TileTensor):
            if not self.on_device or not divides_negative(trace.sizes.poly(bound)):
                return trace.sizes.expr(bound)
            value = trace.cap.scalar(bound)
        else:
            value = bound.value if bound.ndim == 0 else self.walker.evaluator_scalar(bound).value
        if value not in self.operands:
            self.operands.append(value)
        return operand(self.operands.index(value))


class Loops:
    """Walks `for` statements of device code."""

    def __init__(self, walker: Walker):
        self.walker = walker
        self.trace = walker.trace
        self.cap = walker.trace.cap

    def for_(self, node: ast.For, scope: Scope) -> None:
        walker = self.walker
        if isinstance(node.iter, ast.Call):
            function = walker.evaluate(node.iter.func, scope)
            if function is range:
                values = [walker.evaluate(a, scope) for a in node.iter.args]
                self._else_block(node)
                return self._range(node, scope, values)
            if function in (language.tile, language.grid, language.static_range, language.jagged_tile):
                self._else_block(node)
                with self.trace.device.loop_allowed():
                    call = walker.evaluate(node.iter, scope)
                if isinstance(call, LoopCall):
                    return self.nested(call, node, scope)
                return self._unrolled(node, scope, call)
        self._unrolled(node, scope, walker.evaluate(node.iter, scope))

    def _else_block(self, node: ast.For) -> None:
        if node.orelse:
            raise exc.DeviceLoopElseBlock()

    def _unrolled(self, node: ast.For, scope: Scope, values: Any) -> None:
        self._else_block(node)
        for n, value in enumerate(iterated(values)):
            if n >= MOST_UNROLLED:
                raise exc.InvalidDeviceForLoop(
                    f"the loop is unrolled and runs more than {MOST_UNROLLED} times; use range"
                )
            self.walker.assign(node.target, value, scope, loop=True)
            self.walker.body(node.body, scope)

    # ---- names ----

    def _names(self, call: LoopCall, target: ast.expr) -> list[str]:
        """Names for the dimensions, after the loop's variables."""
        count = len(call.upper)
        if isinstance(target, ast.Tuple | ast.List):
            if call.single:
                raise exc.FailedToUnpackTile()
            if len(target.elts) != count:
                raise exc.FailedToUnpackTupleAssign(f"{len(target.elts)} variables for {count} dimensions")
            return [e.id if isinstance(e, ast.Name) else f"dim{i}" for i, e in enumerate(target.elts)]
        name = target.id if isinstance(target, ast.Name) else "tile"
        return [name] if count == 1 else [f"{name}_{i}" for i in range(count)]

    def _bind(self, call: LoopCall, node: ast.For, values: Sequence[Any], scope: Scope) -> None:
        value = values[0] if call.single else tuple(values)
        if not call.single and len(values) == 1 and isinstance(node.target, ast.Name):
            value = values[0]
        self.walker.assign(node.target, value, scope, loop=True)

    # ---- hl.tile and hl.grid ----

    def root(self, call: LoopCall, node: ast.For, scope: Scope) -> ParallelOp:
        """A loop at the top level of a kernel: iterations run in parallel."""
        trace, cap = self.trace, self.cap
        names = [trace.knobs.label(n) for n in self._names(call, node.target)]
        bounds = Bounds(self.walker)
        lower, upper, types, blocks = [], [], [], []
        for i, name in enumerate(names):
            low, high = bounds.expr(call.lower[i]), bounds.expr(call.upper[i])
            step = call.extra[i] or 1
            if call.kind == "grid" and not (isinstance(step, int) and step == 1):
                low, high = trace.sizes.expr(0), trace.sizes.expr(trace.sizes.cdiv(call.upper[i] - call.lower[i], step))
            block = self._block(call, i, name, root=True) if call.kind == "tile" else 1
            blocks.append(block)
            lower.append(low)
            upper.append(high)
            types.append(range_type(trace.sizes.expr(block)) if call.kind == "tile" else trace.index_type)
        self._distinct(blocks)
        body = Block(arg_types=types)
        op = ParallelOp("_".join(names), lower, upper, Region(body), bounds.operands)
        cap.add(op)
        outer, cap.block = cap.block, body
        trace.entered(body)
        trace.blocks_in_use = list(blocks) if call.kind == "tile" else []
        try:
            values = [
                self._variable(call, i, name, block, argument, scaled=True)
                for i, (name, block, argument) in enumerate(zip(names, blocks, body.args))
            ]
            trace.loops_in_use = list(zip(values, call.lower, call.upper))
            self._bind(call, node, values, scope)
            self.walker.body(node.body, scope)
        finally:
            cap.block = outer
        return op

    def nested(self, call: LoopCall, node: ast.For, scope: Scope) -> None:
        """A loop inside of another: one sequential loop a dimension, the first outermost."""
        names = [self.trace.knobs.label(n) for n in self._names(call, node.target)]
        blocks = [self._block(call, i, n, root=False) if call.kind == "tile" else 1 for i, n in enumerate(names)]
        self._distinct(blocks)
        changes = assigned([node.target, *node.body])
        values: list[Any] = []

        def level(i: int) -> None:
            if i == len(names):
                self._bind(call, node, values, scope)
                self.walker.body(node.body, scope)
                return
            bounds = Bounds(self.walker, on_device=True)
            low, high = bounds.expr(call.lower[i]), bounds.expr(call.upper[i])
            step = call.extra[i] if call.kind == "grid" else None
            own = range_type(self.trace.sizes.expr(blocks[i])) if call.kind == "tile" else self.trace.index_type
            in_use = blocks[i] if call.kind == "tile" else None

            def body(arguments: Sequence[BlockArgument]) -> None:
                values.append(self._variable(call, i, names[i], blocks[i], arguments[0]))
                self.trace.blocks_in_use.append(in_use)
                self.trace.loops_in_use.append((values[-1], call.lower[i], call.upper[i]))
                with self.trace.jagged.entered(call, values[-1]):
                    level(i + 1)
                self.trace.loops_in_use.pop()
                self.trace.blocks_in_use.pop()
                values.pop()

            def make(inits: list[SSAValue], block: Block) -> Sequence[SSAValue]:
                by = None if step is None else bounds.expr(step)
                op = ForOp(names[i], low, high, inits, Region(block), bounds.operands, by)
                return self.cap.add(op).results

            self.walker.regions.loop(scope, changes, [own], body, make)

        self._not_nested(blocks)
        level(0)

    def _variable(
        self, call: LoopCall, i: int, name: str, block: Size, argument: BlockArgument, *, scaled: bool = False
    ) -> Any:
        if call.kind == "tile":
            argument.name_hint = name.replace(".", "_")
            return DeviceTile(name, block, argument, call.lower[i], call.upper[i])
        argument.name_hint = name.replace(".", "_")
        index = self.cap.tile(argument, [], self.trace.index_dtype)
        step = call.extra[i]
        if scaled and step is not None and not (isinstance(step, int) and step == 1):
            index = index * step + call.lower[i]
        return index

    def _distinct(self, blocks: Sequence[Size]) -> None:
        symbolic = [self.trace.sizes.expr(b) for b in blocks if isinstance(b, SymInt)]
        if len(set(symbolic)) < len(symbolic):
            raise exc.NestedDeviceLoopsConflict(
                "two dimensions of one loop share a block size, so their tiles could not be told apart; register another"
            )

    def _not_nested(self, blocks: Sequence[Size]) -> None:
        outer = [self.trace.sizes.expr(b) for b in self.trace.blocks_in_use if isinstance(b, SymInt)]
        if any(isinstance(b, SymInt) and self.trace.sizes.expr(b) in outer for b in blocks):
            raise exc.NestedDeviceLoopsConflict()

    def _block(self, call: LoopCall, i: int, name: str, *, root: bool) -> Size:
        """The block size of a dimension: given, 1, or a knob."""
        trace, given = self.trace, call.extra[i]
        low, high = call.lower[i], call.upper[i]
        extent = high - low if is_size(low) and is_size(high) else None
        if isinstance(extent, int) and extent == 1 and not isinstance(given, SymInt):
            return 1
        if isinstance(given, Tile):
            raise exc.IncorrectTileUsage("a tile cannot be a block size; use tile.block_size")
        if given is not None:
            if isinstance(given, int) and (given < 1 or given & (given - 1)):
                raise exc.IncorrectTileUsage(
                    f"a block size must be a power of two, not {given}; helion.next_power_of_2({given}) is the next one"
                )
            if not is_size(given):
                raise exc.IncorrectTileUsage(f"a block size must be an integer, not {given!r}")
            if isinstance(given, int) and given > 1 and not (isinstance(extent, int) and extent % given == 0):
                return trace.knobs.fixed_block(f"{name}.block_size", given, doc=f"indices of {name} a block holds")
            return trace.sizes.exact(given)
        within = self._enclosing(low, high)
        largest = within if isinstance(within, int) else None
        block = trace.knobs.block_size(
            f"{name}.block_size", extent if largest is None else largest, doc=f"indices of {name} a block holds"
        )
        if isinstance(within, SymInt):
            trace.knobs.inside(f"{name}.block_size", trace.sizes.expr(within), f"{name} lies inside of another tile")
        return block

    def _enclosing(self, low: Any, high: Any) -> Size | None:
        """The block size of the tile whose `begin` and `end` bound the loop."""
        if isinstance(low, TileTensor) and isinstance(high, TileTensor):
            a, b = low.value.owner, high.value.owner
            if isinstance(a, BeginOp) and isinstance(b, EndOp) and a.range is b.range:
                type_: Attribute = a.range.type
                assert isinstance(type_, RangeType)
                return self.trace.sizes.plain(self.trace.sizes.symbol(type_.block.data))
        return None

    # ---- range ----

    def _range(self, node: ast.For, scope: Scope, values: list[Any]) -> None:
        start, stop, step = (0, values[0], 1) if len(values) == 1 else (*values, 1)[:3]
        if not isinstance(step, int) or step == 0:
            raise exc.InvalidDeviceForLoop("the step of a range must be a constant other than 0; use hl.grid")
        for bound in (start, stop):
            _check_bound("grid", bound)
        if step > 0:
            call = LoopCall("grid", [start], [stop], [None if step == 1 else step], True)
            return self.nested(call, node, scope)
        # downward: count up and compute the index, since loops of the IR ascend
        count = self._steps_down(start, stop, -step)
        call = LoopCall("grid", [0], [count], [None], True)
        name = node.target.id if isinstance(node.target, ast.Name) else "i"

        def index(i: Any) -> Any:
            return start + i * step

        self.nested_mapped(call, node, scope, name, index)

    def _steps_down(self, start: Any, stop: Any, by: int) -> Any:
        if isinstance(start, int) and isinstance(stop, int):
            return max(0, -((stop - start) // by))
        if isinstance(start, TileTensor) or isinstance(stop, TileTensor):
            return torch.div(start - stop + (by - 1), by, rounding_mode="floor")
        return self.trace.sizes.cdiv(start - stop, by)

    def nested_mapped(self, call: LoopCall, node: ast.For, scope: Scope, name: str, index: Any) -> None:
        """A loop over a count whose variable is a function of it."""
        changes = assigned([node.target, *node.body])
        bounds = Bounds(self.walker)
        label, high = self.trace.knobs.label(name), bounds.expr(call.upper[0])

        def body(arguments: Sequence[BlockArgument]) -> None:
            counter = self.cap.tile(arguments[0], [], self.trace.index_dtype)
            self.walker.assign(node.target, index(counter), scope, loop=True)
            self.walker.body(node.body, scope)

        def make(inits: list[SSAValue], block: Block) -> Sequence[SSAValue]:
            return self.cap.add(ForOp(label, 0, high, inits, Region(block), bounds.operands)).results

        self.walker.regions.loop(scope, changes, [self.trace.index_type], body, make)
