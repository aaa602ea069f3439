"""Compiling in processes: by a fake that dies and hangs, and by Triton for a device that is not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from helion_ir.autotuner.compile_pool import ADAPT_AFTER, LEAST_LIMIT, CompilePool
from helion_ir.targets import get_target

FAKE = "tests.autotuner.worker_jobs:compiler"

KERNEL = """
import torch
import triton
import triton.language as tl

@triton.jit
def _add(x, y, out, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(out + i, tl.load(x + i, i < n) + tl.load(y + i, i < n), i < n)

@triton.jit
def _product(x, y, out, B: tl.constexpr):
    i, j = tl.arange(0, B)[:, None], tl.arange(0, B)[None, :]
    acc = tl.zeros((B, B), tl.float32)
    for k in tl.range(0, 4096, B, num_stages=4):
        acc = tl.dot(tl.load(x + i * 4096 + k + j), tl.load(y + (k + i) * 4096 + j), acc)
    tl.store(out + i * B + j, acc)

def _launcher(kernel, grid, *args, **options):
    kernel[grid](*args, **options)

def add(x, y):
    out = torch.empty_like(x)
    _launcher(_add, (8,), x, y, out, x.numel(), B=BLOCK, num_warps=4)
    return out

def product(x, y):
    out = torch.empty(BLOCK, BLOCK, device=x.device)
    _launcher(_product, (torch.cuda.get_device_properties(x.device).multi_processor_count,), x, y, out, B=BLOCK)
    return out

def reads_data(x, y):
    return add(x, y) if x[0].item() > 0 else x
"""


def file(directory: Path, name: str, text: str, function: str = "f") -> dict[str, str]:
    (directory / f"{name}.py").write_text(text)
    return {"path": str(directory / f"{name}.py"), "function": function}


def test_each_failure_is_a_row(tmp_path: Path) -> None:
    pool = CompilePool(get_target("b200"), (torch.ones(2),), tmp_path, jobs=2, limit=3.0, compiler=FAKE)
    words = ["fine", "segfault", "raise", "fine", "hang", "fine"]
    try:
        answers = {i: a for i, a, _ in pool.run([file(tmp_path, f"c{n}", w) for n, w in enumerate(words)])}
    finally:
        pool.close()
    assert [answers[i]["stage"] for i in range(6)] == ["ok", "crash", "compile", "ok", "timeout", "ok"]
    assert answers[0] == {"stage": "ok", "visible": "", "arch": get_target("b200").arch}
    assert answers[1]["reason"] == "while compiling: SIGSEGV"
    assert answers[2]["reason"] == "ValueError: unsupported conversion"
    assert answers[4]["reason"] == "while compiling: stopped after 3 s"


def test_the_limit_adapts_and_keeps_a_floor(tmp_path: Path) -> None:
    pool = CompilePool(get_target("h200"), (), tmp_path, jobs=1, limit=60.0, compiler=FAKE)
    assert pool.limit == 60.0
    pool._seen += [0.5] * ADAPT_AFTER
    assert pool.limit == LEAST_LIMIT
    pool._seen += [15.0] * ADAPT_AFTER
    assert pool.limit == 45.0
    pool._adaptive = False
    assert pool.limit == 60.0


def cached(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in directory.glob("*/*.json") if not p.name.startswith("__")]


def test_triton_compiles_what_would_be_launched(tmp_path: Path) -> None:
    args = (torch.randn(1000), torch.randn(1000))
    cache = tmp_path / "triton"
    pool = CompilePool(
        get_target("h200"), args, tmp_path, jobs=1, limit=120.0, environment={"TRITON_CACHE_DIR": str(cache)}
    )
    jobs = [
        file(tmp_path, "good", KERNEL.replace("BLOCK", "128"), "add"),
        file(tmp_path, "bad_range", KERNEL.replace("BLOCK", "100"), "add"),
        file(tmp_path, "too_large", KERNEL.replace("BLOCK", "128"), "product"),
        file(tmp_path, "data", KERNEL.replace("BLOCK", "128"), "reads_data"),
    ]
    try:
        answers = {i: a for i, a, _ in pool.run(jobs)}
    finally:
        pool.close()
    needs = {"shared_memory": 0, "registers": 14, "spilled": 0, "tensor_memory": 0}
    assert answers[0] == {"stage": "ok", "resources": needs}
    assert answers[1]["stage"] == "compile" and "power of 2" in answers[1]["reason"]
    assert answers[2]["stage"] == "compile" and answers[2]["reason"].startswith("out of shared memory: needs ")
    assert answers[3]["stage"] == "unknown"
    metadata = next(m for m in cached(cache) if m["name"] == "_add")
    assert metadata["target"]["arch"] == 90 and metadata["num_warps"] == 4

    # Another process, and another file with the same text: nothing is compiled again.
    before = sorted(p.name for p in cache.iterdir())
    again = CompilePool(
        get_target("h200"), args, tmp_path, jobs=1, limit=120.0, environment={"TRITON_CACHE_DIR": str(cache)}
    )
    try:
        replies = list(again.run([file(tmp_path, "copy", KERNEL.replace("BLOCK", "128"), "add")]))
    finally:
        again.close()
    assert replies[0][1] == {"stage": "ok", "resources": needs}
    assert sorted(p.name for p in cache.iterdir()) == before
