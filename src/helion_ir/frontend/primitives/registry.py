"""The table of emitters: which of PyTorch's operators become ops of the tile dialect directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten, prims = torch.ops.aten, torch.ops.prims

Emitter = Callable[[Any, Any, tuple, dict[str, Any]], Any]
"""Called with the Capture, the operator and its arguments; returns tiles."""

EMITTERS: dict[Any, Emitter] = {}


def emits(*operators: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register `f(capture, *args, **kwargs)` as the emitter of these operators."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for operator in operators:
            EMITTERS[operator] = lambda capture, func, args, kwargs: function(capture, *args, **kwargs)
        return function

    return register


def prim(name: str) -> Any:
    """The overload `prims.name.default`, or None in a release of PyTorch that has none."""
    return getattr(prims, name).default if hasattr(prims, name) else None


def canonical(dim: int, rank: int) -> int:
    """`dim` counted from the front. Raises InvalidReductionDim if there is none."""
    if not -max(rank, 1) <= dim < max(rank, 1):
        from helion_ir.exc import InvalidReductionDim

        raise InvalidReductionDim(f"dimension {dim} of a tile of rank {rank}")
    return dim + rank if dim < 0 else dim


def canonical_dims(dims: Any, rank: int) -> list[int]:
    """The dimensions named by `dim=`: none and an empty list are all of them."""
    if dims is None or dims == [] or dims == ():
        return list(range(rank))
    return [canonical(d, rank) for d in ([dims] if isinstance(dims, int) else dims) if rank]
