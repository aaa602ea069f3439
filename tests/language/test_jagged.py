"""hl.jagged_tile: rows of different lengths, and every op that mixes lanes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.language.harness import Case, check_stages, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc

LENGTHS = [5, 0, 17, 1, 9, 30, 2]


def row_sums(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty([lens.size(0)], dtype=torch.float32, device=data.device)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        acc = hl.zeros([t], dtype=torch.float32)
        for j in hl.jagged_tile(n):
            acc = acc + (data[t, j] + 1.0).sum(1)
        out[t] = acc
    return out


def extremes(data: torch.Tensor, lens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.empty([lens.size(0)], dtype=torch.float32, device=data.device)
    totals = torch.empty([lens.size(0)], dtype=torch.float32, device=data.device)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        most = hl.full([t], -1000.0, dtype=torch.float32)
        total = hl.zeros([1], dtype=torch.float32)
        for j in hl.jagged_tile(n):
            x = data[t, j] - 10.0
            most = torch.maximum(most, x.amax(1))
            total = total + x.amax(0).sum(0)[None]
        rows[t] = most
        totals[t] = total.expand([t])
    return rows, totals


def shifted(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(data, -3.0)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        for j in hl.jagged_tile(n):
            out[t, j] = data[t, j] * 2.0 + 1.0
    return out


def flat_means(values: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    rows = starts.size(0) - 1
    width = values.size(1)
    out = torch.empty([rows, width], dtype=torch.float32, device=values.device)
    for t, m in hl.tile([rows, width]):
        first = starts[t]
        n = starts[t.index + 1] - first
        acc = hl.zeros([t, m], dtype=torch.float32)
        for j in hl.jagged_tile(n):
            where = first[:, None] + j.index[None, :]
            acc = acc + (values[where, m] * 2.0 - 1.0).sum(1)
        out[t, m] = acc / torch.maximum(n, n * 0 + 1)[:, None]
    return out


def counted(lens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    out = torch.empty([lens.size(0)], dtype=torch.int32, device=lens.device)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        total = hl.zeros([t], dtype=torch.int32)
        for j in hl.jagged_tile(n):
            old = hl.atomic_add(counts, [t, j], 1)
            total = total + (old + 1).sum(1).to(torch.int32)
        out[t] = total
    return out


def custom(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.zeros([lens.size(0)], dtype=torch.float32, device=data.device)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        acc = hl.full([t], 1000.0, dtype=torch.float32)
        for j in hl.jagged_tile(n):
            x = data[t, j] + 2.0
            acc = torch.minimum(acc, hl.reduce(torch.minimum, x, dim=1, other=1000.0))
        out[t] = acc
    return out


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn([7, 30], generator=generator) + 3.0, torch.tensor(LENGTHS, dtype=torch.int32)


def inside(x: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    return torch.arange(x.size(1)) < lens[:, None]


def expected_extremes(x: torch.Tensor, lens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.where(inside(x, lens), x - 10.0, -torch.inf)
    first, second = y[:4].amax(0), y[4:].amax(0)  # the columns' maxima are of a block of four rows
    totals = [t[t > -torch.inf].double().sum() for t in (first, second)]
    return y.amax(1).clamp(min=-1000.0), torch.stack([totals[0]] * 4 + [totals[1]] * 3)


def flat() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    starts = torch.tensor([0, *LENGTHS]).cumsum(0)
    return torch.randn([int(starts[-1]), 6], generator=generator), starts


def expected_means(values: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    parts = values.double().split(starts.diff().tolist())
    return torch.stack([(p * 2 - 1).sum(0) / max(len(p), 1) for p in parts])


def expected_counts(lens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    mask = inside(counts, lens)
    out = torch.where(mask, counts + 1, 0).sum(1)
    counts += mask
    return out


BLOCKS = ({"block_sizes": [4, 8]}, {"block_sizes": [2, 32]}, {"block_sizes": [1, 4]})
CASES = {
    "sums": Case(row_sums, data, lambda x, n: torch.where(inside(x, n), x.double() + 1, 0).sum(1), BLOCKS, 1e-5),
    "stores": Case(shifted, data, lambda x, n: torch.where(inside(x, n), x * 2 + 1, -3.0), BLOCKS, 1e-6),
    "gathers": Case(flat_means, flat, expected_means, ({"block_sizes": [4, 4, 8]},), 1e-5),
    "atomics": Case(
        counted, lambda: (data()[1], torch.arange(210, dtype=torch.int32).reshape(7, 30)), expected_counts, BLOCKS
    ),
    "extremes": Case(extremes, data, expected_extremes, BLOCKS[:1], 1e-5),
    "functions": Case(
        custom,
        data,
        lambda x, n: torch.where(inside(x, n), x + 2.0, 1000.0).amin(1).clamp(max=1000.0),
        BLOCKS[:1],
        1e-6,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_at_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
def test_compiled(target: str) -> None:
    assert compiled(CASES["sums"], target).asm


def scalar(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(data)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        for j in hl.jagged_tile(n.amax()):
            out[t, j] = data[t, j]
    return out


def of_the_host(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(data)
    for t in hl.tile(lens.size(0)):
        for j in hl.jagged_tile(lens):
            out[t, j] = data[t, j]
    return out


def outermost(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(data)
    for j in hl.jagged_tile(lens):
        out[0, j] = data[0, j]
    return out


def alone(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(data)
    for t in hl.tile(lens.size(0)):
        n = lens[t]
        for j in hl.jagged_tile(n):
            out[t, j] = data[t, j] + data[0, j][None, :]
    return out


def of_no_tile(data: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(data)
    for t in hl.tile(lens.size(0)):
        n = lens[:]
        for j in hl.jagged_tile(n):
            out[t, j] = data[t, j]
    return out


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (scalar, "a length for each row"),
        (of_the_host, "load it first"),
        (outermost, "jagged_tile"),
        (alone, "without the tile of its rows"),
        (of_no_tile, "must all be tiles of enclosing loops"),
    ],
)
def test_misuse(kernel: Any, message: str) -> None:
    with pytest.raises(exc.InvalidJaggedTileUsage, match=message):
        helion.kernel(kernel).bind(data())
