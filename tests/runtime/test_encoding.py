"""Normalization: aliases, lengths, repairs, and the exact words for what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from helion_ir import exc
from helion_ir.autotuner.config import Config
from helion_ir.autotuner.config_spec import ConfigSpec
from helion_ir.autotuner.space import ConfigSpace
from helion_ir.dialects.context import parse_module

KNOBS = """
builtin.module {
  knob.declare @tile_m.block_size : pow2 16 to 128 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @tile_n.block_size : pow2 1 to 64 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @unroll : int 1 to 8 = 2 by "frontend" doc "the author's"
  knob.declare @root.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "grid"
  knob.declare @num_sm_multiplier : pow2 1 to 4 = 1 by "map-grid" doc "programs" when <@pid_type ne "flat">
  knob.declare @reduction.n : one_of none, 16, 32 = none in "reduction_loops" by "roll-reductions" doc "chunks"
  knob.declare @reduction.k : one_of 16, 32 = 16 in "reduction_loops" by "roll-reductions" doc "chunks"
  knob.declare @loop.n.flatten : one_of none, false, true = none in "range_flattens" by "t" doc "d"
  knob.declare @load.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "c" doc "d"
  knob.declare @store.out.indexing : one_of "pointer" = "pointer" in "indexing" by "c" doc "d"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "t" doc "warps"
  knob.require <@tile_m.block_size * @num_warps le 1024>, "too many rows for the warps" by "t"
}
"""


@pytest.fixture(scope="module")
def space() -> ConfigSpace:
    return ConfigSpace.of(parse_module(KNOBS))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({}, {}),
        ({"block_sizes": [64, 8]}, {"tile_m.block_size": 64, "tile_n.block_size": 8}),
        ({"block_sizes": [[64], [8]]}, {"tile_m.block_size": 64, "tile_n.block_size": 8}),
        ({"block_sizes": [1, 1024]}, {"tile_m.block_size": 16, "tile_n.block_size": 64}),
        ({"loop_orders": [[1, 0]]}, {"root.loop_order": (1, 0)}),
        ({"loop_orders": [1, 0]}, {"root.loop_order": (1, 0)}),
        ({"loop_order": [1, 0]}, {"root.loop_order": (1, 0)}),
        ({"reduction_loops": [16]}, {"reduction.n": 16}),
        ({"reduction_loops": [4096, 4096]}, {"reduction.n": None, "reduction.k": 32}),
        ({"reduction_loops": [1]}, {"reduction.n": 16}),
        ({"reduction_loop": 32}, {"reduction.n": 32, "reduction.k": 32}),
        ({"range_flattens": [True]}, {"loop.n.flatten": True}),
        ({"range_flatten": False}, {"loop.n.flatten": False}),
        ({"indexing": "tensor_descriptor"}, {"load.x.indexing": "tensor_descriptor"}),
        ({"indexing": ["block_ptr"]}, {}),
        ({"indexing": ["tensor_descriptor"] * 5}, {"load.x.indexing": "tensor_descriptor"}),
        ({"load_eviction_policies": ["first", "last"]}, {}),
        ({"load.x.indexing": "tensor_descriptor", "unroll": 7}, {"load.x.indexing": "tensor_descriptor", "unroll": 7}),
        ({"pid_type": "persistent_blocked", "num_sm_multiplier": 4}, None),
        ({"num_stages": 5, "maxnreg": 64, "xcd_remap": True, "waves_per_eu": 0}, {}),
    ],
)
def test_accepted(space: ConfigSpace, entries: dict[str, Any], expected: dict[str, Any] | None) -> None:
    expected = dict(entries) if expected is None else expected
    assert space.encode(Config(**entries)) == {**space.default(), **expected}
    assert space.encode(entries) == {**space.default(), **expected}


SIZES = "config['block_sizes']: expected 2 entries (@tile_m.block_size, @tile_n.block_size), got "


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"block_sizes": [16]}, SIZES + "1"),
        ({"block_sizes": [16, 16, 16]}, SIZES + "3"),
        (
            {"block_sizes": 16},
            "config['block_sizes']: expected a list (@tile_m.block_size, @tile_n.block_size), got 16",
        ),
        (
            {"block_sizes": [16, 48]},
            "config['block_sizes'][1] = 48 (@tile_n.block_size): must be a power of two from 1 to 64",
        ),
        (
            {"block_sizes": [True, 16]},
            "config['block_sizes'][0] = True (@tile_m.block_size): must be a power of two from 16 to 128",
        ),
        ({"l2_groupings": [2]}, "config['l2_groupings']: expected 0 entries, got 1"),
        (
            {"loop_orders": [[0, 0]]},
            "config['loop_orders'][0] = [0, 0] (@root.loop_order): must be a permutation of [0, 1]",
        ),
        (
            {"range_flattens": [1]},
            "config['range_flattens'][0] = 1 (@loop.n.flatten): must be none, false or true",
        ),
        (
            {"indexing": ["texture", "pointer"]},
            "config['indexing'][0] = 'texture' (@load.x.indexing): must be \"pointer\" or \"tensor_descriptor\"",
        ),
        ({"num_warps": 3}, "config['num_warps'] = 3: must be a power of two from 1 to 32"),
        ({"unroll": 9}, "config['unroll'] = 9: must be an integer from 1 to 8"),
        ({"loop_order": [1, 0], "loop_orders": [[1, 0]]}, "are the same field: give one of them"),
        ({"occupancy": 2}, "config['occupancy']: this field belongs to another backend than Triton"),
        ({"waves_per_eu": 2}, "config['waves_per_eu'] = 2: this kernel, on this target, only has 0"),
        (
            {"num_sm_multiplier": 4},
            "config['num_sm_multiplier'] = 4: not used with the rest of this config (pid_type = 'flat')",
        ),
        (
            {"block_sizes": [64, 16], "tile_m.block_size": 32},
            "config['tile_m.block_size'] sets @tile_m.block_size to 32, and the config also sets it to 64",
        ),
        (
            {"block_sizes": [128, 16], "num_warps": 32},
            "too many rows for the warps (num_warps = 32, tile_m.block_size = 128)",
        ),
        (
            {"block_sise": [16, 16], "load.y.indexing": "pointer"},
            "unknown config keys block_sise, load.y.indexing; this kernel has block_sizes (2), loop_orders (1), "
            "reduction_loops (2), range_flattens (1), indexing (2), unroll, pid_type, num_sm_multiplier, num_warps; "
            "did you mean block_sizes, load.x.indexing?",
        ),
    ],
)
def test_refused(space: ConfigSpace, entries: dict[str, Any], text: str) -> None:
    with pytest.raises(exc.InvalidConfig, match=re.escape(text)):
        space.encode(Config(**entries))


def test_the_authors_config_is_not_changed(space: ConfigSpace) -> None:
    spec = ConfigSpec(space)
    config = Config(block_sizes=[1, 16])
    full = spec.normalize(config)
    assert dict(config) == {"block_sizes": [1, 16]}
    assert dict(full) == {
        "block_sizes": [16, 16],
        "unroll": 2,
        "loop_orders": [[0, 1]],
        "pid_type": "flat",
        "num_sm_multiplier": 1,
        "reduction_loops": [None, 16],
        "range_flattens": [None],
        "indexing": ["pointer", "pointer"],
        "num_warps": 4,
    }
    entries: dict[str, Any] = {"block_size": 16, "tile_n.block_size": 32}
    with pytest.raises(exc.InvalidConfig, match="expected 2 entries"):
        spec.normalize(entries)
    del entries["block_size"]
    spec.normalize(entries)
    assert entries["block_sizes"] == [32, 32] and entries["num_warps"] == 4
    assert full.minimize(spec) == Config(block_sizes=[16, 16])


LOOPS = """
builtin.module {
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "grid"
  knob.declare @loop.m.num_stages : one_of none, 1, 2 = none in "range_num_stages" by "t" doc "d" when <@pid_type eq "persistent_blocked">
  knob.declare @loop.k.num_stages : one_of none, 1, 2 = none in "range_num_stages" by "t" doc "d"
  knob.declare @loop.m.loop_unroll_factor : one_of none, 2, 3, 4 = none in "range_unroll_factors" by "t" doc "d" when <@pid_type eq "persistent_blocked">
  knob.declare @loop.k.loop_unroll_factor : one_of none, 2, 3, 4 = none in "range_unroll_factors" by "t" doc "d"
  knob.declare @loop.k.disallow_acc_multi_buffer : one_of none, false, true = none in "range_multi_buffers" by "t" doc "d"
  knob.declare @load.x.eviction : one_of "", "evict_first" = "" in "load_eviction_policies" by "c" doc "d"
  knob.declare @num_stages : int 1 to 6 = 1 by "t" doc "d"
}
"""


@pytest.mark.parametrize(
    ("entries", "expected", "decoded"),
    [
        ({"range_num_stages": [0]}, {}, {}),
        ({"range_num_stages": [2]}, {}, {}),  # of the root, which is no loop under "flat"
        ({"range_num_stages": [1, 2]}, {"loop.k.num_stages": 2}, {"range_num_stages": [0, 2]}),
        (
            {"range_num_stages": [1, 2], "pid_type": "persistent_blocked"},
            {"pid_type": "persistent_blocked", "loop.m.num_stages": 1, "loop.k.num_stages": 2},
            {"pid_type": "persistent_blocked", "range_num_stages": [1, 2]},
        ),
        ({"range_unroll_factors": [2, 1]}, {}, {}),
        ({"range_unroll_factors": [0, 4]}, {"loop.k.loop_unroll_factor": 4}, {"range_unroll_factors": [0, 4]}),
        ({"range_multi_buffers": [True]}, {"loop.k.disallow_acc_multi_buffer": False}, {"range_multi_buffers": [True]}),
        (
            {"range_multi_buffers": [False, None]},
            {"loop.k.disallow_acc_multi_buffer": True},
            {"range_multi_buffers": [False]},
        ),
        (
            {"load_eviction_policies": "first"},
            {"load.x.eviction": "evict_first"},
            {"load_eviction_policies": ["first"]},
        ),
        ({"load_eviction_policies": ["evict_first", ""]}, {"load.x.eviction": "evict_first"}, None),
        ({"load_eviction_policies": ["last"]}, {}, {}),
        ({"range_flattens": [True, None], "flatten_loops": [True], "static_ranges": [False]}, {}, {}),
        ({"reduction_loops": [None], "loop_orders": [[0, 1]], "l2_groupings": [1]}, {}, {}),
        ({"num_stages": 9}, {"num_stages": 6}, {"num_stages": 6}),
    ],
)
def test_lists_of_helion_and_knobs_that_say_it_otherwise(
    entries: dict[str, Any], expected: dict[str, Any], decoded: dict[str, Any] | None
) -> None:
    space = ConfigSpace.of(parse_module(LOOPS))
    full = {**space.default(), **expected}
    assert space.encode(entries) == full
    if decoded is not None:
        assert space.decode(full) == Config(
            **{
                "pid_type": "flat",
                "range_num_stages": [0, 0],
                "range_unroll_factors": [0, 0],
                "range_multi_buffers": [None],
                "load_eviction_policies": [""],
                "num_stages": 1,
                **decoded,
            }
        )
    assert space.encode(space.decode(full)) == full


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"reduction_loops": [32]}, "config['reduction_loops']: expected 0 entries, got 1"),
        ({"loop_orders": [[1, 0]]}, "config['loop_orders']: expected 0 entries, got 1"),
        (
            {"range_num_stages": [0, 1, 2]},
            "config['range_num_stages']: expected 2 entries (@loop.m.num_stages, @loop.k.num_stages), got 3",
        ),
        ({"range_num_stages": [0, 5]}, "config['range_num_stages'][1] = 5 (@loop.k.num_stages): must be none, 1 or 2"),
        ({"num_stages": 0}, "config['num_stages'] = 0: must be an integer from 1 to 6"),
    ],
)
def test_lists_of_helion_that_ask_for_what_is_not_there(entries: dict[str, Any], text: str) -> None:
    with pytest.raises(exc.InvalidConfig, match=re.escape(text)):
        ConfigSpace.of(parse_module(LOOPS)).encode(entries)


def test_config_spec_lists_the_knobs_of_each_field(space: ConfigSpace) -> None:
    spec = ConfigSpec(space)
    assert [k.name for k in spec.block_sizes] == ["tile_m.block_size", "tile_n.block_size"]
    assert spec.flatten_loops == () and list(spec.user_defined_tunables) == ["unroll"]
    assert spec.default_config().block_sizes == [32, 16]
    assert spec.structural_fingerprint() == ConfigSpec(ConfigSpace.of(parse_module(KNOBS))).structural_fingerprint()
    with pytest.raises(AttributeError):
        _ = spec.colours
