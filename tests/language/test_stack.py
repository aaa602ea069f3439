"""Stack tensors: loads and stores by tables of addresses, in Triton's interpreter on the addresses of CPU tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.language.harness import Case, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.tile.control import BarrierOp, KernelOp, ParallelOp
from helion_ir.frontend.trace import trace
from helion_ir.interpreter import InterpreterError

ALIVE: list[torch.Tensor] = []


def summed(addresses: torch.Tensor, example: torch.Tensor, columns: hl.constexpr) -> torch.Tensor:
    out = torch.empty_like(example)
    for t in hl.tile(example.size(0)):
        tensors = hl.stacktensor_like(example, addresses[:])
        out[t, :] = (tensors[t, :] + 1.0).sum(0)
    return out


def scattered(x: torch.Tensor, addresses: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    for p, t in hl.tile([addresses.size(0), x.size(0)]):
        tensors = hl.stacktensor_like(example, addresses[p])
        tensors[t, 1] = x[t][None, :] * (p.index[:, None] + 1)
        hl.store(tensors, [t, 0], 5.0, extra_mask=(x[t] > 0.0)[None, :])
    return x


def tensors(count: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    made = [torch.randn(7, 6, generator=torch.Generator().manual_seed(i)) for i in range(count)]
    ALIVE.extend(made)
    return torch.tensor([t.data_ptr() for t in made], dtype=torch.uint64), made


def for_sum() -> tuple[Any, ...]:
    addresses, made = tensors(3)
    return addresses, made[0], 6


def expected_sum(addresses: torch.Tensor, example: torch.Tensor, columns: int) -> torch.Tensor:
    return sum(t.double() + 1 for t in tensors(3)[1])  # pyright: ignore


CASES = {
    "loads": Case(summed, for_sum, expected_sum, ({"block_sizes": [4]}, {"block_sizes": [8]}), 1e-5),
}


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


def check_stores() -> None:
    addresses, made = tensors(3)
    x = torch.tensor([1.0, -2.0, 3.0, -4.0, 5.0, 6.0, -7.0])
    before = [t.clone() for t in made]
    for blocks in ([2, 4], [4, 8]):
        helion.kernel(scattered, config=helion.Config(block_sizes=blocks))(x, addresses, made[0])
        for i, (t, b) in enumerate(zip(made, before)):
            b[:, 1] = x * (i + 1)
            b[:, 0] = torch.where(x > 0, 5.0, b[:, 0])
            assert torch.equal(t, b), (i, t, b)
            t += 1
            b += 1


def test_stores_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    triton_interpreter.run(check_stores)


@pytest.mark.parametrize("target", ["h200", "mi350x"])
def test_compiled(target: str) -> None:
    assert compiled(CASES["loads"], target).asm


def test_stages_print_as_they_were_read() -> None:
    stages = CASES["loads"].bound({}).stages({"block_sizes": [4]})
    for text, stage in {text: stage for stage, text in stages}.items():
        assert module_text(parse_module(text, stage)) == text, stage


def in_two_loops(addresses: torch.Tensor, example: torch.Tensor, columns: int) -> torch.Tensor:
    out = torch.empty_like(example)
    for t in hl.tile(example.size(0)):
        hl.stacktensor_like(example, addresses[:])[t, :] = 1.0
    for t in hl.tile(example.size(0)):
        out[t, :] = hl.stacktensor_like(example, addresses[:])[t, :].sum(0)
    for t in hl.tile(example.size(0)):
        example[t, :] = example[t, :] + 1
    return out


def test_loops_that_use_addresses_are_ordered() -> None:
    """What is at an address may be any tensor: loops wait for those before that write, or read what they write."""
    kernel = next(op for op in trace(in_two_loops, for_sum()).walk() if isinstance(op, KernelOp))
    kinds = [type(op).__name__ for op in kernel.body.block.ops if isinstance(op, ParallelOp | BarrierOp)]
    assert kinds == ["ParallelOp", "BarrierOp", "ParallelOp", "BarrierOp", "ParallelOp"]


def test_the_interpreter_follows_no_addresses() -> None:
    with pytest.raises(InterpreterError, match="raw addresses"):
        helion.kernel(summed)(*for_sum())


def on_host(addresses: torch.Tensor, example: torch.Tensor, columns: int) -> torch.Tensor:
    out = torch.empty_like(example)
    for t in hl.tile(example.size(0)):
        out[t, :] = hl.stacktensor_like(example, addresses)[t, :].sum(0)
    return out


def of_a_tile(addresses: torch.Tensor, example: torch.Tensor, columns: int) -> torch.Tensor:
    out = torch.empty_like(example)
    for t in hl.tile(example.size(0)):
        out[t, :] = hl.stacktensor_like(example[t, :], addresses[:])[t, :].sum(0)
    return out


def of_integers(addresses: torch.Tensor, example: torch.Tensor, columns: int) -> torch.Tensor:
    out = torch.empty_like(example)
    for t in hl.tile(example.size(0)):
        out[t, :] = hl.stacktensor_like(example, addresses[:].to(torch.int64))[t, :].sum(0)
    return out


@pytest.mark.parametrize(
    ("kernel", "error"),
    [
        (on_host, exc.StackTensorDevPtrOnHost),
        (of_a_tile, exc.StackTensorExampleOnDevice),
        (of_integers, exc.StackTensorDevPtrDtype),
    ],
)
def test_misuse(kernel: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        helion.kernel(kernel).bind(for_sum())
