"""Config: content, text, files."""

from __future__ import annotations

import pickle

import pytest

import helion_ir as helion
from helion_ir.autotuner.config import Config

FULL = dict(
    block_sizes=[64, 32], loop_orders=[[1, 0]], reduction_loops=[None, 16], num_warps=8, pid_type="flat", scale=1.5
)


def test_entries_are_read_only_and_drop_none() -> None:
    config = Config(block_sizes=[16, 32], num_warps=None)
    assert dict(config) == {"block_sizes": [16, 32]}
    config["block_sizes"].append(99)
    assert config["block_sizes"] == [16, 32]
    config.block_sizes.clear()
    assert config == Config(block_sizes=(16, 32))
    assert "num_warps" not in config and len(config) == 1
    with pytest.raises(TypeError):
        Config({"num_warps": 4})  # pyright: ignore


def test_attributes_fall_back_to_defaults() -> None:
    config = Config(num_stages=3)
    assert (config.num_stages, config.num_warps, config.pid_type, config.block_sizes) == (3, 4, "flat", [])
    with pytest.raises(AttributeError, match="no entry 'colour'; it has num_stages"):
        _ = config.colour


def test_equality_and_hash_are_by_content() -> None:
    a, b = Config(**FULL), Config(**dict(reversed(FULL.items())))
    assert a == b and hash(a) == hash(b) and {a: 1}[b] == 1
    assert a == dict(FULL)
    assert Config(flag=True) != Config(flag=1)
    assert a != Config(**{**FULL, "num_warps": 4})


def test_repr_can_be_pasted() -> None:
    config = Config(num_warps=8, block_sizes=[64], **{"load.x.indexing": "pointer"})
    text = "helion.Config(block_sizes=[64], num_warps=8, **{'load.x.indexing': 'pointer'})"
    assert repr(config) == text
    assert eval(text, {"helion": helion}) == config
    assert repr(Config()) == "helion.Config()"
    assert eval(repr(Config(**{"load.x": 2})), {"helion": helion}) == Config(**{"load.x": 2})


def test_json_file_and_pickle_round_trip(tmp_path) -> None:
    config = Config(**FULL, **{"load.x.indexing": "block_ptr"})
    assert Config.from_json(config.to_json()) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.to_json().splitlines()[1].startswith('  "block_sizes": [')
    path = tmp_path / "best.json"
    path.write_text("half of an old file")
    config.save(path)
    assert Config.load(path) == config
    assert [p.name for p in tmp_path.iterdir()] == ["best.json"]
    with pytest.raises(ValueError, match="a config is a JSON object, not list"):
        Config.from_json("[1]")


def test_values_must_be_plain() -> None:
    with pytest.raises(TypeError, match=r"config\['dtype'\]: set is no config value"):
        Config(dtype={1})
    assert Config(orders=((1, 0),))["orders"] == [[1, 0]]
