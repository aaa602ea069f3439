"""Whole expressions over ranges that no enumeration reaches: Z3 finds no value for which folding changes them."""

from __future__ import annotations

import pytest
import sympy
from sympy import Expr, Integer, Symbol
from tests.index.reached import all_of_them, reached

from helion_ir.index.expr import And, CeilDiv, Eq, FloorDiv, Le, Lt, Max, Min, Mod, Ne, Not, Or, Where, symbol
from helion_ir.index.facts import Fact
from helion_ir.index.fold import fold

z3 = pytest.importorskip("z3")

MILLISECONDS = 5000
P, I, J, K = (symbol(n) for n in "pijk")
FACTS = {"p": Fact(0, 1 << 24), "i": Fact(0, 4095), "j": Fact(0, 63), "k": Fact(0, 1 << 20, 16)}

WHOLE: dict[str, Expr] = {
    "a flattened pair": 64 * FloorDiv(64 * I + J, Integer(64)) + Mod(64 * I + J, Integer(64)),
    "split and split again": FloorDiv(FloorDiv(4096 * I + 64 * J + 5, Integer(64)), Integer(64)),
    "a reshape of three": 512 * FloorDiv(P, Integer(512))
    + 8 * FloorDiv(Mod(P, Integer(512)), Integer(8))
    + Mod(P, Integer(8)),
    "digits of a half": 64 * FloorDiv(FloorDiv(P, Integer(2)), Integer(64)) + Mod(FloorDiv(P, Integer(2)), Integer(64)),
    "two moduli": Mod(Mod(P, Integer(512)), Integer(64)),
    "rounded up to what divides": CeilDiv(64 * I, Integer(64)) + CeilDiv(64 * I + J + 1, Integer(64)),
    "of a selection": Or(Eq(I, Integer(5000)), Ne(P, Integer(-1))) + Or(Eq(I, J), Lt(-2 * I, Integer(-5))),
    "a divisor that may be negative": FloorDiv(P, Integer(-2)) + Mod(64 * I, Integer(64)),
    "rounded up twice": CeilDiv(CeilDiv(P + 3, Integer(4)), Integer(16)),
    "a packed nibble": Mod(FloorDiv(2 * I + 1, Integer(2)), Integer(4096)),
    "of a multiple of 16": Mod(K + 32, Integer(16)) + FloorDiv(K, Integer(16)),
    "a mask": And(Lt(8 * I, Integer(30000)), Lt(64 * I + J, Integer(1 << 20))),
    "the stricter mask": And(Lt(I, Integer(100)), And(Lt(J, Integer(50)), Le(I, Integer(40)))),
    "a clamp": Min(Max(I + J, Integer(0)), Integer(9000)),
    "a clamp by a difference": Max(Min(I + J, I + 70), I),
    "grouped programs": Mod(P, Integer(64)) + FloorDiv(P, Integer(64)) * 64 - Min(P, P + 1),
    "a selection": Where(Lt(I, Integer(5000)), FloorDiv(16 * I + Mod(J, Integer(16)), Integer(16)), Integer(-1)),
    "a comparison of even numbers": Or(Le(6 * I + 4 * J, Integer(21)), Lt(-2 * I, Integer(-5))),
}


def formula(e: Expr, names: dict[str, object]):
    """An expression for Z3; truth values are 0 and 1."""
    if e.is_Integer:
        return z3.IntVal(int(e))
    if isinstance(e, Symbol):
        return names.setdefault(e.name, z3.Int(e.name))
    a = [formula(x, names) for x in e.args]
    one, zero = z3.IntVal(1), z3.IntVal(0)

    def truth(condition):
        return z3.If(condition, one, zero)

    match e:
        case sympy.Add():
            return z3.Sum(a)
        case sympy.Mul():
            return z3.Product(a)
        case FloorDiv():  # Z3 rounds down for positive divisors, which all are
            return a[0] / a[1]
        case CeilDiv():
            return -((-a[0]) / a[1])
        case Mod():
            return a[0] % a[1]
        case Min():
            return z3.If(a[0] < a[1], a[0], a[1])
        case Max():
            return z3.If(a[0] < a[1], a[1], a[0])
        case Lt():
            return truth(a[0] < a[1])
        case Le():
            return truth(a[0] <= a[1])
        case Eq():
            return truth(a[0] == a[1])
        case Ne():
            return truth(a[0] != a[1])
        case And():
            return truth(z3.And(a[0] != 0, a[1] != 0))
        case Or():
            return truth(z3.Or(a[0] != 0, a[1] != 0))
        case Not():
            return truth(a[0] == 0)
        case Where():
            return z3.If(a[0] != 0, a[1], a[2])
    raise ValueError(e)


def counterexample(before: Expr, after: Expr) -> object:
    names: dict[str, object] = {}
    solver = z3.Solver()
    solver.set("timeout", MILLISECONDS)
    solver.add(formula(before, names) != formula(after, names))
    for name, variable in names.items():
        fact = FACTS[name]
        solver.add(variable >= int(fact.low), variable <= int(fact.high), variable % fact.divisor == 0)
    answer = solver.check()
    assert answer != z3.unknown, "not decided in time"
    return solver.model() if answer == z3.sat else None


@pytest.mark.parametrize("name", WHOLE)
def test_folding_changes_no_value(name: str) -> None:
    before = WHOLE[name]
    after = fold(before, FACTS)
    assert after != before, "nothing folds, so that nothing is checked"
    assert counterexample(before, after) is None


def test_every_rule_is_cross_checked() -> None:
    unknown = all_of_them().keys() - reached(lambda: [fold(e, FACTS) for e in WHOLE.values()])
    assert not unknown, [all_of_them()[line] for line in sorted(unknown)]


def test_a_wrong_rule_is_found() -> None:
    assert counterexample(FloorDiv(64 * I + J + 1, Integer(64)), I) is not None
