"""Section 3.2: loops and branches."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.2 Loops")
item, refuses = SECTION.item, SECTION.refuses


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


def square(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, n + 2),)


def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@item(
    "hl.tile(end), hl.tile([…]), x.size(): a tuple of tiles by name or unpacked",
    square,
    lambda x: (x * 2, x + 1, x - 1),
)
def forms(x):
    a, b, c = torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size()):
        a[t] = x[t] * 2
    for i, j in hl.tile([x.size(0), x.size(1)]):
        b[i, j] = x[i, j] + 1
    for t in hl.tile(x.shape):
        c[t[0], t[1]] = x[t] - 1
    return a, b, c


@item("a list of one bound", matrix, double)
def one_bound(x):
    out = torch.empty_like(x)
    for (t,) in hl.tile([x.size(0)]):
        for s in hl.tile([x.size(1)]):
            out[t, s] = x[t, s] * 2
    return out


@item(
    "hl.tile(begin, end), scalars and lists, zero trips",
    lambda n: (numbers(n + 1, n + 2),),
    lambda x: (torch.cat([torch.full_like(x[:1], 7), x[1:] * 2])[: x.size(0)], x + 1),
)
def begin_end(x):
    a, b = torch.full_like(x, 7), torch.empty_like(x)
    n = x.size(0)
    for t in hl.tile(1, n):
        a[t, :] = x[t, :] * 2
    for i, j in hl.tile([0, 0], [n, x.size(1)]):
        b[i, j] = x[i, j] + 1
    return a, b


@item(
    "block_size: an int, None in a list, a registered size, an expression of sizes",
    lambda n: (numbers(n, 11),),
    lambda x: (x * 2, x.sum(1), x + 1, x - 1),
)
def block_sizes(x):
    n, m = x.size()
    bs = hl.register_block_size(n)
    ch = helion.next_power_of_2(helion.cdiv(11, 4))
    a, b, c, d = torch.empty_like(x), torch.empty_like(x[:, 0]), torch.empty_like(x), torch.empty_like(x)
    for i, j in hl.tile([n, m], block_size=[None, 8]):
        a[i, j] = x[i, j] * 2
    for i in hl.tile(n, block_size=bs):
        acc = hl.zeros([i])
        for j in hl.tile(m, block_size=ch):
            acc = acc + x[i, j].sum(1)
        b[i] = acc
    for i in hl.tile(n, block_size=bs):
        for j in hl.tile(m, block_size=1):
            c[i, j] = x[i, j] + 1
    for i in hl.tile(0, n, 2):
        d[i, :] = x[i, :] - 1
    return a, b, c, d


@item("hl.tile(outer.begin, outer.end) inside of a tile", lambda n: (numbers(n, 6),), lambda x: x.sum(0))
def inside(x):
    parts = torch.zeros([helion.cdiv(x.size(0), 8), x.size(1)])
    for outer in hl.tile(x.size(0), block_size=8):
        acc = hl.zeros([x.size(1)])
        for t in hl.tile(outer.begin, outer.end):
            acc = acc + x[t, :].sum(0)
        parts[outer.id, :] = acc
    return parts.sum(0)


@item(
    "bounds that are values of the kernel, in an inner loop",
    lambda n: (numbers(5, n), whole(5, low=0, high=n + 1)),
    lambda x, e: torch.where(torch.arange(x.size(1)) < e[:, None], x, 0.0).sum(1),
)
def data_bounds(x, ends):
    out = torch.empty([x.size(0)])
    for i in hl.grid(x.size(0)):
        acc = hl.zeros([])
        for j in hl.tile(0, ends[i]):
            acc = acc + x[i, j].sum()
        out[i] = acc
    return out


@item(
    "bounds that are values of the kernel, in a root loop",
    lambda n: (numbers(11, 6), torch.tensor([n], dtype=torch.int32)),
    lambda x, e: torch.where(torch.arange(11)[:, None] < e, x * 2, -7.0),
)
def data_root(x, end):
    out = torch.full_like(x, -7.0)
    for t in hl.tile(end[0]):
        out[t, :] = x[t, :] * 2
    return out


@item(
    "hl.grid: root, nested, lists, begin, step",
    lambda n: (numbers(n, 6),),
    lambda x: (x * 2, x.sum(1), x[:, 1::2].sum(1)),
)
def grids(x):
    n, m = x.size()
    a, b, c = torch.empty_like(x), torch.empty_like(x[:, 0]), torch.empty_like(x[:, 0])
    for i, j in hl.grid([n, m]):
        a[i, j] = x[i, j] * 2
    for i in hl.grid(n):
        acc = hl.zeros([])
        for j in hl.grid(0, m):
            acc = acc + x[i, j]
        b[i] = acc
    for i in hl.grid(n):
        acc = hl.zeros([])
        for j in hl.grid(1, m, step=2):
            acc = acc + x[i, j]
        c[i] = acc
    return a, b, c


@item(
    "hl.grid: arithmetic and comparisons of the index",
    lambda n: (numbers(n, 6),),
    lambda x: (
        torch.cat([x[:1] * 0, x[:-1] + torch.arange(1.0, x.size(0))[:, None] * 2])[: x.size(0)] if x.size(0) else x
    ),
)
def grid_index(x):
    out = torch.zeros_like(x)
    for i in hl.grid(x.size(0)):
        if i >= 1:
            out[i, :] = x[i - 1, :] + i * 2
    return out


@item(
    "range: stop, start, negative and constant steps, of sizes and of values of the kernel",
    lambda n: (numbers(n, 6), whole(n, low=0, high=7)),
    lambda x, e: (x.sum(1), x[:, 5] + x[:, 3] + x[:, 1], torch.where(torch.arange(6) < e[:, None], x, 0.0).sum(1)),
)
def ranges(x, e):
    n = x.size(0)
    a, b, c = torch.empty([n]), torch.empty([n]), torch.empty([n])
    for t in hl.tile(n):
        acc = hl.zeros([t])
        for j in range(x.size(1)):
            acc = acc + x[t, j]
        a[t] = acc
        acc = hl.zeros([t])
        for j in range(5, 0, -2):
            acc = acc + x[t, j]
        b[t] = acc
    for i in hl.grid(n):
        acc = hl.zeros([])
        for j in range(e[i]):
            acc = acc + x[i, j]
        c[i] = acc
    return a, b, c


@item(
    "sequences, zip, enumerate: unrolled; elements are tensors, numbers, strings",
    lambda n: (numbers(n, 6), [numbers(n, 6), numbers(n, 6)]),
    lambda x, ys: x * 6 + ys[0] + ys[1] * 2 + 3,
)
def sequences(x, ys):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        acc = hl.zeros([t, 6])
        for k in (1, 2, 3):
            acc = acc + x[t, :] * k
        for y, s in zip(ys, [1, 2]):
            acc = acc + y[t, :] * s
        for i, name in enumerate(["a", "b"], start=1):
            acc = acc + (i if name == "a" else i)
        out[t, :] = acc
    return out


@item("hl.static_range: unrolled, with a Python int", matrix, lambda x: x[:, :4] * torch.tensor([1.0, 3, 5, 7]))
def static_ranges(x):
    out = torch.empty([x.size(0), 4])
    for t in hl.tile(x.size(0)):
        parts = [1, 3, 5, 7]
        for i in hl.static_range(4):
            out[t, i] = x[t, i] * parts[i]
        for i in hl.static_range(3, 1, -1):
            out[t, i] = x[t, i] * parts[i]
    return out


@item(
    "hl.jagged_tile",
    lambda n: (numbers(7, 9), whole(7, low=0, high=min(n, 9) + 1)),
    lambda x, k: torch.where(torch.arange(9) < k[:, None], x, 0.0).sum(1),
    sizes=(0, 1, 3, 4, 5, 9),
)
def jagged(x, lengths):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        n = lengths[t]
        acc = hl.zeros([t])
        for j in hl.jagged_tile(n):
            acc = acc + x[t, j].sum(1)
        out[t] = acc
    return out


@item(
    "hl.jagged_tile of an expression",
    lambda n: (numbers(7, 9), whole(7, low=0, high=min(n, 9) + 1)),
    lambda x, k: torch.where(torch.arange(9) < k[:, None], x + 1, 0.0).sum(1),
    sizes=(0, 9),
)
def jagged_expression(x, lengths):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        acc = hl.zeros([t])
        for j in hl.jagged_tile(lengths[t]):
            acc = acc + (x[t, j] + 1).sum(1)
        out[t] = acc
    return out


def collatz(n: int) -> int:
    steps = 0
    while n > 1:
        n, steps = (n // 2 if n % 2 == 0 else 3 * n + 1), steps + 1
    return steps


@item(
    "while with a tensor condition; counters that are tensors or literal ints",
    lambda n: (whole(n, high=20),),
    lambda x: torch.tensor([collatz(int(v)) + 3 for v in x], dtype=torch.int32),
)
def whiles(x):
    out = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        v = x[i]
        steps = hl.zeros([], dtype=torch.int32)
        while v > 1:
            v = torch.where(v % 2 == 0, v // 2, 3 * v + 1)
            steps = steps + 1
        k = 0
        while k < 3:
            k += 1
        out[i] = steps + k
    return out


@item(
    "loop-carried values, several at once, kept by loops without trips",
    lambda n: (numbers(3, n),),
    lambda x: (
        x.cumsum(1)[:, -1] if x.size(1) else torch.zeros(3),
        x.amax(1) if x.size(1) else torch.full([3], float("-inf")),
    ),
)
def carried(x):
    s, m = torch.empty([3]), torch.empty([3])
    for t in hl.tile(3):
        total, most = hl.zeros([t]), hl.full([t], float("-inf"))
        for j in hl.tile(x.size(1)):
            v = x[t, j]
            total, most = total + v.sum(1), torch.maximum(most, v.amax(1))
        s[t], m[t] = total, most
    return s, m


@item(
    "if: pruned, by configuration, by a scalar argument, by a loaded scalar; merged values",
    lambda n: (numbers(n, 6), n),
    lambda x, n: torch.where(x[:, :1] > 0, x * 2, x - 1) + (1 if n > 3 else 0),
)
def ifs(x, n):
    out = torch.empty_like(x)
    for i in hl.tile(x.size(0), block_size=1):
        first = x[i, 0].sum()
        if x.ndim == 3:
            v = x[i, :, 0]
        elif first > 0:
            v = x[i, :] * 2
        else:
            v = x[i, :] - 1
        if n > 3:
            v = v + 1
        if i.block_size > 1:
            v = v * 100
        out[i, :] = v
    return out


# ---- refusals ----


@refuses("hl.tile outside of a for", exc.LoopFunctionNotInFor, "hl.tile can be used as the iterable of a `for` only")
def outside_for(x):
    for t in hl.tile(x.size(0)):
        s = hl.tile(4)  # here
        x[t, :] = s


@refuses(
    "unpacking one tile", exc.FailedToUnpackTile, "A loop over one dimension gives one tile, which cannot be unpacked."
)
def unpacks(x):
    for a, b in hl.tile(x.size(0)):  # here
        x[a, b] = 1


@refuses("a wrong number of tiles", exc.FailedToUnpackTupleAssign, "3 variables for 2 dimensions")
def arity(x):
    for a, b, _c in hl.tile(x.size()):  # here
        x[a, b] = 1


@refuses(
    "a float bound", exc.IncorrectTileUsage, "a bound of hl.tile must be an integer, a size or a scalar tensor, not 2.5"
)
def float_bound(x):
    for t in hl.tile(2.5):  # here
        x[t, :] = 1


@refuses(
    "a string bound",
    exc.IncorrectTileUsage,
    "a bound of hl.tile must be an integer, a size or a scalar tensor, not 'a'",
)
def string_bound(x):
    for t in hl.tile("a"):  # here
        x[t, :] = 1


@refuses(
    "a list and a scalar as bounds",
    exc.IncorrectTileUsage,
    "the bounds of hl.tile must both be lists or both be single values",
)
def mixed_bounds(x):
    for a, b in hl.tile(0, [3, 4]):  # here
        x[a, b] = 1


@refuses(
    "a block size that is no power of two",
    exc.IncorrectTileUsage,
    "a block size must be a power of two, not 3; helion.next_power_of_2(3) is the next one",
)
def odd_block(x):
    for t in hl.tile(x.size(0), block_size=3):  # here
        x[t, :] = 1


@refuses(
    "one registered size for two dimensions of one loop",
    exc.NestedDeviceLoopsConflict,
    "two dimensions of one loop share a block size, so their tiles could not be told apart; register another",
)
def same_block(x):
    bs = hl.register_block_size(8)
    for a, b in hl.tile(x.size(), block_size=[bs, bs]):  # here
        x[a, b] = 1


@refuses(
    "a loop over something else",
    exc.InvalidDeviceForLoop,
    "cannot loop over a float32 tensor of shape [@t.block_size, 6] in device code; use hl.tile, hl.grid, range, hl.static_range or a Python sequence",
)
def over_tensor(x):
    for t in hl.tile(x.size(0)):
        for v in x[t, :]:  # here
            x[t, :] = v


@refuses(
    "zip of different lengths", exc.TypeInferenceError, "zip in device code takes sequences of one length, not [2, 1]"
)
def unequal_zip(x):
    for t in hl.tile(x.size(0)):
        for a, b in zip((1, 2), (1,)):  # here
            x[t, :] = a + b


@refuses(
    "hl.static_range of what is not constant",
    exc.TypeInferenceError,
    "hl.static_range needs compile-time integers, not k; wrap sizes in hl.specialize on the host",
    args=(torch.ones(11, 6), 3),
)
def static_dynamic(x, k):
    for t in hl.tile(x.size(0)):
        for i in hl.static_range(k):  # here
            x[t, i] = i


@refuses(
    "attributes of a grid index", exc.TypeInferenceError, "AttributeError: 'TileTensor' object has no attribute 'begin'"
)
def grid_attribute(x):
    for i in hl.grid(x.size(0)):
        x[i, :] = i.begin  # here


@refuses(
    "hl.jagged_tile of a scalar",
    exc.InvalidJaggedTileUsage,
    "hl.jagged_tile takes a device tensor of lengths; load it first, as in n = lengths[tile]",
)
def jagged_scalar(x):
    for t in hl.tile(x.size(0)):
        for j in hl.jagged_tile(4):  # here
            x[t, j] = 1


@refuses("while … else", exc.StatementNotSupported, "`while … else` is not supported in device code")
def while_else(x):
    for t in hl.tile(x.size(0)):
        while x[t, 0].sum() > 0:  # here
            x[t, :] = 1
        else:
            x[t, :] = 2


@refuses(
    "a symbolic counter carried by while",
    exc.CantCombineTypesInControlFlow,
    "'n' is the number k before and the number k + -1 after; a value that a loop or branch changes must be a device tensor, such as hl.zeros([], dtype=torch.int32)",
    args=(torch.ones(11, 6), 3),
)
def symbolic_counter(x, k):
    for t in hl.tile(x.size(0)):
        n = k
        while n > 1:
            n = n - 1
        x[t, :] = n  # here


@refuses(
    "a name that only a loop's body assigns, read after it",
    exc.UndefinedVariable,
    "'v' is assigned inside of a loop or branch only; assign it before, too",
)
def after_loop(x):
    for t in hl.tile(x.size(0)):
        for j in hl.tile(x.size(1)):
            v = x[t, j]
        x[t, :] = v  # here


@refuses(
    "an int and a tensor that meet after an if",
    exc.CantCombineTypesInControlFlow,
    "'v' is a float32 tensor of shape [@t.block_size, 6] in one branch and the Python value 0 in the other; both must be tensors of one type",
    args=(torch.ones(11, 6), True),
)
def int_or_tensor(x, flag):
    for t in hl.tile(x.size(0)):
        if flag:
            v = x[t, :]
        else:
            v = 0
        x[t, :] = v  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
