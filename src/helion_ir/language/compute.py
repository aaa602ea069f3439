"""Products, reductions, scans and views that PyTorch has no function for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from helion_ir.language.active import implementation

if TYPE_CHECKING:
    import torch


def dot(
    a: torch.Tensor, b: torch.Tensor, acc: torch.Tensor | None = None, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """`acc + a @ b` on the matrix units.

    Args:
        a: `[m, k]` or `[batch, m, k]`, of dtype float16, bfloat16, float32, float64, int8 or a float8.
        b: `[k, n]` or `[batch, k, n]`; a batch of 1 broadcasts.
        acc: What to add to, shaped like the result; float16, float32, float64 or int32. Zero if omitted.
        out_dtype: Dtype of the result; that of `acc`, else float32 (int32 for int8).

    Raises:
        ShapeMismatch: the inner dimensions are not the same one.
        DotBatchDimensionMismatch: the batches differ.
    """
    return implementation("dot")(a, b, acc, out_dtype)


def dot_scaled(
    a: torch.Tensor,
    a_scale: torch.Tensor,
    a_format: str,
    b: torch.Tensor,
    b_scale: torch.Tensor,
    b_format: str,
    acc: torch.Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """A matrix product of microscaled operands: `acc + (a · 2^(a_scale - 127)) @ (b · 2^(b_scale - 127))`.

    Args:
        a: [M, K]; of "e2m1", which has two elements in a byte, the first in the low half, [M, K/2] of uint8.
        a_scale: [M, K/32], uint8 exponents, one for 32 elements along K.
        a_format: "e2m1", "e4m3", "e5m2", "bf16" or "fp16".
        b: [K, N], or [K/2, N] of "e2m1".
        b_scale: [N, K/32].
        b_format: As `a_format`.
        acc: A float32 tensor [M, N] to add to.
        out_dtype: Of the result; float32 if omitted.

    Triton's interpreter has no such product; ours has.
    """
    return implementation("dot_scaled")(a, a_scale, a_format, b, b_scale, b_format, acc, out_dtype)


def reduce(
    combine_fn: Callable[..., Any], input: Any, dim: int | None = None, other: Any = 0, keep_dims: bool = False
) -> Any:
    """Reduce with a function of one's own, which must be associative and commutative.

    Args:
        combine_fn: `f(a, b)` on scalars. For a tuple of n tensors, `f(left, right)` on tuples or `f(l0, …, r0, …)`.
        input: A device tensor, or a tuple of tensors of one shape.
        dim: The dimension to reduce; all of them if None.
        other: What combines with x to x, used for lanes outside of a range; a tuple for a tuple.
        keep_dims: Keep the dimension with extent 1.
    """
    return implementation("reduce")(combine_fn, input, dim, other, keep_dims)


def associative_scan(combine_fn: Callable[..., Any], input: Any, dim: int, reverse: bool = False) -> Any:
    """An inclusive scan along `dim` with a function of one's own; arguments as of `hl.reduce`."""
    return implementation("associative_scan")(combine_fn, input, dim, reverse)


def cumsum(input: torch.Tensor, dim: int, reverse: bool = False) -> torch.Tensor:
    """Running sums along `dim`, from the end if `reverse`; within the tile. Integers give int64."""
    return implementation("cumulative")("sum", input, dim, reverse)


def cumprod(input: torch.Tensor, dim: int, reverse: bool = False) -> torch.Tensor:
    """Running products along `dim`, from the end if `reverse`; within the tile. Integers give int64."""
    return implementation("cumulative")("prod", input, dim, reverse)


def split(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The two halves of a last dimension of extent 2, without it.

    Raises:
        UnsupportedSplitOperation: the last dimension has another extent.
    """
    return implementation("split")(tensor)


def join(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Stack two tensors, which broadcast, along a new last dimension of extent 2; undone by `hl.split`."""
    return implementation("join")(a, b)


def subscript(tensor: torch.Tensor, index: list[Any]) -> torch.Tensor:
    """`tensor[index]` for a device tensor; `:` and None only."""
    return implementation("subscript")(tensor, index)
