"""Sections 3.15 to 3.18: tunables, inline code, stack tensors, debugging."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.autotuner import BooleanFragment, EnumFragment, IntegerFragment, ListOf, PowerOfTwoFragment

SECTION = Section("3.15 Tunables, 3.16 Inline code, 3.17 StackTensor, 3.18 Debugging")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item("register_block_size(max) and (min, max): in loops, shapes, host arithmetic", matrix, lambda x: (x + 1, x.sum(1)))
def registered(x):
    n = x.size(0)
    bs = hl.register_block_size(1, 64)
    count = helion.cdiv(n, bs)
    out, parts = torch.empty_like(x), torch.empty([n])
    assert count * bs >= n
    for t in hl.tile(n, block_size=bs):
        out[t, :] = x[t, :] + hl.full([bs, 6], 1)
    for t in hl.tile(n, block_size=bs):
        parts[t] = x[t, :].sum(1)
    return out, parts


@item(
    "register_tunable of every fragment, in shapes, branches, block sizes, arithmetic",
    matrix,
    lambda x: x * 2 + 3 + 8,
    knobs={"k": 3, "flag": True},
)
def tunables(x):
    p = hl.register_tunable("p", PowerOfTwoFragment(1, 64, default=8))
    k = hl.register_tunable("k", IntegerFragment(1, 5, 2))
    e = hl.register_tunable("e", EnumFragment((4, 2)))
    flag = hl.register_tunable("flag", BooleanFragment())
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0), block_size=e):
        v = x[t, :] + p
        if flag:
            v = v + x[t, :]
        else:
            v = v * 100
        out[t, :] = v + hl.full([t, 6], 1) * k
    return out


@item(
    "register_tunable of floats: in device arithmetic and branches, in host arithmetic",
    matrix,
    lambda x: x * 2.5 + 5.0 + 1e-05 * x + 1,
    knobs={"scale": 2.5},
    tolerance=1e-6,
)
def float_tunables(x):
    scale = hl.register_tunable("scale", EnumFragment((1.0, 2.5, 7)))
    twice = scale * 2
    small = hl.register_tunable("small", EnumFragment(choices=(1e-05, 0.5)))
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :] * scale + twice + small * x[t, :]
        if scale > 2:
            v = v + 1
        out[t, :] = v
    return out


@refuses(
    "a decision of the host on a float tunable",
    exc.ShapeSpecializingCall,
    "the host decides on the tunable f, which only a configuration fixes; decide in the device loop",
)
def decides_on_tunable(x):
    f = hl.register_tunable("f", EnumFragment((2.5, 1.0)))
    if f > 2:  # here
        x = x * 2
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] * f


@refuses(
    "tunables that are strings",
    exc.TunableTypeNotSupported,
    "the values of a tunable must be numbers or bools",
)
def other_tunables(x):
    f = hl.register_tunable("f", EnumFragment(("a", "b")))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] * f


@refuses(
    "register_tunable with a name that is not a string",
    exc.RegisterTunableArgTypes,
    "hl.register_tunable takes a string literal and a fragment.",
)
def not_a_name(x):
    k = hl.register_tunable(3, PowerOfTwoFragment(1, 4))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@refuses(
    "register_tunable without a fragment",
    exc.TunableTypeNotSupported,
    "hl.register_tunable takes a fragment constructed in the call, such as PowerOfTwoFragment(1, 64).",
)
def not_a_fragment(x):
    k = hl.register_tunable("k", 4)  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@refuses(
    "register_tunable with a list",
    exc.TunableTypeNotSupported,
    "hl.register_tunable takes a fragment constructed in the call, such as PowerOfTwoFragment(1, 64).",
)
def list_fragment(x):
    k = hl.register_tunable("k", ListOf(PowerOfTwoFragment(1, 4), 2))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@refuses(
    "a tunable with the name of a field of Config",
    exc.TunableNameConflict,
    "'num_warps' is a field of Config; give the tunable another name",
)
def field_name(x):
    k = hl.register_tunable("num_warps", PowerOfTwoFragment(1, 4))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@refuses(
    "a tunable with the singular name of a field",
    exc.TunableNameConflict,
    "'block_size' is a field of Config; give the tunable another name",
)
def singular_name(x):
    k = hl.register_tunable("block_size", PowerOfTwoFragment(1, 4))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = k


@refuses("a name twice", exc.TunableNameConflict, "there is another tunable named 'a'")
def twice(x):
    a = hl.register_tunable("a", PowerOfTwoFragment(1, 4))
    b = hl.register_tunable("a", PowerOfTwoFragment(1, 8))  # here
    for t in hl.tile(x.size(0)):
        x[t, :] = a + b


@refuses(
    "print without a literal prefix",
    exc.InvalidAPIUsage,
    "the first argument of a print in device code is a string of ASCII characters",
)
def prints(x):
    for t in hl.tile(x.size(0)):
        print(x[t, :])  # here
        x[t, :] = 1


@refuses(
    "print of a size",
    exc.InvalidAPIUsage,
    "a print in device code shows device tensors, not str; put constants into the string",
    args=(torch.ones(11, 6), 3),
)
def prints_size(x, k):
    for t in hl.tile(x.size(0)):
        print("k", "text")  # here
        x[t, :] = 1


@refuses(
    "inline_triton without a result",
    exc.InvalidAPIUsage,
    "the last line of inline source with an output_like must be an expression, the result",
)
def no_result(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.inline_triton("y = 1", (), x[t, :])  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
