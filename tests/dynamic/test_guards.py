"""What of a call's sizes decides on the kernel: broadcasting from 1, sizes that must be equal, specialized ones."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
import torch
from tests.dynamic.kernels import broadcast_add, softmax

import helion_ir as helion
import helion_ir.language as hl


def affine(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for rows in hl.tile(x.size(0)):
        out[rows, :] = x[rows, :] * w[:]
    return out


def mean(x: torch.Tensor) -> torch.Tensor:
    n = hl.specialize(x.size(1))
    out = torch.empty([x.size(0)], dtype=x.dtype, device=x.device)
    for rows in hl.tile(x.size(0)):
        out[rows] = (x[rows, :] + hl.zeros([rows, n])).sum(1) / n
    return out


def flat(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    a, b = x.view(-1), out.view(-1)
    for t in hl.tile(a.size(0)):
        b[t] = a[t] + 1
    return out


def like(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for a, b in hl.tile([x.size(0), x.size(1)]):
        out[a, b] = x[a, b] + 1
    return out


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) + 0.5


def dynamic(function: Any) -> Any:
    return helion.kernel(function, static_shapes=False, autotune_effort="none")


def kernels(k: Any, *calls: tuple[torch.Tensor, ...]) -> list[int]:
    """Which kernel serves each call, numbered by first use."""
    seen: dict[int, int] = {}
    return [seen.setdefault(id(k.bind(args)), len(seen)) for args in calls]


def test_broadcasting_from_one_is_a_kernel_of_its_own() -> None:
    k = dynamic(broadcast_add)
    x = rand(5, 7)
    calls = [
        (x, rand(5, 7)),
        (x, rand(1, 7)),
        (rand(6, 9), rand(1, 9)),
        (x, rand(5, 1)),
        (x, rand(1, 1)),
        (rand(2, 3), rand(2, 3)),
    ]
    for a, b in calls:
        torch.testing.assert_close(k(a, b), a + b, rtol=0, atol=0)
    assert kernels(k, *calls) == [0, 1, 1, 2, 3, 0]
    for stage in ("template", "materialize-config"):
        from helion_ir.dialects.context import parse_module
        from helion_ir.interpreter import run_module

        for a, b in calls:
            bound = k.bind((a, b))
            text = dict(bound.stages())[stage]
            got = run_module(parse_module(text), (a, b), bound.lowering.space.legal_default(), globals=globals())
            torch.testing.assert_close(got, a + b, rtol=0, atol=0)


def test_sizes_that_nobody_says_are_equal_are_guarded() -> None:
    k = dynamic(affine)
    calls = [
        (rand(5, 7), rand(7)),
        (rand(3, 9), rand(9)),
        (rand(8, 8), rand(8)),
        (rand(4, 3), rand(1)),
        (rand(2, 6), rand(1)),
    ]
    for x, w in calls:
        torch.testing.assert_close(k(x, w), x * w, rtol=0, atol=0)
    assert kernels(k, *calls) == [0, 0, 0, 1, 1]
    # A square first is a kernel for squares, and those that follow need another.
    again = dynamic(affine)
    for x, w in [calls[2], calls[0], calls[1], calls[2]]:
        torch.testing.assert_close(again(x, w), x * w, rtol=0, atol=0)
    assert kernels(again, calls[2], calls[0], calls[1], (rand(6, 6), rand(6))) == [0, 1, 1, 0]


def test_specialized_sizes_are_constants() -> None:
    k = dynamic(mean)
    calls = [(rand(5, 7),), (rand(9, 7),), (rand(5, 8),)]
    for (x,) in calls:
        torch.testing.assert_close(k(x), x.mean(1))
    assert kernels(k, *calls) == [0, 0, 1]
    assert "x_size_1" not in k.bind(calls[0]).to_triton_code()


def test_views_of_contiguous_tensors() -> None:
    k = dynamic(flat)
    calls = [(rand(5, 7),), (rand(1, 1),), (rand(0, 4),), (rand(3, 11),)]
    for (x,) in calls:
        torch.testing.assert_close(k(x), x + 1, rtol=0, atol=0)
    assert kernels(k, *calls) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "x", [rand(7, 5).t(), rand(5, 9)[:, :7], rand(10, 7)[::2], rand(1, 7).expand(5, 7), rand(5, 1, 7)[:, 0, :], rand(9, 9, 2)[:5, :7, 1]],
    ids=["transposed", "padded", "every-second", "expanded", "selected", "no-unit-stride"],
)  # fmt: skip
def test_strides(x: torch.Tensor) -> None:
    k = dynamic(like)
    torch.testing.assert_close(k(x), x + 1, rtol=0, atol=0)
    torch.testing.assert_close(k(rand(4, 6)), rand(4, 6) + 1, rtol=0, atol=0)
    torch.testing.assert_close(k(x), x + 1, rtol=0, atol=0)


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
def test_choosing_the_kernel_is_quick(static: bool) -> None:
    k = helion.kernel(softmax, static_shapes=static, autotune_effort="none")
    args = (rand(5, 7),)
    k.bind(args)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(200):
            k._select(k._bound.get(k._base_key(args)), args)
        return (time.perf_counter() - start) / 200

    assert statistics.median(seconds() for _ in range(9)) < 20e-6
