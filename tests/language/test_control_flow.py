"""`while`, `if` on loaded scalars and helpers with loops of their own, down to generated Triton."""

from __future__ import annotations

import pytest
import torch
from tests.language.harness import Case, check_stages, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir.language as hl


def collatz(x: torch.Tensor) -> torch.Tensor:
    steps = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        n = x[i]
        count = hl.zeros([], dtype=torch.int32)
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            count = count + 1
        steps[i] = count
    return steps


def doubled_until_large(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        rounds = hl.zeros([], dtype=torch.int32)
        while v.amax() < 100.0 and rounds < 5:
            v = v * 2.0
            rounds = rounds + 1
        out[t, :] = v + rounds
    return out


def skipping(x: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -1.0)
    for i in hl.grid(x.size(0)):
        flag = active[i]
        if flag > 0:
            total = hl.zeros([], dtype=torch.float32)
            for j in hl.tile(x.size(1)):
                v = x[i, j]
                if v.sum() > 0:
                    total = total + v.sum()
                else:
                    total = total - 1.0
                out[i, j] = v + total
    return out


def power(v: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    result = torch.ones_like(v)
    for _ in range(count):
        result = result * v
    return result


def polynomial(v: torch.Tensor, degree: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(v)
    for k in range(degree + 1):
        if k % 2 == 0:
            total = total + power(v, k)
        else:
            total = total - power(v, k)
    return total


def nested(x: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        degree = degrees[i]
        for t in hl.tile(x.size(1)):
            out[i, t] = polynomial(x[i, t], degree)
    return out


def segments(x: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    out = torch.empty([starts.size(0) - 1], dtype=x.dtype, device=x.device)
    for i in hl.grid(starts.size(0) - 1):
        acc = hl.zeros([], dtype=torch.float32)
        for t in hl.tile(starts[i], starts[i + 1]):
            acc = acc + (x[t] + 1.0).sum()
        out[i] = acc
    return out


def expected_steps(x: torch.Tensor) -> torch.Tensor:
    def steps(n: int) -> int:
        count = 0
        while n != 1:
            n, count = (n // 2 if n % 2 == 0 else 3 * n + 1), count + 1
        return count

    return torch.tensor([steps(n) for n in x.tolist()], dtype=torch.int32)


def expected_doubled(x: torch.Tensor) -> torch.Tensor:
    rows = []
    for v in x.split(2):
        rounds = 0
        while v.amax() < 100.0 and rounds < 5:
            v, rounds = v * 2.0, rounds + 1
        rows.append(v + rounds)
    return torch.cat(rows)


def expected_skipping(x: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -1.0)
    for i in range(len(x)):
        total = 0.0
        for j in range(0, x.size(1), 4) if active[i] > 0 else ():
            v = x[i, j : j + 4]
            total = total + float(v.double().sum()) if v.sum() > 0 else total - 1.0
            out[i, j : j + 4] = v + total
    return out


def expected_nested(x: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    rows = [sum((-v.double()) ** k for k in range(d + 1)) for v, d in zip(x, degrees.tolist())]
    return torch.stack(rows)  # pyright: ignore


def floats(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(8))


CASES = {
    "scalars": Case(collatz, lambda: (torch.tensor([1, 6, 27, 97, 2], dtype=torch.int32),), expected_steps),
    "tiles": Case(
        doubled_until_large, lambda: (floats(5, 6) * torch.tensor([1.0, 90.0, 9.0, 500.0, 0.01])[:, None],),
        expected_doubled, ({"block_sizes": [2]},), 1e-6,
    ),
    "branches": Case(
        skipping, lambda: (floats(5, 11), torch.tensor([1, 0, 1, -2, 3], dtype=torch.int32)), expected_skipping,
        ({"block_sizes": [4]},), 1e-5,
    ),
    "helpers": Case(
        nested, lambda: (floats(4, 7), torch.tensor([0, 3, 1, 2], dtype=torch.int32)), expected_nested,
        ({"block_sizes": [4]}, {"block_sizes": [8]}), 1e-5,
    ),
    "loaded bounds": Case(
        segments, lambda: (floats(23), torch.tensor([0, 4, 4, 17, 23], dtype=torch.int32)),
        lambda x, s: torch.stack([(p.double() + 1).sum() for p in x.split(s.diff().tolist())]),
        ({"block_sizes": [4]}, {"block_sizes": [16]}), 1e-5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_at_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
@pytest.mark.parametrize("name", CASES)
def test_compiled(name: str, target: str) -> None:
    assert compiled(CASES[name], target).asm
