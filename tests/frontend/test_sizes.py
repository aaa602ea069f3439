"""Sizes: arithmetic on block sizes is exact, halves are required to be, and what a block size decides is refused."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helion_ir.frontend import polynomial
from helion_ir.frontend.polynomial import Atom, Poly
from helion_ir.frontend.sizes import BlockSizes, DependsOnBlockSize
from helion_ir.index.expr import CeilDiv, FloorDiv, Mod, compiled, knob, symbol
from helion_ir.index.text import expr_text


@pytest.fixture
def sizes() -> BlockSizes:
    return BlockSizes()


def _three(sizes: BlockSizes):
    names = ("tile_m.block_size", "tile_n.block_size", "split_k")
    return [sizes.symbol(knob(n)) for n in names]


def _texts(sizes: BlockSizes) -> list[str]:
    return [expr_text(condition) for condition, _ in sizes.requirements]


def test_round_trip(sizes: BlockSizes) -> None:
    bm, bn, split = _three(sizes)
    n = sizes.symbol(symbol("n"))
    for size, text in [
        (2 * bm + 1, "@tile_m.block_size * 2 + 1"),
        (bm * bn - n, "@tile_m.block_size * @tile_n.block_size - n"),
        (n // split, "n floordiv @split_k"),
        (n % bm, "n mod @tile_m.block_size"),
        (torch.sym_min(n, bm), "min(@tile_m.block_size, n)"),
        (torch.sym_max(n, split), "max(@split_k, n)"),
        (sizes.next_power_of_2(n + 1), "next_power_of_2(n + 1)"),
        (bm**2, "@tile_m.block_size * @tile_m.block_size"),
    ]:
        expr = sizes.expr(size)
        assert expr_text(expr) == text
        assert sizes.expr(sizes.symbol(expr)) == expr
    assert sizes.requirements == []


def test_the_forms_of_cdiv_are_one_function(sizes: BlockSizes) -> None:
    bm, _, split = _three(sizes)
    k = sizes.symbol(symbol("k"))
    assert sizes.expr((k + split - 1) // split) == CeilDiv(symbol("k"), knob("split_k"))
    assert sizes.expr(-(-k // split)) == CeilDiv(symbol("k"), knob("split_k"))
    assert sizes.expr((k + 127) // 128) == CeilDiv(symbol("k"), 128)
    assert sizes.expr(sizes.cdiv(k, bm)) == CeilDiv(symbol("k"), knob("tile_m.block_size"))
    assert sizes.expr(math.ceil(k / bm)) == CeilDiv(symbol("k"), knob("tile_m.block_size"))
    assert sizes.expr((4096 + split - 1) // split) == FloorDiv(4095, knob("split_k")) + 1
    assert (3 * bm - 1) // bm == 2


def test_a_tunable_is_not_halved(sizes: BlockSizes) -> None:
    _, _, split = _three(sizes)
    assert 2 * (split // 2) != split
    assert sizes.expr(sizes.exact(split // 2)) == FloorDiv(knob("split_k"), 2)
    assert sizes.requirements == []


def test_halves_become_requirements_only_where_they_are_used(sizes: BlockSizes) -> None:
    bm, bn, _ = _three(sizes)
    half = bm // 2
    assert sizes.requirements == []
    assert 2 * half == bm
    assert _texts(sizes) == ["@tile_m.block_size mod 2 eq 0"]
    assert sizes.quotient(bm * bn, 4 * bm) is not None
    assert _texts(sizes)[1:] == ["@tile_n.block_size mod 4 eq 0"]
    assert sizes.quotient(bm, bn) is None
    assert sizes.quotient(bm, 3) is None


def test_different_blocks_never_unify(sizes: BlockSizes) -> None:
    bm, bn, _ = _three(sizes)
    assert bm == bm and bm != bn and bm != 16 and 2 * bm != bm
    assert sizes.plain(bm - bm) == 0 and sizes.plain(bm // bm) == 1


def test_orderings(sizes: BlockSizes) -> None:
    bm, bn, _ = _three(sizes)
    assert bm >= 1 and bm <= (1 << 63) - 1 and bm < bm + 1 and bm * bn >= bm
    assert bm > 1  # a library asks whether a dimension is trivial
    for undecided in (lambda: bm > 16, lambda: bm < bn, lambda: bm == bn * 0.5, lambda: int(bm)):
        with pytest.raises(DependsOnBlockSize, match="block.size"):
            bool(undecided())
    n = sizes.symbol(symbol("offset"), bounds=(-5, 5))
    assert n < 6
    with pytest.raises(DependsOnBlockSize):
        bool(n > 3)


def test_float_arithmetic_is_a_tree(sizes: BlockSizes) -> None:
    bm, bn, _ = _three(sizes)
    assert str(sizes.tree(bm / bn * 2.0)) == "((@tile_m.block_size / @tile_n.block_size) * 2.0)"
    assert str(sizes.tree(bm**0.5)) == "sqrt(@tile_m.block_size)"
    assert str(sizes.tree(bm**-0.5)) == "(@tile_m.block_size ** -0.5)"
    assert str(sizes.tree(1 / (bm - 1))) == "(1.0 / @tile_m.block_size + -1)"
    assert (bm - bm + 1) / 4 == 0.25


VALUES = {"a": (1, 2, 3, 7), "b": (1, 2, 5, 8)}


def _polys() -> st.SearchStrategy[Poly]:
    names = st.sampled_from(sorted(VALUES))
    leaf = st.one_of(
        st.integers(-9, 9).map(Poly.const), names.map(lambda n: Poly.atom(Atom("", name=n, bounds=(1, 8))))
    )
    return st.recursive(
        leaf, lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner).map(_combined), max_leaves=5
    )


def _combined(parts: tuple[str, Poly, Poly]) -> Poly:
    op, a, b = parts
    return a + b if op == "+" else a - b if op == "-" else a * b


def _value(sizes: BlockSizes, p: Poly, values: dict[str, int]) -> int:
    return int(compiled(sizes.expr_of(p))(values))


@settings(max_examples=300, deadline=None)
@given(_polys(), _polys(), st.sampled_from(["floordiv", "ceildiv", "mod", "min", "max"]))
def test_functions_agree_with_python(a: Poly, b: Poly, name: str) -> None:
    sizes = BlockSizes()
    python = {"floordiv": FloorDiv, "ceildiv": CeilDiv, "mod": Mod}
    for assignment in itertools.product(*VALUES.values()):
        values = dict(zip(VALUES, assignment))
        x, y = _value(sizes, a, values), _value(sizes, b, values)
        if name in python and polynomial.bounds(b)[0] <= 0:
            return  # quotients are of positive divisors
        want = python[name].compute(x, y) if name in python else {"min": min, "max": max}[name](x, y)
        got = polynomial.FUNCTIONS[name](a, b)
        assert _value(sizes, got, values) == want
        low, high = polynomial.bounds(got)
        assert low <= want <= high
        if (order := polynomial.ordered(a, b, generic=False)) is not None:
            assert order == (x <= y)
