"""Elementwise operators: promotion, broadcasting, and 16-bit arithmetic in f32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from xdsl.ir import SSAValue

from helion_ir.dialects.tile.elementwise import BY_FUNCTION, CompareOp, WhereOp
from helion_ir.exc import NotAllowedOnDevice, ShapeMismatch
from helion_ir.frontend.dtypes import compute_dtype, result_type
from helion_ir.frontend.primitives.registry import EMITTERS, Emitter, aten, emits, prim
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_ON_BOOLS = {"maximum": "bitwise_or", "minimum": "bitwise_and", "fmax": "bitwise_or", "fmin": "bitwise_and"}


def broadcast_shapes(cap: Capture, shapes: Sequence[list[Size]]) -> list[Size]:
    """The common shape, by PyTorch's rule. Raises ShapeMismatch where different block sizes would have to be equal."""
    first, *rest = shapes
    if all(shape is first or cap.same_dims(shape, first) for shape in rest):
        return first
    rank = max(map(len, shapes))
    out: list[Size] = [1] * rank
    for shape in shapes:
        for i, size in enumerate(shape, rank - len(shape)):
            if type(out[i]) is int and out[i] == 1:
                out[i] = size
            elif not (type(size) is int and size == 1) and not cap.sizes.equal(out[i], size):
                text = " and ".join(str(list(s)) for s in shapes)
                raise ShapeMismatch(f"shapes {text} do not broadcast: dimension {i - rank} is {out[i]} and {size}")
    return out


def compute(cap: Capture, name: str, operands: Sequence[SSAValue], dtype: torch.dtype) -> SSAValue:
    """The op `name` on operands of `dtype` and of one shape."""
    if dtype == torch.bool:
        name = _ON_BOOLS.get(name, name)
    if name in COMPARISONS:
        return cap.emit(CompareOp(name, *operands))
    return cap.emit(BY_FUNCTION[name](*operands))  # pyright: ignore


def apply(cap: Capture, name: str, args: Sequence[Any], dtype: torch.dtype, *, boolean: bool = False) -> TileTensor:
    """The op `name` of tiles and numbers, broadcast; `dtype` is the result's, or for `boolean` ones the operands'."""
    shape = broadcast_shapes(cap, [a.dims for a in args if isinstance(a, TileTensor)])
    working = compute_dtype(dtype)
    value = compute(cap, name, [cap.operand(a, working, shape) for a in args], working)
    return cap.tile(value, shape, torch.bool) if boolean else cap.tile(cap.cast(value, dtype), shape, dtype)


def _direct(name: str, *, floats: bool = False, boolean: bool = False) -> Emitter:
    """An ATen operator as one op. floats: integers become the default float; boolean: the result is a bool tile."""

    def emitter(cap: Capture, func: Any, args: tuple, kwargs: dict[str, Any]) -> TileTensor:
        alpha = kwargs.get("alpha", 1)
        dtype = result_type(args)
        if type(alpha) is not int or alpha != 1:
            args = (
                args[0],
                apply(cap, "mul", [args[1], alpha], dtype) if isinstance(args[1], TileTensor) else args[1] * alpha,
            )
        if floats and not dtype.is_floating_point:
            dtype = torch.get_default_dtype()
        return apply(cap, name, args, dtype, boolean=boolean)

    return emitter


def _primitive(name: str, *, boolean: bool = False) -> Emitter:
    """A prim: no promotion and no broadcasting are left, but numbers and 0-d tensors stand for scalars."""

    def emitter(cap: Capture, func: Any, args: tuple, kwargs: dict[str, Any]) -> TileTensor:
        dtype = max((a for a in args if isinstance(a, TileTensor)), key=lambda t: t.ndim).dtype
        return apply(cap, name, args, dtype, boolean=boolean)

    return emitter


@emits(aten.where.self, aten.where.ScalarOther, aten.where.ScalarSelf, aten.where.Scalar, prim("where"))
def where(cap: Capture, mask: TileTensor, x: Any, y: Any) -> TileTensor:
    dtype = result_type([x, y])
    shape = broadcast_shapes(cap, [a.dims for a in (mask, x, y) if isinstance(a, TileTensor)])
    condition = cap.operand(mask, torch.bool, shape)
    value = cap.emit(WhereOp(condition, cap.operand(x, dtype, shape), cap.operand(y, dtype, shape)))
    return cap.tile(value, shape, dtype)


@emits(aten._to_copy.default)
def to_copy(
    cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None, device: torch.device | None = None, **_: Any
) -> TileTensor:
    if device is not None and device.type != cap.device.type:
        raise NotAllowedOnDevice(
            f"a value of the kernel cannot move to {device}; store it, and move the result on the host"
        )
    dtype = dtype or x.dtype
    return cap.tile(cap.cast(x.value, dtype), x.dims, dtype)


@emits(prim("convert_element_type"))
def convert(cap: Capture, x: TileTensor, dtype: torch.dtype) -> TileTensor:
    return x if x.dtype == dtype else cap.tile(cap.cast(x.value, dtype), x.dims, dtype)


@emits(prim("isfinite"), aten.isfinite.default)
def isfinite(cap: Capture, x: TileTensor) -> TileTensor:
    if not x.dtype.is_floating_point:
        return cap.tile(cap.full(True, x.dims, torch.bool), x.dims, torch.bool)
    return apply(cap, "lt", [apply(cap, "abs", [x], x.dtype), math.inf], x.dtype, boolean=True)


@emits(prim("signbit"), aten.signbit.default)
def signbit(cap: Capture, x: TileTensor) -> TileTensor:
    if x.dtype.is_floating_point:
        return apply(cap, "signbit", [x], x.dtype, boolean=True)
    return apply(cap, "lt", [x, 0], x.dtype, boolean=True)


def _nextafter(cap: Capture, func: Any, args: tuple, kwargs: dict[str, Any]) -> TileTensor:
    """The neighbour in the tile's own dtype: of 16 bits by counting, since f32 has numbers in between."""
    dtype = max((a for a in args if isinstance(a, TileTensor)), key=lambda t: t.ndim).dtype
    if dtype.itemsize != 2:
        return apply(cap, "nextafter", args, dtype)
    shape = broadcast_shapes(cap, [a.dims for a in args if isinstance(a, TileTensor)])
    x, y = (cap.tile(cap.operand(a, dtype, shape), shape, dtype) for a in args)
    with cap:
        bits: Any = x.view(torch.int16)
        away = (x < y) == (x > 0)
        step = torch.where(away, 1, -1).to(torch.int16)
        least = torch.where(y > 0, 1, -32767).to(torch.int16)  # the least number, of either sign
        moved = torch.where(x == 0, least, bits + step)
        kept = (x == y) | torch.isnan(x) | torch.isnan(y)
        same = torch.where(torch.isnan(x), x, y)
        return torch.where(kept, same, moved.view(dtype))  # pyright: ignore


def _register() -> None:
    for name in BY_FUNCTION:
        if name not in ("where", "cast", "bitcast", "compare", "signbit", "copysign"):
            EMITTERS[prim(name)] = _primitive(name)
    EMITTERS[prim("nextafter")] = _nextafter
    for name in COMPARISONS:
        EMITTERS[prim(name)] = _primitive(name, boolean=True)
    for theirs, ours in {
        "erf_inv": "erfinv", "bessel_i0": "i0", "bessel_i1": "i1", "shift_right_arithmetic": "shift_right",
    }.items():  # fmt: skip
        EMITTERS[prim(theirs)] = _primitive(ours)
    # PyTorch's references end in the same ops, but each call of one takes 0.3 to 0.5 ms and the first imports sympy.
    families: list[tuple[str, dict[str, bool]]] = [
        ("add sub mul maximum minimum", {}),
        ("div copysign", {"floats": True}),
        ("eq ne lt le gt ge", {"boolean": True}),
        ("exp exp2 log log2 sqrt rsqrt tanh sin cos erf reciprocal", {"floats": True}),
        ("neg abs", {}),
    ]
    for names, options in families:
        for name in names.split():
            packet = getattr(aten, name)
            for overload in {"Tensor", "Scalar", "default"} & set(packet.overloads()):
                EMITTERS[getattr(packet, overload)] = _direct(name, **options)
    EMITTERS.pop(None, None)


_register()
