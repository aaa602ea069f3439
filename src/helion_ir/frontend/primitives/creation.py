"""Tiles made from numbers. Random ones come from hl.rand, which has a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import SymFloat, SymInt

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.tile.compute import IotaOp
from helion_ir.exc import BackendUnsupported, DataDependentOutputShapeNotSupported
from helion_ir.frontend.primitives.registry import EMITTERS, aten, emits, prim
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture


@emits(aten.full.default, prim("full"))
def full(cap: Capture, shape: Sequence[Size], value: Any, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    """The dtype is the number's unless given."""
    if dtype is None:
        kind = bool if isinstance(value, bool) else int if isinstance(value, int | SymInt) else float
        dtype = {bool: torch.bool, int: torch.int64, float: torch.get_default_dtype()}[kind]
    dims = cap.extents(shape)
    return cap.tile(cap.operand(value, dtype, dims), dims, dtype)


def _filled(value: int) -> Any:
    def emitter(cap: Capture, shape: Sequence[Size], *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
        return full(cap, shape, value, dtype=dtype or torch.get_default_dtype())

    return emitter


def _filled_like(value: int) -> Any:
    def emitter(cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
        return full(cap, x.dims, value, dtype=dtype or x.dtype)

    return emitter


def _new_filled(value: int) -> Any:
    def emitter(
        cap: Capture, x: TileTensor, shape: Sequence[Size], *, dtype: torch.dtype | None = None, **_: Any
    ) -> TileTensor:
        return full(cap, shape, value, dtype=dtype or x.dtype)

    return emitter


emits(aten.zeros.default)(_filled(0))
emits(aten.ones.default)(_filled(1))
emits(aten.zeros_like.default, aten.zero.default)(_filled_like(0))
emits(aten.ones_like.default)(_filled_like(1))
emits(aten.new_zeros.default)(_new_filled(0))
emits(aten.new_ones.default)(_new_filled(1))


@emits(aten.full_like.default, aten.fill.Scalar, aten.fill.Tensor, prim("fill"))
def full_like(cap: Capture, x: TileTensor, value: Any, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    return full(cap, x.dims, value, dtype=dtype or x.dtype)


@emits(aten.new_full.default)
def new_full(
    cap: Capture, x: TileTensor, shape: Sequence[Size], value: Any, *, dtype: torch.dtype | None = None, **_: Any
) -> TileTensor:
    return full(cap, shape, value, dtype=dtype or x.dtype)


@emits(aten.scalar_tensor.default, prim("scalar_tensor"))
def scalar_tensor(cap: Capture, value: Any, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    return full(cap, [], value, dtype=dtype or torch.get_default_dtype())


@emits(aten.copy.default)
def copy(cap: Capture, target: TileTensor, source: TileTensor, non_blocking: bool = False) -> TileTensor:
    return cap.tile(cap.operand(source, target.dtype, target.dims), target.dims, target.dtype)


@emits(aten.arange.default)
def arange(cap: Capture, end: Any, **options: Any) -> TileTensor:
    return arange_step(cap, 0, end, 1, **options)


@emits(aten.arange.start)
def arange_start(cap: Capture, start: Any, end: Any, **options: Any) -> TileTensor:
    return arange_step(cap, start, end, 1, **options)


@emits(aten.arange.start_step)
def arange_step(
    cap: Capture, start: Any, end: Any, step: Any = 1, *, dtype: torch.dtype | None = None, **_: Any
) -> TileTensor:
    """start + step * i; integers are exact, floats are counted in f64 on the host and so must be numbers."""
    if any(isinstance(v, float | SymFloat) for v in (start, end, step)):
        if any(isinstance(v, SymInt | SymFloat) for v in (start, end, step)):
            raise BackendUnsupported("torch.arange with a fractional number and a block size")
        dtype = dtype or torch.get_default_dtype()
        count = max(-int(-((end - start) / step) // 1), 0)
        working = torch.float32 if dtype != torch.float64 else dtype
        index = cap.tile(cap.cast(_iota(cap, 0, 1, count, torch.int32).value, working), [count], working)
        with cap:
            return cast(TileTensor, (index * float(step) + float(start)).to(dtype))
    if isinstance(step, SymInt) or step == 0:
        raise BackendUnsupported("the step of torch.arange must be a number other than 0")
    count = cap.sizes.cdiv(end - start, step) if step > 0 else cap.sizes.cdiv(start - end, -step)
    out = dtype or torch.int64
    extent = cap.extents([cap.sizes.max(count, 0)])[0]
    made = _iota(cap, start, step, extent, torch.int64 if out.is_floating_point or out == torch.bool else out)
    return cap.tile(cap.cast(made.value, out), made.dims, out)


def _iota(cap: Capture, start: Size, step: Size, extent: Size, dtype: torch.dtype) -> TileTensor:
    first, stride = expr_attr(cap.sizes.expr(start)), expr_attr(cap.sizes.expr(step))
    return cap.tile(cap.emit(IotaOp(first, stride, cap.type_of([extent], dtype))), [extent], dtype)


@emits(prim("iota"))
def iota(cap: Capture, length: Size, *, start: Size, step: Size, dtype: torch.dtype, **_: Any) -> TileTensor:
    return _iota(cap, start, step, cap.extents([length])[0], dtype)


def _refusal(error: Exception) -> Any:
    def emitter(cap: Capture, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        # a new one each time: errors take on the place where they were raised
        raise type(error)(*error.args)

    return emitter


def _register_refusals() -> None:
    randoms = """rand rand_like randn randn_like randint randint_like randperm bernoulli bernoulli_ uniform uniform_
        normal normal_ normal_functional native_dropout random random_ exponential exponential_ multinomial"""
    for names, make in (
        (randoms, lambda n: BackendUnsupported(f"torch.{n} is not supported on tiles; use hl.rand or hl.randint")),
        ("empty empty_like new_empty empty_strided", lambda n: BackendUnsupported(
            f"torch.{n} has no defined contents on a device; use hl.zeros")),
        ("complex polar view_as_complex view_as_real", lambda n: BackendUnsupported(
            f"torch.{n} is not supported on tiles, which have no complex dtypes; compute with real and imaginary parts")),
        ("reflection_pad1d replication_pad1d", lambda n: BackendUnsupported(
            f"torch.{n} is not supported on tiles; load with extra_mask, or use torch.cat")),
        ("nonzero masked_select unique_dim _unique2 unique_consecutive", lambda n:
            DataDependentOutputShapeNotSupported(f"the shape of torch.{n} depends on data; use torch.where or extra_mask")),
        ("_local_scalar_dense item is_nonzero", lambda n: DataDependentOutputShapeNotSupported(
            "the value of a tile is not known while the kernel is compiled; use torch.where in place of a Python decision")),
    ):  # fmt: skip
        for name in names.split():
            packet = getattr(aten, name, None)
            for overload in packet.overloads() if packet is not None else ():
                EMITTERS[getattr(packet, overload)] = _refusal(make(name))


_register_refusals()
