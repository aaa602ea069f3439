"""Which dimensions of a reshape's operand become which of its result."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sympy import Expr, Integer, expand


def groups_of(source: Sequence[Expr], result: Sequence[Expr]) -> list[tuple[list[Expr], list[Expr]]]:
    """Runs of dimensions of both shapes with as many elements, as short as can be; ones are left out."""
    left, right = [d for d in source if d != 1], [d for d in result if d != 1]
    groups: list[tuple[list[Expr], list[Expr]]] = []
    i = j = 0
    while i < len(left) or j < len(right):
        a, b = left[i : i + 1], right[j : j + 1]
        while (p := expand(logical(a))) != (q := expand(logical(b))):  # pyright: ignore
            if i + len(a) >= len(left) and j + len(b) >= len(right):
                break
            fewer = p.is_Integer and q.is_Integer and p < q
            if (fewer or j + len(b) >= len(right)) and i + len(a) < len(left):
                a.append(left[i + len(a)])
            elif (q / p).is_Integer and i + len(a) < len(left):
                a.append(left[i + len(a)])
            elif j + len(b) < len(right):
                b.append(right[j + len(b)])
            else:
                a.append(left[i + len(a)])
        groups.append((a, b))
        i, j = i + len(a), j + len(b)
    return groups


def logical(dims: Sequence[Expr]) -> Expr:
    return math.prod(dims, start=Integer(1))  # pyright: ignore
