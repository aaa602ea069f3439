"""Every call of the closed set on partial tiles and on padded axes, at each stage and in Triton's interpreter.

`HELION_IR_FULL=1` runs the printed Triton of every case; otherwise of one layout and dtype a call.
"""

from __future__ import annotations

import os
import re

import pytest
from tests.coverage.cases import DTYPES, EDGED, LOOSE, NAMES
from tests.coverage.runner import Refused, built, check_stages, each, failures_in_triton, lowered, stages_of
from tests.frontend.test_closed_set import REFUSED as REFUSED_BY_FRONTEND
from tests.triton_interpreter.client import TritonInterpreter

FULL = os.environ.get("HELION_IR_FULL") == "1"

COUNTS_THE_BLOCK = "sdpa"
"""Calls that divide by a number of elements, which of a tile is its block size: of a partial tile eager PyTorch says
otherwise."""
MOVES_PADDING = "reshape;cat;chunk;split;repeat_interleave;repeat;diff;narrow;flip;F.glu"
"""Calls whose results say where the inactive lanes of a partial tile stand."""
WHOLE_TILES = {*COUNTS_THE_BLOCK.split(";"), *MOVES_PADDING.split(";")}
"""Calls that are compared on full tiles in place of partial ones."""
ONLY_ON_AXES = {"roll", "median(dim)", "median(dim, keepdim)", "pad"}
"""Calls that ask for the extent of what they run along."""
ONLY_ON_TILES = {"mse_loss": "counts the rows of a partial block", "F.glu": "halves an odd axis"}
"""Calls that are not made on the padded axis, and why."""
REFUSED = {
    ("axis", "reshape"): r"a tile of @tile_m.block_size \* 21 elements along a dimension: Triton's are powers of two",
    ("axis", "sdpa"): "a matrix product adds up @tile_m.block_size terms, which must be at least 16",
    ("full", "diff"): r"a tile of max\(0, @tile_n.block_size - 1\) elements along a dimension",
    ("partial", "flip"): "a tile is flipped, which must have no inactive lanes",
}
"""What lowering says of the calls it refuses, by layout."""


def cases() -> list[tuple[str, str, str]]:
    """(name, dtype, layout) of every call that the frontend captures, twice a dtype."""
    out: list[tuple[str, str, str]] = []
    for name in NAMES:
        if name in REFUSED_BY_FRONTEND and name not in ONLY_ON_AXES:
            continue
        layouts = ["full" if name in WHOLE_TILES else "partial"] if name not in ONLY_ON_AXES else []
        layouts += ["axis"] if name not in ONLY_ON_TILES else []
        out += [(name, dtype, layout) for layout in layouts for dtype in DTYPES if (layout, name) not in REFUSED]
    return out


CASES = cases()
EDGES = [
    (name, dtype, "axis") for name in EDGED for dtype in DTYPES if name not in REFUSED_BY_FRONTEND and name not in LOOSE
]


GROUP = 12
"""Calls that share a kernel, which makes each cheap."""


def grouped(cases: list[tuple[str, str, str]]) -> list[tuple[str, str, list[str]]]:
    """(dtype, layout, names) of kernels that make all the calls."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, dtype, layout in cases:
        names.setdefault((dtype, layout), []).append(name)
    return [(*key, all_[i : i + GROUP]) for key, all_ in names.items() for i in range(0, len(all_), GROUP)]


def test_most_calls_are_compared() -> None:
    assert len({name for name, _, _ in CASES}) == len(NAMES) - len(REFUSED_BY_FRONTEND) + len(ONLY_ON_AXES)
    assert sorted((n, dtype, layout) for dtype, layout, names in grouped(CASES) for n in names) == sorted(CASES)


@pytest.mark.parametrize("dtype,layout,names", grouped(CASES))
def test_every_stage(dtype: str, layout: str, names: list[str]) -> None:
    assert not (found := each(stages_of, names, dtype, layout)), found


@pytest.mark.parametrize("dtype,layout,names", grouped(EDGES))
def test_every_stage_on_special_numbers(dtype: str, layout: str, names: list[str]) -> None:
    assert not (found := each(stages_of, names, dtype, layout, True)), found


@pytest.mark.parametrize("dtype,layout,names", grouped(CASES[::7]))
def test_every_stage_for_a_device(dtype: str, layout: str, names: list[str]) -> None:
    """Devices have functions and casts of their own, which our interpreter knows too."""
    assert not (found := each(stages_of, names, dtype, layout, False, "h200")), found


@pytest.mark.parametrize("layout,name", REFUSED)
def test_refused(layout: str, name: str) -> None:
    with pytest.raises(Refused, match=REFUSED[layout, name]):
        kernel, _ = built([name], "float32", layout, False)
        lowered(kernel)


IN_TRITON = [
    *((*g, False) for g in grouped([case for i, case in enumerate(CASES) if FULL or i % 4 == (i // 4) % 4])),
    *((*g, True) for g in grouped(EDGES if FULL else EDGES[::4])),
]
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_triton_in_its_interpreter(part: int, triton_interpreter: TritonInterpreter) -> None:
    groups = [(names, dtype, layout, special) for dtype, layout, names, special in IN_TRITON[part::PARTS]]
    assert not (found := triton_interpreter.run(failures_in_triton, groups, seconds=600.0)), found


def test_a_wrong_result_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison that all of this rests on: an operator with another's lowering must fail."""
    from helion_ir.dialects.tile import elementwise
    from helion_ir.passes.convert_tile_to_triton.arithmetic import FUNCTIONS

    monkeypatch.setitem(FUNCTIONS, elementwise.SinOp, FUNCTIONS[elementwise.CosOp])
    found = check_stages("sin", "float32", "partial")
    assert re.match(r"assign-names: result 0 at \(0, 0\) is .* not .*; 273 differ", found)
    assert each(stages_of, ["neg", "sin", "cos"], "float32", "partial") == {"sin, beside others": found, "sin": found}


def test_a_missing_mask_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from helion_ir.passes import mixing

    monkeypatch.setattr(mixing, "neutral", lambda kind, element: 7)
    assert check_stages("amin(dim)", "float32", "axis") == ""  # 7 is above everything there is
    assert check_stages("amax(dim)", "float32", "axis").startswith("assign-names: result 0 at (0,) is 7.0")
