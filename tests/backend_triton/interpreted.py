"""Runs printed modules and library functions where Triton interprets."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from tests.backend_triton.library_cases import library_cases

from helion_ir.backend_triton import loader
from helion_ir.backend_triton.loader import load
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module

HERE = Path(__file__).parent


def module_cases() -> Iterator[tuple[str, Callable[[], float]]]:
    torch.manual_seed(1)
    base = {
        "tile_m.block_size": 32,
        "tile_n.block_size": 64,
        "tile_k.block_size": 16,
        "loop.k.num_stages": 2,
        "load.x.eviction": "last",
        "num_warps": 4,
        "num_stages": 3,
        "num_sm_multiplier": 2,
    }
    matmul = parse_module((HERE / "matmul.mlir").read_text())
    softmax = parse_module((HERE / "softmax.mlir").read_text())

    def run_matmul(assignment: dict[str, Any]) -> float:
        x, y = torch.randn(100, 50), torch.randn(50, 70)
        got = load(print_module(matmul, assignment))(x, y)
        return float((got - x.double() @ y.double()).abs().max() / 50**0.5)

    def run_softmax(assignment: dict[str, Any], rows: int) -> float:
        x = torch.randn(rows, 300) * 4
        got = load(print_module(softmax, assignment))(x)
        assert got.shape == x.shape
        return float((got - torch.softmax(x.double(), 1)).abs().max()) if rows else 0.0

    for kind in ("flat", "persistent_blocked", "persistent_interleaved"):
        for order in ((0, 1), (1, 0)):
            for indexing in ("pointer", "block_ptr"):
                own = {"pid_type": kind, "grid.loop_order": order, "load.x.indexing": indexing}
                yield f"matmul {kind} {order} {indexing}", lambda own=own: run_matmul(base | own)
    for kind in ("flat", "persistent_interleaved"):
        for rows in (0, 1, 7, 40):
            own = {"tile_m.block_size": 4, "reduction.n": 128, "pid_type": kind}
            yield f"softmax {kind} {rows}", lambda own=own, rows=rows: run_softmax(own, rows)
    steps = parse_module((HERE / "steps.mlir").read_text())
    for n in (1, 6, 27):
        yield f"steps {n}", lambda n=n: run_steps(steps, n)


def run_steps(module: Any, n: int) -> float:
    """Loops and branches that carry scalars, and functions to combine; every number is exact."""
    x = torch.arange(1, 17, dtype=torch.float32)
    out = torch.full((16,), torch.nan)
    load(print_module(module))(x, out, n)
    a, b = 1, 2
    for _ in range(5):
        a, b = b, a
    count, value = 0, n
    while value != 1:
        value = value // 2 if value % 2 == 0 else 3 * value + 1
        count += 1
    # The last of the pairs (sum, maximum) over x, and the sums from the end.
    suffix = x.flip(0).cumsum(0).flip(0)
    expected = suffix + 1000 * count + 10000 * a + 100000 * b + x.sum() + x.max()
    assert torch.equal(out, expected), f"{out} instead of {expected}"
    return 0.0


def errors(group: str, folder: str) -> dict[str, float | str]:
    """A case's name to its error, or to what went wrong, of the "modules" or the "library"; where Triton interprets."""
    os.environ["HELION_IR_CACHE_DIR"] = folder
    # The process that this one is a copy of has run kernels, and knows another folder.
    loader.cache_folder.cache_clear()
    results: dict[str, float | str] = {}
    for case, run in {"modules": module_cases, "library": library_cases}[group]():
        try:
            results[case] = run()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            results[case] = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    return results
