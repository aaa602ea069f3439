"""Whole kernels: traced, printed and parsed, and their numbers in the interpreter against eager PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tests.frontend.walker_kernels as kernels
import torch
from torch.utils import _pytree as pytree

from helion_ir.dialects.context import module_text, parse_module
from helion_ir.frontend import trace
from helion_ir.interpreter import default_assignment, run_module


def values(*shape: int, dtype: torch.dtype = torch.float32, low: float = -2.0) -> torch.Tensor:
    """Numbers other than zero, the same in every run."""
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 + 0.1
    return (x + low).to(dtype)


def eager_layer_norm(x, weight, bias, eps):
    weight, bias = weight.double(), None if bias is None else bias.double()
    return torch.nn.functional.layer_norm(x.double(), [x.size(1)], weight, bias, eps)


def eager_attention(q, k, v):
    return torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double())


def eager_jagged_mean(data, offsets):
    pairs = zip(offsets.tolist(), offsets.tolist()[1:])
    return torch.stack([data.double()[a:b].mean(0) for a, b in pairs])


def eager_branches(x, flag, count, power):
    y = x.double()
    row = sum(y**i for i in range(1, power + 1))
    row = (row / power if power > 2 else row) + kernels.EPS
    row = row * 2 if flag else row - 1
    moved = row.clone()
    if count > 3:
        start = torch.arange(x.size(0)) // 32 * 32  # the block size below
        moved[start > 40] += count
    return moved + sum(range(count)) + moved


def eager_counted(x):
    out = x.double()
    for start in range(0, x.numel(), 32):
        part, steps = out[start : start + 32].clone(), 0
        while part.sum() < 100:
            part, steps = part * 2, steps + 1
        out[start : start + 32] = part + steps
    return out


def eager_shifted(x, i):
    y, out = x.double(), torch.zeros_like(x, dtype=torch.float64)
    out[1:] = y[:-1] * 2 + y[-1] + y[:-1, 0:1] + y[i]
    return out


def eager_reduced(x):
    y = x.double()
    return y.sum(1), y.amax(1), y.cumsum(1) + y.cummax(1).values


BIAS = values(50)


@dataclass
class Case:
    kernel: Callable[..., Any]
    args: tuple
    eager: Callable[..., Any]
    tolerance: float = 1e-4


def epilogue(acc, tile):
    return torch.relu(acc + BIAS[tile[1]])


CASES = {
    "add": Case(kernels.add, (values(100, 70), values(70)), lambda x, y: x.double() + y),
    "softmax": Case(kernels.softmax, (values(100, 70),), lambda x: torch.softmax(x.double(), 1)),
    "layer_norm": Case(
        kernels.layer_norm, (values(100, 70, dtype=torch.bfloat16), values(70), None, 1e-5), eager_layer_norm, 2e-2
    ),
    "layer_norm_bias": Case(
        kernels.layer_norm, (values(100, 70, dtype=torch.float16), values(70), values(70), 0.5), eager_layer_norm, 4e-3
    ),
    "matmul": Case(
        kernels.matmul,
        (values(100, 70), values(70, 50), epilogue),
        lambda x, y, _: torch.relu(x.double() @ y.double() + BIAS),
        1e-3,
    ),
    "attention": Case(
        kernels.attention, (values(2, 3, 40, 16), values(2, 3, 35, 16), values(2, 3, 35, 16)), eager_attention, 1e-3
    ),
    "jagged_mean": Case(kernels.jagged_mean, (values(100, 30), torch.tensor([0, 3, 50, 100])), eager_jagged_mean),
    "split_k": Case(kernels.split_k, (values(50, 70), values(70, 40)), lambda x, y: x.double() @ y.double(), 1e-3),
    "embedding": Case(
        kernels.embedding, (torch.arange(21).reshape(3, 7) % 20, values(20, 40)), lambda x, w: w.double()[x]
    ),
    "cross_entropy": Case(
        kernels.cross_entropy,
        (values(30, 50), torch.arange(30) * 7 % 50),
        lambda x, y: torch.nn.functional.cross_entropy(x.double(), y),
    ),
    "branches": Case(kernels.branches, (values(100, 70), True, 4, 3), eager_branches, 1e-3),
    "branches_other": Case(kernels.branches, (values(100, 70), False, 3, 2), eager_branches, 1e-3),
    "counted": Case(kernels.counted, (values(100, low=0.0),), eager_counted, 1e-2),
    "shifted": Case(kernels.shifted, (values(100, 70), 3), eager_shifted),
    "reduced": Case(kernels.reduced, (values(40, 70),), eager_reduced, 1e-3),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_locations_and_round_trip(name: str) -> None:
    case = CASES[name]
    module = trace(case.kernel, case.args)
    text = module_text(module)
    assert module_text(parse_module(text)) == text
    assert f'loc("{Path(kernels.__file__)}":' in text
    untold = [
        line for line in text.splitlines() if re.search(r"= tile\.(load|add|reduce|dot)\b", line) and "loc(" not in line
    ]
    assert untold == []
    assignment = default_assignment(module)
    if name in ("branches", "branches_other", "counted"):
        assignment = {k: 32 for k in assignment}
    given = tuple(a.clone() if isinstance(a, torch.Tensor) else a for a in case.args)
    got = run_module(module, given, assignment, globals=case.kernel.__globals__ | {"BIAS": BIAS})
    want = case.eager(*case.args)
    for g, w in zip(pytree.tree_leaves(got), pytree.tree_leaves(want), strict=True):
        torch.testing.assert_close(g.double(), w.double(), rtol=case.tolerance, atol=case.tolerance)
