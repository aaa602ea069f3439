"""Measured spaces as files: written, read, replayed; and the recorder on a stand-in for a kernel."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from benchmarks.record_space import assignments_of, record
from benchmarks.search_quality import regrets
from tests.autotuner.printing_bound import FakeBound, cost_of

from helion_ir.autotuner.protocol import Measurement
from helion_ir.autotuner.recorded import RecordedSpace, regret
from helion_ir.autotuner.search import FiniteSearch

KNOBS = {
    "rows": [16, 32, 64, 128],
    "reduction": [None, 64, 256],
    "warps": [1, 2, 4, 8],
    "order": [(0, 1), (1, 0)],
    "pid": ["flat", "xyz"],
}
BEST = {"rows": 64, "reduction": 256, "warps": 4, "order": (1, 0), "pid": "flat"}


def cost(a: dict[str, Any]) -> float:
    out = 1.0 + 0.3 * abs(math.log2(a["rows"] / 64)) + 0.2 * abs(math.log2(a["warps"] / 4))
    return out + sum(0.25 for n in ("reduction", "order", "pid") if a[n] != BEST[n])


def example() -> RecordedSpace:
    out = RecordedSpace("made up", "a device without a record", KNOBS)
    for values in itertools.product(*KNOBS.values()):
        a = dict(zip(KNOBS, values))
        if a["rows"] == 128 and a["warps"] == 1:
            out.rows.append(Measurement(a, None, "compile", "out of shared memory"))
        else:
            out.rows.append(Measurement(a, cost(a), resources={"registers": 32, "spilled": 8}))
        out.features.append({"bytes": float(a["rows"] * 1000), "waves": 3.0})
    out.seeds = [{**BEST, "rows": 16, "warps": 1, "reduction": None}]
    return out


def test_written_and_read_again(tmp_path: Path) -> None:
    path, made = tmp_path / "s.json.gz", example()
    made.save(path)
    read = RecordedSpace.load(path)
    assert [r.key for r in read.rows] == [r.key for r in made.rows]
    assert [(r.milliseconds, r.stage) for r in read.rows] == [
        (r.milliseconds and pytest.approx(r.milliseconds, rel=1e-5), r.stage) for r in made.rows
    ]
    assert read.features == made.features and read.seeds == made.seeds and read.knobs == dict(KNOBS)
    assert read.rows[-1].resources == {"shared_memory": 0, "registers": 32, "spilled": 8, "tensor_memory": 0}
    assert read.best.assignment == BEST
    before = path.read_bytes()
    read.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "contents",
    [b"", b"no archive", gzip.compress(b"{"), gzip.compress(b"[]"), gzip.compress(json.dumps({"format": 99}).encode())],
    # The bytes hold the time, so that two workers of pytest-xdist would disagree about the tests' names.
    ids=["empty", "text", "cut", "list", "format"],
)
def test_what_is_no_recorded_space_is_said_to_be_none(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "s.json.gz"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="s.json.gz is no recorded space"):
        RecordedSpace.load(path)


def test_replayed_in_the_order_of_asking() -> None:
    recorded = example()
    wanted = [BEST, recorded.seeds[0]]
    rows = list(recorded.replay(FiniteSearch(wanted), 10))
    assert [r.assignment for r in rows] == wanted
    assert regret(rows[::-1], recorded.best.milliseconds or 0.0, [1, 2]) == [
        pytest.approx(cost(recorded.seeds[0]) - 1.0),
        0.0,
    ]
    assert regret([], 1.0, [1]) == [math.inf]


@pytest.mark.parametrize("name", ["pattern", "evolution", "random"])
def test_searches_stay_inside_and_get_better(name: str) -> None:
    found = regrets(example(), name, 0)
    assert found == sorted(found, reverse=True) and found[-1] < 0.3
    assert found == regrets(example(), name, 0)


def test_recording_sets_knobs_together() -> None:
    bound = FakeBound(settings=SimpleNamespace(autotune_benchmark_subprocess=False))
    axes = {".block_size": [16, 64, 4096], "num_warps": [2, 8]}
    pairs = assignments_of(bound.config_space, axes)
    # 4096 rows are in no domain.
    assert [p[0] for p in pairs] == [{"tile_m.block_size": b, "num_warps": w} for b in (16, 64) for w in (2, 8)]
    clock = "tests.autotuner.printing_bound:cost_measure"
    out = record("scale", None, bound, (torch.ones(64),), axes, 60.0, measure=clock, seed=0)
    assert {r.key: r.milliseconds for r in out.rows} == {
        Measurement(a).key: pytest.approx(cost_of(a)) for a, _ in pairs
    }
    with pytest.raises(ValueError, match="no knob is called .indexing; there are tile_m.block_size, num_warps"):
        assignments_of(bound.config_space, {".indexing": ["pointer"]})
