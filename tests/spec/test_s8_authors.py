"""Section 8: kernels in the styles that authors write, beyond what each construct needs: templates, closures, tables."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from tests.spec.spec import Item, Section, check_stages, numbers

import helion_ir.language as hl

SECTION = Section("8 As authors write them")
item = functools.partial(SECTION.item, sizes=(5,))  # one tile and a part of one


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item("dtypes as arguments", lambda n: (numbers(n, 6), torch.float16, torch.int32), lambda x, d, i: (x.to(d), x.to(i)))
def dtypes_as_arguments(x, dtype, it):
    out = torch.empty(x.shape, dtype=dtype, device=x.device)
    o2 = torch.empty_like(x, dtype=it)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :].to(dtype)
        o2[t, :] = x[t, :].to(it)
    return out, o2


ACTS = {"relu": torch.relu, "gelu": functools.partial(F.gelu, approximate="tanh")}


@item(
    "a table of functions, a partial among them",
    lambda n: (numbers(n, 6), "gelu"),
    lambda x, n: F.gelu(x, approximate="tanh"),
    tolerance=1e-5,
)
def functions_by_name(x, name: str):
    fn = ACTS[name]
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = fn(x[t, :])
    return out


@item(
    "sum() and functools.reduce over lists of tiles",
    lambda n: ([numbers(n, 6) for _ in range(3)],),
    lambda xs: sum(xs) + xs[0] * xs[1] * xs[2],
)
def sum_and_reduce(xs):
    out = torch.zeros_like(xs[0])
    for t in hl.tile(out.size(0)):
        rows = [x[t, :] for x in xs]
        out[t, :] = sum(rows) + functools.reduce(operator.mul, rows)
    return out


@item("outputs in a list, enumerated on the device", matrix, lambda x: (x * 1.0, x * 2.0, x * 3.0))
def outputs_in_a_list(x):
    outs = [torch.empty_like(x) for _ in range(3)]
    for t in hl.tile(x.size(0)):
        for i, o in enumerate(outs):
            o[t, :] = x[t, :] * (i + 1)
    return tuple(outs)


@item("outputs in a dict", matrix, lambda x: {"a": x + 1, "b": x.sum(1)})
def outputs_in_a_dict(x):
    outs = {"a": torch.empty_like(x), "b": x.new_empty([x.size(0)])}
    for t in hl.tile(x.size(0)):
        outs["a"][t, :] = x[t, :] + 1
        outs["b"][t] = x[t, :].sum(dim=1)
    return outs


class Out(NamedTuple):
    y: torch.Tensor
    lse: torch.Tensor


@item("a NamedTuple of outputs", matrix, lambda x: Out(x * 2, x.logsumexp(1)), tolerance=1e-6)
def a_named_tuple_of_outputs(x):
    y = torch.empty_like(x)
    lse = torch.empty(x.shape[0], dtype=x.dtype, device=x.device)
    for t in hl.tile(x.shape[0]):
        y[t, :] = x[t, :] * 2
        lse[t] = torch.logsumexp(x[t, :], dim=-1)
    return Out(y, lse)


@item("halves of rows, stored by slices", lambda n: (numbers(n, 8),), lambda x: torch.cat([-x[:, 4:], x[:, :4]], 1))
def rotate_half(x):
    out = torch.empty_like(x)
    h = x.size(1) // 2
    for t in hl.tile(x.size(0)):
        out[t, :h] = -x[t, h:]
        out[t, h:] = x[t, :h]
    return out


@item(
    "arguments updated in place, twice",
    lambda n: (numbers(n, 6), numbers(n, 6)),
    lambda x, y: x.add_(y).mul_(2) is None,
)
def in_place(x, y):
    for t in hl.tile(x.size(0)):
        x[t, :] += y[t, :]
        x[t, :] *= 2
    return False


@item(
    "a causal mask of two tiles' indices",
    lambda n: (numbers(n, n),),
    lambda x: x.masked_fill(torch.arange(x.size(0))[:, None] < torch.arange(x.size(0))[None, :], float("-inf")),
)
def causal_mask(x):
    out = torch.empty_like(x)
    for ti, tj in hl.tile(x.size()):
        m = ti.index[:, None] >= tj.index[None, :]
        out[ti, tj] = torch.where(m, x[ti, tj], float("-inf"))
    return out


@item(
    "F.cross_entropy of a tile",
    lambda n: (numbers(n, 6), torch.randint(0, 6, (n,))),
    lambda x, l: F.cross_entropy(x, l, reduction="none"),
    tolerance=1e-5,
)
def cross_entropy(x, l):
    out = x.new_empty(x.size(0))
    for t in hl.tile(x.size(0)):
        out[t] = F.cross_entropy(x[t, :], l[t], reduction="none")
    return out


@item(
    "einsum as a product of tiles",
    lambda n: (numbers(n, 16), numbers(8, 16)),
    lambda x, w: torch.einsum("ik,jk->ij", x, w),
    tolerance=1e-5,
)
def einsum_of_tiles(x, w):
    out = x.new_empty(x.size(0), w.size(0))
    for i, j in hl.tile([x.size(0), w.size(0)]):
        acc = hl.zeros([i, j], dtype=torch.float32)
        for k in hl.tile(x.size(1)):
            acc += torch.einsum("ik,jk->ij", x[i, k], w[j, k])
        out[i, j] = acc
    return out


def relu2(v):
    return torch.relu(v) ** 2


def make(fn, scale):
    def inner(v, *rest):
        return fn(v) * scale

    return inner


@item(
    "a closure that calls another, with *rest",
    lambda n: (numbers(n, 6), make(relu2, 3.0)),
    lambda x, f: torch.relu(x) ** 2 * 3,
)
def closure_in_a_closure(x, f: Callable):
    out = torch.empty_like(x)
    for t in hl.tile(x.size()):
        out[t] = f(x[t])
    return out


@item(
    "a list of functions, applied in turn",
    lambda n: (numbers(n, 6), [torch.relu, lambda v: v + 1, torch.sigmoid]),
    lambda x, fs: torch.sigmoid(torch.relu(x) + 1),
    tolerance=1e-6,
)
def a_list_of_epilogues(x, fs):
    out = torch.empty_like(x)
    for t in hl.tile(x.size()):
        v = x[t]
        for f in fs:
            v = f(v)
        out[t] = v
    return out


def online(m, l, v):
    nm = torch.maximum(m, v.amax(-1))
    return nm, l * torch.exp(m - nm) + torch.exp(v - nm[:, None]).sum(-1)


@item(
    "a helper that returns two values, carried by a loop",
    lambda n: (numbers(n, 11),),
    lambda x: x.logsumexp(-1),
    tolerance=1e-5,
)
def online_logsumexp(x):
    out = x.new_empty(x.size(0))
    for t in hl.tile(x.size(0)):
        m = hl.full([t], float("-inf"), dtype=torch.float32)
        l = hl.zeros([t])
        for k in hl.tile(x.size(1)):
            m, l = online(m, l, x[t, k].masked_fill((k.index >= x.size(1))[None, :], float("-inf")))
        out[t] = m + torch.log(l)
    return out


@item(
    "functions in the kernel that call each other, with defaults",
    lambda n: (numbers(n, 6), 2.0),
    lambda x, s: (x * s + 1) * s,
)
def nested_functions(x, s: float):
    out = torch.empty_like(x)

    def scale(v):
        return v * s

    def both(v, by=1.0):
        return scale(scale(v) + by)

    for t in hl.tile(x.size(0)):
        out[t, :] = both(x[t, :])
    return out


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong
