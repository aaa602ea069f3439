"""Index expressions evaluated on tensors, elementwise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import sympy
import torch
from sympy import Expr, Symbol

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
    constant_of,
)

TensorEvaluator = Callable[[Mapping[str, Any]], Any]


@functools.cache
def compiled_on_tensors(e: Expr) -> TensorEvaluator:
    """`e` as a function of `{name: integer or tensor}`; tensors broadcast. Names of knobs have no `@`."""
    if (constant := constant_of(e)) is not None:
        return lambda _: constant
    if isinstance(e, Symbol):
        name = e.name.removeprefix("@")
        return lambda names: names[name]
    function = _FUNCTIONS.get(type(e))
    if function is None:
        raise ValueError(f"no index expression on tensors: {sympy.srepr(e)}")
    parts = [compiled_on_tensors(a) for a in e.args]  # pyright: ignore
    if isinstance(e, sympy.Add | sympy.Mul):
        return lambda names: functools.reduce(function, [part(names) for part in parts])
    return lambda names: function(*[part(names) for part in parts])


def _floordiv(a: Any, b: Any) -> Any:
    return _divided(a, b, lambda x, y: x // y)


def _ceildiv(a: Any, b: Any) -> Any:
    return -_floordiv(-a, b)


def _mod(a: Any, b: Any) -> Any:
    return _divided(a, b, lambda x, y: x % y)


def _divided(a: Any, b: Any, function: Callable[[Any, Any], Any]) -> Any:
    # Inactive lanes hold zeros, which a device divides by without harm and the CPU does not.
    if isinstance(b, torch.Tensor):
        b = torch.where(b == 0, 1, b)
    return function(a, b)


def _chosen(on_tensors: Callable[..., Any], on_integers: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def function(a: Any, b: Any) -> Any:
        if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
            return on_tensors(a, b)
        if isinstance(a, torch.Tensor):
            return on_tensors(a, torch.tensor(b, dtype=a.dtype, device=a.device))
        if isinstance(b, torch.Tensor):
            return on_tensors(torch.tensor(a, dtype=b.dtype, device=b.device), b)
        return on_integers(a, b)

    return function


def _power_of_two(a: Any) -> Any:
    return NextPow2.compute(int(a))


def _where(condition: Any, a: Any, b: Any) -> Any:
    return torch.where(condition, a, b) if isinstance(condition, torch.Tensor) else a if condition else b


_FUNCTIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: lambda a, b: a + b,
    sympy.Mul: lambda a, b: a * b,
    sympy.Pow: lambda a, b: a**b,
    FloorDiv: _floordiv,
    CeilDiv: _ceildiv,
    Mod: _mod,
    Min: _chosen(torch.minimum, min),
    Max: _chosen(torch.maximum, max),
    NextPow2: _power_of_two,
    Eq: lambda a, b: a == b,
    Ne: lambda a, b: a != b,
    Lt: lambda a, b: a < b,
    Le: lambda a, b: a <= b,
    And: _chosen(torch.logical_and, lambda a, b: bool(a and b)),
    Or: _chosen(torch.logical_or, lambda a, b: bool(a or b)),
    Not: lambda a: torch.logical_not(a) if isinstance(a, torch.Tensor) else not a,
    Where: _where,
}
