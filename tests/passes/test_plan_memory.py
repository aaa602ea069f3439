"""plan-memory: what it says a configuration needs at least is never more than what the compiled kernel uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from helion_ir.backend_triton.compile import compile_text
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import requirements
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.index.expr import compiled
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import Target, get_target

MATMUL = (Path(__file__).parent / "matmul.mlir").read_text()
LONG = MATMUL.replace("128", "512")
# Rows of an odd number of 16-bit elements cannot be copied asynchronously.
ODD = LONG.replace("512", "511").replace("72", "71")
NARROW = LONG.replace("bf16", "f8E4M3FN")

CONFIGS = [
    # text, rows, columns, depth, stages, warps
    (MATMUL, 64, 64, 32, 1, 4),  # one stage: nothing is staged twice
    (MATMUL, 64, 64, 32, 4, 4),
    (MATMUL, 128, 128, 64, 3, 8),
    (MATMUL, 16, 16, 16, 1, 1),
    (MATMUL, 16, 64, 128, 4, 4),  # one iteration: no loop is left
    (MATMUL, 64, 64, 256, 3, 4),  # less than one
    (LONG, 64, 32, 64, 5, 4),
    (ODD, 64, 64, 32, 4, 4),
    (NARROW, 64, 64, 64, 4, 4),
]


def planned(text: str, target: Target, rows: int, columns: int, depth: int, stages: int, warps: int, **more):
    """The template, its assignment, and the least and the likely bytes of shared memory."""
    module = parse_module(text)
    prepare(module, target)
    given = {"tile_m.block_size": rows, "tile_n.block_size": columns, "tile_k.block_size": depth, "num_stages": stages,
             "num_warps": warps, **more}  # fmt: skip
    assignment = complete(module, given)
    template = lower(module, assignment)
    (kernel,) = [op for op in template.walk() if isinstance(op, KernelOp)]
    assert kernel.memory is not None
    least, likely = (compiled(kernel.memory.data[n].data)(assignment) for n in ("shared_least", "shared"))  # pyright: ignore
    return template, assignment, least, likely


def refusals(template, assignment) -> list[str]:
    return [r.reason.data for r in requirements(template) if not compiled(r.condition.data)(assignment)]


@pytest.mark.parametrize("name", ["h200", "mi350x"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: "x".join(map(str, c[1:])))
def test_planned_bytes_are_a_lower_bound(config: tuple, name: str) -> None:
    target = get_target(name)
    template, assignment, least, likely = planned(config[0], target, *config[1:])
    used = compile_text(print_module(template, assignment), target).resources.shared_memory
    assert used is not None and 0 < least <= used
    if config[0] in (MATMUL, LONG):  # nothing here is doubtful, so the estimate is what is used
        assert likely == pytest.approx(used, rel=0.15)
    assert refusals(template, assignment) == []


def test_unrolling_a_short_loop_leaves_none() -> None:
    target = get_target("h200")
    rolled, *_ = planned(MATMUL, target, 64, 64, 64, 4, 4)[2:]
    template, assignment, unrolled, _ = planned(
        MATMUL, target, 64, 64, 64, 4, 4, **{"loop.tile_k.loop_unroll_factor": 2}
    )
    # Four stages of wgmma's operands, and the two operands of one product.
    assert (rolled, unrolled) == (4 * 2 * 64 * 64 * 2, 2 * 64 * 64 * 2)
    used = compile_text(print_module(template, assignment), target).resources.shared_memory
    assert used is not None and unrolled <= used


def test_what_exceeds_a_target_is_ruled_out() -> None:
    """Stages of 2 x 256 x 64 bf16: wgmma holds one more copy, in Hopper's 227 KiB; no CDNA's are enough for four."""
    for name, stages, copies, fits in (("h200", 4, 4, True), ("h200", 5, 5, False), ("mi350x", 5, 4, False)):
        target = get_target(name)
        template, assignment, least, _ = planned(LONG, target, 256, 128, 64, stages, 8)
        assert least == copies * (256 + 128) * 64 * 2
        reason = f"shared memory: {target.shared_memory} bytes a program"
        assert refusals(template, assignment) == ([] if fits else [reason])
        used = compile_text(print_module(template, assignment), target).resources.shared_memory
        assert used is not None and (used <= target.shared_memory) == fits
