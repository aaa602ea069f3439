"""hl.reduce and hl.associative_scan: the author's combine function, traced on scalars into a region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xdsl.ir import Block, Region

from helion_ir import exc
from helion_ir.dialects.tile.compute import CustomReduceOp, CustomScanOp
from helion_ir.dialects.tile.control import YieldOp
from helion_ir.dialects.types import number, tile_type
from helion_ir.frontend.dtypes import element_of
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace


class Combine:
    """Makes reductions and scans by functions of the author's."""

    def __init__(self, trace: Trace):
        self.trace = trace

    def reduce(self, combine: Any, x: Any, dim: int | None, other: Any, keep_dims: bool) -> Any:
        """See helion_ir.language.reduce."""
        cap, tiles, several = self.trace.cap, *self._tiles(x)
        if dim is None:
            if keep_dims:
                raise exc.InvalidAPIUsage("hl.reduce over all dimensions cannot keep them; give dim")
            for last in reversed(range(1, tiles[0].ndim)):  # one by one: merged, no extent need be a power of two
                x = self.reduce(combine, x, last, other, False)
            tiles, dim = [t.reshape([-1]) for t in self._tiles(x)[0]], 0
        dim = self._dim(tiles[0], dim)  # pyright: ignore
        others = list(other) if isinstance(other, list | tuple) else [other] * len(tiles)
        if len(others) != len(tiles):
            raise exc.InvalidAPIUsage(f"hl.reduce has {len(tiles)} inputs and {len(others)} values of `other`")
        dims = [d for i, d in enumerate(tiles[0].dims) if i != dim]  # pyright: ignore
        types = [cap.type_of(dims, t.dtype) for t in tiles]
        fills = [number(o, element_of(t.dtype)) for o, t in zip(others, tiles)]
        region = self._region(combine, tiles, several)  # pyright: ignore
        op = cap.add(CustomReduceOp([t.value for t in tiles], dim, fills, region, types))  # pyright: ignore
        out = [cap.tile(v, dims, t.dtype) for v, t in zip(op.results, tiles)]
        if keep_dims:
            out = [t.unsqueeze(dim) for t in out]
        return tuple(out) if several else out[0]

    def scan(self, combine: Any, x: Any, dim: int, reverse: bool) -> Any:
        """See helion_ir.language.associative_scan."""
        cap, tiles, several = self.trace.cap, *self._tiles(x)
        region = self._region(combine, tiles, several)
        op = cap.add(CustomScanOp([t.value for t in tiles], self._dim(tiles[0], dim), reverse, region))
        out = [cap.tile(v, t.dims, t.dtype) for v, t in zip(op.results, tiles)]
        return tuple(out) if several else out[0]

    def _tiles(self, x: Any) -> tuple[list[TileTensor], bool]:
        several = isinstance(x, list | tuple)
        tiles = list(x) if several else [x]
        if not tiles or not all(isinstance(t, TileTensor) for t in tiles):
            raise exc.TypeInferenceError("hl.reduce and hl.associative_scan take a device tensor or a tuple of them")
        if not all(self.trace.cap.same_dims(t.dims, tiles[0].dims) for t in tiles):
            raise exc.ShapeMismatch(f"the inputs must have one shape, not {[t.dims for t in tiles]}")
        return tiles, several

    def _dim(self, tile: TileTensor, dim: int) -> int:
        if not isinstance(dim, int):
            raise exc.InvalidReductionDim(f"the dimension to combine along is an integer, not {dim!r}")
        if not -tile.ndim <= dim < tile.ndim:
            raise exc.ReductionDimInvalidForShape(f"there is no dimension {dim} in a tensor of shape {tile.dims}")
        return dim % tile.ndim

    def _region(self, combine: Callable[..., Any], tiles: Sequence[TileTensor], several: bool) -> Region:
        """The combine function on scalars: the left ones, then the right ones."""
        cap, n = self.trace.cap, len(tiles)
        combine = getattr(combine, "fn", combine)
        types = [tile_type((), element_of(t.dtype)) for t in tiles]
        outer, block = cap.block, Block(arg_types=[*types, *types])
        cap.block, self.trace.device.combining = block, True
        try:
            scalars = [cap.tile(a, [], t.dtype) for a, t in zip(block.args, [*tiles, *tiles])]
            left, right = scalars[:n], scalars[n:]
            call = self.trace.evaluator.call
            if not several:
                result = [call(combine, left[0], right[0])]
                if isinstance(result[0], list | tuple):
                    raise exc.TypeInferenceError(f"the combine function returns {len(result[0])} values for one input")
            else:
                pairs = _parameters(combine) == 2
                made = call(combine, tuple(left), tuple(right)) if pairs else call(combine, *left, *right)
                result = list(made)
            if len(result) != n:
                raise exc.TypeInferenceError(f"the combine function returns {len(result)} values for {n} inputs")
            values = [cap.operand(r, t.dtype, []) for r, t in zip(result, tiles)]
            block.add_op(YieldOp(*values))
        finally:
            cap.block, self.trace.device.combining = outer, False
        for op in block.walk():
            if op.name in ("tile.load", "tile.store", "tile.atomic"):
                raise exc.NotAllowedInHelperFunction()
        return Region(block)


def _parameters(function: Callable[..., Any]) -> int:
    """How many parameters a combine function has."""
    import inspect

    try:
        return len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return 2
