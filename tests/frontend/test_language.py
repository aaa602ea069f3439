"""The language package by itself: light to import, documented, and of no use outside of kernels."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import helion_ir.language as hl
from helion_ir import exc
from helion_ir.dialects.knob import integers, pow2
from helion_ir.language.fragments import BooleanFragment, EnumFragment, IntegerFragment, PowerOfTwoFragment
from helion_ir.language.numbers import cdiv, next_power_of_2

PUBLIC = [(name, getattr(hl, name)) for name in hl.__all__]


def test_importing_it_loads_neither_torch_nor_sympy() -> None:
    code = "import sys, helion_ir.language; print([m for m in ('torch', 'triton', 'sympy') if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert out.stdout.strip() == "[]", out.stderr


@pytest.mark.parametrize("name, value", PUBLIC, ids=hl.__all__)
def test_everything_public_is_documented(name: str, value: object) -> None:
    assert inspect.getdoc(value), name


CALLS = {
    "zeros": lambda: hl.zeros([4]),
    "tile": lambda: hl.tile(4),
    "atomic_add": lambda: hl.atomic_add(None, [0], 1),  # pyright: ignore
    "dot": lambda: hl.dot(None, None),  # pyright: ignore
    "register_block_size": lambda: hl.register_block_size(4),
    "specialize": lambda: hl.specialize(4),
}


@pytest.mark.parametrize("name", CALLS)
def test_outside_of_a_kernel_functions_say_so(name: str) -> None:
    with pytest.raises(exc.NotInsideKernel, match="inside a kernel only"):
        CALLS[name]()


def test_constexpr_wraps_a_value_outside_of_kernels() -> None:
    assert hl.constexpr(4).value == 4 and hl.constexpr(hl.constexpr(4)) == hl.constexpr(4)
    assert hl.constexpr(4) != hl.constexpr(5) and hash(hl.constexpr(4)) == hash(hl.constexpr(4))


def test_numbers() -> None:
    assert [cdiv(n, 4) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert [next_power_of_2(n) for n in (-3, 0, 1, 2, 3, 64, 65)] == [1, 1, 1, 2, 4, 64, 128]


def test_fragments_say_their_domain_and_default() -> None:
    assert PowerOfTwoFragment(2, 16, 8).domain() == pow2(2, 16) and PowerOfTwoFragment(2, 16, 8).default() == 8
    assert IntegerFragment(3, 5).domain() == integers(3, 5) and IntegerFragment(3, 5).default() == 3
    assert EnumFragment([7, 5]).domain().values == (7, 5) and EnumFragment([7, 5]).default() == 7
    assert BooleanFragment().domain().values == (False, True) and BooleanFragment().default() is False
    for wrong in (
        lambda: PowerOfTwoFragment(3, 8),
        lambda: IntegerFragment(5, 3),
        lambda: PowerOfTwoFragment(1, 8, 16),
    ):
        with pytest.raises(ValueError):
            wrong()
