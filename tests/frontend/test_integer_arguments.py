"""Integer arguments: of either sign, of 64 bits where a call needs them, and seeds of that size."""

from __future__ import annotations

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.context import parse_module
from helion_ir.interpreter import run_module


@helion.kernel()
def added(x: torch.Tensor, a: int) -> torch.Tensor:
    out = torch.empty_like(x)
    for i in hl.tile(x.size(0)):
        out[i] = x[i] + a
    return out


@helion.kernel()
def at_least_0(x: torch.Tensor, a: int) -> torch.Tensor:
    out = torch.empty_like(x)
    for i in hl.tile(x.size(0)):
        out[i] = x[i] + max(a, 0)
    return out


@helion.kernel()
def drawn(x: torch.Tensor, seed: int) -> torch.Tensor:
    out = torch.empty_like(x)
    for i in hl.tile(x.size(0)):
        out[i] = hl.rand([i], seed)
    return out


def last_stage(kernel: helion.Kernel, args: tuple) -> torch.Tensor:
    bound = kernel.bind(args)
    config = bound.config_spec.default_config()
    return run_module(parse_module(bound.stages(config)[-1][1]), args, bound.config_space.encode(config))


@pytest.mark.parametrize("a", [3, -3, 2**31 - 1, 2**31, -(2**31) - 1, 2**40 + 5])
def test_a_sum(a: int) -> None:
    x = torch.arange(1, 8)
    assert torch.equal(added(x, a), x + a)
    assert torch.equal(last_stage(added, (x, a)), x + a)


@pytest.mark.parametrize("a", [-3, 0, 4])
def test_the_larger_of_it_and_0(a: int) -> None:
    x = torch.arange(1, 8)
    assert torch.equal(at_least_0(x, a), x + max(a, 0))
    assert torch.equal(last_stage(at_least_0, (x, a)), x + max(a, 0))


def test_width_is_part_of_the_key() -> None:
    x = torch.arange(1, 8)
    assert added.bind((x, 3)) is added.bind((x, -70000))
    assert added.bind((x, 3)) is not added.bind((x, 2**31))


def test_the_upper_half_of_a_seed_counts() -> None:
    x = torch.ones(16)
    low, high = drawn(x, 5), drawn(x, 5 + 2**32)
    assert not torch.equal(low, high)
    assert torch.equal(last_stage(drawn, (x, 5 + 2**32)), high)
