"""The algorithms that passes offer, together: resumed from every stage, run by Triton's interpreter, compiled for devices
that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu
from tests.passes.structures import legal, resume_every_stage

from helion_ir.backend_triton.compile import compile_kernels
from helion_ir.targets import get_target

ROOT = Path(__file__).parents[2]


RESUMED = {
    "attention": (causal_attention, [(2, 50, 64)] * 3, {"loop.columns.peel": True, "exp2": "fma"}),
    "matmul": (
        matmul_bias_relu, [(32, 130), (130, 128), (128,)],
        {"rows_columns.split_k": 2, "loop.inner.swap_dot_operands": True, "loop.inner.peel": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RESUMED))
def test_any_stage_resumes(name: str) -> None:
    kernel, shapes, forced = RESUMED[name]
    stages = kernel.bind([torch.empty(s, dtype=torch.bfloat16) for s in shapes]).stages_for("h200")
    resume_every_stage(stages, legal(stages, forced, seed=1))


def test_in_tritons_interpreter() -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "algorithms_interpreted.py")],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-3000:]
    assert done.stdout.count("checked") == 7


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
