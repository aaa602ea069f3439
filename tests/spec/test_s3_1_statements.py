"""Section 3.1: statements and expressions inside device loops."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.1 Statements and expressions")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item(
    "assignment to names, tuples, subscripts; annotated, augmented; pass; an expression; a string",
    matrix,
    lambda x: (x + 3) * 2 - x + 1,
)
def assignments(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        "a string"
        a, b = x[t, :] + 1, x[t, :]
        (c) = a + 2
        d: torch.Tensor = c * 2
        d -= b
        a, b = b, a
        pass
        torch.exp(a)
        out[t, :] = d
        out[t, :] += 1
    return out


@item(
    "ternary: on what is known, and on a value of the kernel",
    lambda n: (numbers(n, 6), n),
    lambda x, n: x + 1 + (2 if n > 3 else 3),
)
def ternary(x, n):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        k = 1 if x.ndim == 2 else 2
        v = x[t, :] + 2 if n > 3 else x[t, :] + 3
        out[t, :] = v + k
    return out


@item(
    "and, or, not, chained comparisons, of numbers, sizes and scalar tensors",
    lambda n: (numbers(n, 6), n),
    lambda x, n: torch.where((x[:, :1] > 0) & (n > 0) & (n < 8), x, -x),
)
def logic(x, n):
    out = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        first = x[i, 0]
        if first > 0 and 0 < n < 8 and not n == 0:
            out[i, :] = x[i, :]
        else:
            out[i, :] = -x[i, :]
        if not (True or first > 0):
            out[i, :] = 5.0
    return out


@item("Python numbers, tuples, lists, dicts at compile time; list elements assigned", matrix, lambda x: x * 4 + 4)
def python_values(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        pair = (1, 2) + (3,)
        d = {"k": pair[2], **dict(j=1)}
        parts = [x[t, :], x[t, :] * 3]
        parts[0] = parts[0] + d["k"]
        out[t, :] = parts[0] + parts[1] + d["j"]
    return out


@item(
    "comprehensions and generators over compile-time sequences, sum, len, abs, round, divmod, math",
    matrix,
    lambda x: x * 6 + 12,
)
def comprehensions(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        parts = [x[t, :] * i for i in (1, 2, 3)]
        total = sum(p for p in parts)
        d = {k: v for k, v in zip("ab", (1, 2))}
        q, r = divmod(7, 4)
        k = len(parts) + abs(-2) + round(1.4) + int(math.floor(2.5)) + q + r - d["b"] + d["a"] + int(float("1"))
        out[t, :] = total + k
    return out


def add_all(*parts: Any, scale: float = 1.0) -> Any:
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return total * scale


@item("*args and **kwargs of a call", matrix, lambda x: (x * 2 + 1) * 2)
def starred(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        args, kw = (x[t, :], x[t, :], 1), {"scale": 2.0}
        out[t, :] = add_all(*args, **kw)
    return out


@item(
    "isinstance, is None, dtype and string comparisons decide at compile time",
    lambda n: (numbers(n, 6), None, "double"),
    lambda x, y, mode: x * 2,
)
def known(x, y, mode):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        if y is not None:
            v = v + y[t, :]
        if mode == "double" and v.dtype == torch.float32 and isinstance(v, torch.Tensor):
            v = v * 2
        elif mode in ("a", "b"):
            v = v + nothing  # noqa: F821
        out[t, :] = v
    return out


@item(
    "min and max of numbers, sizes and scalar tensors",
    lambda n: (numbers(n, 6), 3),
    lambda x, k: x + min(x.size(0), 5) + max(k, 2) + torch.minimum(x[:, :1], torch.tensor(1.0)),
)
def extrema(x, k):
    out = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        out[i, :] = x[i, :] + min(x.size(0), 5) + max(k, 2) + min(x[i, 0], 1.0)
    return out


@item("int(), float() and bool() of numbers; an f-string as a value", matrix, lambda x: x + 3)
def conversions(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        name = f"a{int(2.5)}"
        k = {"a2": 2}[name] + int(bool(1)) + float("0")
        out[t, :] = x[t, :] + k
    return out


class Pair(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


@item(
    "fields of a NamedTuple argument inside of the loop",
    lambda n: (Pair(numbers(n, 6), numbers(n, 6)),),
    lambda p: p.a + p.b,
)
def fields(p):
    out = torch.empty_like(p.a)
    for t in hl.tile(out.size(0)):
        out[t, :] = p.a[t, :] + p.b[t, :]
    return out


@item(
    "methods in place on device values rebind them and never write memory", matrix, lambda x: (x + 1).clamp(-2, 2) * 2
)
def in_place(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :] + 0
        v.add_(1).clamp_(-2, 2)
        v *= 2
        w = v.clone()
        w.fill_(9)
        w.copy_(v)
        w.zero_()
        out[t, :] = v
    return out


@item(
    "named results of sort, topk, max unpacked, and by field",
    matrix,
    lambda x: torch.sort(x, dim=1, stable=True).values + x.max(1).values[:, None],
)
def named_results(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v, i = torch.sort(x[t, :], dim=1)
        m = x[t, :].max(1).values
        out[t, :] = v + m[:, None]
    return out


@item("in, not in, of compile-time values", matrix, lambda x: x + 1)
def membership(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        k = 1 if 3 in (1, 2, 3) and 7 not in [1] else 5
        out[t, :] = x[t, :] + k
    return out


# ---- refusals ----


@refuses(
    "a = b = value",
    exc.AssignmentMultipleTargets,
    "Device code assigns to one target a statement; split `a = b = value` in two.",
)
def two_targets(x):
    for t in hl.tile(x.size(0)):
        a = b = x[t, :]  # here
        x[t, :] = a + b


@refuses("nested targets", exc.FailedToUnpackTupleAssign, "2 variables for 3 values")
def wrong_arity(x):
    for t in hl.tile(x.size(0)):
        a, b = 1, 2, 3  # here
        x[t, :] = a + b


@refuses(
    "a starred target",
    exc.StarredArgsNotSupportedOnDevice,
    "Starred targets are not supported in device code; unpack to names.",
)
def starred_target(x):
    for t in hl.tile(x.size(0)):
        a, *_b = 1, 2, 3  # here
        x[t, :] = a


@refuses(
    "an attribute as a target",
    exc.InvalidAssignment,
    "Device code can assign to a name, a flat tuple of names, or a subscript of a host tensor.",
)
def attribute_target(x):
    for t in hl.tile(x.size(0)):
        x.a = 3  # here
        x[t, :] = 1


@refuses("None where a tensor is needed", exc.TypeInferenceError, "TypeError: 'NoneType' object is not subscriptable")
def none_subscripted(x, bias=None):
    for t in hl.tile(x.size(0)):
        x[t, :] += bias[t, :]  # here


@refuses("a key that a dict has not", exc.TypeInferenceError, "KeyError: 'b'")
def wrong_key(x):
    named = {"a": x}
    for t in hl.tile(x.size(0)):
        x[t, :] += named["b"][t, :]  # here


@refuses(
    "a keyword that a function has not",
    exc.TypeInferenceError,
    "TypeError: tile() got an unexpected keyword argument 'blocksize'",
)
def wrong_keyword(x):
    for t in hl.tile(x.size(0), blocksize=4):  # here
        x[t, :] += 1


@refuses(
    "a value of the kernel in an f-string",
    exc.TypeInferenceError,
    "a value of the kernel is not known while it is compiled, so it cannot be a part of a string; print shows values "
    'after a literal string: print("name", value)',
)
def formats(x):
    for t in hl.tile(x.size(0)):
        print(f"row {x[t, :]}")  # here
        x[t, :] += 1


def lost(method: str, tensor: str, instead: str) -> str:
    return (
        f"`{method}` changes the tile that was loaded and not the tensor '{tensor}', and nothing uses the tile "
        f"afterwards; to change the tensor write `{tensor}[...] = {instead}`"
    )


@refuses("copy_ to a loaded tile that is dropped", exc.NotAllowedOnDevice, lost("copy_", "out", "the value"))
def copy_dropped(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :].copy_(x[t, :])  # here
        x[t, :] = 1


@refuses("add_ to a named tile that nothing uses", exc.NotAllowedOnDevice, lost("add_", "x", "x[...].add(...)"))
def addition_dropped(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        out[t, :] = v
        v.add_(1)  # here


@refuses("a chain of methods in place", exc.NotAllowedOnDevice, lost("mul_", "x", "x[...].mul(...)"))
def chain_dropped(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :]
        y = x[t, :].add_(1).mul_(2)  # here  # noqa: F841


@refuses("out= a loaded tile", exc.NotAllowedOnDevice, lost("exp(..., out=...)", "x", "exp(...)"))
def out_dropped(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :]
        torch.exp(out[t, :], out=x[t, :])  # here


@refuses("a function in place", exc.NotAllowedOnDevice, lost("relu_", "x", "x[...].relu(...)"))
def function_dropped(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :]
        torch.relu_(x[t, :])  # here


@refuses(
    ".item() of a value of the kernel",
    exc.NotAllowedOnDevice,
    "`.item()` asks for a number of Python's, and a value of the kernel is none while the kernel is compiled. Use the "
    "value itself: a scalar of the kernel, such as x[i, 0] or x[t].sum(), may stand in arithmetic, conditions, subscripts "
    "and bounds of loops; or call `.item()` on the host, before the loop",
)
def item_on_device(x):
    for i in hl.grid(x.size(0)):
        first = x[i, 0].item()  # here
        x[i, :] *= first


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
