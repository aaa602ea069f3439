"""Accesses along an extent of 1: lanes that share the element under a mask, and tiles that end with it."""

from __future__ import annotations

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.context import parse_module
from helion_ir.interpreter import run_module


@helion.kernel()
def odd_columns(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for rows, columns in hl.tile(out.size()):
        out[rows, columns] = hl.load(x, [rows, columns], extra_mask=(columns.index % 2 == 1)[None, :])
    return out


@pytest.mark.parametrize("shape", [(5, 1), (1, 7), (1, 1)])
def test_one_element_under_a_mask(shape: tuple[int, int]) -> None:
    x = torch.arange(1.0, 1 + shape[0] * shape[1]).view(shape)
    odd = torch.arange(7) % 2 == 1
    expected = torch.where(odd, x, 0.0).expand(5, 7)
    args = (x, torch.full((5, 7), -1.0))
    assert torch.equal(odd_columns(*args), expected)
    bound = odd_columns.bind(args)
    config = bound.config_spec.default_config()
    module = parse_module(bound.stages(config)[-1][1])
    args = (x, torch.full((5, 7), -1.0))
    assert torch.equal(run_module(module, args, bound.config_space.encode(config)), expected)


@helion.kernel()
def doubled_in_bands(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    out = torch.empty_like(x)
    band_rows = hl.register_block_size(4, max(m, 4))
    for band in hl.tile(m, block_size=band_rows):
        for rows in hl.tile(band.begin, band.end):
            out[rows, :] = x[rows, :] * 2.0
    return out


@pytest.mark.parametrize("m", [1, 2, 9])
def test_a_store_whose_tile_ends_where_another_does(m: int) -> None:
    x = torch.arange(1.0, 1 + m * 3).view(m, 3)
    assert torch.equal(doubled_in_bands(x), x * 2)
    bound = doubled_in_bands.bind((x,))
    config = bound.config_spec.default_config()
    module = parse_module(bound.stages(config)[-1][1])
    assert torch.equal(run_module(module, (x,), bound.config_space.encode(config)), x * 2)
