"""Online reductions: one loop finds what two did, also in rows of infinities, and what must not be one stays two."""

from __future__ import annotations

import math

import pytest
import torch
from examples.cross_entropy import cross_entropy
from examples.softmax import softmax
from tests.passes.structures import legal, lowered, run_every_stage

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.tile.control import ForOp


@helion.kernel()
def expectation(x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The mean of values under softmax(2 x): two sums below one maximum, one with another factor."""
    m, _ = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        scores = x[rows, :] * 2.0
        weights = torch.exp(scores - torch.amax(scores, dim=1, keepdim=True))
        out[rows] = (weights * values[rows, :]).sum(dim=1)
    return out


@helion.kernel()
def not_below(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The maximum is of other numbers than those that it is subtracted from."""
    m, _ = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        most = torch.amax(y[rows, :], dim=1, keepdim=True)
        out[rows] = torch.exp(x[rows, :] - most).sum(dim=1)
    return out


@helion.kernel()
def also_elsewhere(x: torch.Tensor) -> torch.Tensor:
    """The maximum is a factor of what is summed, too."""
    m, _ = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        values = x[rows, :]
        most = torch.amax(values, dim=1, keepdim=True)
        out[rows] = (torch.exp(values - most) * most).sum(dim=1)
    return out


def names(kernel) -> dict:
    return kernel.fn.__globals__


def online(space) -> str | None:
    return next((k for k in space.knobs if k.endswith(".online")), None)


ROWS = torch.randn(6, 100, generator=torch.Generator().manual_seed(3)) * 3


@pytest.mark.parametrize("choice", ["off", "fold"])
@pytest.mark.parametrize("chunk", [16, 64])
def test_softmax(choice: str, chunk: int) -> None:
    """The last chunk is partial. Rows start with -inf, are -inf throughout, have one +inf, have one NaN."""
    x = ROWS.clone()
    x[1, :70], x[2], x[3, 80], x[4, 5] = -math.inf, -math.inf, math.inf, math.nan
    want = torch.softmax(x.double(), 1)
    stages = softmax.bind((x,)).lowering
    assignment = legal(stages, {"reduction.n": chunk, "reduction.n.online": True, "exp2": choice, "rows.block_size": 4})

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=2e-5, atol=1e-7, equal_nan=True)

    run_every_stage(stages, assignment, (x,), check, names(softmax), ["roll-reductions", "make-masks"])


@pytest.mark.parametrize("choice", ["off", "fold", "fma"])
def test_other_factors(choice: str) -> None:
    values = torch.randn(6, 100)
    scores = ROWS.double() * 2
    want = (torch.exp(scores - scores.amax(1, True)) * values.double()).sum(1)
    stages = expectation.bind((ROWS, values)).lowering
    key = online(stages.space)
    assert key is not None
    chosen = {key: True, key.removesuffix(".online"): 16, "exp2": choice}

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=2e-5, atol=2e-5)

    run_every_stage(stages, legal(stages, chosen), (ROWS, values), check, names(expectation), ["roll-reductions"])


def test_one_loop_less() -> None:
    stages = cross_entropy.bind((torch.empty(8, 1000), torch.zeros(8, dtype=torch.int64))).lowering
    loops = {}
    for flag in (False, True):
        assignment = legal(stages, {"reduction.v": 128, "reduction.v.online": flag})
        loops[flag] = [
            op.label.data for op in lowered(stages, assignment, "roll-reductions").walk() if isinstance(op, ForOp)
        ]
    assert loops == {False: ["v.max", "v.sum"], True: ["v.max"]}


def test_where_a_sum_needs_the_maximum_itself_there_is_no_choice() -> None:
    x = torch.empty(8, 1000)
    assert online(softmax.bind((x,)).lowering.space) == "reduction.n.online"
    assert online(not_below.bind((x, x.clone())).lowering.space) is None
    assert online(also_elsewhere.bind((x,)).lowering.space) is None
