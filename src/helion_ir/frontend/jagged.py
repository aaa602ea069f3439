"""hl.jagged_tile: loops whose rows end at lengths of their own.

The loop runs to the longest row. Which lanes are active then depends on two dimensions at once, so it is no property
of a range: accesses get `index < length` as part of their mask, and ops that mix lanes get their operands filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from xdsl.ir import Operation, SSAValue

from helion_ir import exc
from helion_ir.dialects.tile.compute import CustomScanOp, FillOp
from helion_ir.dialects.types import TileType
from helion_ir.frontend.loops import LoopCall
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import DeviceTile
from helion_ir.passes.make_masks import holds_zero
from helion_ir.passes.mixing import mixed

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace


@dataclass
class JaggedCall(LoopCall):
    """A loop over hl.tile(0, longest) whose rows end at `lengths`."""

    lengths: TileTensor


class Jagged:
    """The jagged loops around the statement being traced, and the masks they imply."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.active: list[tuple[DeviceTile, TileTensor]] = []

    def call(self, lengths: Any) -> JaggedCall:
        """What hl.jagged_tile returns. Raises InvalidJaggedTileUsage for lengths of no enclosing tile."""
        if not isinstance(lengths, TileTensor):
            raise exc.InvalidJaggedTileUsage(
                "hl.jagged_tile takes a device tensor of lengths; load it first, as in n = lengths[tile]"
            )
        if not lengths.ndim:
            raise exc.InvalidJaggedTileUsage("hl.jagged_tile takes a length for each row; loop over hl.tile(n) instead")
        if lengths.dtype.is_floating_point or lengths.dtype == torch.bool:
            raise exc.InvalidJaggedTileUsage(f"lengths are integers, these are {lengths.dtype}")
        blocks = [v.block for v, *_ in self.trace.loops_in_use if isinstance(v, DeviceTile)]
        for size in lengths.dims:
            if not any(self.trace.sizes.equal(size, b) for b in blocks):
                raise exc.InvalidJaggedTileUsage(
                    f"the lengths have shape {lengths.dims}, whose dimensions must all be tiles of enclosing loops"
                )
        longest = lengths.amax(list(range(lengths.ndim))).to(self.trace.index_dtype)
        return JaggedCall("tile", [0], [longest], [None], True, lengths)

    @contextmanager
    def entered(self, call: LoopCall, tile: Any) -> Iterator[None]:
        """The body of a loop, which may be a jagged one."""
        if not isinstance(call, JaggedCall):
            yield
            return
        self.active.append((tile, call.lengths))
        try:
            yield
        finally:
            self.active.pop()

    def mask(self, dims: Sequence[Size], author: Any) -> Any:
        """Which lanes of an access of these dimensions are active, with the author's own mask; None for all."""
        for tile, lengths in self.active:
            condition = self._condition(tile, lengths, dims, None)
            if condition is not None:
                author = condition if author is None else torch.logical_and(condition, author)
        return author

    def _condition(
        self, tile: DeviceTile, lengths: TileTensor, dims: Sequence[Size], axes: Sequence[int] | None
    ) -> TileTensor | None:
        """`tile.index < lengths`, shaped for a tensor of these dimensions; None if it has not the tile's dimension.

        Given axes, those along which lanes are mixed, it is also None where none of them is the tile's or its rows',
        and where the rows were reduced before: what is left then ends where the loop does.
        """
        sizes = self.trace.sizes
        own = [i for i, d in enumerate(dims) if isinstance(d, SymInt) and sizes.equal(d, tile.block)]
        if not own:
            return None
        if len(own) > 1:
            raise exc.InvalidJaggedTileUsage(f"the jagged tile {tile.name} stands twice in a shape {list(dims)}")
        rows = [d for d in lengths.dims if not (isinstance(d, int) and d == 1)]
        places: list[int] = []
        for row in rows:
            place = next((i for i, d in enumerate(dims) if i not in places and sizes.equal(d, row)), None)
            if place is None and axes is not None:
                return None
            if place is None:
                raise exc.InvalidJaggedTileUsage(
                    f"the jagged tile {tile.name} is used without the tile of its rows: the shape is {list(dims)}"
                )
            places.append(place)
        if axes is not None and not {*own, *places} & set(axes):
            return None
        order = sorted(range(len(places)), key=places.__getitem__)
        ends = lengths.reshape(rows).permute(order)
        ends = ends.reshape([d if i in places else 1 for i, d in enumerate(dims)])
        index = self.trace.device.tile_index(tile)
        return index.reshape([d if i in own else 1 for i, d in enumerate(dims)]) < ends  # pyright: ignore

    # ---- lanes that mix ----

    def guard(self, op: Operation) -> None:
        """Fill the operands of an op that mixes lanes, before it is added."""
        if not self.active:
            return
        if isinstance(op, CustomScanOp):
            self._refuse_scan(op)
        for number, axes, value in mixed(op):
            self._fill(op, number, axes, value)

    def _fill(self, op: Operation, number: int, axes: Sequence[int], value: float | int) -> None:
        operand = op.operands[number]
        if holds_zero(operand, value):
            return
        with self.trace.cap as cap:
            dims = self._dims(operand)
            for tile, lengths in self.active:
                if (condition := self._condition(tile, lengths, dims, axes)) is not None:
                    op.operands[number] = cap.emit(FillOp(op.operands[number], condition.value, value))

    def _dims(self, value: SSAValue) -> list[Size]:
        assert isinstance(value.type, TileType)
        dims = self.trace.cap.dims_of(value.type.dims)
        for tile, _ in self.active:
            names = self.trace.sizes.expr(tile.block).free_symbols
            for d in value.type.dims:
                if d != self.trace.sizes.expr(tile.block) and d.free_symbols & names:
                    raise exc.InvalidJaggedTileUsage(
                        f"lanes of the jagged tile {tile.name} are mixed after a reshape to {dims}, which hides "
                        "where its rows end; reduce along the tile before reshaping"
                    )
        return dims

    def _refuse_scan(self, op: CustomScanOp) -> None:
        """A scan by a function has no value that leaves it unchanged; forward along the tile itself it needs none."""
        for operand in op.arguments:
            dims, axis = self._dims(operand), op.dim.value.data
            for tile, lengths in self.active:
                along = self.trace.sizes.equal(dims[axis], tile.block)
                if along and not op.reverse.value.data:
                    continue
                if self._condition(tile, lengths, dims, [axis]) is not None:
                    raise exc.InvalidJaggedTileUsage(
                        f"hl.associative_scan across rows of the jagged tile {tile.name}, or in reverse, would read "
                        "lanes beyond a row's end"
                    )
