"""PyTorch's random functions on tiles. Each call in the source has a seed of its own, which the host draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from helion_ir.exc import BackendUnsupported, TypeInferenceError
from helion_ir.frontend.primitives.registry import aten, emits
from helion_ir.frontend.sizes import Size
from helion_ir.frontend.tile_tensor import TileTensor

if TYPE_CHECKING:
    from helion_ir.frontend.capture import Capture


def _stream(cap: Capture) -> Any:
    if cap.random is None:  # a capture by itself has no host program to draw seeds in
        raise BackendUnsupported("PyTorch's random functions take their seeds from a kernel's host code; use hl.rand")
    return cap.random


def _floating(name: str, dtype: torch.dtype) -> torch.dtype:
    if not dtype.is_floating_point:
        raise TypeInferenceError(f"torch.{name} gives floats, not {dtype}")
    return dtype


@emits(aten.rand.default)
def rand(cap: Capture, shape: Sequence[Size], *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    dtype = _floating("rand", dtype or torch.get_default_dtype())
    return _stream(cap).implicit_uniform(cap.extents(shape), dtype)


@emits(aten.rand_like.default)
def rand_like(cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    return _stream(cap).implicit_uniform(x.dims, _floating("rand_like", dtype or x.dtype))


@emits(aten.randn.default)
def randn(cap: Capture, shape: Sequence[Size], *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    dtype = _floating("randn", dtype or torch.get_default_dtype())
    return _stream(cap).implicit_normal(cap.extents(shape), dtype)


@emits(aten.randn_like.default)
def randn_like(cap: Capture, x: TileTensor, *, dtype: torch.dtype | None = None, **_: Any) -> TileTensor:
    return _stream(cap).implicit_normal(x.dims, _floating("randn_like", dtype or x.dtype))


@emits(aten.bernoulli.default)
def bernoulli(cap: Capture, x: TileTensor, **_: Any) -> TileTensor:
    drawn: Any = _stream(cap).implicit_uniform(x.dims, torch.float32)
    with cap:
        return (drawn < x).to(_floating("bernoulli", x.dtype))


@emits(aten.bernoulli.p)
def bernoulli_p(cap: Capture, x: TileTensor, p: float = 0.5, **_: Any) -> TileTensor:
    drawn: Any = _stream(cap).implicit_uniform(x.dims, torch.float32)
    with cap:
        return (drawn < p).to(x.dtype)


@emits(aten.native_dropout.default)
def native_dropout(cap: Capture, x: TileTensor, p: float, train: bool | None = True) -> tuple[TileTensor, TileTensor]:
    """x / (1 - p) where a uniform number is at least p, 0 elsewhere; and where that is."""
    with cap:
        if train is False:
            return x, torch.ones_like(x, dtype=torch.bool)  # pyright: ignore
        kept: Any = _stream(cap).implicit_uniform(x.dims, torch.float32) >= p
        scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
        return torch.where(kept, x * scale, 0.0).to(_floating("dropout", x.dtype)), kept  # pyright: ignore


@emits(aten.dropout.default)
def dropout(cap: Capture, x: TileTensor, p: float, train: bool) -> TileTensor:
    return native_dropout(cap, x, p, True)[0] if train else x
