"""Section 2: host code, what runs around the device loops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from tests.spec.spec import Item, Section, check_stages, numbers

import helion_ir as helion
import helion_ir.language as hl

SECTION = Section("2 Host code")
item = SECTION.item

SCALE = 3
BIAS = torch.arange(6.0) - 2.5


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


def doubled(x: torch.Tensor) -> torch.Tensor:
    return x * 2


# ---- 2.2 statements and expressions ----


@item("2.2 assignment: chained, tuple and starred unpacking, annotated, augmented, walrus", matrix, doubled)
def assignments(x):
    p = q = x.size(0)
    a, *rest = x.size()
    b: int = rest[0]
    b += 1
    out = torch.empty([p, (w := b - 1)], dtype=x.dtype)
    for t in hl.tile(q):
        out[t, :] = x[t, :] * (a - p + w - 4)
    return out


@item(
    "2.2 if, elif, else and ternary, on what is known and on what only a call says",
    lambda n: (numbers(n, 6), n > 3),
    lambda x, flag: x * (2 if flag else 3),
)
def host_if(x, flag):
    if x.ndim == 3:
        raise ValueError("no cubes")
    elif x.dtype == torch.float32:
        out = torch.empty_like(x)
    else:
        out = None
    factor = 2 if flag else 3
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * factor
    return out


@item("2.2 for and while without a device loop", matrix, lambda x: x + 6)
def host_loops(x):
    total = 0
    for i in range(3):
        total += i
    n = 0
    while n < 3:
        n += 1
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + (total + n)
    return out


@item("2.2 assert and a raise that is not reached", matrix, doubled)
def host_assert(x):
    assert x.ndim == 2, "two dimensions"
    if x.size(1) > 100:
        raise ValueError("too wide")
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * 2
    return out


@item("2.2 early return", matrix, lambda x: x if x.size(0) == 0 else x * 2, dynamic="returns by the size")
def early_return(x):
    if x.size(0) == 0:
        return x
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * 2
    return out


@item("2.2 try, except, finally", matrix, lambda x: x + 1)
def host_try(x):
    try:
        k = int("seven")
    except ValueError:
        k = 1
    finally:
        done = True
    assert done
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + k
    return out


@item("2.2 comprehensions, f-strings, builtins and math", matrix, lambda x: x + 11)
def host_builtins(x):
    sizes = [s for s in x.size()]
    named = {f"d{i}": s for i, s in enumerate(sizes)}
    k = max(len(sizes), 2) + min(3, 4) + abs(-1) + int(2.0) + sum(i for i in range(3)) + int(math.sqrt(0.0))
    assert isinstance(named["d1"], int) and bool(1)
    out = torch.empty(list(named.values()), dtype=x.dtype)
    for t in hl.tile(sizes[0]):
        out[t, :] = x[t, :] + k
    return out


def weight_of(x: torch.Tensor) -> torch.Tensor:
    return x.sum(0) + 1


@item("2.2 a call of an ordinary function on tensors", matrix, lambda x: x * weight_of(x))
def host_call(x):
    w = weight_of(x)
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * w[None, :]
    return out


@item("2.2 a function defined in the kernel, and a lambda", matrix, lambda x: x * 2 + 1)
def host_def(x):
    def twice(v):
        return v * 2

    plus = lambda v: v + 1  # noqa: E731
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = plus(twice(x[t, :]))
    return out


# ---- 2.3 tensors on the host ----


@item(
    "2.3 any operation on tensors, views, integer indexing",
    lambda n: (numbers(n, 3, 6),),
    lambda x: x[:, 1].t() + x[:, 2].t(),
)
def host_views(x):
    middle = x[:, 1].t()
    out = torch.empty_like(middle)
    last = x.permute(1, 2, 0)[2]
    for t in hl.tile(x.size(0)):
        out[:, t] = middle[:, t] + last[:, t]
    return out


@item(
    "2.3 writes in place on the host", matrix, lambda x: torch.cat([torch.full_like(x[:1], 5), x[1:] + 7])[: x.size(0)]
)
def host_in_place(x):
    out = torch.empty_like(x)
    out.fill_(7)
    for t in hl.tile(x.size(0)):
        out[t, :] += x[t, :]
    out[:1] = 5
    return out


@item(
    "2.3 return of any structure: tensors, numbers, strings, dtypes, None, tuples, lists, dicts, operations",
    matrix,
    lambda x: ((x * 2).sum(0), {"n": x.size(0), "d": x.dtype}, [None, "s", 2.5], (x * 2)[:1]),
)
def structures(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * 2
    return out.sum(0), {"n": x.size(0), "d": x.dtype}, [None, "s", 2.5], out[:1]


@item("2.3 no return", matrix, lambda x: x.mul_(2) and None if x.numel() == 1 else [x.mul_(2), None][1])
def no_return(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :] * 2


@item(
    "2.3 t.item() as a bound, in device code and in an if; int() and float() of it",
    lambda n: (numbers(11, 6), torch.tensor(n), torch.tensor(1.5)),
    lambda x, n, f: torch.where(torch.arange(11)[:, None] < n, x * 1.5 + n, -7.0),
)
def host_item(x, n, f):
    out = torch.full_like(x, -7.0)
    count = n.item()
    scale = float(f.item())
    for t in hl.tile(count):
        if count > 0:
            out[t, :] = x[t, :] * scale + int(count)
    return out


@item(
    "2.3 shape, stride, numel, ndim, len, dtype, device, is_contiguous on host and device",
    matrix,
    lambda x: x + x.numel() + 6 + 2 + x.size(0) + 1,
)
def about_tensors(x):
    assert x.is_contiguous() and x.device == x.device and not x.is_cuda
    out = torch.empty_like(x)
    for t in hl.tile(len(x)):
        extra = x.numel() + x.stride(0) + x.ndim + x.shape[0] + x.stride()[1]
        out[t, :] = x[t, :].to(x.dtype) + extra
    return out


@item("2.3 a factory without device gets that of the first tensor", matrix, lambda x: x + 1)
def factories(x):
    ones = torch.ones(x.size(1))
    out = torch.empty(x.shape)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + ones[None, :]
    return out


@item(
    "2.3 t.item() again and again: in comprehensions, loops and helpers",
    lambda n: (numbers(n, 6), [torch.tensor(2), torch.tensor(5)], [torch.tensor(1.5), torch.tensor(2.5)]),
    lambda x, ks, fs: x * 2 + 5 + 7 + 14 + x * 1.5 + 2.5,
)
def items(x, ks, fs):
    numbers_ = [k.item() for k in ks]
    floats = [f.item() for f in fs]
    total = 0
    for k in ks:
        total += k.item()
    twice = 2 * (ks[0] + ks[1]).sum().item()
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * numbers_[0] + numbers_[1] + total + twice + x[t, :] * floats[0] + floats[1]
    return out


@item(
    "2.3 t.tolist(): bounds, device code, of one and two dimensions",
    lambda n: (numbers(n, 6), torch.tensor([0, min(n, 2), n]), torch.tensor([[1.5, 2.5], [3.5, 4.5]])),
    lambda x, o, w: torch.cat([x[: o[1]] * 1.5 + 4.5, x[o[1] :] + 5 + x.size(0)]),
)
def lists(x, offsets, w):
    begin, middle, end = offsets.tolist()
    table = w.tolist()
    more = [a + b for a, b in zip(offsets.tolist(), [3, 4, 5])]
    out = torch.empty_like(x)
    for t in hl.tile(begin, middle):
        out[t, :] = x[t, :] * table[0][0] + table[1][1]
    for t in hl.tile(middle, end):
        out[t, :] = x[t, :] + more[2]
    return out


# ---- 2.4 placement ----


@item("2.4 several device loops in one launch, host code after them", matrix, lambda x: (x + 1, x.sum(1) * 2))
def two_roots(x):
    a = torch.empty_like(x)
    b = torch.empty([x.size(0)], dtype=x.dtype)
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :] + 1
    for t in hl.tile(x.size(0)):
        b[t] = x[t, :].sum(1)
    doubled = b * 2
    return a, doubled


@item(
    "2.4 a device loop that depends on an earlier one: reads what it writes, writes what it reads",
    lambda n: (numbers(n, 6), numbers(n, 6)),
    lambda x, y: [(x + 1).flip(0) * 2, y.copy_(x * 3)][0],
)
def dependent_roots(x, y):
    a, b = torch.empty_like(x), torch.empty_like(x)
    n = x.size(0)
    for t in hl.tile(n):
        a[t, :] = x[t, :] + 1 + y[t, :] * 0
    for t in hl.tile(n):
        b[t, :] = a[n - 1 - t.index, :] * 2
        y[t, :] = x[t, :] * 3
    return b


@item("2.4 hl.barrier", matrix, lambda x: (x + 1).flip(0) * 2)
def barrier(x):
    a = torch.empty_like(x)
    b = torch.empty_like(x)
    n = x.size(0)
    for t in hl.tile(n):
        a[t, :] = x[t, :] + 1
    hl.barrier()
    for t in hl.tile(n):
        b[t, :] = a[n - 1 - t.index, :] * 2
    hl.barrier()
    return b


# ---- 2.5 globals, closures, helpers ----


@item("2.5 globals: numbers and tensors of the module", matrix, lambda x: x * 3 + BIAS)
def reads_globals(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * SCALE + BIAS[None, :]
    return out


def load_and_add(x: Any, tile: Any, by: float = 1.0) -> torch.Tensor:
    total = hl.zeros([tile, x.size(1)])
    for _ in range(2):
        total = total + x[tile, :] * by
    return total


@item(
    "2.5 a helper called on the device: loops, subscripts of host tensors, defaults, keywords", matrix, lambda x: x * 4
)
def helper(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = load_and_add(x, t) + load_and_add(x, tile=t, by=1.0)
    return out


def epilogue_with(b: torch.Tensor, c: float) -> Any:
    return lambda v, t: v * c + b[t][:, None]


@item(
    "2.5 functions as arguments: lambdas with closures over numbers and tensors",
    lambda n: (numbers(n, 6), epilogue_with(torch.arange(float(n)), 2.5)),
    lambda x, f: x * 2.5 + torch.arange(float(x.size(0)))[:, None],
    dynamic="the closure's tensor changes with the size",
)
def epilogue(x, fn):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = fn(x[t, :], t)
    return out


@item("2.5 torch functions as arguments", lambda n: (numbers(n, 6), torch.sigmoid), lambda x, f: f(x), tolerance=1e-6)
def function_argument(x, fn):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = fn(x[t, :])
    return out


class Pair(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


@item(
    "2.5 containers as arguments: lists, tuples, dicts, NamedTuples",
    lambda n: ([numbers(n, 6), 2.0], Pair(numbers(n, 6), numbers(n, 6)), {"k": numbers(n, 6)}),
    lambda xs, p, d: xs[0] * xs[1] + p.a - p.b + d["k"],
)
def containers(xs, p, d):
    out = torch.empty_like(xs[0])
    x, scale = xs
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * scale + p.a[t, :] - p.b[t, :] + d["k"][t, :]
    return out


@dataclass(eq=False)
class Layer:
    w: torch.Tensor
    factor: float
    others: list[torch.Tensor]
    activation: str = "relu"

    def scaled(self, v: torch.Tensor) -> torch.Tensor:
        return v * self.factor


@item(
    "2.5 dataclasses as arguments, with their methods",
    lambda n: (Layer(numbers(n, 6), 1.5, [numbers(n, 6), numbers(n, 6)]),),
    lambda p: torch.relu(p.w) * 1.5 + p.others[0] - p.others[1],
)
def dataclasses_as_arguments(p):
    out = torch.empty_like(p.w)
    for t in hl.tile(p.w.size(0)):
        v = p.w[t, :]
        if p.activation == "relu":
            v = torch.relu(v)
        out[t, :] = p.scaled(v) + p.others[0][t, :] - p.others[1][t, :]
    return out


@item(
    "2.5 bools as arguments: their if is in the kernel",
    lambda n: (numbers(n, 6), n > 3, n < 5),
    lambda x, a, b: x + (1 if a and not b else 0) - (2 if not a or b else 0),
)
def bools(x, a, b):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        if a and not b:
            v = v + 1
        if not a or b:
            v = v - 2
        out[t, :] = v
    return out


# ---- 2.6 hl.specialize, 1.6 constexpr ----


@item(
    "2.6 hl.specialize of sizes, lists of them and integer arguments",
    lambda n: (numbers(n, 6), 3),
    lambda x, k: x * 6 + 3,
)
def specializes(x, k):
    m = hl.specialize(x.size(1))
    (k2,) = hl.specialize([k])
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        row = hl.zeros([t, m]) + k2
        for _ in hl.static_range(m):
            row = row + x[t, :]
        out[t, :] = row
    return out


@item(
    "1.6 constexpr: by annotation, by hl.constexpr in the call",
    lambda n: (numbers(n, 6), 2, hl.constexpr(3)),
    lambda x, a, b: x * 5,
)
def constexprs(x, a: hl.constexpr, b):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = hl.zeros([t, 6])
        for _ in hl.static_range(a):
            v = v + x[t, :]
        if b == 3:
            v = v + x[t, :] * b
        out[t, :] = v
    return out


@item("1.1 helion.cdiv and next_power_of_2 on the host", matrix, lambda x: x * -(-x.size(0) // 4) + 8)
def host_numbers(x):
    k = helion.cdiv(x.size(0), 4)
    p = helion.next_power_of_2(x.size(1))
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * k + p
    return out


def quotients(n, q):
    """What `signs` adds, in Python."""
    least = min(q // 2, 3) + helion.cdiv(q, 3) * 10 + (q - 7) % 5 * 100 + (n - 7) // 2 * 0.5
    return least + sum(range(-q % 4)) + (1000 if q % 3 == 1 else 2000)


@item(
    "2.1 quotients and remainders of integers that may be negative have Python's signs: in arithmetic, bounds, subscripts",
    lambda n: (numbers(n, 6), 3 - 2 * n),
    lambda x, q: x[:, q % 6] + quotients(x.size(0), q),
)
def signs(x, q):
    n = x.size(0)
    out = torch.empty([n])
    for t in hl.tile(n):
        v = x[t, q % 6] + min(q // 2, 3) + helion.cdiv(q, 3) * 10 + (q - 7) % 5 * 100 + (n - 7) // 2 * 0.5
        for i in range(-q % 4):
            v = v + i
        if q % 3 == 1:
            v = v + 1000
        else:
            v = v + 2000
        out[t] = v
    return out


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong
