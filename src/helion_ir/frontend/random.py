"""Random numbers in device code: hl.rand and its kin, and PyTorch's functions, which bring no seed of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import SymInt
from xdsl.dialects.builtin import StringAttr
from xdsl.rewriter import Rewriter

from helion_ir import exc
from helion_ir.dialects.host import PythonOp
from helion_ir.dialects.tile.compute import RandomOp
from helion_ir.dialects.tile.memory import LoadOp
from helion_ir.dialects.tile.random import RandomWordOp
from helion_ir.dialects.types import f32, i64, ref_type
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.subscripts import HostTensor, resolve
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import DeviceTile, is_size

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

SEEDS = "_seeds"
"""The host's variable with the seeds of PyTorch's functions, one for each call in the source."""
_SCALE = 4.6566127342e-10
_LEAST = 1e-7


class Random:
    """Makes random tiles, and the host's buffer of seeds."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self._buffer: HostTensor | None = None
        # Made here, since calls are traced with factories taken over.
        self._without_data = torch.empty(1, dtype=torch.int64, device="meta")
        self._slots = 0

    # ---- hl.rand, hl.rand4x, hl.randint ----

    def uniform(self, shape: Any, seed: Any, offsets: Any) -> TileTensor:
        """See helion_ir.language.rand."""
        cap = self.trace.cap
        if offsets is None:
            offsets = self._offsets(shape)
        value = cap.emit(RandomOp(self._seed(seed), offsets.value, f32))
        return cap.tile(value, offsets.dims, torch.float32)

    def integers(self, shape: Any, low: Any, high: Any, seed: Any) -> TileTensor:
        """See helion_ir.language.randint."""
        for bound in (low, high):
            if isinstance(bound, TileTensor):
                if bound.ndim or bound.dtype.is_floating_point:
                    raise exc.TypeInferenceError("the bounds of hl.randint are integers or integer scalars")
            elif not is_size(bound):
                raise exc.TypeInferenceError("the bounds of hl.randint are integers or integer scalars")
        if isinstance(low, int) and isinstance(high, int) and low >= high:
            raise exc.InvalidAPIUsage(f"hl.randint needs low < high, these are {low} and {high}")
        word = self._word(self._seed(seed), self._offsets(shape), 0)
        drawn: Any = torch.remainder(torch.abs(word), high - low) + low
        return drawn.to(torch.int32)

    def four(self, seed: Any, offsets: Any) -> tuple[TileTensor, ...]:
        """See helion_ir.language.rand4x."""
        if not isinstance(offsets, TileTensor) or offsets.dtype.is_floating_point:
            raise exc.TypeInferenceError("the offsets of hl.rand4x are an integer tensor")
        key = self._seed(seed)
        return tuple(_uniform(self._word(key, offsets, i)) for i in range(4))

    def _word(self, seed: Any, offsets: TileTensor, word: int) -> TileTensor:
        cap = self.trace.cap
        return cap.tile(cap.emit(RandomWordOp(seed, offsets.value, word)), offsets.dims, torch.int32)

    def _seed(self, seed: Any) -> Any:
        cap = self.trace.cap
        if isinstance(seed, TileTensor) and (seed.dtype.is_floating_point or seed.dtype == torch.bool):
            raise exc.TypeInferenceError(f"a seed is an integer or an integer scalar tensor, this is {seed.dtype}")
        if isinstance(seed, TileTensor):
            return cap.scalar(seed)
        if isinstance(seed, SymInt):
            # Not an index: nothing says that an argument used as one fits 32 bits.
            return cap.operand(seed, torch.int64, [])
        if isinstance(seed, int):
            return cap.operand(seed, torch.int32 if -(2**31) <= seed < 2**31 else torch.int64, [])
        raise exc.TypeInferenceError("a seed is an integer or a scalar tensor")

    def _offsets(self, shape: Any) -> TileTensor:
        """Row-major positions in the full extents of the tiles, so that no configuration changes them."""
        dims = self.trace.device.shape(shape)
        indices = [(s, s.upper) if isinstance(s, DeviceTile) else (None, size) for s, size in zip(shape, dims)]
        return self._positions(dims, indices, None)

    def _positions(
        self, dims: Sequence[Size], indices: Sequence[tuple[DeviceTile | None, Any]], start: TileTensor | None
    ) -> TileTensor:
        """start, and then row-major positions along each dimension, of a tile with its end or of an extent."""
        trace, total = self.trace, start
        for i, (size, (tile, extent)) in enumerate(zip(dims, indices)):
            index = (
                trace.device.tile_index(tile)
                if tile is not None
                else trace.device.arange(size, dtype=None, device=None)
            )
            index = index.reshape([size if j == i else 1 for j in range(len(dims))])
            total = index if total is None else total * extent + index  # pyright: ignore
        if total is None:
            total = trace.cap.tile(trace.cap.operand(0, trace.index_dtype, []), [], trace.index_dtype)
        value = trace.cap.broadcast(total.value, dims)  # pyright: ignore[reportAttributeAccessIssue]
        return trace.cap.tile(value, list(dims), total.dtype)

    # ---- torch.rand, torch.randn and what is made of them ----

    def implicit_uniform(self, dims: Sequence[Size], dtype: torch.dtype) -> TileTensor:
        """A new stream for this call in the source."""
        offsets = self._implicit_offsets(dims)
        cap = self.trace.cap
        value = cap.emit(RandomOp(self._next_seed().value, offsets.value, f32))
        with cap:
            return cap.tile(value, offsets.dims, torch.float32).to(dtype)  # pyright: ignore

    def implicit_normal(self, dims: Sequence[Size], dtype: torch.dtype) -> TileTensor:
        """Box and Muller's transform of two uniform numbers, as tl.randn does it."""
        offsets, seed = self._implicit_offsets(dims), self._next_seed().value
        first, second = (self._word(seed, offsets, i) for i in range(2))
        with self.trace.cap:
            radius = torch.sqrt(-2.0 * torch.log(torch.clamp(_uniform(first), min=_LEAST)))
            return (radius * torch.cos(6.283185307179586 * _uniform(second))).to(dtype)  # pyright: ignore

    def _implicit_offsets(self, dims: Sequence[Size]) -> TileTensor:
        """Positions in the loops around: of the dimensions that are tiles', and of every other loop's iteration."""
        trace = self.trace
        open_ = list(trace.loops_in_use)
        found: list[tuple[DeviceTile | None, Any]] = []
        for size in reversed(dims):
            at = next((i for i in reversed(range(len(open_))) if self._along(open_[i][0], size)), None)
            if at is None:
                found.append((None, size))
            else:
                tile, _, upper = open_.pop(at)
                found.append((tile, upper))
        start: TileTensor | None = None
        with trace.cap:
            for variable, _, upper in open_:
                index = trace.device.tile_begin(variable) if isinstance(variable, DeviceTile) else variable
                start = index if start is None else start * upper + index  # pyright: ignore
            return self._positions(dims, found[::-1], start)

    def _along(self, variable: Any, size: Size) -> bool:
        one = isinstance(size, int) and size == 1
        return isinstance(variable, DeviceTile) and not one and self.trace.sizes.equal(variable.block, size)

    def _next_seed(self) -> TileTensor:
        """The seed of this call, loaded from the host's buffer."""
        trace = self.trace
        if self._buffer is None:
            self._buffer = trace.arguments.lift(self._without_data, "seeds", SEEDS)
        buffer, slot = self._buffer, self._slots
        assert buffer is not None
        self._slots += 1
        access = resolve(buffer, slot)
        type_ = trace.cap.type_of([], torch.int64)
        site = trace.site("load", buffer.name)
        value = trace.cap.emit(LoadOp(site, buffer.value, access.subscripts, type_, eviction=StringAttr("")))
        return trace.cap.tile(value, [], torch.int64)

    def close(self) -> None:
        """Make the buffer as long as the calls found, drawn from PyTorch's generator before the launch."""
        trace, buffer = self.trace, self._buffer
        if buffer is None or trace.launch is None:
            return
        Rewriter.replace_value_with_new_type(buffer.value, ref_type([self._slots], i64, [1]))
        drawn = f"torch.randint(-(2**63), 2**63 - 1, [{self._slots}], dtype=torch.int64, device={trace.device_text})"
        statement = PythonOp(f"{SEEDS} = {drawn}")
        statement.location = trace.launch.location
        trace.host.ops.insert_op_before(statement, trace.launch)


def _uniform(word: Any) -> TileTensor:
    """A word as tl.rand makes a float of it."""
    return torch.where(word >= 0, word, -word - 1).to(torch.float32) * _SCALE  # pyright: ignore
