"""Configs that Helion 1.5.1 wrote for its own build of the examples load here and mean the same.

`helion_configs.json` has, for each example, Helion's default and two or five of its random configs: its JSON, and the
decorator it prints. They were made by the wheel as an author would, with `config.to_json()` and `format_kernel_decorator`.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from examples import registry
from examples.harness import poisoned

import helion_ir as helion
from helion_ir.autotuner.config import Config
from helion_ir.interpreter import run_module

WRITTEN = json.loads((Path(__file__).parent / "helion_configs.json").read_text())
CASES = [
    pytest.param(name, i, id=f"{name}-{i}") for name, given in WRITTEN.items() for i in range(len(given["configs"]))
]


@functools.cache
def bound(name: str) -> Any:
    example = registry.load(name)
    return example.kernel.bind(example.case(WRITTEN[name]["case"]).blank())


def printed_config(decorator: str) -> Config:
    """The config in a printed decorator, read as Python does where it is pasted."""
    captured: dict[str, Any] = {}

    class Pasted:
        Config = helion.Config

        @staticmethod
        def kernel(**settings: Any) -> None:
            captured.update(settings)

    eval(decorator.removeprefix("@"), {"helion": Pasted})
    return captured["config"]


@pytest.mark.parametrize(("name", "index"), CASES)
def test_loads_and_applies(name: str, index: int, tmp_path: Path) -> None:
    given = WRITTEN[name]["configs"][index]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(given["json"], indent=2))
    config = Config.load(path)
    assert dict(config) == given["json"] and dict(printed_config(given["printed"])) == given["json"]
    kernel = bound(name)
    stages = kernel.stages_for("h200")
    assignment = stages.space.encode(config)
    # What it says of block sizes, warps, programs and the author's tunables holds here, as far as a size fits.
    blocks = [k for k in stages.space if k.field == "block_sizes"]
    bounded = {name for name, _ in stages.space.nested}
    for knob, wanted in zip(blocks, config["block_sizes"], strict=True):
        fitting = min(max(wanted, knob.values[0]), knob.values[-1])
        assert assignment[knob.name] == fitting or knob.name in bounded and assignment[knob.name] < fitting
    flattened = any(config.get("flatten_loops", ()))  # what is left has one axis, in which xyz is flat
    for field in ("num_warps", "pid_type", "split_k"):
        if field in config and field in stages.space.knobs:
            assert assignment[field] == ("flat" if config[field] == "xyz" and flattened else config[field])
    orders = [k for k in stages.space if k.field == "loop_orders" and "." in k.name]
    for knob, wanted in zip(orders, config.get("loop_orders", [])):
        if knob.name in stages.space.active(assignment):
            assert assignment[knob.name] == tuple(wanted)
    text = stages.printed(assignment).text
    assert f"num_warps={config['num_warps']}," in text and "@triton.jit" in text


def test_what_helion_offers_on_a_gpu_applies() -> None:
    """As Helion 1.5.1 prints it: descriptors of the host, parts of the epilogue, programs that stay."""
    config = printed_config(
        "@helion.kernel(config=helion.Config(block_sizes=[64, 64, 32], epilogue_subtile=2, host_tensor_descriptors=True, "
        "indexing='tensor_descriptor', l2_groupings=[4], num_stages=3, num_warps=8, pid_type='persistent_interleaved'), "
        "static_shapes=True)"
    )
    example = registry.load("matmul")
    kernel = example.kernel.bind(example.bench[0].blank())
    text = kernel.stages_for("h200").printed(kernel.stages_for("h200").space.encode(config)).text
    for part in ("TensorDescriptor(out, [4096, 4096], [4096, 1], [64, 32])", "tl.split(", "x_descriptor.load("):
        assert part in text
    assert text.count("out_descriptor.store(") == 2 and "make_tensor_descriptor" not in text
    # Where there are no descriptors, and for a kernel without a product, the rest of it applies.
    assert "tl.split(" in kernel.stages_for("mi350x").printed(kernel.stages_for("mi350x").space.encode(config)).text


def test_a_block_that_a_product_needs_may_exceed_the_tile_around_it() -> None:
    """As Helion 1.5.1 draws it: 32 shares of 256 columns are 8 each, and the blocks in them are raised to 16."""
    config = printed_config(
        "@helion.kernel(config=helion.Config(block_sizes=[16, 16, 32], num_warps=1, pid_type='persistent_interleaved', "
        "range_unroll_factors=[3, 4], split_k=32), static_shapes=True)"
    )
    example = registry.load("matmul_split_k")
    args = example.case("pow2").args()
    kernel = example.kernel.bind(args)
    assignment = kernel.config_space.encode(config)
    assert (assignment["split_k"], assignment["inner.block_size"]) == (32, 16)
    with poisoned():
        actual = run_module(
            kernel.lowering.concrete(assignment), args, assignment, globals=example.kernel.fn.__globals__
        )
    example.check(actual, args, example.expect(args))
