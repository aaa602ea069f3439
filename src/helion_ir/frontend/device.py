"""What the functions of helion_ir.language do in device code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import SymBool, SymFloat, SymInt

from helion_ir import exc
from helion_ir.dialects.index import ApplyOp, expr_attr
from helion_ir.dialects.tile.compute import IotaOp, ScanOp
from helion_ir.dialects.tile.ranges import BeginOp, EndOp, IdOp, IndexOp, ShiftOp
from helion_ir.frontend import subscripts
from helion_ir.frontend.combine import Combine
from helion_ir.frontend.inline import Inline
from helion_ir.frontend.loops import LoopCall, loop_call
from helion_ir.frontend.packed import float4_pair, load_groups
from helion_ir.frontend.products import dot
from helion_ir.frontend.scaled import dot_scaled
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.stack import StackTensor, stacktensor_like
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.frontend.values import DeviceTile, is_size
from helion_ir.index.expr import CeilDiv, operand

if TYPE_CHECKING:
    from helion_ir.frontend.trace import Trace

_HOST_ONLY = {"register_block_size", "register_tunable"}


class DeviceLanguage:
    """Carries out language functions in device code: each emits ops into the capture's block."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self._loops = 0
        self.combining = False
        """Whether a function to combine two values is being traced, which has no tiles."""
        self._combine = Combine(trace)
        self._inline = Inline(trace)

    def function(self, name: str) -> Callable[..., Any]:
        if self.combining and name != "constexpr":
            raise exc.NotAllowedInHelperFunction()
        if name == "specialize":
            raise exc.SpecializeOnDevice()
        if name == "barrier":
            raise exc.BarrierOnlyAllowedAtTopLevel()
        if name in ("pdl_wait", "pdl_launch_dependents"):
            raise exc.PdlPlacement()
        if name in _HOST_ONLY:
            raise exc.NotAllowedOnDevice(f"hl.{name} must be called on the host, before the device loops")
        return getattr(self, name)

    # ---- loops ----

    @contextmanager
    def loop_allowed(self) -> Iterator[None]:
        """The iterable of a `for` is being evaluated."""
        self._loops += 1
        try:
            yield
        finally:
            self._loops -= 1

    def _in_for(self, name: str) -> None:
        if not self._loops:
            raise exc.LoopFunctionNotInFor(f"hl.{name} can be used as the iterable of a `for` only")

    def tile(self, begin_or_end: Any, end: Any, *, block_size: Any = None) -> LoopCall:
        self._in_for("tile")
        return loop_call("tile", begin_or_end, end, block_size, "block size")

    def grid(self, begin_or_end: Any, end: Any, *, step: Any = None) -> LoopCall:
        self._in_for("grid")
        return loop_call("grid", begin_or_end, end, step, "step")

    def jagged_tile(self, lengths: Any) -> LoopCall:
        self._in_for("jagged_tile")
        return self.trace.jagged.call(lengths)

    def static_range(self, begin_or_end: Any, end: Any, step: Any) -> range:
        self._in_for("static_range")
        bounds = (0, begin_or_end) if end is None else (begin_or_end, end)
        for value in (*bounds, step):
            if type(value) is not int:
                raise exc.TypeInferenceError(
                    f"hl.static_range needs compile-time integers, not {value}; wrap sizes in hl.specialize on the host"
                )
        return range(*bounds, step)

    # ---- tiles ----

    def _tile(self, tile: Any) -> DeviceTile:
        if not isinstance(tile, DeviceTile):
            raise exc.IncorrectTileUsage(f"a tile is needed, not {type(tile).__name__}")
        return tile

    def tile_index(self, tile: Any) -> TileTensor:
        t, trace = self._tile(tile), self.trace
        value = trace.cap.emit(IndexOp(t.value, trace.index_element))
        return trace.cap.tile(value, [t.block], trace.index_dtype)

    def tile_begin(self, tile: Any) -> TileTensor:
        return self._about(tile, BeginOp)

    def tile_end(self, tile: Any) -> TileTensor:
        return self._about(tile, EndOp)

    def tile_id(self, tile: Any) -> TileTensor:
        return self._about(tile, IdOp)

    def _about(self, tile: Any, op: Any) -> TileTensor:
        return self.trace.cap.tile(self.trace.cap.emit(op(self._tile(tile).value)), [], torch.int32)

    def tile_block_size(self, tile: Any) -> Size:
        return self._tile(tile).block

    def tile_count(self, tile: Any) -> Any:
        t, sizes = self._tile(tile), self.trace.sizes
        if is_size(t.lower) and is_size(t.upper):
            return sizes.cdiv(t.upper - t.lower, t.block)
        length = t.upper - t.lower
        value = length.value
        op = ApplyOp(CeilDiv(operand(0), sizes.expr(t.block)), [value], value.type)  # pyright: ignore
        return self.trace.cap.tile(self.trace.cap.emit(op), [], length.dtype)

    def tile_shift(self, tile: Any, offset: Any) -> TileTensor:
        """`tile + k`: the indices as a tensor, which as a subscript is the shifted range."""
        t, cap = self._tile(tile), self.trace.cap
        if isinstance(offset, TileTensor):
            if offset.ndim or offset.dtype.is_floating_point:
                raise exc.IncorrectTileUsage(
                    "a tile can be moved by an integer scalar only; use tile.index for other arithmetic"
                )
            by = offset.value
        elif is_size(offset):
            by = cap.operand(offset, self.trace.index_dtype, [])
        else:
            raise exc.IncorrectTileUsage(
                "a tile can be moved by an integer scalar only; use tile.index for other arithmetic"
            )
        moved = self.tile_index(tile) + offset
        self.trace.moved_ranges[moved.value] = cap.emit(ShiftOp(t.value, by))  # pyright: ignore
        return moved  # pyright: ignore

    # ---- creation ----

    def shape(self, shape: Any) -> list[Size]:
        """The extents that a list of tiles, block sizes and integers means."""
        if not isinstance(shape, list | tuple):
            raise exc.TypeInferenceError("a shape is a list, such as [tile, 4]")
        out: list[Size] = []
        for s in shape:
            size = s.block if isinstance(s, DeviceTile) else s
            if not is_size(size):
                raise exc.TypeInferenceError(f"an extent is a tile, a block size or an integer, not {type(s).__name__}")
            size = self.trace.sizes.exact(size)
            if isinstance(size, SymInt):
                self.trace.check_extent(size)
            out.append(size)
        return out

    def full(self, shape: Any, value: Any, dtype: Any, device: Any) -> TileTensor:
        dtype = dtype or torch.float32
        dims = self.shape(shape)
        if isinstance(value, HostTensor):
            raise value.direct()
        if isinstance(value, TileTensor) and value.ndim:
            raise exc.ShapeMismatch(f"hl.full takes a scalar value, this has shape {value.dims}")
        if not isinstance(value, TileTensor | int | float | SymInt | SymFloat | SymBool):
            raise exc.TypeInferenceError(f"hl.full takes a number or a scalar tensor, not {value!r}")
        cap = self.trace.cap
        return cap.tile(cap.operand(value, dtype, dims), dims, dtype)

    zeros = full

    def arange(self, *bounds: Any, dtype: Any, device: Any) -> TileTensor:
        start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        for bound in (start, stop, step):
            if not is_size(bound):
                raise exc.TypeInferenceError("the bounds of hl.arange are constants or multiples of block sizes")
        if isinstance(step, int) and step == 0:
            raise exc.TypeInferenceError("the step of hl.arange must not be 0")
        sizes, cap = self.trace.sizes, self.trace.cap
        length = sizes.exact(stop - start if isinstance(step, int) and step == 1 else sizes.cdiv(stop - start, step))
        if isinstance(length, SymInt):
            self.trace.check_extent(length)
        elif length < 0:
            raise exc.TypeInferenceError(f"hl.arange from {start} to {stop} by {step} has no elements")
        dtype = dtype or self.trace.index_dtype
        type_ = cap.type_of([length], dtype)
        value = cap.emit(IotaOp(expr_attr(sizes.expr(start)), expr_attr(sizes.expr(step)), type_))
        return cap.tile(value, [length], dtype)

    def rand(self, shape: Any, seed: Any, device: Any, offsets: Any) -> TileTensor:
        return self.trace.random.uniform(shape, seed, offsets)

    def randint(self, shape: Any, low: Any, high: Any, seed: Any, device: Any) -> TileTensor:
        return self.trace.random.integers(shape, low, high, seed)

    def rand4x(self, seed: Any, offsets: Any, device: Any) -> tuple[TileTensor, ...]:
        return self.trace.random.four(seed, offsets)

    # ---- memory ----

    def stacktensor_like(self, example: Any, dev_ptrs: Any) -> StackTensor:
        return stacktensor_like(self.trace, example, dev_ptrs)

    def load(self, tensor: Any, index: Any, mask: Any, eviction: str | None) -> TileTensor:
        if eviction not in (None, "", "evict_first", "evict_last"):
            raise exc.InvalidAPIUsage(f'eviction_policy is "", "evict_first" or "evict_last", not {eviction!r}')
        if isinstance(tensor, StackTensor):
            return tensor.load(index, mask)
        return subscripts.load(self._host(tensor, "hl.load"), index, mask, eviction)

    def store(self, tensor: Any, index: Any, value: Any, mask: Any) -> None:
        if isinstance(tensor, StackTensor):
            return tensor.store(index, value, mask)
        subscripts.store(self._host(tensor, "hl.store"), index, value, mask)

    def _host(self, tensor: Any, name: str) -> HostTensor:
        if not isinstance(tensor, HostTensor):
            raise exc.InvalidAPIUsage(f"{name} takes a tensor of the host, not {type(tensor).__name__}")
        return tensor

    def atomic(self, kind: str, target: Any, index: Any, values: Sequence[Any], sem: str) -> TileTensor:
        return subscripts.atomic(target, kind, index, values, sem)

    # ---- compute ----

    def dot(self, a: Any, b: Any, acc: Any, out_dtype: Any) -> TileTensor:
        return dot(self.trace, a, b, acc, out_dtype)

    def dot_scaled(
        self, a: Any, a_scale: Any, a_format: Any, b: Any, b_scale: Any, b_format: Any, acc: Any, out_dtype: Any
    ) -> TileTensor:
        return dot_scaled(self.trace, a, a_scale, a_format, b, b_scale, b_format, acc, out_dtype)

    def cumulative(self, kind: str, x: Any, dim: int, reverse: bool) -> TileTensor:
        cap = self.trace.cap
        if not isinstance(x, TileTensor):
            raise exc.TypeInferenceError(f"hl.cum{kind} takes a device tensor")
        if not -x.ndim <= dim < x.ndim:
            raise exc.InvalidReductionDim(f"dimension {dim} of a tensor of shape {x.dims}")
        dtype = x.dtype if x.dtype.is_floating_point else torch.int64
        wide = torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
        value = cap.emit(ScanOp(kind, cap.cast(x.value, wide), dim % x.ndim, reverse))
        return cap.tile(cap.cast(value, dtype), x.dims, dtype)

    def reduce(self, combine: Any, x: Any, dim: Any, other: Any, keep_dims: bool) -> Any:
        return self._combine.reduce(combine, x, dim, other, keep_dims)

    def associative_scan(self, combine: Any, x: Any, dim: int, reverse: bool) -> Any:
        return self._combine.scan(combine, x, dim, reverse)

    def split(self, x: Any) -> tuple[TileTensor, TileTensor]:
        if not isinstance(x, TileTensor) or not x.ndim or not (isinstance(x.dims[-1], int) and x.dims[-1] == 2):
            raise exc.UnsupportedSplitOperation()
        first, second = torch.unbind(x, -1)
        return first, second  # pyright: ignore

    def join(self, a: Any, b: Any) -> TileTensor:
        if not (isinstance(a, TileTensor) and isinstance(b, TileTensor)):
            raise exc.TypeInferenceError("hl.join takes two device tensors; load them first")
        if a.dtype != b.dtype:
            raise exc.TypeInferenceError(f"hl.join takes tensors of one dtype, not {a.dtype} and {b.dtype}")
        a, b = torch.broadcast_tensors(a, b)
        return torch.stack([a, b], -1)  # pyright: ignore

    def subscript(self, x: Any, index: Any) -> Any:
        return self.trace.evaluator.getitem(x, tuple(index))

    # ---- four-bit floats ----

    def float4_e2m1fn_x2_to_float32(self, v: Any) -> tuple[TileTensor, TileTensor]:
        return float4_pair(v)

    def load_float4_e2m1fn_x16_to_float16(self, storage: Any, groups: Any, mask: Any) -> tuple[Any, ...]:
        return load_groups(self.trace, storage, groups, mask, packed=True)

    def load_bfloat16_x16_to_float16(self, storage: Any, groups: Any, mask: Any) -> tuple[Any, ...]:
        return load_groups(self.trace, storage, groups, mask, packed=False)

    # ---- source of lower levels, debugging ----

    def inline_triton(self, source: Any, args: Any, output_like: Any) -> Any:
        return self._inline.triton(source, args, output_like)

    def triton_kernel(self, function: Any, args: Any, output_like: Any) -> Any:
        return self._inline.function(function, args, output_like)

    def inline_asm_elementwise(self, asm: Any, constraints: Any, args: Any, dtype: Any, is_pure: Any, pack: Any) -> Any:
        return self._inline.assembly(asm, constraints, args, dtype, is_pure, pack)

    def device_print(self, prefix: Any = "", *values: Any) -> None:
        self._inline.print(prefix, values)

    def breakpoint(self) -> None:
        self._inline.breakpoint()

    # ---- numbers ----

    def constexpr(self, value: Any) -> Any:
        return value

    def cdiv(self, a: Any, b: Any) -> Any:
        if isinstance(a, TileTensor) or isinstance(b, TileTensor):
            return torch.div(a + (b - 1), b, rounding_mode="floor")
        return self.trace.sizes.cdiv(a, b)

    def next_power_of_2(self, n: Any) -> Any:
        if isinstance(n, TileTensor):
            raise exc.BackendUnsupported("next_power_of_2 of a value of the kernel: not supported")
        return self.trace.sizes.next_power_of_2(n)
