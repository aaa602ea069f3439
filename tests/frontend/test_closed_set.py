"""Every call of the closed set is captured, and its IR computes what eager PyTorch does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from tests.frontend.closed_set import calls
from tests.frontend.oracle import Captured, tiles_of

DTYPES = (torch.float32, torch.bfloat16)
REFUSED = {
    "rand_like": "use hl.rand",
    "randn_like": "use hl.rand",
    "rand": "use hl.rand",
    "median(dim)": "torch.median along a tiled dimension",
    "median(dim, keepdim)": "torch.median along a tiled dimension",
    "roll": "roll a whole axis",
    "pad": "F.pad along a tiled dimension",
    "cdist": "depends on a block size",
}
"""Calls that no kernel can make, with a word of the error each gives."""

_EXAMPLE = {"x": torch.ones(8, 16), "y": torch.ones(8, 16)} | dict.fromkeys("ijb", torch.ones(8, 16, dtype=torch.int32))
_NAMES = [name for name, _ in calls(_EXAMPLE)]


def _inputs(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "x": (torch.rand(8, 16) * 0.8 + 0.1).to(dtype),
        "y": (torch.rand(8, 16) + 0.2).to(dtype),
        "i": torch.randint(1, 7, (8, 16), dtype=torch.int32),
        "j": torch.randint(1, 7, (8, 16), dtype=torch.int32),
        "b": torch.rand(8, 16) > 0.5,
    }


def _captured(name: str, real: dict[str, torch.Tensor]) -> tuple[Captured, Any]:
    captured = Captured()
    tiles = captured.inputs(*[((captured.bm, captured.bn), v.dtype) for v in real.values()])
    with captured.capture:
        return captured, dict(calls(dict(zip(real, tiles))))[name]()


@pytest.mark.parametrize(
    "name,dtype", list(itertools.product(_NAMES, DTYPES)), ids=lambda v: str(v).removeprefix("torch.")
)
def test_call(name: str, dtype: torch.dtype) -> None:
    real = _inputs(dtype)
    if name in REFUSED:
        with pytest.raises(Exception, match=REFUSED[name]):
            _captured(name, real)
        return
    captured, out = _captured(name, real)
    expected = tiles_of(dict(calls({k: v.clone() for k, v in real.items()}))[name]())
    got = captured.run(tiles_of(out), list(real.values()))
    assert len(got) == len(expected)
    # bf16 has 8 bits; eager rounds between the steps of some functions that here are one
    tolerance = 2e-2 if dtype is torch.bfloat16 else 2e-5
    for tile, value, wanted in zip(tiles_of(out), got, expected):
        assert tile.dtype == value.dtype == wanted.dtype
        torch.testing.assert_close(value, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_the_set_is_the_set() -> None:
    assert len(_NAMES) == len(set(_NAMES)) == 270
    assert set(REFUSED) <= set(_NAMES)
