"""peel-masks: full tiles run without masks, and what comes out is what PyTorch computes, at every edge size."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.control import ForOp
from helion_ir.dialects.tile.elementwise import CompareOp
from helion_ir.dialects.tile.memory import LoadOp


@helion.kernel()
def row_sums(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n):
            total = total + x[rows, columns].sum(dim=1)
        out[rows] = total
    return out


@helion.kernel()
def band_sums(x: torch.Tensor, width: int, shift: int) -> torch.Tensor:
    """Sums of a band: columns j of row i with i - width < j <= i + shift."""
    m, n = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n):
            i, j = rows.index[:, None], columns.index[None, :]
            inside = (j <= i + shift) & (i - j < width)
            total = total + torch.where(inside, x[rows, columns], 0.0).sum(dim=1)
        out[rows] = total
    return out


@helion.kernel()
def prefix_sums(x: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Sums of the first `ends[0]` columns from the fourth on: bounds that only the device knows."""
    m, n = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(3, ends[0]):
            total = total + x[rows, columns].sum(dim=1)
        out[rows] = total
    return out


@helion.kernel()
def box_sums(x: torch.Tensor) -> torch.Tensor:
    """Sums of x over its last two dimensions, by two loops of which one is in the other."""
    m, n, k = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n):
            for inner in hl.tile(k):
                total = total + x[rows, columns, inner].sum(dim=2).sum(dim=1)
        out[rows] = total
    return out


def close(want: torch.Tensor, terms: int, epsilon: float = 2.0**-23):
    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=terms * epsilon, atol=terms * epsilon)

    return check


def globals_of(kernel) -> dict:
    return kernel.fn.__globals__


@pytest.mark.parametrize("n", [3, 8, 15, 17])
@pytest.mark.parametrize("static", [True, False])
def test_the_last_tile(n: int, static: bool) -> None:
    kernel = helion.kernel(row_sums.fn, static_shapes=static)
    x = torch.randn(5, n) + 0.5
    stages = kernel.bind((x,)).lowering
    blocks = [b for b in (2, 8) if b in stages.space["columns.block_size"].values and not (static and n % b == 0)]
    assert blocks or n == 8
    for block in blocks:
        assignment = legal(stages, {"loop.columns.peel": True, "columns.block_size": block, "rows.block_size": 2})
        run_every_stage(
            stages, assignment, (x,), close(x.double().sum(1), n), globals_of(kernel), ["peel-masks", "make-masks"]
        )


def test_full_tiles_load_without_a_mask() -> None:
    stages = row_sums.bind((torch.empty(8, 40),)).lowering
    assignment = legal(stages, {"loop.columns.peel": True, "columns.block_size": 16})
    masked = {
        loop.label.data: [op.mask is not None for op in loop.walk() if isinstance(op, LoadOp)]
        for loop in lowered(stages, assignment, "make-masks").walk()
        if isinstance(loop, ForOp)
    }
    assert masked == {"columns": [False], "columns.rest": [True]}


def test_where_every_block_divides_there_is_no_choice() -> None:
    def knobs(n: int) -> set[str]:
        return {k for k in row_sums.bind((torch.empty(8, n),)).lowering.space.knobs if k.endswith(".peel")}

    assert knobs(64) == set()
    assert knobs(65) == {"loop.columns.peel"}


@pytest.mark.parametrize("size", [3, 33])
@pytest.mark.parametrize(("width", "shift"), [(100, 0), (1, -3), (20, 7)])
def test_bands(size: int, width: int, shift: int) -> None:
    """A head, full tiles and a rest; bands narrower than a tile, wider than the matrix, and off the diagonal."""
    x = torch.randn(size, size) + 0.5
    i, j = torch.arange(size)[:, None], torch.arange(size)[None, :]
    want = torch.where((j <= i + shift) & (i - j < width), x.double(), 0.0).sum(1)
    stages = band_sums.bind((x, width, shift)).lowering
    for columns, rows in ((2, 2), (4, 8), (8, 2)):
        wanted = {"loop.columns.peel": True, "columns.block_size": columns, "rows.block_size": rows}
        if any(v not in stages.space[k].values for k, v in wanted.items()):
            continue
        run_every_stage(
            stages, legal(stages, wanted), (x, width, shift), close(want, size), globals_of(band_sums), ["peel-masks"]
        )


def test_a_band_has_tiles_without_a_comparison() -> None:
    stages = band_sums.bind((torch.empty(64, 64), 40, 0)).lowering
    assignment = legal(stages, {"loop.columns.peel": True, "columns.block_size": 4, "rows.block_size": 4})
    loops = {op.label.data: op for op in lowered(stages, assignment, "peel-masks").walk() if isinstance(op, ForOp)}
    counts = {label: sum(isinstance(op, CompareOp) for op in loop.walk()) for label, loop in loops.items()}
    assert counts == {"columns.head": 2, "columns": 0, "columns.rest": 2}


@pytest.mark.parametrize("end", [0, 3, 11, 12])
def test_bounds_of_the_device(end: int) -> None:
    """An end before the beginning, at it, and on both sides of a block's end."""
    x, ends = torch.randn(5, 37), torch.tensor([end], dtype=torch.int32)
    stages = prefix_sums.bind((x, ends)).lowering
    assignment = legal(stages, {"loop.columns.peel": True, "columns.block_size": 8})
    want = x.double()[:, 3 : max(end, 3)].sum(1)
    run_every_stage(
        stages, assignment, (x, ends), close(want, 37), globals_of(prefix_sums), ["peel-masks", "make-masks"]
    )


@pytest.mark.parametrize("m", [50])
def test_causal_attention(m: int) -> None:
    torch.manual_seed(m)
    q, k, v = (torch.randn(2, m, 16) for _ in range(3))
    want = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True)
    stages = causal_attention.bind((q, k, v)).lowering

    def check(got: torch.Tensor) -> None:  # products of float32 in the interpreter; 16 terms, then m
        torch.testing.assert_close(got.double(), want, rtol=2e-5, atol=2e-5)

    blocks = [
        (r, c)
        for r, c in ((32, 16), (16, 64))
        if r in stages.space["rows.block_size"].values and c in stages.space["columns.block_size"].values
    ]
    assert blocks
    for rows, columns in blocks:
        wanted = {"loop.columns.peel": True, "rows.block_size": rows, "columns.block_size": columns}
        run_every_stage(stages, legal(stages, wanted), (q, k, v), check, globals_of(causal_attention), ["peel-masks"])


def test_loops_in_loops() -> None:
    x = torch.randn(3, 11, 13)
    stages = box_sums.bind((x,)).lowering
    peeled = {"loop.columns.peel": True, "loop.inner.peel": True, "columns.block_size": 4, "inner.block_size": 8}
    assignment = legal(stages, peeled)
    check = close(x.double().sum((1, 2)), 11 * 13)
    run_every_stage(stages, assignment, (x,), check, globals_of(box_sums), ["peel-masks"])
    loops = [op.label.data for op in lowered(stages, assignment, "peel-masks").walk() if isinstance(op, ForOp)]
    assert loops == ["columns", "inner", "inner.rest", "columns.rest", "inner", "inner.rest"]
