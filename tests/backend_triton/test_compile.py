"""Compiling for devices that are not here, and what is read from the binaries."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from helion_ir.backend_triton.compile import Job, compile_in_process, compile_kernels, compile_text, make_job
from helion_ir.backend_triton.errors import TritonCompileError
from helion_ir.backend_triton.printer import print_module
from helion_ir.backend_triton.resources import read_resources
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import KnobValue, declarations
from helion_ir.targets import get_target

HERE = Path(__file__).parent
MATMUL = parse_module((HERE / "matmul.mlir").read_text(), "matmul.mlir")
SOFTMAX = parse_module((HERE / "softmax.mlir").read_text(), "softmax.mlir")
DEFAULTS: dict[str, KnobValue] = {d.sym_name.data: d.default.data for d in declarations(MATMUL)}
ROWS = print_module(SOFTMAX, {"tile_m.block_size": 4, "reduction.n": 64, "pid_type": "persistent_interleaved"})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("device", "binary", "mark"), [("h200", "cubin", ".target sm_90a"), ("b200", "cubin", ".target sm_100a")]
)
def test_nvidia(device: str, binary: str, mark: str) -> None:
    compiled = compile_text(print_module(MATMUL, DEFAULTS), get_target(device))
    assert isinstance(compiled.asm[binary], bytes)
    ptx = compiled.asm["ptx"]
    assert isinstance(ptx, str) and mark in ptx
    assert list(compiled.asm) == ["ttir", "ttgir", "llir", "ptx", "cubin"]
    # Two 64x32 and 32x64 fp32 tiles in two stages.
    assert compiled.resources.shared_memory >= 2 * 2 * 64 * 32 * 4 // 2
    assert compiled.resources.registers is not None and 32 <= compiled.resources.registers <= 255
    assert compiled.resources.spilled is not None
    assert compiled.metadata["num_warps"] == 4


def test_amd() -> None:
    (compiled,) = compile_kernels(ROWS, get_target("mi350x"))
    text = compiled.asm["amdgcn"]
    assert isinstance(text, str) and "gfx950" in text
    assert isinstance(compiled.asm["hsaco"], bytes)
    assert compiled.resources.registers is not None and 8 <= compiled.resources.registers <= 512
    assert compiled.resources.tensor_memory == 0


def test_the_jobs_data() -> None:
    target = get_target("h200")
    job = make_job(ROWS, ROWS.launches[0], target, divisible=["m"], options={"num_warps": 8, "maxnreg": None})
    assert job.signature == {"x": "*fp32", "out": "*fp32", "m": "i32", "total_programs": "i32"}
    assert job.constexprs == {"block_m": 4, "chunk": 64}
    assert job.divisible == ("x", "out", "m")
    assert job.options == {"num_warps": 8}
    assert (job.backend, job.arch, job.warp_size) == ("cuda", 90, 32)


def test_errors_say_where_and_what() -> None:
    printed = print_module(MATMUL, DEFAULTS | {"tile_k.block_size": 8})
    with pytest.raises(TritonCompileError) as caught:
        compile_text(printed, get_target("h200"))
    assert caught.value.stage == "ttir"
    assert str(caught.value) == "ttir: Input shapes should have M >= 1, N >= 1 and K >= 16"
    assert "tl.dot(" in caught.value.detail
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.stage, again.message, again.detail) == (caught.value.stage, caught.value.message, caught.value.detail)


def test_in_a_process_of_its_own() -> None:
    target = get_target("h200")
    compiled = compile_text(ROWS, target, isolated=True, timeout=120)
    assert isinstance(compiled.asm["cubin"], bytes) and compiled.asm["cubin"][:4] == b"\x7fELF"
    assert compiled.resources.registers is not None
    job = make_job(ROWS, ROWS.launches[0], target)
    with pytest.raises(TritonCompileError, match="not done after 0.01 seconds"):
        compile_in_process(job, timeout=0.01)


def test_a_compiler_that_dies() -> None:
    text = "import os, triton\nimport triton.language as tl\nos.abort()\n"
    job = Job(text, "_f", {}, {}, {}, (), "cuda", 90, 32)
    with pytest.raises(TritonCompileError) as caught:
        compile_in_process(job, timeout=120)
    assert caught.value.stage == "crash"


def test_nothing_to_compile_for() -> None:
    with pytest.raises(TritonCompileError, match="nothing is compiled for the target 'cpu'"):
        compile_text(ROWS, get_target("cpu"))
    with pytest.raises(ValueError, match="no launch of _other; there are _softmax"):
        compile_text(ROWS, get_target("h200"), kernel="_other")


def test_resources_without_a_binary() -> None:
    got = read_resources({"ttir": "module {}"}, {"shared": 1024, "tmem_size": 128})
    assert (got.shared_memory, got.registers, got.spilled, got.tensor_memory) == (1024, None, None, 65536)
    amd = ".vgpr_count:     72\n .private_segment_fixed_size: 16\n"
    assert read_resources({"amdgcn": amd}, {"shared": 0}).registers == 72
    assert read_resources({"amdgcn": amd}, {"shared": 0}).spilled == 16


def test_jobs_are_plain_data() -> None:
    job = make_job(ROWS, ROWS.launches[0], get_target("h200"))
    assert json.loads(json.dumps(job.__dict__))["kernel"] == "_softmax"
    assert replace(job, arch=100).arch == 100
