"""hoist-descriptors: descriptors stand before loops, of transposed tensors too, and blocks are the tensor's own."""

from __future__ import annotations

import torch
from tests.language.harness import Case, check_stages, triton_failures

import helion_ir.language as hl

DESCRIPTORS = {"block_sizes": [16, 16, 16], "indexing": "tensor_descriptor", "pid_type": "flat"}


def transposed_product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty([y.size(1), x.size(0)], dtype=torch.float32, device=x.device).t()
    for i, j in hl.tile([x.size(0), y.size(1)]):
        total = hl.zeros([i, j], dtype=torch.float32)
        for k in hl.tile(x.size(1)):
            total = torch.addmm(total, x[i, k], y[k, j])
        out[i, j] = total
    return out


def batches_transposed(x: torch.Tensor) -> torch.Tensor:
    """Stride 1 is the middle dimension's, and one subscript is a scalar."""
    out = torch.empty_like(x)
    for b in hl.grid(x.size(0)):
        for i, j in hl.tile([x.size(1), x.size(2)]):
            out[b, i, j] = x[b, i, j] * 2 + 1
    return out


def doubled_in_place(x: torch.Tensor) -> torch.Tensor:
    """The load and the store of one tensor by one block share a descriptor."""
    for i in hl.tile(x.size(0)):
        for j in hl.tile(x.size(1)):
            x[i, j] = x[i, j] * 2
    return x


def _numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)) + 0.5


CASES = {
    "transposed_product": Case(
        transposed_product,
        lambda: (_numbers(36, 20).t(), _numbers(28, 36).t()),
        lambda x, y: (x.double() @ y.double()).float(),
        (DESCRIPTORS, {**DESCRIPTORS, "indexing": ["tensor_descriptor", "pointer", "tensor_descriptor"]}),
        tolerance=1e-5,
    ),
    "batches_transposed": Case(
        batches_transposed,
        lambda: (_numbers(3, 20, 36).transpose(1, 2),),
        lambda x: x * 2 + 1,
        ({"block_sizes": [16, 8], "indexing": "tensor_descriptor"},),
        tolerance=1e-6,
    ),
    "doubled_in_place": Case(
        doubled_in_place,
        lambda: (_numbers(20, 36),),
        lambda x: x.mul_(2),
        ({"block_sizes": [16, 8], "indexing": "tensor_descriptor"}, {"block_sizes": [8, 8], "indexing": ["pointer", "tensor_descriptor"]}),
        tolerance=1e-6,
    ),
}  # fmt: skip


def made(name: str, number: int = 0) -> list[str]:
    """The lines of the Triton kernel that make descriptors."""
    case = CASES[name]
    text = case.bound({}).stages_for("h100")
    lines = text.printed(text.space.encode(case.configs[number])).text.splitlines()
    return [line for line in lines if "make_tensor_descriptor" in line]


def test_every_stage_computes_the_same() -> None:
    for case in CASES.values():
        check_stages(case)


def test_in_triton() -> None:
    assert triton_failures("tests.passes.test_hoist_descriptors") == {}


def test_descriptors_stand_before_every_loop() -> None:
    for name, count in (("transposed_product", 3), ("batches_transposed", 2), ("doubled_in_place", 1)):
        lines = made(name)
        assert len(lines) == count
        assert all(line.startswith("    ") and not line.startswith("     ") for line in lines)


def test_only_accesses_that_use_one_make_one() -> None:
    assert len(made("transposed_product", 1)) == 2
    assert len(made("doubled_in_place", 1)) == 1


def test_a_transposed_operand_is_read_where_it_lies() -> None:
    bound = CASES["transposed_product"].bound({})
    config = {**DESCRIPTORS, "block_sizes": [64, 64, 64], "num_warps": 4}
    half = type(bound.kernel)(transposed_product).bind(
        tuple(t.new_empty_strided(t.shape, t.stride(), dtype=torch.bfloat16) for t in _large())
    )
    text = half.compile_for("h100", config).asm["ttgir"]
    product = text.index("ttng.warp_group_dot")
    assert "ttg.memdesc_trans" in text and "ttg.local_load" not in text[:product]


def _large() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty(256, 256).t(), torch.empty(256, 256).t()
