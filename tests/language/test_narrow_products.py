"""Products of 8-bit and packed 4-bit operands."""

from __future__ import annotations

import pytest
import torch
from tests.language.harness import Case, check_stages, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir.language as hl


def int4_matmul(a: torch.Tensor, packed: torch.Tensor) -> torch.Tensor:
    m, k = a.size()
    half, n = packed.size()
    out = torch.empty([m, n], dtype=torch.float32, device=a.device)
    for tm, tn in hl.tile([m, n]):
        acc = hl.zeros([tm, tn], dtype=torch.float32)
        for tk in hl.tile(half):
            bytes_ = packed[tk, tn]
            low, high = (bytes_ << 4) >> 4, bytes_ >> 4
            b = torch.stack([low, high], dim=1).reshape(tk.block_size * 2, tn.block_size).to(a.dtype)
            columns = a[tm, tk.begin * 2 + hl.arange(tk.block_size * 2)]
            acc = hl.dot(columns, b, acc=acc)
        out[tm, tn] = acc
    return out


def product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for tm, tn in hl.tile(out.size()):
        acc = hl.zeros([tm, tn], dtype=torch.float32)
        for tk in hl.tile(a.size(1)):
            acc = hl.dot(a[tm, tk], b[tk, tn], acc=acc)
        out[tm, tn] = acc
    return out


def integer_product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for tm, tn in hl.tile(out.size()):
        acc = hl.zeros([tm, tn], dtype=torch.int32)
        for tk in hl.tile(a.size(1)):
            acc = hl.dot(a[tm, tk], b[tk, tn], acc=acc)
        out[tm, tn] = acc
    return out


def packed_operands() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(6)
    a = torch.randn(20, 64, generator=generator).to(torch.bfloat16)
    return a, torch.randint(-128, 128, (32, 24), generator=generator, dtype=torch.int8)


def expected_int4(a: torch.Tensor, packed: torch.Tensor) -> torch.Tensor:
    low, high = (packed.int() << 28) >> 28, packed.int() >> 4
    return a.double() @ torch.stack([low, high], 1).reshape(64, 24).double()


def operands(dtype: torch.dtype, result: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(6)
    a, b = (torch.randint(-100, 100, s, generator=generator) for s in ((20, 40), (40, 24)))
    if dtype.is_floating_point:
        a, b = a / 64, b / 64
    return a.to(dtype), b.to(dtype), torch.full([20, 24], 77, dtype=result)


def expected(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    out.copy_(a.double() @ b.double())
    return out


BLOCKS = ({"block_sizes": [16, 16, 32]},)
CASES = {
    "int4": Case(int4_matmul, packed_operands, expected_int4, ({"block_sizes": [16, 16, 16]},), 1e-4),
    "int8": Case(integer_product, lambda: operands(torch.int8, torch.int32), expected, BLOCKS),
    "e4m3": Case(product, lambda: operands(torch.float8_e4m3fn, torch.float32), expected, BLOCKS, 1e-5),
    "e5m2": Case(product, lambda: operands(torch.float8_e5m2, torch.float32), expected, BLOCKS, 1e-5),
}


@pytest.mark.parametrize("name", CASES)
def test_at_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
@pytest.mark.parametrize("name", CASES)
def test_compiled(name: str, target: str) -> None:
    assert compiled(CASES[name], target).asm
