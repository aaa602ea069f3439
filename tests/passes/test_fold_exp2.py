"""fold-exp2: exponentials of base 2 come out as those of base e, also where what was scaled is used elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.compute import FullOp
from helion_ir.dialects.tile.elementwise import Exp2Op, ExpOp, MulOp
from helion_ir.runtime.stages import Stages


@helion.kernel()
def log_sum_exp(x: torch.Tensor, low: hl.constexpr) -> tuple[torch.Tensor, torch.Tensor]:
    """logsumexp of rows scaled by 3, in one pass; the running maximum, which the loop scales, is used after it."""
    m, n = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    most = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        largest = hl.full([rows], low, dtype=torch.float32)
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n):
            scores = x[rows, columns].to(torch.float32) * 3.0
            new_largest = torch.maximum(largest, torch.amax(scores, dim=1))
            total = total * torch.exp(largest - new_largest) + torch.exp(scores - new_largest[:, None]).sum(dim=1)
            largest = new_largest
        out[rows] = largest + torch.log(total)
        most[rows] = largest
    return out, most


@helion.kernel()
def pointwise(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Exponents that nothing can be folded into, a power, and one whose constants differ."""
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        a, b = x[tile].to(torch.float32), y[tile].to(torch.float32)
        out[tile] = (torch.sigmoid(a) + torch.exp(b * 0.5 - a * 0.25) + torch.exp(torch.log(a * a + 1.0) * 1.5)).to(
            x.dtype
        )
    return out


def stages_of(kernel, *args) -> Stages:
    return kernel.bind(args).lowering


def folded(stages: Stages, choice: str, **more):
    assignment = legal(stages, {"exp2": choice, **more})
    return lowered(stages, assignment, "fold-exp2")


@pytest.mark.parametrize("choice", ["fold", "fma"])
@pytest.mark.parametrize("low", [-math.inf, -1e30, -100.0])
def test_a_maximum_used_after_the_loop(choice: str, low: float) -> None:
    x = torch.randn(5, 37) * 4
    scaled = x.double() * 3
    stages = stages_of(log_sum_exp, x, low)
    assignment = legal(stages, {"exp2": choice, "columns.block_size": 8, "rows.block_size": 2})

    def check(got) -> None:
        # Exponents are off by units of the largest score, 2^-24 of about 50.
        torch.testing.assert_close(got[0].double(), torch.logsumexp(scaled, 1), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(got[1].double(), scaled.amax(1), rtol=2**-22, atol=0)

    run_every_stage(stages, assignment, (x, low), check, log_sum_exp.fn.__globals__, ["fold-exp2"])


@pytest.mark.parametrize("choice", ["fold", "fma"])
def test_infinities(choice: str) -> None:
    """Rows with -inf, inf and NaN come out as PyTorch has them."""
    x = torch.randn(6, 16)
    x[0, 3], x[1, 5], x[2, :8], x[3, 7] = -math.inf, math.inf, -math.inf, math.nan
    want = torch.logsumexp(x.double() * 3, 1)
    want[1] = math.nan  # inf - inf, as in the kernel; torch.logsumexp takes care of it
    want[2] = math.nan  # the first tiles are -inf throughout
    stages = stages_of(log_sum_exp, x, -math.inf)
    assignment = legal(stages, {"exp2": choice, "columns.block_size": 8, "rows.block_size": 2})

    def check(got) -> None:
        torch.testing.assert_close(got[0].double(), want, rtol=1e-5, atol=1e-5, equal_nan=True)

    run_every_stage(stages, assignment, (x, -math.inf), check, log_sum_exp.fn.__globals__, ["fold-exp2"])


def test_a_constant_that_would_overflow_is_left() -> None:
    """The lowest float32 times log2(e) is -inf: the exponent is multiplied instead, and nothing can be fused."""
    low = torch.finfo(torch.float32).min
    stages = stages_of(log_sum_exp, torch.empty(5, 37), low)
    assert stages.space["exp2"].values == ("off", "fold")
    numbers = [op.value.data for op in folded(stages, "fold").walk() if isinstance(op, FullOp)]
    assert low in numbers and not any(n == -math.inf for n in numbers)


def test_nothing_is_multiplied_beside_the_scores() -> None:
    args = [torch.empty(2, 64, 16, dtype=torch.bfloat16) for _ in range(3)]
    stages = stages_of(causal_attention, *args)
    plain, fold, fma = (folded(stages, c) for c in ("off", "fold", "fma"))
    count = {
        c: sum(isinstance(op, MulOp) for op in m.walk()) for c, m in (("off", plain), ("fold", fold), ("fma", fma))
    }
    assert count == {"off": 3, "fold": 3, "fma": 5}  # the two more are of rows
    assert not any(isinstance(op, ExpOp) for m in (fold, fma) for op in m.walk())
    assert any(isinstance(op, Exp2Op) for op in fold.walk())


def test_pointwise() -> None:
    x, y = torch.randn(67), torch.randn(67)
    a, b = x.double(), y.double()
    want = torch.sigmoid(a) + torch.exp(b * 0.5 - a * 0.25) + (a * a + 1) ** 1.5
    stages = stages_of(pointwise, x, y)
    assert stages.space["exp2"].values == ("off", "fold")

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=2**-20, atol=2**-20)

    assignment = legal(stages, {"exp2": "fold"}, seed=1)
    run_every_stage(stages, assignment, (x, y), check, pointwise.fn.__globals__, ["fold-exp2"])


@pytest.mark.parametrize("choice", ["fma"])
def test_causal_attention(choice: str) -> None:
    torch.manual_seed(1)
    q, k, v = (torch.randn(2, 33, 16) for _ in range(3))
    want = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True)
    stages = stages_of(causal_attention, q, k, v)
    assignment = legal(stages, {"exp2": choice, "loop.columns.peel": True})

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=2e-5, atol=2e-5)

    run_every_stage(stages, assignment, (q, k, v), check, causal_attention.fn.__globals__, ["fold-exp2"])
