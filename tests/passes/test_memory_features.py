"""The features of a configuration: exact where the kernel's shapes say so, and cheap."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from helion_ir.dialects.context import parse_module
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.passes.plan_memory.features import Features
from helion_ir.targets import get_target

MATMUL = (
    (Path(__file__).parent / "matmul.mlir").read_text().replace("128", "512").replace("72", "256").replace("100", "512")
)


def features_of(text: str, **given: object) -> dict[str, float]:
    module = parse_module(text)
    prepare(module, get_target("h200"))
    assignment = complete(module, {k.replace("__", "."): v for k, v in given.items()})  # pyright: ignore
    return Features(lower(module, assignment))(assignment)


BLOCKS = {"tile_m__block_size": 128, "tile_n__block_size": 64, "tile_k__block_size": 32, "num_warps": 4}


def test_a_product_is_counted_exactly() -> None:
    found = features_of(MATMUL, **BLOCKS, num_stages=2)
    m, n, k = 512, 256, 512
    assert found["blocks"] == found["programs"] == math.ceil(m / 128) * math.ceil(n / 64)
    assert found["dot_flops"] == 2 * m * n * k
    # Every block of rows is read once a block of columns, and the other way round.
    assert found["bytes_loaded"] == 2 * (m * k * (n // 64) + k * n * (m // 128))
    assert found["bytes_stored"] == 2 * m * n
    assert found["register_bytes"] == 128 * 64 * 4
    assert found["registers_per_thread"] == 64
    assert found["shared_bytes_least"] <= found["shared_bytes"]


def test_persistent_programs_are_as_many_as_the_device_runs() -> None:
    found = features_of(MATMUL, **{**BLOCKS, "tile_m__block_size": 16, "tile_n__block_size": 16}, pid_type="persistent_blocked", num_sm_multiplier=2)  # fmt: skip
    assert found["blocks"] == 32 * 16
    assert found["programs"] == 2 * get_target("h200").compute_units


@pytest.mark.parametrize("warps", [1, 8])
def test_registers_are_shared_by_threads(warps: int) -> None:
    found = features_of(MATMUL, **{**BLOCKS, "num_warps": warps})
    assert found["threads"] == 32 * warps
    assert found["registers_per_thread"] * 4 * found["threads"] == found["register_bytes"]


SCALAR_LOOP = """
tile.kernel @sums (%x: !tile.ref<[64, 8], f32, strides = [8, 1]>, %out: !tile.ref<[64], f32, strides = [1]>) names ["x", "out"] {
  tile.parallel "i" (%i = 0 to 64 : !tile.tile<[], i32>) {
    %zero = tile.full <0.0> -> !tile.tile<[], f32>
    %r = tile.for "j" (%j = 0 to 7 : !tile.tile<[], i32>) step <STEP> iter_args (%s = %zero : !tile.tile<[], f32>) {
      %v = tile.load "x" %x[%i, %j] : !tile.ref<[64, 8], f32, strides = [8, 1]>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[], f32>
      %n = tile.add %s, %v : !tile.tile<[], f32>
      tile.yield %n : !tile.tile<[], f32>
    }
    tile.store "out" %r, %out[%i] : !tile.tile<[], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.tile<[], i32>]
  }
}
"""


@pytest.mark.parametrize(("step", "trips"), [("step 2", 4), ("", 7)])
def test_a_loop_over_scalars_counts_its_steps(step: str, trips: int) -> None:
    assert features_of(SCALAR_LOOP.replace("step <STEP>", step))["bytes_loaded"] == 4 * 64 * trips


def test_programs_that_share_a_loop_do_as_much_as_one() -> None:
    from examples import registry

    matmul = registry.load("matmul")
    stages = matmul.kernel.bind(matmul.bench[0].blank()).stages_for("h200")
    for split in (1, 4):
        chosen = stages.space.project({**stages.space.legal_default(), "rows_columns.split_k": split})
        found = stages.features(chosen)
        assert found["dot_flops"] == 2 * 4096**3
        assert all(v >= 0 for v in found.values())
