"""split-k: the parts add up to the whole, in two launches and by atomics, also where some parts have nothing to do."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import matmul_bias_relu, matmul_f32
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.control import ForOp, KernelOp
from helion_ir.interpreter import run_module


@helion.kernel()
def norms_and_product(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Batched x @ y and the sums of squares of the rows of x: two things carried, of different shapes."""
    batch, m, k = x.size()
    n = hl.specialize(y.size(2))
    out = torch.empty([batch, m, n], dtype=torch.float32, device=x.device)
    norms = torch.empty([batch, m], dtype=torch.float32, device=x.device)
    for b, rows in hl.tile([batch, m]):
        total = hl.zeros([b, rows, n], dtype=torch.float32)
        squares = hl.zeros([b, rows], dtype=torch.float32)
        for inner in hl.tile(k):
            left = x[b, rows, inner]
            squares = squares + (left * left).sum(dim=-1)
            total = torch.baddbmm(total, left, y[b, inner, :])
        out[b, rows, :] = total / (squares[:, :, None] + 1.0)
        norms[b, rows] = torch.sqrt(squares)
    return out, norms


@helion.kernel()
def column_sums(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    out = torch.empty([n], dtype=torch.float32, device=x.device)
    for columns in hl.tile(n):
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(m):
            total = total + x[rows, columns].sum(dim=0)
        out[columns] = total
    return out


@helion.kernel()
def column_variances(x: torch.Tensor) -> torch.Tensor:
    """Two loops that may be split, one after the other."""
    n = x.size(1)
    mean, out = (torch.empty([n], dtype=torch.float32, device=x.device) for _ in range(2))
    for columns in hl.tile(n):
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(x.size(0)):
            total = total + x[rows, columns].sum(0)
        mean[columns] = total / x.size(0)
    hl.barrier()
    for columns in hl.tile(n):
        squares = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(x.size(0)):
            off = x[rows, columns] - mean[columns][None, :]
            squares = squares + (off * off).sum(0)
        out[columns] = squares / x.size(0)
    return out


@helion.kernel()
def into_argument(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """As column_sums, into a tensor of the caller's, which need not be the kernel's alone."""
    m, n = x.size()
    for columns in hl.tile(n):
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(m):
            total = total + x[rows, columns].sum(dim=0)
        out[columns] = total
    return out


@helion.kernel()
def running_maximum(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    out = torch.empty([n], dtype=torch.float32, device=x.device)
    for columns in hl.tile(n):
        most = hl.full([columns], -1.0, dtype=torch.float32)
        for rows in hl.tile(m):
            most = torch.maximum(most, x[rows, columns].amax(dim=0))
        out[columns] = most
    return out


@helion.kernel()
def horner(x: torch.Tensor) -> torch.Tensor:
    """What is carried is multiplied on the way: no sum of parts."""
    m, n = x.size()
    out = torch.empty([n], dtype=torch.float32, device=x.device)
    for columns in hl.tile(n):
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(m):
            total = total * 0.5 + x[rows, columns].sum(dim=0)
        out[columns] = total
    return out


def names(kernel) -> dict:
    return kernel.fn.__globals__


def near(*wants: torch.Tensor, terms: int, epsilon: float = 2.0**-23):
    def check(got) -> None:
        for g, want in zip(got if isinstance(got, tuple) else (got,), wants, strict=True):
            atol = terms * epsilon * max(1.0, want.abs().max().item())
            torch.testing.assert_close(g.double(), want, rtol=terms * epsilon, atol=atol)

    return check


@pytest.mark.parametrize(("k", "split"), [(80, 4), (67, 2)])
@pytest.mark.parametrize("peel", [False, True])
def test_two_phases(k: int, split: int, peel: bool) -> None:
    """Parts of one tile, of several, of a partial one, and none at all: 80 is 5 tiles of 16, of which each takes 2."""
    x, y, bias = torch.randn(37, k), torch.randn(k, 40), torch.randn(40)
    want = torch.relu(x.double() @ y.double() + bias.double())
    stages = matmul_bias_relu.bind((x, y, bias)).lowering
    chosen = {"rows_columns.split_k": split, "inner.block_size": 16, "columns.sum_block_size": 16}
    if peel:
        if k % 16 == 0:
            return
        chosen["loop.inner.peel"] = True
    assignment = legal(stages, chosen)
    run_every_stage(
        stages, assignment, (x, y, bias), near(want, terms=k), names(matmul_bias_relu), ["split-k", "make-masks"]
    )


@pytest.mark.parametrize(("m", "k"), [(37, 64), (37, 67), (1, 67)])
def test_atomics(m: int, k: int) -> None:
    x, y = torch.randn(m, k), torch.randn(k, 40)
    stages = matmul_f32.bind((x, y)).lowering
    chosen = {"rows_columns.split_k": 4, "rows_columns.split_k_mode": "atomic", "inner.block_size": 16}
    run_every_stage(
        stages,
        legal(stages, chosen),
        (x, y),
        near(x.double() @ y.double() * 0.5, terms=k),
        names(matmul_f32),
        ["split-k"],
    )


def test_one_row() -> None:
    """A dimension of one index is in the tiles; its range tells no programs apart."""
    x, y, bias = torch.randn(1, 80), torch.randn(80, 40), torch.randn(40)
    want = torch.relu(x.double() @ y.double() + bias.double())
    stages = matmul_bias_relu.bind((x, y, bias)).lowering
    assignment = legal(stages, {"rows_columns.split_k": 4, "inner.block_size": 16})
    run_every_stage(stages, assignment, (x, y, bias), near(want, terms=80), names(matmul_bias_relu), ["split-k"])


def test_random_configurations_in_either_way() -> None:
    x, y = torch.randn(50, 130).bfloat16(), torch.randn(130, 40).bfloat16()
    want = x.double() @ y.double() * 0.5
    stages = matmul_f32.bind((x, y)).lowering
    for seed in range(1, 3):
        mode = ("atomic", "two_phase")[seed % 2]
        assignment = legal(stages, {"rows_columns.split_k": 2, "rows_columns.split_k_mode": mode}, seed=seed)
        run_every_stage(stages, assignment, (x, y), near(want, terms=130), names(matmul_f32), ["bind-structure"])


def test_what_is_carried_has_buffers_of_its_own() -> None:
    x, y = torch.randn(3, 17, 70), torch.randn(3, 70, 16)
    norms = (x.double() ** 2).sum(-1)
    want = (x.double() @ y.double()) / (norms[:, :, None] + 1)
    stages = norms_and_product.bind((x, y)).lowering
    assignment = legal(stages, {"b_rows.split_k": 2, "inner.block_size": 16})
    check = near(want, norms.sqrt(), terms=70)
    run_every_stage(stages, assignment, (x, y), check, names(norms_and_product), ["split-k", "map-grid"])
    kernels = [op for op in lowered(stages, assignment, "split-k").walk() if isinstance(op, KernelOp)]
    assert [[n.data for n in k.arg_names] for k in kernels] == [
        ["x", "y", "_squares_parts", "_total_parts"],
        ["out", "norms", "_squares_parts", "_total_parts"],
    ]
    assert [[op.label.data for op in k.walk() if isinstance(op, ForOp)] for k in kernels] == [
        ["inner"],
        ["b_rows.parts"],
    ]


def test_parts_of_two_loops_have_one_place_and_are_not_zeroed() -> None:
    x = torch.randn(256, 16)
    bound = column_variances.bind((x,))
    stages = bound.stages_for("h200")
    split = {k.name: 4 for k in stages.space if k.name.endswith("split_k")}
    assert len(split) == 2
    assignment = legal(stages, {**split, "rows.block_size": 64, "rows.1.block_size": 64})
    text = stages.printed(assignment).text
    first, second = text.index("_total_parts = torch.empty("), text.index("_squares_parts = torch.empty(")
    # The first is dropped before the second is made, the second when the function returns.
    assert first < text.index("del _total_parts") < second and "del _squares_parts" not in text
    assert "zero" not in text[text.index("def column_variances") :]
    got = run_module(stages.template(assignment), (x,), assignment, globals=column_variances.fn.__globals__)
    torch.testing.assert_close(got, x.var(0, unbiased=False))


@pytest.mark.parametrize("mode", ["two_phase", "atomic"])
def test_a_grid_of_one_dimension(mode: str) -> None:
    x = torch.randn(41, 29)
    stages = column_sums.bind((x,)).lowering
    assignment = legal(stages, {"columns.split_k": 4, "columns.split_k_mode": mode, "rows.block_size": 8})
    run_every_stage(stages, assignment, (x,), near(x.double().sum(0), terms=41), names(column_sums), ["split-k"])


def knobs(kernel, *args) -> set[str]:
    return {k.rpartition(".")[2] for k in kernel.bind(args).lowering.space.knobs if "split" in k}


def test_where_it_would_be_wrong_there_is_no_choice() -> None:
    x = torch.empty(64, 32)
    assert knobs(column_sums, x) == {"split_k", "split_k_mode"}
    assert knobs(into_argument, x, torch.empty(32)) == {"split_k"}  # nobody knows what else the caller's tensor holds
    assert knobs(running_maximum, x) == set()
    assert knobs(horner, x) == set()
    assert knobs(column_sums, torch.empty(16, 1 << 20)) == set()  # there are blocks enough
    half = torch.empty(64, 64, dtype=torch.float16)
    assert knobs(matmul_bias_relu, half, half, half[0]) == {"split_k"}
