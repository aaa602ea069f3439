"""What canonicalize believes about numbers, against PyTorch, over every value of the small types."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helion_ir.dialects.types import ELEMENTS, bf16, f16, f32, f64, i1, is_float
from helion_ir.passes.canonicalization.numbers import converted, converts_exactly, rounded, wrap

SMALL = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "bool", "int8", "int16", "uint8", "uint16"]
"""Types all of whose values can be tried."""


def every_value(name: str) -> torch.Tensor:
    dtype = getattr(torch, name)
    if name == "bool":
        return torch.tensor([False, True])
    bits = 8 * torch.empty((), dtype=dtype).element_size()
    codes = torch.arange(1 << bits, dtype=torch.int64)
    return codes.to({8: torch.uint8, 16: torch.uint16}[bits]).view(dtype)


@pytest.mark.parametrize("to", list(ELEMENTS))
@pytest.mark.parametrize("source", SMALL)
def test_an_exact_conversion_loses_nothing(source: str, to: str) -> None:
    if not converts_exactly(ELEMENTS[source], ELEMENTS[to]):
        return
    values = every_value(source)
    wide = values.to(torch.float64) if is_float(ELEMENTS[source]) else values.to(torch.int64)
    there = values.to(getattr(torch, to))
    back = there.to(torch.float64) if is_float(ELEMENTS[source]) else there.to(torch.int64)
    same = (wide == back) | (wide != wide) & (back != back)
    assert same.all()
    if is_float(ELEMENTS[source]):
        assert torch.equal(torch.signbit(wide), torch.signbit(back)) or wide.isnan().any()


def test_the_exact_conversions_are_these() -> None:
    exact = {(a, b) for a in SMALL for b in ELEMENTS if a != b and converts_exactly(ELEMENTS[a], ELEMENTS[b])}
    # Some that a slip in a bound would lose or add.
    assert {("float16", "float32"), ("bfloat16", "float32"), ("float8_e5m2", "bfloat16"), ("int8", "bfloat16")} <= exact
    assert {("uint8", "int16"), ("bool", "int8"), ("bool", "float8_e5m2"), ("int16", "float32")} <= exact
    assert not {("float16", "bfloat16"), ("bfloat16", "float16"), ("int16", "float16"), ("int8", "uint16")} & exact
    assert not {("uint8", "int8"), ("int8", "bool"), ("uint16", "bfloat16"), ("float16", "int32")} & exact


@given(st.floats(allow_nan=False))
@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float64"])
def test_rounding_is_pytorchs(name: str, value: float) -> None:
    # A double goes to bfloat16 in PyTorch by way of float32, rounding twice; compare where the first rounding is none.
    if name == "bfloat16":
        value = float(torch.tensor(value, dtype=torch.float64).float())
    expected = float(torch.tensor(value, dtype=torch.float64).to(getattr(torch, name)))
    actual = rounded(value, ELEMENTS[name])
    assert actual is not None
    assert actual == expected and math.copysign(1, actual) == math.copysign(1, expected)


def test_rounding_to_bfloat16_is_done_once() -> None:
    # Half a unit and a little more: in float32 the little is lost, and the tie would go to even, which is down.
    assert rounded(1 + 2**-8 + 2**-40, bf16) == 1 + 2**-7
    assert rounded(1 + 2**-8, bf16) == 1.0
    assert rounded(3.39e38, f32) == float(torch.tensor(3.39e38)) and rounded(3.4e38, bf16) == math.inf
    assert rounded(65519.0, f16) == 65504.0 and rounded(-65520.0, f16) == -math.inf
    tiny = rounded(-1e-60, bf16)
    assert tiny == 0.0 and math.copysign(1, tiny) == -1.0
    assert rounded(1.0, ELEMENTS["float8_e5m2"]) is None


@given(st.integers(-(2**70), 2**70))
@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "int64"])
def test_wrapping_is_twos_complement(name: str, value: int) -> None:
    element = ELEMENTS[name]
    actual = wrap(value, element)  # pyright: ignore[reportArgumentType]
    info = torch.iinfo(getattr(torch, name))
    assert info.min <= actual <= info.max and (actual - value) % (1 << info.bits) == 0


def test_conversions_of_constants() -> None:
    assert converted(-2.7, ELEMENTS["int32"]) == -2
    assert converted(300, ELEMENTS["int8"]) == 44
    assert converted(300.0, ELEMENTS["int8"]) is None  # PyTorch leaves it open
    assert converted(math.nan, i1) == 1 and converted(-0.0, i1) == 0
    assert converted(2**53 + 1, f64) is None and converted(2**53, f64) == 2.0**53
    assert converted(16777217, f32) == 16777216.0
    assert converted(math.inf, bf16) == math.inf and converted(math.inf, ELEMENTS["int64"]) is None
