"""What a function must be to become a kernel."""

from __future__ import annotations

import ast
import functools
from typing import Any

import pytest
import torch

import helion_ir as helion
from helion_ir import exc, kernel
from helion_ir.runtime.definition import check_decorators, check_names

operator = "not the module"


def plain(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x)


def shadows_torch(torch: Any) -> Any:
    return torch


def local_tl(x: torch.Tensor) -> torch.Tensor:
    tl = x
    return tl


def takes_the_launcher(x: torch.Tensor, _launcher: int = 3) -> torch.Tensor:
    return x


def reads_a_global(x: torch.Tensor) -> Any:
    return x, operator


def attribute_only(x: Any) -> Any:
    return x.operator


def made(scale: float) -> Any:
    def inner(v: torch.Tensor) -> torch.Tensor:
        return v * scale

    return inner


def test_parameters_must_be_positional() -> None:
    def varargs(*xs: torch.Tensor) -> None: ...
    def keywords(**xs: torch.Tensor) -> None: ...
    def keyword_only(x: torch.Tensor, *, y: int = 3) -> None: ...

    for bad in (varargs, keywords, keyword_only):
        with pytest.raises(TypeError, match=r"parameter '(xs|y)' of a kernel must be positional"):
            kernel(bad)


def test_functions_only_and_no_closures() -> None:
    with pytest.raises(exc.ClosuresNotSupported, match="inner reads scale of an enclosing function"):
        kernel(made(2.0))
    for bad in (torch.relu, functools.partial(plain), torch.nn.ReLU()):
        with pytest.raises(AssertionError, match="a kernel is made of a Python function, not of"):
            kernel(bad)


@pytest.mark.parametrize(
    ("function", "name"),
    [(shadows_torch, "torch"), (local_tl, "tl"), (takes_the_launcher, "_launcher"), (reads_a_global, "operator")],
)
def test_reserved_names(function: Any, name: str) -> None:
    with pytest.raises(exc.NamingConflict, match=f"generated code needs the name '{name}'"):
        check_names(function)


def test_names_that_are_free() -> None:
    check_names(plain)
    check_names(attribute_only)


@pytest.mark.parametrize(
    ("decorators", "below"),
    [
        ("@functools.cache\n@helion.kernel", None),
        ("@kernel(config={})", None),
        ("@functools.cache", None),
        ("@helion.kernel\n@functools.wraps(plain)", "@functools.wraps(plain)"),
        ("@helion.kernel()\n@functools.cache", "@functools.cache"),
    ],
)
def test_the_kernel_decorator_is_the_innermost(decorators: str, below: str | None) -> None:
    node = ast.parse(f"{decorators}\ndef plain(x): ...").body[0]
    if below is None:
        check_decorators(plain, node, helion.kernel)
        return
    with pytest.raises(exc.DecoratorAfterHelionKernelDecorator) as raised:
        check_decorators(plain, node, helion.kernel)
    assert str(raised.value) == f"{below} of plain stands below the kernel decorator; move it above"


def test_checked_when_bound_and_not_before() -> None:
    k = kernel(local_tl)
    with pytest.raises(exc.NamingConflict):
        k.bind((torch.ones(3),))
