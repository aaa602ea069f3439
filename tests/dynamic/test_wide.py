"""Offsets have 64 bits where, and only where, 32 may not do. Huge tensors here have no data."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.dynamic.kernels import CASES
from torch._subclasses.fake_tensor import FakeTensorMode

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc

HUGE = 3_000_000_000


def add_one(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for rows, columns in hl.tile([x.size(0), x.size(1)]):
        out[rows, columns] = x[rows, columns] + 1
    return out


def vector(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for t in hl.tile(x.size(0)):
        out[t] = x[t] + 1
    return out


def indices(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    for t in hl.tile(x.size(0)):
        out[t] = x[t] + t.index
    return out


def outer(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty([x.size(0), y.size(0)], dtype=x.dtype, device=x.device)
    for a, b in hl.tile([x.size(0), y.size(0)]):
        out[a, b] = x[a][:, None] * y[b][None, :]
    return out


def far(rows: int, stride: int) -> torch.Tensor:
    """Rows so far apart that offsets exceed 32 bits; without memory behind them."""
    with FakeTensorMode():
        return torch.empty_strided((rows, 8), (stride, 1))


def fake(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """A tensor without memory behind it."""
    with FakeTensorMode():
        return torch.empty(shape, dtype=dtype)


def bound(function: Any, *args: Any, static: bool, **settings: Any) -> Any:
    return helion.kernel(function, static_shapes=static, autotune_effort="none", **settings).bind(args)  # pyright: ignore


def ttir(b: Any, target: str = "h200") -> str:
    return str(b.compile_for(target).asm["ttir"]).replace("tt.divisibility = 16 : i64", "")


STATIC = pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])


@STATIC
def test_only_the_large_tensor_has_64_bit_offsets(static: bool) -> None:
    small = fake(40, 8)
    text = bound(add_one, far(40, HUGE // 30), small, static=static).to_triton_code()
    assert text.count("tl.int64") == 2  # the two indices into x
    assert "tl.int64" not in bound(add_one, small, fake(*small.shape), static=static).to_triton_code()
    wide = ttir(bound(add_one, far(40, HUGE // 30), small, static=static))
    assert "i64" in wide
    assert "i64" not in ttir(bound(add_one, small, fake(*small.shape), static=static))


@STATIC
def test_a_loop_over_more_than_32_bits(static: bool) -> None:
    x, out = (fake(HUGE, dtype=torch.int8) for _ in range(2))
    b = bound(vector, x, out, static=static)
    assert static or "%x_size: !tile.tile<[], i64>" in b.ir("tile")
    wide = ttir(b)
    assert "arith.extsi" in wide and "i64" in wide


@STATIC
def test_an_expanded_tensor_needs_no_64_bit_offsets(static: bool) -> None:
    x = torch.ones(1, 8).expand(40, 8)
    text = bound(add_one, x, fake(40, 8), static=static).to_triton_code()
    assert "tl.int64" not in text


def test_the_index_dtype() -> None:
    small = torch.arange(5)
    x = fake(HUGE, dtype=torch.int64)
    for static in (True, False):
        assert "tile.index" in (plain := bound(indices, small, small.clone(), static=static).ir("tile"))
        assert "!tile.range<@t.block_size> -> !tile.tile<[@t.block_size], i32>" in plain
        large = bound(indices, x, fake(*x.shape, dtype=x.dtype), static=static).ir("tile")
        assert "!tile.range<@t.block_size> -> !tile.tile<[@t.block_size], i64>" in large
        given = bound(indices, small, small.clone(), static=static, index_dtype=torch.int64)
        assert "!tile.range<@t.block_size> -> !tile.tile<[@t.block_size], i64>" in given.ir("tile")
        assert "i64" in ttir(given)
        torch.testing.assert_close(given(small, torch.full_like(small, -7)), 2 * small)


def test_what_the_host_makes_may_be_large_where_no_argument_is() -> None:
    k = helion.kernel(outer, static_shapes=False, autotune_effort="none")
    a, b = fake(100), fake(200)
    small = k.bind((a, b))
    assert k.bind((b, a)) is small
    c = fake(60000)
    large = k.bind((c, fake(60000)))
    assert large is not small
    assert k.bind((fake(60000), fake(70000))) is large
    assert "tl.int64" not in small.to_triton_code() and "tl.int64" in large.to_triton_code()


def test_a_large_call_is_another_key() -> None:
    k = helion.kernel(add_one, static_shapes=False, autotune_effort="none")
    small = fake(40, 8)
    first = k.bind((small, fake(*small.shape)))
    assert k.bind((far(40, 100), small)) is first
    assert k.bind((far(40, HUGE // 30), small)) is not first


@STATIC
def test_32_bits_where_they_are_asked_for(static: bool) -> None:
    k = helion.kernel(vector, static_shapes=static, autotune_effort="none", index_dtype=torch.int32)
    small = fake(9, dtype=torch.int8)
    k.bind((small, fake(9, dtype=torch.int8)))
    x = fake(HUGE, dtype=torch.int8)
    with pytest.raises(exc.InputTensorNumelExceedsIndexType, match="more elements than index_dtype=torch.int32"):
        k.bind((x, fake(*x.shape, dtype=x.dtype)))
    with pytest.raises(exc.IndexOffsetOutOfRangeForInt32, match="'x'"):
        helion.kernel(add_one, static_shapes=static, index_dtype=torch.int32).bind((far(40, HUGE // 30), far(40, 8)))


@STATIC
def test_block_pointers_take_no_64_bit_indices(static: bool) -> None:
    x, out = (fake(HUGE, dtype=torch.int8) for _ in range(2))
    assert "load.x.indexing" not in bound(vector, x, out, static=static).stages_for("h200").space.knobs
    few = fake(9, dtype=torch.int8)
    knobs = bound(vector, few, fake(9, dtype=torch.int8), static=static).stages_for("h200").space.knobs
    assert "load.x.indexing" in knobs


@pytest.mark.parametrize("target", ["h200", "b200", "mi350x"])
def test_large_matrices_compile(target: str) -> None:
    case = CASES["matmul"]
    big = fake(70000, 50000, dtype=torch.bfloat16)
    b = case.kernel().bind((big, fake(50000, 64, dtype=torch.bfloat16)))
    assert "i64" in ttir(b, target)
