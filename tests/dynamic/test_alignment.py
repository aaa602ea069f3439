"""Tensor descriptors need addresses that are multiples of 16 bytes: others are marked, and are offered none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl


def doubled(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for a, b in hl.tile([x.size(0), x.size(1)]):
        out[a, b] = x[a, b] * 2
    return out


def rows_from(x: torch.Tensor, first: hl.constexpr) -> torch.Tensor:
    y = x.view(-1)[first : first + 64 * 32].view(64, 32)  # pyright: ignore
    out = torch.empty_like(y)
    for a, b in hl.tile([64, 32]):
        out[a, b] = y[a, b] * 2
    return out


TABLE = torch.arange(64.0 * 32).view(64, 32)


def plus_table(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for a, b in hl.tile([x.size(0), x.size(1)]):
        out[a, b] = x[a, b] + TABLE[a, b]
    return out


def specialized(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    n = hl.specialize(n)
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    for a, b in hl.tile([m, n]):
        out[a, b] = x[a, b] * 2 + y[a, b]
    return out


def shifted(rows: int, columns: int, by: int) -> torch.Tensor:
    """A matrix that begins `by` elements after a multiple of 16 bytes."""
    return torch.arange(rows * columns + by, dtype=torch.float32)[by:].view(rows, columns)


def domain(bound: Any, knob: str, target: str = "h200") -> tuple[Any, ...]:
    declared = bound.stages_for(target).space.knobs
    return tuple(declared[knob].domain.values) if knob in declared else ("pointer",)


@pytest.mark.parametrize(("by", "described"), [(0, True), (1, False), (2, False), (4, True), (6, False)])
def test_the_address_of_an_argument(by: int, described: bool) -> None:
    k = helion.kernel(doubled)
    x = shifted(64, 32, by)
    bound = k.bind((x,))
    assert ("tensor_descriptor" in domain(bound, "load.x.indexing")) is described
    assert "tensor_descriptor" in domain(bound, "store.out.indexing")
    assert ('unaligned = ["x"]' in bound.ir("tile")) is not described
    torch.testing.assert_close(k(x), 2 * x, rtol=0, atol=0)
    other = shifted(64, 32, 4 if described else 3)
    assert k.bind((other,)) is bound
    assert k.bind((shifted(64, 32, 1 if described else 0),)) is not bound


@pytest.mark.parametrize(("first", "described"), [(0, True), (4, True), (3, False)])
def test_an_offset_on_the_host(first: int, described: bool) -> None:
    k = helion.kernel(rows_from)
    x = torch.arange(4096.0)
    bound = k.bind((x, first))
    assert ("tensor_descriptor" in domain(bound, "load.y.indexing")) is described
    assert domain(k.bind((torch.arange(4097.0)[1:], first)), "load.y.indexing")[-1] == "block_ptr"
    torch.testing.assert_close(k(x, first), 2 * x[first : first + 2048].view(64, 32), rtol=0, atol=0)


def test_a_global_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    k = helion.kernel(plus_table)
    x = shifted(64, 32, 0)
    bound = k.bind((x,))
    assert "tensor_descriptor" in domain(bound, "load.TABLE.indexing")
    monkeypatch.setitem(globals(), "TABLE", shifted(64, 32, 1))
    other = k.bind((x,))
    assert other is not bound
    assert "tensor_descriptor" not in domain(other, "load.TABLE.indexing")
    torch.testing.assert_close(k(x), x + TABLE, rtol=0, atol=0)


def test_strides_that_only_a_call_fixes_have_no_descriptor() -> None:
    dynamic = helion.kernel(doubled, static_shapes=False).bind((shifted(64, 32, 0),))
    assert domain(dynamic, "load.x.indexing") == ("pointer", "block_ptr")


def test_the_target_decides() -> None:
    bound = helion.kernel(doubled).bind((shifted(64, 32, 0),))
    assert "tensor_descriptor" not in domain(bound, "load.x.indexing", "mi350x")
