"""The folding rules against brute force: an expression and its folded form agree on every value that the facts allow."""

from __future__ import annotations

import itertools

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer
from tests.index.reached import all_of_them, reached
from xdsl.parser import Parser

from helion_ir.dialects.context import new_context
from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.index.expr import (
    And,
    CeilDiv,
    Eq,
    FloorDiv,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Ne,
    NextPow2,
    Not,
    Or,
    Where,
    as_expr,
    compiled,
    knob,
    string,
    substitute,
    symbol,
    value_of,
)  # fmt: skip
from helion_ir.index.facts import Fact, decide, fact_of
from helion_ir.index.fold import fold
from helion_ir.index.text import expr_text

I, J, B = symbol("i"), symbol("j"), knob("b")
VALUES = {"i": range(0, 12), "j": range(0, 8), "b": (4, 8)}
FACTS = {"i": Fact(0, 11), "j": Fact(0, 7), "@b": Fact(4, 8, 4)}


def agree(before: Expr, after: Expr) -> None:
    f, g = compiled(before), compiled(after)
    for values in itertools.product(*VALUES.values()):
        c = dict(zip(VALUES, values))
        assert int(f(c)) == int(g(c)), (before, after, c)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FloorDiv(8 * I + J, Integer(8)), I),
        (Mod(8 * I + J, Integer(8)), J),
        (8 * FloorDiv(I, Integer(8)) + Mod(I, Integer(8)), I),
        (24 * FloorDiv(I, Integer(8)) + 3 * Mod(I, Integer(8)), 3 * I),
        (FloorDiv(B * I, B), I),
        (8 * FloorDiv(I, Integer(8)) + 2 * FloorDiv(Mod(I, Integer(8)), Integer(2)) + Mod(I, Integer(2)), I),
        (Mod(B * I, B), Integer(0)),
        (Mod(B * 6, Integer(4)), Integer(0)),
        (CeilDiv(8 * I, Integer(8)), I),
        (FloorDiv(FloorDiv(I, Integer(2)), Integer(3)), FloorDiv(I, Integer(6))),
        (Mod(Mod(I, Integer(8)), Integer(4)), Mod(I, Integer(4))),
        (Lt(I, Integer(12)), Integer(1)),
        (Lt(I, Integer(0)), Integer(0)),
        (Le(I, Integer(11)), Integer(1)),
        (Eq(I, Integer(20)), Integer(0)),
        (Ne(I, Integer(-1)), Integer(1)),
        (Min(I, Integer(20)), I),
        (Max(I, Integer(20)), Integer(20)),
        (Min(B, Integer(16)), B),
        (And(Lt(I, Integer(12)), Lt(J, Integer(3))), Lt(J, Integer(3))),
        (FloorDiv(8 * I + 9, Integer(8)), I + 1),
        (CeilDiv(8 * I + J + 1, Integer(8)), I + 1),
        (4 * FloorDiv(FloorDiv(I, Integer(2)), Integer(4)) + Mod(FloorDiv(I, Integer(2)), Integer(4)), FloorDiv(I, Integer(2))),
        (Min(Integer(20), I), I),
        (Max(Integer(20), I), Integer(20)),
        (Max(I, I + J), I + J),
        (Or(Lt(I, Integer(12)), Lt(J, Integer(3))), Integer(1)),
        (CeilDiv(CeilDiv(I, Integer(2)), Integer(3)), CeilDiv(I, Integer(6))),
        (CeilDiv(8 + CeilDiv(I, B), Integer(4)), 2 + CeilDiv(I, 4 * B)),
        (Min(I + J, I + 9), I + J),
        (Max(I + J, I), I + J),
        (Min(B * I + 3, B * I), B * I),
        (Lt(4 * I, Integer(30)), Lt(I, Integer(8))),
        (Le(4 * I, Integer(30)), Le(I, Integer(7))),
        (Lt(6 * I + 4 * J, Integer(21)), Lt(3 * I + 2 * J, Integer(11))),
        (Lt(6 * I + 4 * J + 2, Integer(21)), Lt(3 * I + 2 * J + 1, Integer(11))),
        (Lt(6 * I + 4 * J + 1, Integer(21)), Lt(6 * I + 4 * J + 1, Integer(21))),
        (Lt(-2 * I, Integer(-5)), Lt(-I, Integer(-2))),
        (And(Lt(I, Integer(5)), Lt(I, Integer(9))), Lt(I, Integer(5))),
        (And(Lt(I, Integer(9)), And(Lt(J, Integer(3)), Le(I, Integer(4)))), And(Lt(J, Integer(3)), Le(I, Integer(4)))),
        (And(Lt(I, Integer(5)), And(Lt(J, Integer(3)), Lt(I, Integer(5)))), And(Lt(I, Integer(5)), Lt(J, Integer(3)))),
    ],
)  # fmt: skip
def test_rule(before: Expr, after: Expr) -> None:
    assert fold(before, FACTS) == after
    agree(before, after)


@pytest.mark.parametrize(
    "kept",
    [
        Lt(I, Integer(11)), Lt(I, J), Mod(I, B), FloorDiv(I, Integer(8)), Min(I, J), Mod(8 * I + J + 1, Integer(8)), Eq(I, J),
        FloorDiv(I, Integer(-2)), Mod(I, Integer(-2)), CeilDiv(I, Integer(-2)), Or(Lt(I, J), Lt(J, Integer(3))),
        Not(And(Lt(I, J), Lt(J, Integer(3)))),
    ],
)  # fmt: skip
def test_what_facts_do_not_decide_is_kept_equal(kept: Expr) -> None:
    folded = fold(kept, FACTS)
    assert folded.free_symbols, "folded to a constant although it is none"
    agree(kept, folded)


def _digits(of: Expr, x: Expr, d: Expr) -> Expr:
    return d * FloorDiv(of, d) + Mod(x, d)


small = st.sampled_from([2, 3, 4]).map(Integer)
symbols = st.sampled_from([I, J])
leaves = st.sampled_from([I, J, B]) | st.integers(-9, 20).map(Integer)
positive = st.sampled_from([B]) | st.integers(1, 9).map(Integer)


def shapes(children: st.SearchStrategy[Expr]) -> list[st.SearchStrategy[Expr]]:
    pairs = st.tuples(children, children)
    below = st.tuples(children | symbols, st.integers(1, 6).map(Integer)).map(lambda p: Lt(*p))
    towers = st.tuples(st.sampled_from([FloorDiv, Mod, CeilDiv]), children | symbols, small, small)
    digits = st.tuples(children, st.integers(1, 3), small)
    return [
        pairs.map(lambda p: p[0] + p[1]),
        st.tuples(st.sampled_from([And, Or]), below, below).map(lambda t: t[0](t[1], t[2])),
        below.map(Not),
        towers.map(lambda t: t[0](t[0](5 * t[1] + 1, t[2] * t[3]), t[3])),
        digits.map(lambda t: t[1] * _digits(t[0], t[0], t[2])),
        digits.map(lambda t: _digits(FloorDiv(t[0], Integer(2)), FloorDiv(t[0], Integer(2)), t[2])),
        digits.map(lambda t: 4 * t[2] * FloorDiv(t[0], 4 * t[2]) + _digits(Mod(t[0], 4 * t[2]), t[0], t[2])),
        st.tuples(st.sampled_from([Min, Max]), children, st.integers(-2, 2)).map(lambda t: t[0](t[1], t[1] + t[2])),
        st.tuples(st.sampled_from([Min, Max]), children, small).map(lambda t: t[0](t[1], t[1] + J)),
        st.tuples(st.sampled_from([FloorDiv, Mod, CeilDiv]), children, small, st.integers(0, 1)).map(
            lambda t: t[0](t[2] * t[1] + t[3], t[2])
        ),
        st.tuples(st.sampled_from([Lt, Le]), leaves, small, st.integers(-9, 30).map(Integer)).map(
            lambda t: t[0](t[2] * t[1], t[3])
        ),
        pairs.map(lambda p: p[0] - p[1]),
        st.tuples(children, st.integers(-4, 8)).map(lambda p: p[0] * p[1]),
        st.tuples(children, leaves).map(lambda p: p[0] * p[1]),
        st.tuples(st.sampled_from([FloorDiv, Mod, CeilDiv]), children, positive).map(lambda t: t[0](t[1], t[2])),
        st.tuples(st.sampled_from([Min, Max]), children, children).map(lambda t: t[0](t[1], t[2])),
        st.tuples(st.sampled_from([Lt, Le, Eq, Ne]), children, children).map(lambda t: t[0](t[1], t[2])),
        st.tuples(children, children, children).map(lambda t: Where(Lt(t[0], t[1]), t[1], t[2])),
    ]


def grow(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(*shapes(children))


expressions = st.recursive(leaves, grow, max_leaves=8) | grow(grow(leaves))


@settings(max_examples=400, deadline=None)
@given(expressions)
def test_folding_keeps_every_value(e: Expr) -> None:
    agree(e, fold(e, FACTS))


def test_every_rule_is_tried_by_hand_and_by_chance() -> None:
    (by_hand,) = (mark.args[1] for mark in test_rule.pytestmark)
    (kept,) = (mark.args[1] for mark in test_what_facts_do_not_decide_is_kept_equal.pytestmark)
    unknown = all_of_them().keys() - reached(
        lambda: [fold(e, FACTS) for e in (*(before for before, _ in by_hand), *kept)]
    )
    assert not unknown, [all_of_them()[line] for line in sorted(unknown)]
    chance: list[Expr] = []
    for shape in shapes(leaves):

        @settings(max_examples=30, deadline=None, derandomize=True, database=None)
        @given(shape)
        def draw(e: Expr) -> None:
            chance.append(e)

        draw()
    unknown = all_of_them().keys() - reached(lambda: [fold(e, FACTS) for e in chance])
    assert not unknown, [all_of_them()[line] for line in sorted(unknown)]


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_facts_hold_for_every_value(e: Expr) -> None:
    fact = fact_of(e, FACTS)
    f = compiled(e)
    for values in itertools.product(*VALUES.values()):
        found, again = f(c := dict(zip(VALUES, values))), value_of(e, c)
        assert (type(found), found) == (type(again), again), (e, c)
        value = int(found)
        assert fact.low <= value <= fact.high, (e, fact, values)
        assert fact.divisor == 0 and value == 0 or value % max(1, fact.divisor) == 0, (e, fact, values)


@settings(max_examples=400, deadline=None)
@given(expressions)
def test_text_is_read_back_as_the_same_expression(e: Expr) -> None:
    text = expr_text(e)
    parsed = Parser(new_context(), f"#index.expr<{text}>").parse_attribute()
    assert isinstance(parsed, ExprAttr)
    assert expr_text(parsed.data) == text
    agree(e, parsed.data)
    assert parsed == expr_attr(e) or sympy.expand(parsed.data - e) == 0


def test_strings_and_none_compare() -> None:
    e = Or(Eq(knob("kind"), string("flat")), Not(Ne(knob("chunk"), symbol("none"))))
    f = compiled(e)
    for kind, chunk, expected in (("flat", 4, True), ("x", None, True), ("x", 4, False)):
        c = {"kind": kind, "chunk": chunk}
        assert f(c) is expected and value_of(e, c) is expected
    reordered = Eq(knob("order"), as_expr((1, 0)))
    assert [value_of(reordered, {"order": order}) for order in ((1, 0), (0, 1))] == [True, False]


def test_decide_enumerates_small_domains() -> None:
    divides = Ne(Mod(Integer(1024), B), 0)
    assert decide(divides, {"b": (16, 32, 64)}) == 0
    assert decide(divides, {"b": (16, 48)}) == divides
    assert decide(divides, {"b": (24, 48)}) == 1
    assert decide(divides, {}) == divides


def test_substitution_folds_constants() -> None:
    e = NextPow2(CeilDiv(knob("k"), knob("s")))
    assert substitute(e, {knob("k"): Integer(100), knob("s"): Integer(3)}) == 64
