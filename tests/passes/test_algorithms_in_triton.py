"""The algorithms that passes offer, as Triton: run by its interpreter, and compiled for devices that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu
from tests.passes.structures import legal

from helion_ir.backend_triton.compile import compile_kernels
from helion_ir.targets import get_target

ROOT = Path(__file__).parents[2]


def test_in_tritons_interpreter() -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "algorithms_interpreted.py")],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-3000:]
    assert done.stdout.count("checked") == 6


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
