"""hoist-descriptors: descriptors stand before loops, of transposed tensors too, and blocks are the tensor's own."""

from __future__ import annotations

import torch
from tests.language.harness import Case, check_stages, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl

DESCRIPTORS = {"block_sizes": [16, 16, 16], "indexing": "tensor_descriptor", "pid_type": "flat"}
ON_HOST = {**DESCRIPTORS, "host_tensor_descriptors": True}


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
        (DESCRIPTORS, {**ON_HOST, "indexing": ["tensor_descriptor", "pointer", "tensor_descriptor"]}, ON_HOST),
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
        ({"block_sizes": [16, 8], "indexing": "tensor_descriptor", "host_tensor_descriptors": True}, {"block_sizes": [8, 8], "indexing": ["pointer", "tensor_descriptor"]}),
        tolerance=1e-6,
    ),
}  # fmt: skip


def made(name: str, number: int = 0) -> list[str]:
    """The lines that make descriptors, in the Triton kernel or in the host's function."""
    case = CASES[name]
    text = case.bound({}).stages_for("h100")
    lines = text.printed(text.space.encode(case.configs[number])).text.splitlines()
    return [line.strip() for line in lines if "make_tensor_descriptor(" in line or "TensorDescriptor(" in line]


def test_every_stage_computes_the_same() -> None:
    for case in CASES.values():
        check_stages(case)


def test_in_triton(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, "tests.passes.test_hoist_descriptors") == {}


def test_descriptors_stand_before_every_loop() -> None:
    for name, count in (("transposed_product", 3), ("batches_transposed", 2)):
        case = CASES[name]
        stages = case.bound({}).stages_for("h100")
        lines = stages.printed(stages.space.encode(case.configs[0])).kernel_text.splitlines()
        before = lines[: next(i for i, line in enumerate(lines) if "tl.program_id" in line)]
        assert sum("make_tensor_descriptor" in line for line in before) == count == len(made(name))
        assert all('indexing == "tensor_descriptor"' in line for line in before[-2 * count :: 2])


def test_the_host_makes_one_a_launch() -> None:
    assert made("transposed_product", 2) == [
        "x_descriptor=TensorDescriptor(x, [36, 20], [20, 1], [16, 16]),",
        "y_descriptor=TensorDescriptor(y, [28, 36], [36, 1], [16, 16]),",
        "out_descriptor=TensorDescriptor(out, [28, 20], [20, 1], [16, 16]),",
    ]
    bound = CASES["transposed_product"].bound({})
    stages = bound.stages_for("h100")
    small, large = ({**ON_HOST, "block_sizes": [n, n, n]} for n in (16, 32))
    printed = [stages.printed(stages.space.encode(c)) for c in (small, large)]
    assert printed[0].kernel_text == printed[1].kernel_text  # blocks are the host's
    assert printed[1].launches[0].descriptors["y_descriptor"] == "tensordesc<fp32[32, 32]>"
    assert "set_allocator" not in printed[0].host_text
    for target in ("h100", "b200"):
        assert "!tt.tensordesc<" in bound.compile_for(target, small).asm["ttir"].split("attributes")[0]
    assert "host_tensor_descriptors" not in bound.stages_for("mi350x").space.knobs


def test_tensors_that_may_be_empty_have_none_of_the_hosts() -> None:
    case = CASES["batches_transposed"]
    kernel = helion.kernel(doubled_in_place, static_shapes=False, autotune_effort="none")
    stages = kernel.bind((torch.empty(20, 36),)).stages_for("h100")
    assert "host_tensor_descriptors" not in stages.space.knobs
    assert "host_tensor_descriptors" in case.bound({}).stages_for("h100").space.knobs

    def uses(*knobs: str) -> str:
        return "    if " + " or ".join([f'{k}_indexing == "tensor_descriptor"' for k in knobs]) + ":"


def test_only_accesses_that_use_one_make_one() -> None:
    """What the kernel makes is under conditions; what the host makes is an argument."""
    by_host = [line for line in made("transposed_product", 1) if "TensorDescriptor(" in line]
    assert [line.split("=")[0] for line in by_host] == ["x_descriptor", "out_descriptor"]
    assert len(by_host) == len(made("transposed_product", 1))
    assert len(made("doubled_in_place", 0)) == len(made("doubled_in_place", 1)) == 1


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
