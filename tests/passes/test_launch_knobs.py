"""Knobs that only some targets have: each reaches the text or the launch, and the results stay right."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp

from helion_ir.autotuner.space import ConfigSpace
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import requirements, ruled_out
from helion_ir.interpreter import run_module
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.block_order import remapped
from helion_ir.passes.materialize_config import materialize
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import get_target

MATMUL = (Path(__file__).parent / "matmul.mlir").read_text()


@functools.cache
def declared(target: str) -> ModuleOp:
    module = parse_module(MATMUL, "matmul")
    prepare(module, get_target(target))
    return module


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("h200", {"maxnreg": 128}, "num_stages=2,", "maxnreg=128,"),
    ("h200", {"load.x.cache": ".cg"}, 'load_x_cache="",', 'load_x_cache=".cg",'),
    ("mi300x", {"store.out.cache": ".wt"}, 'store_out_cache="",', 'store_out_cache=".wt",'),
    ("mi300x", {"waves_per_eu": 2}, "waves_per_eu=0,", "waves_per_eu=2,"),
    ("mi350x", {"matrix_instr_nonkdim": 16}, "matrix_instr_nonkdim=0,", "matrix_instr_nonkdim=16,"),
    ("mi300x", {"kpack": 2}, "kpack=1,", "kpack=2,"),
    ("mi300x", {"xcd_remap": True}, "xcd_remap=False,", "xcd_remap=True,"),
    ("h200", {"loop.tile_k.static": True, "tile_k.block_size": 32}, "in tl.range(", "in tl.static_range(0, 128,"),
]


@pytest.mark.parametrize(("target", "config", "before", "after"), CASES, ids=[str(c[1]) for c in CASES])
def test_reaches_the_code_and_stays_right(target: str, config: dict[str, Any], before: str, after: str) -> None:
    module = declared(target)
    base = complete(module, {"num_stages": 2, "tile_k.block_size": 32, "tile_m.block_size": 32})
    chosen = complete(module, {**base, **config})
    template = lower(module, chosen)
    old, new = print_module(template, base).text, print_module(template, chosen).text
    assert before in old and after not in old
    assert after in new
    concrete = materialize(template, chosen)
    assert print_module(concrete).text == new
    torch.manual_seed(1)
    x, y = torch.randn(100, 128).bfloat16(), torch.randn(128, 72).bfloat16()
    got = run_module(concrete, (x, y))
    want = x.double() @ y.double()
    torch.testing.assert_close(got.double(), want, rtol=2**-8, atol=2**-8 * want.abs().max().item())


def test_only_where_they_mean_something() -> None:
    """No cluster anywhere, no MFMA shape on NVIDIA, one chiplet needs no remapping, gfx950 needs no kpack."""
    names = {t: {k.name for k in ConfigSpace.of(declared(t))} for t in ("a100", "h200", "mi300x", "mi350x", "cpu")}
    launch = {"maxnreg", "num_ctas", "waves_per_eu", "kpack", "xcd_remap"}
    assert names["a100"] & launch == names["h200"] & launch == {"maxnreg"}  # of clusters Triton makes wrong code
    assert {"waves_per_eu", "kpack", "xcd_remap"} <= names["mi300x"]
    assert "kpack" not in names["mi350x"] and "matrix_instr_nonkdim" in names["mi350x"]
    assert not names["cpu"] & {"maxnreg", "num_ctas", "load.x.cache", "load.x.eviction"}


def test_hints_are_off_where_a_descriptor_loads() -> None:
    space = ConfigSpace.of(declared("h200"))
    base = space.default()
    assert {"load.x.eviction", "load.x.cache"} <= space.active(base)
    assert not {"load.x.eviction", "load.x.cache"} & space.active({**base, "load.x.indexing": "tensor_descriptor"})


@pytest.mark.parametrize("total", [1, 7, 8, 9, 16, 17, 100, 101])
def test_remapping_is_a_permutation_that_keeps_chiplets_together(total: int) -> None:
    """Every block once, and those of one chiplet, dealt round robin, follow one another."""
    from xdsl.ir import Block

    from helion_ir.dialects.index import ApplyOp
    from helion_ir.dialects.types import SCALAR_I32
    from helion_ir.index.expr import as_expr, compiled

    body = Block(arg_types=[SCALAR_I32])
    choice = remapped(body, [body.args[0]], as_expr(total), 8).owner
    (apply,) = [op for op in choice.alternatives[1].block.ops if isinstance(op, ApplyOp)]  # pyright: ignore
    place = compiled(apply.expr.data)
    blocks = [place({"d0": pid}) for pid in range(total)]
    assert sorted(blocks) == list(range(total))
    for chiplet in range(min(8, total)):
        own = blocks[chiplet::8]
        assert own == list(range(own[0], own[0] + len(own)))


def test_toolchain_faults_are_reasons_in_the_module() -> None:
    """What a table says of the kernel is written where a reader finds it, with the knob it took values from."""
    found = [r for r in ruled_out(declared("b200")) if r.owner.data == "avoid-faults"]
    reasons = {r.knob_name.data: r.reason.data for r in found}
    assert reasons.keys() == {"loop.tile_m.warp_specialize", "num_ctas"}
    assert reasons["loop.tile_m.warp_specialize"] == "warp specialization of a persistent loop fails in Triton"
    assert reasons["num_ctas"].startswith("clusters: ")


def test_results_that_no_thread_can_hold_are_ruled_out() -> None:
    """16 rows a warp, wherever another product follows: of 64 rows each of 16 warps holds all columns, and spills them."""
    wide = MATMUL.replace("72", "512").replace('block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "cols"',
        'block_size : pow2 16 to 512 = 64 in "block_sizes" by "frontend" doc "cols"')  # fmt: skip
    spaces: dict[str, ConfigSpace] = {}
    for target in ("h200", "b200"):
        module = parse_module(wide, "wide")
        prepare(module, get_target(target))
        spaces[target] = ConfigSpace.of(module)

    def why(target: str, rows: int, columns: int, warps: int, unroll: int | None, **more: Any) -> str:
        space = spaces[target]
        blocks = {"tile_m.block_size": rows, "tile_n.block_size": columns, "tile_k.block_size": 32, "num_warps": warps}
        given = {**blocks, "loop.tile_k.loop_unroll_factor": unroll, **more}
        return space.is_legal(space.project({**space.default(), **given})) or ""

    for rows, columns, warps, unroll in ((64, 512, 16, 2), (64, 256, 16, 2), (64, 512, 8, 3), (256, 256, 16, None)):
        assert "takes all that it may have, and ptxas 12.8" in why("h200", rows, columns, warps, unroll)
    assert "takes all that it may have" in why("h200", 64, 512, 16, None, **{"loop.tile_k.static": True})
    for rows, columns, warps, unroll in ((64, 512, 16, None), (64, 512, 8, None), (64, 256, 8, 2), (64, 128, 16, 2)):
        assert not why("h200", rows, columns, warps, unroll)
    assert not why("b200", 64, 256, 16, 2)  # whose results are in a memory of their own
    assert "ptxas refuses" in why("h200", 64, 128, 16, 2, maxnreg=64)
    assert not why("h200", 64, 128, 16, None, maxnreg=64) and not why("h200", 64, 128, 16, 2, maxnreg=96)


@pytest.mark.parametrize(("version", "ruled_out_together"), [((3, 6), True), ((3, 7), False)])
def test_faults_are_those_of_the_version(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], ruled_out_together: bool
) -> None:
    """Warps of a loop that adds two products to a sum, which an unrolled one does, take no roles in Triton 3.6; 3.7 has mended it."""
    from helion_ir.passes import avoid_faults

    monkeypatch.setattr(avoid_faults, "triton_version", lambda: version)
    reasons = {r.reason.data for r in requirements(declared.__wrapped__("b200"))}
    assert ("warp specialization of an unrolled loop fails in Triton 3.6" in reasons) == ruled_out_together
    product = next(line for line in MATMUL.splitlines(keepends=True) if "tile.dot" in line)
    second = product.replace("%t =", "%u =").replace("%acc", "%t")
    module = parse_module(MATMUL.replace(product, product + second).replace("yield %t", "yield %u"), "matmul")
    prepare(module, get_target("b200"))
    why = {r.reason.data for r in ruled_out(module)}
    assert any("adds two products to one sum" in reason for reason in why) == ruled_out_together
