"""hoist-scaling: a factor of all terms, or of a product's operand, multiplies the sum; other factors stay where they are."""

from __future__ import annotations

import pytest
import torch
from benchmarks.algorithm_kernels import scaled_rows, scaled_terms
from tests.passes.structures import legal, lowered, run_every_stage
from tests.passes.test_split_k import horner, names, near

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.control import ForOp
from helion_ir.dialects.tile.elementwise import MulOp


@helion.kernel()
def scaled_inner(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """x @ (scale * y), whose factors are of the dimension that is summed."""
    m, k = x.size()
    out = torch.empty([m, y.size(1)], dtype=torch.float32, device=x.device)
    for rows, columns in hl.tile([m, y.size(1)]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns] * scale[inner][:, None])
        out[rows, columns] = total
    return out


@pytest.mark.parametrize("kernel", [scaled_rows, scaled_terms])
def test_the_sum_is_multiplied(kernel: helion.Kernel) -> None:
    x, y, scale = torch.randn(17, 35), torch.randn(35, 20), torch.randn(17 if kernel is scaled_rows else 20)
    want = x.double() @ y.double()
    want = want * scale.double()[:, None] if kernel is scaled_rows else want * scale.double() * 0.5
    stages = kernel.bind((x, y, scale)).lowering
    assignment = legal(stages, {"loop.inner.hoist_scaling": True, "inner.block_size": 16})
    run_every_stage(stages, assignment, (x, y, scale), near(want, terms=70), names(kernel), ["hoist-scaling"])
    module = lowered(stages, assignment, "hoist-scaling")
    loops = [op for op in module.walk() if isinstance(op, ForOp)]
    assert not [op for loop in loops for op in loop.walk() if isinstance(op, MulOp)]
    assert len([op for op in module.walk() if isinstance(op, MulOp)]) == (1 if kernel is scaled_rows else 2)


def test_where_it_would_be_wrong_there_is_no_choice() -> None:
    x, y = torch.empty(32, 64), torch.empty(64, 32)
    for bound in (scaled_inner.bind((x, y, y[:, 0])), horner.bind((x,))):
        assert not [k for k in bound.lowering.space.knobs if "hoist" in k]
