"""Whole kernels through the public interface on CPU tensors: our interpreter, and Triton's on generated code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl


def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for tile in hl.tile(out.size()):
        out[tile] = x[tile] + y[tile]
    return out


def scaled_add(x: torch.Tensor, s: float, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for tile in hl.tile(out.size()):
        out[tile] = x[tile] * s + y[tile]
    return out


def softmax(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    out = torch.empty_like(x)
    for tile_m in hl.tile(m):
        out[tile_m, :] = torch.softmax(x[tile_m, :], dim=1)
    return out


def matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"size mismatch {k} {k2}"
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for tile_m, tile_n in hl.tile([m, n]):
        acc = hl.zeros([tile_m, tile_n], dtype=torch.float32)
        for tile_k in hl.tile(k):
            acc = torch.addmm(acc, x[tile_m, tile_k], y[tile_k, tile_n])
        out[tile_m, tile_n] = acc
    return out


def inputs(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randn(s, generator=generator) for s in shapes]


def check_add(k: helion.Kernel) -> None:
    for shape in ((37, 53), (64, 32), (1, 7)):
        x, y = inputs(shape, shape)
        torch.testing.assert_close(k(x, y), x + y, rtol=0, atol=0)


def check_softmax(k: helion.Kernel) -> None:
    (x,) = inputs((19, 131))
    expected = torch.softmax(x.double(), dim=1)
    torch.testing.assert_close(k(x).double(), expected, rtol=1e-5, atol=1e-7)


def check_matmul(k: helion.Kernel) -> None:
    x, y = inputs((67, 71), (71, 35))
    expected = x.double() @ y.double()
    torch.testing.assert_close(k(x, y).double(), expected, rtol=1e-4, atol=71**0.5 * 1e-5)


CHECKS = {add: check_add, softmax: check_softmax, matmul: check_matmul}
CONFIGS = {
    add: [{"block_sizes": [16, 32]}, {"block_sizes": [8, 64], "loop_orders": [[1, 0]], "l2_groupings": [4]}],
    softmax: [{"block_sizes": [4]}, {"block_sizes": [8], "reduction_loops": [32]}],
    matmul: [{"block_sizes": [32, 16, 16]}, {"block_sizes": [16, 32, 32], "pid_type": "persistent_interleaved"}],
}


@pytest.mark.parametrize("function", list(CHECKS), ids=lambda f: f.__name__)
def test_untuned(function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    CHECKS[function](helion.kernel(function))


def test_a_scalar_is_a_run_time_argument() -> None:
    k = helion.kernel(scaled_add)
    x, y = inputs((13, 5), (13, 5))
    for s in (1.5, -4.0):
        torch.testing.assert_close(k(x, s, y), x * s + y)
    assert len(k._bound) == 1


def test_an_empty_tensor_gives_an_empty_result() -> None:
    out = helion.kernel(add)(torch.empty(0, 3), torch.empty(0, 3))
    assert out.shape == (0, 3)


@pytest.mark.parametrize("function", list(CHECKS), ids=lambda f: f.__name__)
def test_the_space_of_a_kernel(function: Callable[..., Any]) -> None:
    arguments = {add: inputs((64, 128), (64, 128)), softmax: inputs((64, 128)), matmul: inputs((64, 32), (32, 64))}
    bound = helion.kernel(function).bind(tuple(arguments[function]))
    space = bound.stages_for("h200").space
    assert space.is_legal(space.legal_default()) is None
    assert space.encode(space.decode(space.legal_default())) == space.legal_default()
    assert len(space.fields["block_sizes"]) == {add: 2, softmax: 1, matmul: 3}[function]
    names = [name for name, _ in bound.stages()]
    assert names[:2] == ["tile", "declared"] and names[-2:] == ["template", "materialize-config"]
    assert "@triton.jit" in bound.to_triton_code(space.decode(space.legal_default()))


# Triton decides when it is imported whether it interprets, so that takes a process.
@pytest.mark.parametrize("function", list(CHECKS), ids=lambda f: f.__name__)
def test_generated_triton_in_its_interpreter(function: Callable[..., Any]) -> None:
    source = (
        "import helion_ir as helion; from tests.runtime.test_end_to_end import *\n"
        f"f = {function.__name__}\n"
        "CHECKS[f](helion.kernel(f, autotune_effort='none'))\n"
        "for c in CONFIGS[f]: CHECKS[f](helion.kernel(f, config=c))\n"
        "print('checked')"
    )
    path = os.pathsep.join(["src", ".", os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", source], env=env, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip().endswith("checked"), done.stderr
