"""Blocks of a given size: the lanes of their last, partial one are not those of an axis of the same length."""

from __future__ import annotations

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.context import parse_module
from helion_ir.interpreter import run_module


@helion.kernel()
def products(x: torch.Tensor, y: torch.Tensor, size: hl.constexpr) -> torch.Tensor:
    """x @ y, the inner dimension whole, rows in blocks as long as it."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    for columns in hl.tile(n):
        for rows in hl.tile(m, block_size=size):  # pyright: ignore
            out[rows, columns] = hl.dot(x[rows, :] + 1.0, y[:, columns] + 1.0).to(out.dtype)
    return out


@helion.kernel()
def both_sums(x: torch.Tensor, size: hl.constexpr) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums along the rows, and along each block of columns."""
    m, n = x.size()
    rows_out = torch.empty([m], dtype=x.dtype, device=x.device)
    columns_out = torch.zeros([n], dtype=x.dtype, device=x.device)
    for rows in hl.tile(m, block_size=size):  # pyright: ignore
        shifted = x[rows, :] + 1.0
        rows_out[rows] = shifted.sum(1)
        hl.atomic_add(columns_out, [hl.arange(n)], shifted.sum(0))
    return rows_out, columns_out


def last_stage(kernel: helion.Kernel, args: tuple):
    bound = kernel.bind(args)
    config = bound.config_spec.default_config()
    assert "rows.block_size" not in config
    return run_module(parse_module(bound.stages(config)[-1][1]), args, bound.config_space.encode(config))


@pytest.mark.parametrize("size", [8, 16, 32])
def test_a_product_over_an_axis_of_the_blocks_length(size: int) -> None:
    args = (torch.randn(2 * size + 5, size), torch.randn(size, 19), size)
    expected = (args[0] + 1) @ (args[1] + 1)
    torch.testing.assert_close(products(*args), expected)
    torch.testing.assert_close(last_stage(products, args), expected)


@pytest.mark.parametrize("size", [2, 16])
def test_sums_along_both(size: int) -> None:
    args = (torch.randn(3 * size + 1, size), size)
    expected = ((args[0] + 1).sum(1), (args[0] + 1).sum(0))
    for actual in (both_sums(*args), last_stage(both_sums, args)):
        torch.testing.assert_close(actual[0], expected[0])
        torch.testing.assert_close(actual[1], expected[1])
