"""`Kernel.autotune_multi`: one configuration for several calls, with a tuner whose times are made up."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import Config, exc
from helion_ir.autotuner.protocol import Measurement
from helion_ir.autotuner.run import Tuned


def plus(x, y):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + y
    return out


def phased(x, y):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :] + y
    hl.barrier()
    for t in hl.tile(x.size(0)):
        b[t, :] = a[t, :] * 2
    return b


SETS = [(torch.ones(n, 8), 1.0) for n in (64, 128)]
TIMES = {64: {1: 1.0, 2: 2.0, 4: 6.0}, 128: {1: 9.0, 2: 5.0, 4: 4.0}}
"""Milliseconds by rows and num_warps. Of 64 rows 1 warp is best, of 128 rows 4; 2 is the best of the three by their product."""


@pytest.fixture
def tuner(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def tuned(bound: Any, args: Any, *, configs: Any = None, force: bool = True, **options: Any) -> Tuned:
        asked.append((args[0].size(0), configs, options))
        times, space = TIMES[args[0].size(0)], bound.config_space
        default = bound.config_spec.default_config()
        given = configs if configs is not None else [Config(**{**default, "num_warps": w}) for w in times]
        rows = [Measurement(space.encode(c), times[c["num_warps"]]) for c in given]
        best, second = sorted(rows, key=lambda m: m.milliseconds or 0)[:2]
        return Tuned(space.decode(best.assignment), best, second, history=[(0.0, m) for m in rows])

    monkeypatch.setattr("helion_ir.autotuner.tuning.tuned", tuned)
    return asked


def test_the_candidate_that_suits_all_is_chosen(tuner: list[Any]) -> None:
    k = helion.kernel(plus)
    assert k.autotune_multi(SETS, seed=3)["num_warps"] == 1  # 1*9 < 2*5 < 6*4
    assert k.autotune_multi(SETS, aggregation="max")["num_warps"] == 2
    assert [n for n, _, _ in tuner[:4]] == [64, 128, 64, 128] and tuner[0][2] == {"seed": 3}
    assert all(k.bind(s)._config["num_warps"] == 2 for s in SETS)


def test_relative_to_the_default(tuner: list[Any]) -> None:
    k = helion.kernel(plus)
    assert k.bind(SETS[0]).config_spec.default_config()["num_warps"] == 4
    assert k.autotune_multi(SETS, aggregation="max", relative_to="default")["num_warps"] == 4


@pytest.mark.parametrize(
    "sets, options, text",
    [
        ([], {}, "autotune_multi takes a list of argument tuples, at least one"),
        ([SETS[0], 3], {}, "each of the argument sets is a tuple of positional arguments"),
        (SETS, {"aggregation": "mean"}, 'aggregation is "geomean" or "max", not \'mean\''),
        (SETS, {"relative_to": "baseline"}, "relative_to is None or \"default\", not 'baseline'"),
    ],
)
def test_misuse(tuner: list[Any], sets: Any, options: Any, text: str) -> None:
    with pytest.raises(exc.InvalidAPIUsage) as caught:
        helion.kernel(plus).autotune_multi(sets, **options)
    assert caught.value.message == text and not tuner


def test_a_tag_where_results_cannot_be_told_apart(tuner: list[Any]) -> None:
    for settings in ({"static_shapes": False}, {"autotune_baseline_fn": plus}):
        with pytest.raises(exc.InvalidAPIUsage, match="needs a cache_tag with"):
            helion.kernel(plus, **settings).autotune_multi(SETS)
        assert helion.kernel(plus, **settings).autotune_multi(SETS, cache_tag="here")["num_warps"] == 1


def test_sets_with_other_knobs_are_refused(tuner: list[Any]) -> None:
    with pytest.raises(exc.InvalidAPIUsage, match="argument set 1 of plus has other knobs than the first, such as"):
        helion.kernel(plus).autotune_multi([SETS[0], (torch.ones(1, 8), 1.0)])


def test_every_phase_is_compiled() -> None:
    made = helion.kernel(phased).bind(SETS[0]).compile_kernels_for("h100")
    assert len(made) == 2 and all(c.asm["ptx"] for c in made)
