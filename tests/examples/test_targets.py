"""Default configurations compiled for every target, though none is here: they fit, and nothing spills.

An example of a dtype that a target has not is refused at the author's line, before there is any Triton.
`HELION_IR_TARGETS=all` compiles every example for every target; CI compiles a sample.
"""

from __future__ import annotations

import os

import pytest
from examples import registry

from helion_ir import exc
from helion_ir.backend_triton.compile import compile_kernels
from helion_ir.targets import TARGETS

ALL = [(name, target) for name in registry.names() for target, record in TARGETS.items() if record.backend]
SAMPLE = [
    ("matmul", "a100"), ("matmul", "h200"), ("matmul_bias_gelu", "b200"), ("softmax", "rtx5090"), ("matmul", "mi300x"),
    ("layer_norm", "mi350x"), ("vector_add", "h100"), ("gemm_fp8", "a100"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "target"), ALL if os.environ.get("HELION_IR_TARGETS") == "all" else SAMPLE)
def test_default_compiles_and_fits(name: str, target: str) -> None:
    example = registry.load(name)
    stages = example.kernel.bind(example.bench[0].blank()).stages_for(target)
    try:
        default = stages.space.legal_default()
    except exc.BackendUnsupported as refused:
        assert any(f"{target} has no {dtype}" in refused.message for dtype in stages.target.lacks)
        assert refused.place is not None and refused.place.text.strip(), "no line of the example"
        return
    for compiled in compile_kernels(stages.printed(default), stages.target):
        needs = compiled.resources
        assert needs.shared_memory <= stages.target.shared_memory
        assert needs.tensor_memory <= stages.target.tensor_memory
        assert not needs.spilled, f"{compiled.kernel} spills {needs.spilled} bytes a thread"
