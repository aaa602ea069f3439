"""clip-loops: causal loops over all keys end at the diagonal, and only where what is left out is neutral."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import plain_causal
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.control import ForOp
from helion_ir.index.text import expr_text


@helion.kernel()
def prefix_products(x: torch.Tensor, y: torch.Tensor, offset: int) -> torch.Tensor:
    """Of each row the product with the first columns of y, `offset` more than the row's number, of a factor."""
    out = torch.empty_like(x)
    for rows in hl.tile(x.size(0)):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(x.size(1)):
            inside = columns.index[None, :] < rows.index[:, None] + offset
            total = total + torch.where(inside, x[rows, columns] * y[columns][None, :], 0.0).sum(dim=-1)
        out[rows, 0] = total
    return out


@helion.kernel()
def masked_by_a_number(x: torch.Tensor) -> torch.Tensor:
    """What the masked elements give is not neutral."""
    out = torch.empty([x.size(0)], dtype=torch.float32, device=x.device)
    for rows in hl.tile(x.size(0)):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(x.size(1)):
            below = rows.index[:, None] >= columns.index[None, :]
            total = total + torch.where(below, x[rows, columns], 1.0).sum(dim=-1)
        out[rows] = total
    return out


@helion.kernel()
def strictly_causal(x: torch.Tensor) -> torch.Tensor:
    """The first row has no element, of which a running maximum makes no number."""
    out = torch.empty([x.size(0)], dtype=torch.float32, device=x.device)
    for rows in hl.tile(x.size(0)):
        largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(x.size(1)):
            below = rows.index[:, None] > columns.index[None, :]
            scores = torch.where(below, x[rows, columns], float("-inf"))
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1))
            total = total * torch.exp(largest - new_largest) + torch.exp(scores - new_largest[:, None]).sum(dim=-1)
            largest = new_largest
        out[rows] = total
    return out


@pytest.mark.parametrize("more", [{}, {"loop.columns.peel": True, "exp2": "fma"}], ids=["alone", "peeled"])
def test_causal_attention(more: dict) -> None:
    q, k, v = torch.randn(1, 37, 16), torch.randn(1, 50, 16), torch.randn(1, 50, 16)
    want = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True)
    stages = plain_causal.bind((q, k, v)).lowering
    blocks = {"rows.block_size": 16, "columns.block_size": 16}
    assignment = legal(stages, {"loop.columns.clip": True, **blocks, **more})

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)

    run_every_stage(stages, assignment, (q, k, v), check, plain_causal.fn.__globals__, ["clip-loops", "make-masks"])


def test_a_limit_that_the_call_gives() -> None:
    """Above and below the first column, and beyond the last."""
    x, y = torch.randn(20, 40), torch.randn(40)
    for offset in (-25, -5, 30):
        inside = torch.arange(40)[None, :] < torch.arange(20)[:, None] + offset
        want = (torch.where(inside, x, 0.0).double() * y.double()).sum(-1)
        stages = prefix_products.bind((x, y, offset)).lowering
        blocks = {"rows.block_size": 4, "columns.block_size": 8}

        def check(got: torch.Tensor, want: torch.Tensor = want) -> None:
            torch.testing.assert_close(got[:, 0].double(), want, rtol=1e-5, atol=1e-5)

        assignment = legal(stages, {"loop.columns.clip": True, **blocks})
        run_every_stage(stages, assignment, (x, y, offset), check, prefix_products.fn.__globals__, ["clip-loops"])


def test_the_bound_is_a_whole_number_of_tiles() -> None:
    args = tuple(torch.empty(2, 512, 64, dtype=torch.bfloat16) for _ in range(3))
    stages = plain_causal.bind(args).stages_for("h100")
    module = lowered(stages, legal(stages, {"loop.columns.clip": True}), "clip-loops")
    (loop,) = [op for op in module.walk() if isinstance(op, ForOp)]
    block = "@columns.block_size"
    assert expr_text(loop.upper.data) == f"min((max(@rows.block_size + d0, 0) ceildiv {block}) * {block}, 512)"


def test_what_is_not_neutral_is_not_left_out() -> None:
    for kernel in (masked_by_a_number, strictly_causal):
        assert not [k for k in kernel.bind((torch.empty(16, 32),)).lowering.space.knobs if k.endswith(".clip")]
