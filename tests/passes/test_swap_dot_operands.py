"""swap-dot-operands: the transposed product comes out the same way round, alone and with the loop split or peeled."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu, matmul_f32
from tests.passes.structures import legal, lowered, run_every_stage

from helion_ir.dialects.tile.compute import DotOp
from helion_ir.index.text import expr_text

SWAP = "loop.inner.swap_dot_operands"


@pytest.mark.parametrize(
    "more", [{}, {"rows_columns.split_k": 2}, {"loop.inner.peel": True}], ids=["alone", "split", "peel"]
)
@pytest.mark.parametrize("m", [2, 33])
def test_few_rows(m: int, more: dict) -> None:
    x, y, bias = torch.randn(m, 70), torch.randn(70, 80), torch.randn(80)
    want = torch.relu(x.double() @ y.double() + bias.double())
    stages = matmul_bias_relu.bind((x, y, bias)).lowering
    assignment = legal(stages, {SWAP: True, "inner.block_size": 16, **more})

    def check(got: torch.Tensor) -> None:  # 70 terms
        torch.testing.assert_close(got.double(), want, rtol=70 * 2.0**-23, atol=70 * 2.0**-20)

    run_every_stage(stages, assignment, (x, y, bias), check, matmul_bias_relu.fn.__globals__, ["swap-dot-operands"])


def test_the_columns_stand_where_rows_do() -> None:
    half = torch.float16
    args = torch.empty(8, 256, dtype=half), torch.empty(256, 512, dtype=half)
    stages = matmul_f32.bind(args).stages_for("h100")
    dims = {}
    for flag in (False, True):
        module = lowered(stages, legal(stages, {SWAP: flag}), "swap-dot-operands")
        (dot,) = [op for op in module.walk() if isinstance(op, DotOp)]
        dims[flag] = [expr_text(d) for d in dot.result.type.dims]  # pyright: ignore
    assert dims == {
        False: ["@rows.block_size", "@columns.block_size"],
        True: ["@columns.block_size", "@rows.block_size"],
    }


def test_where_there_are_rows_enough_there_is_no_choice() -> None:
    def offered(kernel, *args) -> bool:
        return any(k.endswith("swap_dot_operands") for k in kernel.bind(args).lowering.space.knobs)

    assert offered(matmul_f32, torch.empty(63, 32), torch.empty(32, 65))
    assert not offered(matmul_f32, torch.empty(64, 32), torch.empty(32, 65))
    assert not offered(matmul_f32, torch.empty(63, 32), torch.empty(32, 64))
    few = torch.empty(2, 32, 128)
    assert not offered(causal_attention, few, few, few)  # whose accumulator is scaled on the way
