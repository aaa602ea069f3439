"""Specialization keys: what shares a compiled kernel, and what does not."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import pytest
import torch

from helion_ir import exc, kernel
from helion_ir.runtime.kernel import Kernel
from helion_ir.runtime.specialization import Specializer, device_of

Pair = collections.namedtuple("Pair", ["first", "second"])


@dataclasses.dataclass
class Options:
    scale: float
    name: str


def f(x: torch.Tensor, y: Any, z: float = 2.0) -> torch.Tensor:
    return x


X = torch.ones(4, 8)


def made(scale: float, extra: int | None = None) -> Any:
    def inner(v: torch.Tensor) -> torch.Tensor:
        return v * scale if extra is None else v * extra

    return inner


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 2, True),
        (1, 2.0, False),
        (1, True, False),
        (1.5, 2.5, True),
        (True, False, True),
        ("a", "a", True),
        ("a", "b", False),
        (None, 0, False),
        (torch.float16, torch.bfloat16, False),
        (torch.device("cpu"), torch.device("meta"), False),
        ([1, 2], [3, 4], True),
        ([1, 2], (1, 2), False),
        ([1, 2], [1], False),
        ({"k": 1}, {"k": 5}, True),
        ({"k": 1}, {"j": 1}, False),
        (Pair(1, "a"), Pair(9, "a"), True),
        (Pair(1, "a"), Pair(1, "b"), False),
        (Options(1.0, "a"), Options(2.0, "a"), True),
        (Options(1.0, "a"), Options(1.0, "b"), False),
        (made(2.0), made(3.0), True),
        (made(2.0), made(2), False),
        (made(2.0), made(2.0, 1), False),
        (torch.relu, torch.relu, True),
        (torch.relu, torch.tanh, False),
        (torch.ones(2, 3), torch.zeros(2, 3), True),
        (torch.ones(2, 3), torch.nn.Parameter(torch.zeros(2, 3)), True),
        (torch.ones(2, 3), torch.ones(2, 3, dtype=torch.float64), False),
        (torch.ones(2, 3), torch.ones(2, 4), False),
        (torch.ones(2, 3), torch.ones(3, 2).t(), False),
    ],
)
def test_argument_keys(a: Any, b: Any, same: bool) -> None:
    specializer = Specializer(static_shapes=True, any_index_dtype=True)
    assert (specializer.key(a) == specializer.key(b)) is same
    if same:
        assert hash(specializer.key(a)) == hash(specializer.key(b))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (torch.ones(2, 3), torch.ones(5, 7), True),
        (torch.ones(2, 3), torch.ones(2, 1), True),
        (torch.ones(2, 3), torch.ones(0, 3), True),
        (torch.ones(2, 3), torch.ones(7)[1:].view(2, 3), False),
        (torch.ones(2, 3), torch.ones(3, 2).t(), False),
        (torch.ones(2, 3), torch.ones(2, 3, 4), False),
        (torch.ones(2, 3), torch.ones(2, 3).half(), False),
        (torch.ones(1).expand(3000000000), torch.ones(1).expand(5), False),
    ],
)
def test_dynamic_tensors(a: torch.Tensor, b: torch.Tensor, same: bool) -> None:
    specializer = Specializer(static_shapes=False, any_index_dtype=True)
    assert (specializer.key(a) == specializer.key(b)) is same


def test_the_index_type_is_no_part_of_the_key_where_it_is_given() -> None:
    specializer = Specializer(static_shapes=False, any_index_dtype=False)
    assert specializer.key(torch.ones(1).expand(3000000000)) == specializer.key(torch.ones(1).expand(5))


def test_marked_dimensions_are_static() -> None:
    a, b = torch.ones(2, 3), torch.ones(2, 4)
    torch._dynamo.mark_static(a, 1)
    torch._dynamo.mark_static(b, 1)
    specializer = Specializer(static_shapes=False, any_index_dtype=True)
    assert specializer.key(a) != specializer.key(b)
    assert specializer.key(a) != specializer.key(torch.ones(2, 3))


def test_unsupported_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="a kernel cannot take an argument of type builtins.set"):
        Specializer(static_shapes=True, any_index_dtype=True).key({1})


def test_user_key_and_device() -> None:
    k = kernel(f, key=lambda x, y, z: x.size(0) > 4)
    assert k.specialization_key((X, 1)) == k.specialization_key((X, 3, 5.0))
    keyed = kernel(f, key=lambda x, y, z: y > 4)
    assert keyed.specialization_key((X, 1)) != keyed.specialization_key((X, 5))
    assert device_of([3, {"a": (torch.ones(1, device="meta"), X)}]) == torch.device("meta")
    with pytest.raises(exc.NoTensorArgs, match="no argument of f is a tensor or a torch.device"):
        k.specialization_key((3, 4))


def test_constexpr_parameters_specialize_on_the_value() -> None:
    def g(x: torch.Tensor, n: "hl.constexpr") -> torch.Tensor:  # noqa: F821, UP037  # pyright: ignore
        return x

    k = Kernel(g)
    assert k.specialization_key((X, 4)) != k.specialization_key((X, 8))
    assert k.specialization_key((X, 1)) != k.specialization_key((X, True))


def test_normalize_args() -> None:
    k = kernel(f)
    assert k.normalize_args(X, z=3.0, y=1) == (X, 1, 3.0)
    assert k.normalize_args(X, 1) == (X, 1, 2.0)
    with pytest.raises(TypeError, match="too many arguments to f: it takes 3, 4 were given"):
        k.normalize_args(X, 1, 2, 3)
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        k.normalize_args(X)
    with pytest.raises(TypeError, match="one tuple of arguments, not Tensor"):
        k.bind(X)  # pyright: ignore


def test_the_same_tensor_twice_is_another_kernel() -> None:
    k = kernel(f)
    y = torch.ones(4, 8)
    assert k.specialization_key((X, y)) != k.specialization_key((X, X))
    assert k.specialization_key((y, y)) == k.specialization_key((X, X))
    assert k.specialization_key((X, [y, X])) != k.specialization_key((X, [X, y]))
    assert k.specialization_key((X, [y, y])) != k.specialization_key((X, [y, y.clone()]))
    assert k.specialization_key((X, 2.0, 2.0)) == k.specialization_key((X, 2.0, 3.0))
