"""The algorithms that passes offer, together: resumed from every stage, run by Triton's interpreter, compiled for devices
that are not here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu, matmul_f32, plain_causal
from examples.harness import poisoned
from examples.softmax import softmax
from tests.passes.structures import legal, resume_every_stage
from tests.passes.test_flatten_loops import plus_one
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
from helion_ir.backend_triton.compile import compile_kernels
from helion_ir.targets import get_target

RESUMED = {
    "attention": (causal_attention, [(2, 50, 64)] * 3, {"loop.columns.peel": True, "exp2": "fma"}),
    "matmul": (
        matmul_bias_relu, [(32, 130), (130, 128), (128,)],
        {"rows_columns.stream_k": "two_phase", "loop.inner.swap_dot_operands": True, "loop.inner.peel": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RESUMED))
def test_any_stage_resumes(name: str) -> None:
    kernel, shapes, forced = RESUMED[name]
    stages = kernel.bind([torch.empty(s, dtype=torch.bfloat16) for s in shapes]).stages_for("h200")
    resume_every_stage(stages.declared, legal(stages, forced, seed=1))


CAUSAL = torch.nn.functional.scaled_dot_product_attention


def interpreted() -> Iterator[tuple[helion.Kernel, tuple[torch.Tensor, ...], torch.Tensor, dict[str, Any]]]:
    """(kernel, arguments, result, knobs) of every algorithm, on sizes with partial tiles."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 50, 16) for _ in range(3))
    want = CAUSAL(q.double(), k.double(), v.double(), is_causal=True)
    for exp2 in ("fold", "fma"):
        yield causal_attention, (q, k, v), want, {"loop.columns.peel": True, "exp2": exp2, "columns.block_size": 16}
    clipped = {"loop.columns.clip": True, "loop.columns.peel": True, "columns.block_size": 16}
    yield plain_causal, (q, k, v), want, clipped
    x, y, bias = torch.randn(33, 70), torch.randn(70, 80), torch.randn(80)
    want = torch.relu(x.double() @ y.double() + bias.double())
    split = {"rows_columns.split_k": 2, "inner.block_size": 16, "loop.inner.peel": True}
    yield matmul_bias_relu, (x, y, bias), want, split
    yield matmul_bias_relu, (x, y, bias), want, {**split, "loop.inner.swap_dot_operands": True}
    yield matmul_bias_relu, (x, y, bias), want, {"epilogue_subtile": 4, "columns.block_size": 64}
    yield matmul_f32, (x, y), x.double() @ y.double() / 2, {**split, "rows_columns.split_k_mode": "atomic"}
    shared = {"inner.block_size": 16, "rows.block_size": 16, "columns.block_size": 32}
    forced = {"rows_columns.stream_k": "two_phase", "rows_columns.l2_grouping": 2, **shared}
    yield matmul_f32, (x, y), x.double() @ y.double() / 2, forced
    rows = torch.randn(5, 100) * 3
    online = {"reduction.n": 32, "reduction.n.online": True, "rows.block_size": 2}
    yield softmax, (rows,), torch.softmax(rows.double(), 1), online
    cube = torch.randn(3, 5, 7)
    blocks = {"a.block_size": 2, "b.block_size": 4, "c.block_size": 4}
    yield plus_one, (cube,), cube.double() + 1, {"a_b_c.flatten": True, **blocks}


def check_interpreted() -> int:
    """Run them where Triton interprets, and count them."""
    count = 0
    for kernel, args, want, forced in interpreted():
        bound = kernel.bind(args)
        space = bound.config_space
        assignment = space.project({**space.legal_default(), **forced})
        assert space.is_legal(assignment) is None, (forced, space.is_legal(assignment))
        assert all(assignment[k] == v for k, v in forced.items()), forced
        with poisoned():
            got = bound.compile_config(space.decode(assignment))(*args)
        print("checking", kernel.fn.__name__, forced)
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-4)
        count += 1
    return count


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(check_interpreted) == 10


@pytest.mark.parametrize("target", ["h100", "b200", "mi350x"])
def test_compiles(target: str) -> None:
    half = torch.bfloat16
    q = torch.empty(2, 256, 64, dtype=half)
    stages = causal_attention.bind((q, q, q)).stages_for(target)
    attention = legal(
        stages, {"loop.columns.peel": True, "exp2": "fma", "rows.block_size": 64, "columns.block_size": 64}
    )
    (kernel,) = compile_kernels(stages.printed(attention), get_target(target))
    assert str(kernel.asm["ttgir"]).count("scf.for") == 2
    args = torch.empty(32, 1000, dtype=half), torch.empty(1000, 128, dtype=half), torch.empty(128, dtype=half)
    stages = matmul_bias_relu.bind(args).stages_for(target)
    wanted = {"rows_columns.split_k": 4, "loop.inner.swap_dot_operands": True, "loop.inner.peel": True}
    product = legal(stages, {**wanted, "rows.block_size": 32, "columns.block_size": 64, "inner.block_size": 64})
    assert len(compile_kernels(stages.printed(product), get_target(target))) == 2
    shared = legal(stages, {"rows_columns.stream_k": "two_phase", "rows.block_size": 16, "columns.block_size": 64})
    assert len(compile_kernels(stages.printed(shared), get_target(target))) == 2
