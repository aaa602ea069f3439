"""The reference mode: Python runs the kernel's body on real tensors, with few large tiles and no compiler."""

from __future__ import annotations

import builtins
import functools
import itertools
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from helion_ir import exc
from helion_ir.interpreter.philox import philox, uniform
from helion_ir.language import active
from helion_ir.runtime import eager_access, eager_formats
from helion_ir.runtime.eager_access import EagerTile, is_tile_subscript

UNSUPPORTED = frozenset("inline_triton triton_kernel inline_asm_elementwise stacktensor_like".split())
"""What is text of lower levels, or needs a device."""


class EagerLanguage:
    """Carries out the language's functions on tensors.

    A loop over `hl.tile` has one tile for its whole range, or tiles of the block size given to it; the last one is
    shorter, so that there are no inactive lanes. For the same reason tiles have one index each where a kernel has
    jagged loops: the rows of a longer one differ in length.
    """

    def __init__(self, device: torch.device, config: Any, ignored: tuple[type[exc.BaseWarning], ...], jagged: bool):
        self.device, self.config, self.ignored, self.jagged = device, config, ignored, jagged
        self.depth = 0
        """How many device loops are running."""

    def function(self, name: str) -> Callable[..., Any]:
        if name in UNSUPPORTED:
            raise exc.BackendUnsupported(f"hl.{name} is not supported in the reference mode")
        return getattr(self, name)

    # ---- loops ----

    def _entered(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self.depth += 1
            try:
                yield value
            finally:
                self.depth -= 1

    def tile(self, begin_or_end: Any, end: Any, *, block_size: Any = None) -> Iterator[Any]:
        begins, ends, blocks, single = _dimensions(begin_or_end, end, block_size)
        if block_size is None and self.config and self.config.get("block_sizes"):
            exc.warn(exc.BlockSizeIgnoredInInterpretMode(), self.ignored)
        rows = [self._tiles(b, e, s) for b, e, s in zip(begins, ends, blocks)]
        return self._entered(row[0] if single else row for row in itertools.product(*rows))

    def _tiles(self, begin: int, end: int, block: int | None) -> list[EagerTile]:
        step = 1 if self.jagged else max(end - begin, 1) if block is None else block
        return [
            EagerTile(first, min(first + step, end), begin, end, step, self.device) for first in range(begin, end, step)
        ]

    def grid(self, begin_or_end: Any, end: Any, *, step: Any = None) -> Iterator[Any]:
        begins, ends, steps, single = _dimensions(begin_or_end, end, step)
        rows = [range(b, e, s or 1) for b, e, s in zip(begins, ends, steps)]
        return self._entered(row[0] if single else row for row in itertools.product(*rows))

    def jagged_tile(self, lengths: Any) -> Iterator[EagerTile]:
        if not isinstance(lengths, torch.Tensor) or not lengths.ndim:
            raise exc.InvalidJaggedTileUsage(
                "hl.jagged_tile takes a device tensor of lengths; load it first, as in n = lengths[tile]"
            )
        if lengths.numel() != 1:
            raise exc.BackendUnsupported(
                "in the reference mode hl.jagged_tile must be called in the kernel's own function, not in a helper"
            )
        length = int(lengths.item())
        return self._entered(iter([EagerTile(0, length, 0, length, length, self.device)] if length > 0 else []))

    def static_range(self, begin_or_end: Any, end: Any, step: Any) -> range:
        return range(begin_or_end) if end is None else range(begin_or_end, end, step)

    def barrier(self) -> None:
        pass

    pdl_wait = pdl_launch_dependents = barrier

    # ---- tiles and numbers ----

    def tile_index(self, t: EagerTile) -> torch.Tensor:
        return t.indices()

    def tile_begin(self, t: EagerTile) -> int:
        return t.first

    def tile_end(self, t: EagerTile) -> int:
        return t.last

    def tile_id(self, t: EagerTile) -> int:
        return t.first // t.nominal

    def tile_count(self, t: EagerTile) -> int:
        return -(-(t.upper - t.lower) // t.nominal)

    def tile_block_size(self, t: EagerTile) -> int:
        return t.length

    def tile_shift(self, t: EagerTile, offset: Any) -> torch.Tensor:
        return t.indices() + offset

    def constexpr(self, value: Any) -> Any:
        return value

    specialize = constexpr

    def register_block_size(self, low: Any, high: Any) -> int:
        return max(int(low if high is None else high), 1)

    def register_tunable(self, name: str, fragment: Any) -> Any:
        value = self.config.get(name) if self.config else None
        return fragment.default() if value is None else value

    def cdiv(self, a: Any, b: Any) -> Any:
        return -(-a // b)

    def next_power_of_2(self, n: Any) -> Any:
        return 1 << max(int(n) - 1, 0).bit_length()

    # ---- tensors ----

    def shape(self, shape: Any) -> list[int]:
        return [s.length if isinstance(s, EagerTile) else int(s) for s in shape]

    def full(self, shape: Any, value: Any, dtype: Any, device: Any) -> torch.Tensor:
        out = torch.empty(self.shape(shape), dtype=dtype or torch.float32, device=self.device)
        return out.fill_(value)

    zeros = full

    def arange(self, *bounds: Any, dtype: Any, device: Any) -> torch.Tensor:
        return torch.arange(*bounds, dtype=dtype or torch.int32, device=self.device)

    def _offsets(self, shape: Any) -> torch.Tensor:
        offsets = torch.zeros([], dtype=torch.int64)
        for s in shape:
            extent = s.upper if isinstance(s, EagerTile) else int(s)
            along = s.indices().cpu().long() if isinstance(s, EagerTile) else torch.arange(int(s))
            offsets = offsets[..., None] * extent + along
        return offsets

    def _words(self, seed: Any, offsets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return philox(torch.as_tensor(seed).cpu(), offsets.cpu())

    def rand(self, shape: Any, seed: Any, device: Any, offsets: Any) -> torch.Tensor:
        offsets = self._offsets(shape) if offsets is None else offsets
        return uniform(self._words(seed, offsets)[0]).to(self.device)

    def rand4x(self, seed: Any, offsets: Any, device: Any) -> tuple[torch.Tensor, ...]:
        return tuple(uniform(w).to(self.device) for w in self._words(seed, offsets))

    def randint(self, shape: Any, low: Any, high: Any, seed: Any, device: Any) -> torch.Tensor:
        word = self._words(seed, self._offsets(shape))[0].to(torch.int32).to(self.device)
        return (low + word.abs() % (high - low)).to(torch.int32)

    # ---- memory ----

    def load(self, x: Any, index: Any, mask: Any, eviction: Any) -> torch.Tensor:
        with torch._C.DisableTorchFunction():
            return eager_access.load(x, tuple(index), mask)

    def store(self, x: Any, index: Any, value: Any, mask: Any) -> None:
        with torch._C.DisableTorchFunction():
            eager_access.store(x, tuple(index), value, mask)

    def atomic(self, kind: str, x: Any, index: Any, values: Sequence[Any], sem: str) -> torch.Tensor:
        with torch._C.DisableTorchFunction():
            return eager_access.atomic(x, kind, tuple(index), values)

    # ---- compute ----

    def dot(self, a: Any, b: Any, acc: Any, out_dtype: Any) -> torch.Tensor:
        integer = a.dtype == torch.int8
        wide = torch.int32 if integer else torch.float64 if a.dtype == torch.float64 else torch.float32
        product = a.to(wide) @ b.to(wide)
        out = product if acc is None else acc + product.to(acc.dtype)
        return out.to(out_dtype) if out_dtype is not None else out

    dot_scaled = staticmethod(eager_formats.dot_scaled)

    def float4_e2m1fn_x2_to_float32(self, v: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return eager_formats.float4_pair(v)

    def load_float4_e2m1fn_x16_to_float16(self, storage: Any, groups: Any, mask: Any) -> tuple[torch.Tensor, ...]:
        with torch._C.DisableTorchFunction():
            return eager_formats.load_groups(storage, groups, mask, packed=True)

    def load_bfloat16_x16_to_float16(self, storage: Any, groups: Any, mask: Any) -> tuple[torch.Tensor, ...]:
        with torch._C.DisableTorchFunction():
            return eager_formats.load_groups(storage, groups, mask, packed=False)

    def cumulative(self, kind: str, x: Any, dim: int, reverse: bool) -> torch.Tensor:
        x = x.flip(dim) if reverse else x
        out = torch.cumsum(x, dim) if kind == "sum" else torch.cumprod(x, dim)
        return out.flip(dim) if reverse else out

    def reduce(self, combine: Any, x: Any, dim: Any, other: Any, keep_dims: bool) -> Any:
        several = isinstance(x, tuple | list)
        parts = list(x) if several else [x]
        if dim is None:
            parts, dim = [p.reshape(-1) for p in parts], 0
        slices = list(zip(*[p.unbind(dim) for p in parts]))
        fills = other if isinstance(other, tuple | list) else [other] * len(parts)
        if not slices:
            shape = [n for i, n in enumerate(parts[0].shape) if i != dim % parts[0].ndim]
            slices = [tuple(torch.full(shape, f, dtype=p.dtype, device=p.device) for f, p in zip(fills, parts))]
        out = functools.reduce(functools.partial(_combined, combine, several), slices)
        out = tuple(o.unsqueeze(dim) for o in out) if keep_dims else out
        return out if several else out[0]

    def associative_scan(self, combine: Any, x: Any, dim: int, reverse: bool) -> Any:
        several = isinstance(x, tuple | list)
        parts = list(x) if several else [x]
        slices = list(zip(*[(p.flip(dim) if reverse else p).unbind(dim) for p in parts]))
        done = list(itertools.accumulate(slices, functools.partial(_combined, combine, several)))
        stacked = [torch.stack([d[i] for d in done], dim) if done else p for i, p in enumerate(parts)]
        out = tuple(s.flip(dim) if reverse else s for s in stacked)
        return out if several else out[0]

    def split(self, x: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if x.size(-1) != 2:
            raise exc.UnsupportedSplitOperation()
        return x[..., 0], x[..., 1]

    def join(self, a: Any, b: Any) -> torch.Tensor:
        return torch.stack(torch.broadcast_tensors(a, b), -1)

    def subscript(self, x: Any, index: Any) -> Any:
        return x[tuple(index)]

    def device_print(self, prefix: Any = "", *values: Any) -> None:
        print(prefix, *values)

    def breakpoint(self) -> None:
        builtins.breakpoint()


def _dimensions(begin_or_end: Any, end: Any, extra: Any) -> tuple[list[int], list[int], list[Any], bool]:
    """Begins, ends, steps, and whether the loop's variable is no tuple."""
    begin, end = (None, begin_or_end) if end is None else (begin_or_end, end)
    single = not isinstance(end, list | tuple)
    ends = [int(e) for e in ([end] if single else end)]
    begins = (
        [0] * len(ends) if begin is None else [int(b) for b in (begin if isinstance(begin, list | tuple) else [begin])]
    )
    extras = list(extra) if isinstance(extra, list | tuple) else [extra] * len(ends)
    return begins, ends, [None if e is None else int(e) for e in extras], single


def _combined(combine: Any, several: bool, left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    import inspect

    combine = getattr(combine, "fn", combine)
    if not several:
        return (combine(left[0], right[0]),)
    paired = len(inspect.signature(combine).parameters) == 2
    return tuple(combine(left, right) if paired else combine(*left, *right))


class TileSubscripts(TorchFunctionMode):
    """Within it tensors can be subscripted by tiles, tiles stand in shapes, and tensors are made on the kernel's device."""

    def __init__(self, language: EagerLanguage):
        super().__init__()
        from torch.utils._device import _device_constructors

        self.language, self.constructors = language, _device_constructors()

    def __torch_function__(self, func: Any, kinds: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.__getitem__ and (self.language.depth or is_tile_subscript(args[1])):
            if is_tile_subscript(args[1]):
                return eager_access.load(args[0], args[1], None)
            return func(*args).clone()  # what a device loop has loaded is no memory
        if func is torch.Tensor.__setitem__ and is_tile_subscript(args[1]):
            return eager_access.store(args[0], args[1], args[2], None)
        if func in self.constructors and kwargs.get("device") is None:
            kwargs["device"] = self.language.device
        return func(*args, **kwargs)


def run_eagerly(
    function: types.FunctionType, device: torch.device, config: Any, ignored: tuple[type[exc.BaseWarning], ...]
) -> Callable[..., Any]:
    """The kernel's function, run by Python itself under the language's meaning of tiles."""

    jagged = "jagged_tile" in function.__code__.co_names

    def run(*args: Any) -> Any:
        language = EagerLanguage(device, config, ignored, jagged)
        with active.using(language), TileSubscripts(language):
            return function(*args)

    return run
