"""What a kernel is tried with first, by its shape."""

from __future__ import annotations

import torch
from examples import registry

from helion_ir.autotuner.kernel_shape import KernelShape
from helion_ir.autotuner.priors import priors


def first(example: str, *args: torch.Tensor) -> tuple[KernelShape, list[dict]]:
    found = registry.load(example)
    lowering = found.kernel.bind(args or found.cases[0].blank()).stages_for("h200")
    return KernelShape.of(lowering.declared), priors(lowering.declared, lowering.space)


def test_elements_that_lie_side_by_side_are_in_one_program() -> None:
    shape, found = first("jagged_mean", torch.empty(4096, 128), torch.empty(9, dtype=torch.int64))
    assert shape.contiguous == {"columns.block_size"}
    assert all(a["columns.block_size"] == 128 for a in found[:4])


def test_few_programs_share_a_sum() -> None:
    shape, found = first("matmul", torch.empty(16, 8192), torch.empty(8192, 4096))
    assert shape.programs({"rows.block_size": 16, "columns.block_size": 64}) == 64
    assert {a["rows_columns.split_k"] for a in found} > {1}


def test_narrow_operands_are_taken_in_longer_pieces() -> None:
    depths = {}
    for example in ("matmul", "gemm_fp8"):
        shape, _ = first(example)
        depths[example] = shape.operand_bytes
    assert depths == {"matmul": 4, "gemm_fp8": 1}


def test_one_pass_over_long_rows_is_tried_both_ways() -> None:
    _, found = first("cross_entropy", torch.empty(64, 16384), torch.empty(64, dtype=torch.int64))
    looped = [a for a in found if a["reduction.v"] is not None]
    assert {a["reduction.v.online"] for a in looped} == {False, True}
