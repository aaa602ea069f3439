"""epilogue-subtile: stores of products in parts, of rows and columns that end inside a part, or before one begins."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu, matmul_f32
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.memory import LoadOp, StoreOp

STAGES = ["epilogue-subtile", "make-masks"]


def product(m: int, k: int, n: int) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    x, y, bias = torch.randn(m, k), torch.randn(k, n), torch.randn(n)
    return (x, y, bias), torch.relu(x.double() @ y.double() + bias.double())


@pytest.mark.parametrize(("n", "parts"), [(80, 2), (65, 4)])
def test_a_product_in_parts(n: int, parts: int) -> None:
    args, want = product(17, 20, n)
    stages = matmul_bias_relu.bind(args).lowering
    assignment = legal(stages, {"epilogue_subtile": parts, "columns.block_size": 64, "inner.block_size": 16})

    def check(got: torch.Tensor) -> None:  # 20 terms
        torch.testing.assert_close(got.double(), want, rtol=20 * 2.0**-23, atol=20 * 2.0**-20)

    run_every_stage(stages, assignment, args, check, matmul_bias_relu.fn.__globals__, STAGES)


def test_a_whole_axis_in_parts() -> None:
    q, k, v = (torch.randn(1, 20, 16) for _ in range(3))
    want = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True)
    stages = causal_attention.bind((q, k, v)).lowering
    assignment = legal(stages, {"epilogue_subtile": 2, "loop.columns.peel": True})

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)

    run_every_stage(stages, assignment, (q, k, v), check, causal_attention.fn.__globals__, STAGES)


def test_what_follows_the_columns_is_done_in_each_part() -> None:
    args, _ = product(32, 32, 64)
    stages = matmul_bias_relu.bind(args).stages_for("h100")
    counts = {}
    for parts in (None, 2, 4):
        module = lowered(stages, legal(stages, {"epilogue_subtile": parts}), "epilogue-subtile")
        ops = list(module.walk())
        counts[parts] = (
            sum(isinstance(op, StoreOp) for op in ops),
            sum(isinstance(op, LoadOp) and op.site.data == "bias" for op in ops),
        )
    assert counts == {None: (1, 1), 2: (2, 2), 4: (4, 4)}


@helion.kernel()
def shifted_residual(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Adds to a product what the tensor has where other parts of the block are stored."""
    for rows, columns in hl.tile([x.size(0), y.size(1)]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(x.size(1)):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = total + out[rows, 63 - columns.index]
    return out


def test_a_load_that_a_part_would_overwrite_stays_before() -> None:
    x, y, out = torch.randn(16, 32), torch.randn(32, 64), torch.randn(16, 64)
    want = x.double() @ y.double() + out.double().flip(1)
    stages = shifted_residual.bind((x, y, out)).lowering
    assignment = legal(stages, {"epilogue_subtile": 2, "columns.block_size": 64, "rows.block_size": 16})

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)

    run_every_stage(stages, assignment, (x, y, out), check, shifted_residual.fn.__globals__, STAGES)


def test_only_products_whose_loop_is_whole_have_parts() -> None:
    stages = matmul_f32.bind((torch.empty(32, 64), torch.empty(64, 32))).stages_for("h100")
    base = stages.space.legal_default()
    assert "epilogue_subtile" in stages.space.active({**base, "rows_columns.split_k": 1})
    assert "epilogue_subtile" not in stages.space.active({**base, "rows_columns.split_k": 2})
    encoded = stages.space.encode({"block_sizes": [16, 16, 32], "epilogue_subtile": True})
    assert encoded["epilogue_subtile"] == 2
    assert "tl.split" in stages.printed(encoded).text
