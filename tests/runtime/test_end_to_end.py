"""Whole kernels through the public interface on CPU tensors: our interpreter, and Triton's on generated code."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.triton_interpreter.client import TritonInterpreter

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
    for shape in ((37, 53), (64, 32), (2, 7)):
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


SEEDS = range(6)

CHECKS = {add: check_add, softmax: check_softmax, matmul: check_matmul}
CONFIGS = {
    add: [{"block_sizes": [16, 32]}, {"block_sizes": [8, 64], "loop_orders": [[1, 0]], "l2_groupings": [4]}],
    softmax: [{"block_sizes": [4]}, {"block_sizes": [8], "reduction_loops": [32]}],
    matmul: [{"block_sizes": [32, 16, 16]}, {"block_sizes": [16, 32, 32], "pid_type": "persistent_interleaved"}],
}


ARGUMENTS = {add: ((64, 128), (64, 128)), softmax: ((64, 128),), matmul: ((64, 32), (32, 64))}


def sampled(function: Callable[..., Any], seed: int) -> helion.Config:
    """A config from the space of a kernel, with blocks large enough for an interpreter."""
    space = helion.kernel(function).bind(tuple(inputs(*ARGUMENTS[function]))).config_space
    drawn = space.sample(random.Random(seed))
    large = {k: max(v, 8) for k, v in drawn.items() if k.endswith("block_size") and isinstance(v, int)}
    return space.decode(space.repaired({**drawn, **large}, random.Random(seed)))


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


def test_the_same_tensor_twice() -> None:
    k = helion.kernel(add)
    x, y = inputs((1, 7), (1, 7))
    torch.testing.assert_close(k(x, x), 2 * x, rtol=0, atol=0)
    torch.testing.assert_close(k(x, y), x + y, rtol=0, atol=0)


def test_dynamic_shapes_share_a_kernel() -> None:
    k = helion.kernel(add, static_shapes=False)
    for shape in ((37, 53), (8, 120), (0, 53)):
        x, y = inputs(shape, shape)
        torch.testing.assert_close(k(x, y), x + y, rtol=0, atol=0)
    assert len(k._bound) == 1
    x, y = inputs((1, 53), (1, 53))
    torch.testing.assert_close(k(x, y), x + y, rtol=0, atol=0)


def test_an_empty_tensor_gives_an_empty_result() -> None:
    out = helion.kernel(add)(torch.empty(0, 3), torch.empty(0, 3))
    assert out.shape == (0, 3)


@pytest.mark.parametrize("function", list(CHECKS), ids=lambda f: f.__name__)
def test_the_space_of_a_kernel(function: Callable[..., Any]) -> None:
    bound = helion.kernel(function).bind(tuple(inputs(*ARGUMENTS[function])))
    space = bound.stages_for("h200").space
    assert space.is_legal(space.legal_default()) is None
    assert space.encode(space.decode(space.legal_default())) == space.legal_default()
    assert len(space.fields["block_sizes"]) == {add: 2, softmax: 1, matmul: 3}[function]
    names = [name for name, _ in bound.stages()]
    assert names[0] == "tile" and names[-2:] == ["template", "materialize-config"]
    assert names.index("declared") < names.index("roll-reductions") < names.index("convert-tile-to-triton")
    assert "@triton.jit" in bound.to_triton_code(space.decode(space.legal_default()))


def test_warp_specialization_is_no_choice_where_settings_say_so() -> None:
    arguments = tuple(inputs((64, 64), (64, 64)))
    domains = [
        helion.kernel(matmul, allow_warp_specialize=allowed).bind(arguments).stages_for("b200").space
        for allowed in (True, False)
    ]
    # One knob of the root, whose persistent loop never specializes and keeps its place only, and one of the loop in it.
    both = [space.fields["range_warp_specializes"] for space in domains]
    assert [k.name for k in both[0]] == [k.name for k in both[1]] and len(both[0]) == 2
    assert [k.values for k in both[0]] == [(False,), (False, True)]
    assert [k.values for k in both[1]] == [(False,), (False,)]
    # A loop that is unrolled entirely has no roles either way.
    assert domains[1].size() < domains[0].size() < 2 * domains[1].size()


def test_an_index_type_too_small_for_a_tensor() -> None:
    large = torch.ones(1).expand(3000000000)
    with pytest.raises(helion.exc.InputTensorNumelExceedsIndexType, match="of add has more elements than"):
        helion.kernel(add, index_dtype=torch.int32).bind((large, large))


@pytest.mark.parametrize("target", ["h200", "mi350x"])
def test_compiled_for_a_target_that_is_not_there(target: str) -> None:
    bound = helion.kernel(matmul).bind(tuple(t.half() for t in inputs((64, 64), (64, 64))))
    compiled = bound.compile_for(target, {"block_sizes": [64, 64, 32], "num_warps": 8})
    assert {"h200": "ptx", "mi350x": "amdgcn"}[target] in compiled.asm
    assert (compiled.resources.registers or 0) > 0


def check_generated(name: str) -> None:
    """The default, the configurations above and random ones, where Triton interprets."""
    function = next(f for f in CHECKS if f.__name__ == name)
    CHECKS[function](helion.kernel(function, autotune_effort="none"))
    for config in [*CONFIGS[function], *(sampled(function, seed) for seed in SEEDS)]:
        CHECKS[function](helion.kernel(function, config=config))


@pytest.mark.parametrize("name", [f.__name__ for f in CHECKS])
def test_generated_triton_in_its_interpreter(name: str, triton_interpreter: TritonInterpreter) -> None:
    triton_interpreter.run(check_generated, name)
