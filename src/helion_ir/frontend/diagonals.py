"""Diagonals of matrices that are loaded whole: every other element is left out of a sum of one."""

from __future__ import annotations

from typing import Any

import torch

from helion_ir.exc import BackendUnsupported
from helion_ir.frontend.decompositions import decomposes
from helion_ir.frontend.primitives.registry import aten, canonical
from helion_ir.frontend.tile_tensor import TileTensor


@decomposes(aten.diagonal.default)
def diagonal(x: TileTensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The elements whose column is `offset` more than their row, along a new last dimension."""
    rows, columns = (x.dims[canonical(d, x.ndim)] for d in (dim1, dim2))
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise BackendUnsupported(
            f"torch.diagonal of a tiled dimension ({rows}, {columns}) is not supported; load whole axes with `:`, or "
            "compare tile.index of both"
        )
    first, left = max(-offset, 0), max(offset, 0)
    length = min(rows - first, columns - left)
    if length <= 0:
        raise BackendUnsupported(f"a matrix of {rows} times {columns} has no diagonal {offset}")
    square: Any = x.movedim([dim1, dim2], [-2, -1]).narrow(-2, first, length).narrow(-1, left, length)
    index = torch.arange(length)
    return torch.where(index[:, None] == index[None, :], square, 0).sum(-1).to(x.dtype)


@decomposes(aten.diag.default)
def diag(x: TileTensor, offset: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix of a diagonal."""
    return torch.diag_embed(x, offset) if x.ndim == 1 else torch.diagonal(x, offset)


@decomposes(aten.trace.default)
def trace(x: TileTensor) -> Any:
    """The sum of the diagonal."""
    return torch.diagonal(x).sum()
