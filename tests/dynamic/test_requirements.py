"""What rules configurations out is about knobs alone, also where a call fixes an extent."""

from __future__ import annotations

import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.knob import RequireOp
from helion_ir.index.expr import scalars_of


@helion.kernel(static_shapes=False)
def whole_products(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Products along a dimension that no block divides."""
    out = torch.empty([x.size(0), y.size(1)], dtype=torch.float32, device=x.device)
    for m, n in hl.tile(out.size()):
        out[m, n] = hl.dot(x[m, :], y[:, n])
    return out


def test_a_product_as_deep_as_the_call_says() -> None:
    bound = whole_products.bind((torch.ones(64, 128, dtype=torch.bfloat16), torch.ones(128, 32, dtype=torch.bfloat16)))
    stages = bound.stages_for("h200")
    assignment = stages.space.legal_default()
    for op in stages.template(assignment).walk():
        if isinstance(op, RequireOp):
            assert not scalars_of(op.condition.data), op
    assert "x_size_1_block" in stages.printed(assignment).text
