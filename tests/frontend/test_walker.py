"""Single constructs of the language: each in a small kernel, run in the interpreter and compared with eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

import helion_ir.language as hl
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.knob import declarations, requirements
from helion_ir.frontend import trace
from helion_ir.interpreter import default_assignment, run_module
from helion_ir.language.fragments import BooleanFragment, IntegerFragment
from helion_ir.language.numbers import cdiv

FACTOR = 2.5
TABLE = torch.tensor([1.5, -2.0, 4.0])


def values(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).float() - 0.4


X, Y = values(20, 12), values(20, 12)
N = torch.arange(20, dtype=torch.int32)


class Two(NamedTuple):
    a: torch.Tensor
    scale: float


def run(kernel: Callable[..., Any], *args: Any, assignment: dict[str, Any] | None = None, **options: Any) -> Any:
    """Trace, print and parse, and run with every block size as small as 4 so that edges are partial."""
    module = trace(kernel, args, **options)
    text = module_text(module)
    assert module_text(parse_module(text)) == text
    chosen = default_assignment(module)
    for d in declarations(module):
        if d.field is not None:
            chosen[d.sym_name.data] = max(8, min(v for v in d.domain.data.values if v is not None))
    return run_module(module, args, chosen | (assignment or {}), globals=kernel.__globals__)


def scalars_and_globals(x, s: float, n: int):
    k = n * 2
    half = s / 2
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * half + k - FACTOR + TABLE[1]
    return out


def rebinds(x, n: int):
    m = n + 1
    n = 7
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * m + n
    return out


def containers(xs, named, options):
    assert xs[0].size(0) == xs[1].size(0) == named.a.size(0)
    assert xs[0].size(1) == xs[1].size(1)
    assert xs[0].size(1) == named.a.size(1)
    out = torch.empty_like(xs[0])
    for t in hl.tile(out.size(0)):
        out[t, :] = xs[0][t, :] + xs[1][t, :] * named.scale + named.a[t, :] * options["k"]
    return out


def first_item(x, i):
    start = i[0].item()
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + start
    return out


def logic(x, n: int):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        row = x[t, :]
        if not (t.begin < 8) and (n > 2 or n == 0):
            row = row + 10
        elif 4 < n <= 6:
            row = row + 100
        out[t, :] = row if n > 4 else row * 2
    return out


def loops(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        acc = x[t, :] * 0
        for i in range(10, 0, -3):
            acc = acc + i
        for name, factor in zip(("a", "b"), [1, 2]):
            acc = acc * (factor if name == "b" else 1)
        for i, j in hl.grid([2, 3]):
            acc = acc + i * 3 + j
        parts = [acc, acc + 1]
        for i in hl.tile(0, 12, 4):
            parts[0] = parts[0] + i.begin
        out[t, :] = parts[0] + parts[1]
    return out


def grid_root(x):
    out = torch.zeros_like(x)
    for i, j in hl.grid([2, 1], [20, 12], step=[3, 1]):
        out[i, j] = x[i, j] + x[i, -1]
    return out


def slices(x):
    out = torch.zeros([x.size(0), 6])
    for t in hl.tile(x.size(0)):
        start = t.begin * 0
        out[t, :] = x[t, 2:8] + x[t, ::2] + x[t, -6:] + x[t, start : start + 6] + x[t.begin : t.end, 6:]
    return out


def broadcast_extent(x, one):
    out = torch.empty_like(x)
    for a, b in hl.tile(x.size()):
        out[a, b] = x[a, b] + one[a, b]
    return out


def gathers(x, i):
    out = torch.empty([4, 12])
    pairs = torch.empty([20, 4])
    for t in hl.tile(x.size(0)):
        outer = x[i[:] % 20, :]
        out[:, :] = outer
        pairs[t, :] = x[t.index[:, None], i[:][None, :]]
    return out, pairs


def masks(x):
    out = torch.full_like(x, 7.0)
    for t in hl.tile(x.size(0)):
        keep = t.index < 13
        row = hl.load(x, [t, slice(None)], extra_mask=keep[:, None], eviction_policy="evict_last")
        hl.store(out, [t, slice(None)], row, extra_mask=t.index[:, None] > 2)
    return out


def in_place(x):
    for t in hl.tile(x.size(0)):
        x[t, :] += 1
        v = x[t, :]
        v.mul_(2)
        v += 1
        x[t, None, :] = v[:, None, :]
    return x


def atomics(x, counts):
    order = torch.zeros([x.size(0)], dtype=torch.int32)
    for t in hl.tile(x.size(0)):
        order[t] = hl.atomic_add(counts, [t.index % 4], 2)
        hl.atomic_max(counts, [4], 3)
    return order, counts


def splits(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        even, odd = hl.split(x[t, :].reshape(t, 6, 2))
        out[t, :] = hl.join(odd, even).reshape(t, 12)
    return out


def random(x, seed: int):
    out = torch.empty([20, 12])
    for a, b in hl.tile([20, 12]):
        out[a, b] = hl.rand([a, b], seed)
    return out


def registered(x):
    size = hl.register_block_size(4, x.size(0))
    wide, count = hl.register_tunable("wide", BooleanFragment()), hl.register_tunable("count", IntegerFragment(1, 4, 3))
    blocks = cdiv(x.size(0), size)
    out = torch.zeros([x.size(0)])
    sizes = torch.zeros([blocks])
    for t in hl.tile(x.size(0), block_size=size):
        row = x[t, :].sum(1)
        if wide:
            row = row + 100
        out[t] = row * count
        sizes[t.id] = t.count
    return out, sizes


def helpers(x, f, g):
    out = torch.empty_like(x)

    def local(row):
        return row * FACTOR

    for t in hl.tile(x.size(0)):
        out[t, :] = f(x[t, :], t) + local(g(x[t, :]))
    return out


def scalar_tensor(x, s):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = s
        out[t, 0:2] = x[t, 0:2] * s[()] + s[...]
    return out


def swaps(x):
    out = torch.empty([20, 2])
    for t in hl.tile(x.size(0)):
        a, b = x[t, 0], x[t, 1]
        for _ in range(3):
            a, b = b, a + b
        for _ in range(2):
            temporary = a * 2
        for _ in range(2):
            temporary = b.to(torch.float64)
            a = a + temporary.to(torch.float32)
        out[t, 0] = a
        out[t, 1] = b
    return out


def two_roots(x, y):
    a, b = torch.empty_like(x), torch.empty_like(y)
    for t in hl.tile(x.size(0)):
        a[t, :] = x[t, :] + 1
    for t in hl.tile(y.size(0)):
        b[t, :] = y[t, :] * 2
    return a, b


def eager_swaps(x):
    a, b = x[:, 0], x[:, 1]
    for _ in range(3):
        a, b = b, a + b
    return torch.stack([a + b + b, b], 1)


def eager_grid(x):
    out = torch.zeros_like(x)
    out[2::3, 1:] = x[2::3, 1:] + x[2::3, -1:]
    return out


OFFSET = values(20, 12)
SCALE = 0.75


def with_closure(scale: float, offset: torch.Tensor) -> Callable[..., Any]:
    return lambda row, tile: row * scale + offset[tile, :]


FOUR = torch.tensor([3, 1, 7, 2])

CASES: dict[str, tuple[Callable[..., Any], Callable[[], tuple], Callable[[], Any]]] = {
    "scalars_and_globals": (scalars_and_globals, lambda: (X, 3.0, 5), lambda: X * 1.5 + 10 - 2.5 - 2.0),
    "rebinds": (rebinds, lambda: (X, 3), lambda: X * 4 + 7),
    "containers": (
        containers,
        lambda: ([X, Y], Two(OFFSET, 0.5), {"k": 3}),
        lambda: X + Y * 0.5 + OFFSET * 3,
    ),
    "first_item": (first_item, lambda: (X, FOUR), lambda: X + 3),
    "logic": (logic, lambda: (X, 5), lambda: torch.cat([X[:8] + 100, X[8:] + 10])),
    "logic_small": (logic, lambda: (X, 3), lambda: torch.cat([X[:8] * 2, (X[8:] + 10) * 2])),
    "loops": (loops, lambda: (X,), lambda: torch.full((20, 12), ((10 + 7 + 4 + 1) * 2.0 + 15) * 2 + 0 + 4 + 8 + 1)),
    "grid_root": (grid_root, lambda: (X,), lambda: eager_grid(X)),
    "slices": (slices, lambda: (X,), lambda: X[:, 2:8] + X[:, ::2] + X[:, 6:] + X[:, :6] + X[:, 6:]),
    "broadcast_extent": (broadcast_extent, lambda: (X, Y[:, :1]), lambda: X + Y[:, :1]),
    "gathers": (gathers, lambda: (X, FOUR), lambda: (X[FOUR], X[:, FOUR])),
    "masks": (
        masks,
        lambda: (X,),
        lambda: torch.cat([torch.full((3, 12), 7.0), X[3:13], torch.zeros(7, 12)]),
    ),
    "in_place": (in_place, lambda: (X.clone(),), lambda: (X + 1) * 2 + 1),
    "splits": (splits, lambda: (X,), lambda: X.reshape(20, 6, 2).flip(-1).reshape(20, 12)),
    "registered": (registered, lambda: (X,), lambda: (X.sum(1) * 3, torch.full((3,), 3.0))),
    "helpers": (
        helpers,
        lambda: (X, with_closure(SCALE, OFFSET), torch.sin),
        lambda: X * SCALE + OFFSET + X.sin() * FACTOR,
    ),
    "scalar_tensor": (
        scalar_tensor,
        lambda: (X, torch.tensor(1.25)),
        lambda: torch.cat([X[:, :2] * 1.25 + 1.25, torch.full((20, 10), 1.25)], 1),
    ),
    "swaps": (swaps, lambda: (X,), lambda: eager_swaps(X)),
    "two_roots": (two_roots, lambda: (X, Y), lambda: (X + 1, Y * 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers(name: str) -> None:
    kernel, args, want = CASES[name]
    torch.testing.assert_close(run(kernel, *args()), want(), rtol=1e-5, atol=1e-5)


def asserted(x, y):
    assert x.shape == y.shape
    for t in hl.tile(x.size(0)):
        x[t, :] += y[t, :]
    return x


def test_sizes_are_not_the_same_unless_asserted() -> None:
    assert "y_size_1" not in module_text(trace(asserted, (X, Y), static_shapes=False))
    torch.testing.assert_close(run(asserted, X.clone(), Y, static_shapes=False), X + Y)


def reshaped(x):
    flat = x.reshape(-1)
    out = torch.empty_like(flat)
    for t in hl.tile(flat.size(0)):
        out[t] = flat[t] + 1
    return out


def test_shapes_that_host_code_needs_are_guarded() -> None:
    found = trace(reshaped, (X.t(),), static_shapes=False).attributes["helion_ir.specialized"]
    assert [t.data for t in found] == ["tuple(x.shape)", "x.stride()"]  # pyright: ignore
    torch.testing.assert_close(run(reshaped, X.t(), static_shapes=False), X.t().reshape(-1) + 1)


DYNAMIC = ["scalars_and_globals", "containers", "in_place", "first_item", "broadcast_extent", "two_roots"]


@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_shapes(name: str) -> None:
    kernel, args, want = CASES[name]
    torch.testing.assert_close(run(kernel, *args(), static_shapes=False), want(), rtol=1e-5, atol=1e-5)


def test_atomics_return_what_was_there() -> None:
    order, counts = run(atomics, X, torch.zeros(5, dtype=torch.int32))
    assert counts.tolist() == [10, 10, 10, 10, 3]
    assert sorted(order.tolist()) == sorted([0, 2, 4, 6, 8] * 4)


def test_random_numbers_do_not_depend_on_the_blocks() -> None:
    first = run(random, X, 42)
    assert first.flatten()[:8].tolist() == pytest.approx(
        [0.7741, 0.0246, 0.3483, 0.5408, 0.6528, 0.6297, 0.4510, 0.7167], abs=5e-5
    )
    torch.testing.assert_close(run(random, X, 42, assignment={"a.block_size": 16, "b.block_size": 2}), first)


def test_specialized_names_what_the_host_decided_on() -> None:
    def texts(*args: Any) -> list[str]:
        found = trace(decides, args).attributes.get("helion_ir.specialized")
        return [] if found is None else [t.data for t in found]  # pyright: ignore

    assert texts(X, 3, 0.5, True) == ["n", "p"]
    assert texts(X, 1, 0.5, True) == ["n"]


def decides(x, n: int, p: float, flag: bool):
    out = torch.empty_like(x)
    if n > 2 and p > 0.25:
        out = torch.zeros_like(x)
    for t in hl.tile(x.size(0)):
        if flag:
            out[t, :] = x[t, :]
    return out


def matmul(x, y, acc_dtype: torch.dtype):
    m, k = x.size()
    _, n = y.size()
    out = torch.empty([m, n])
    for a, b in hl.tile([m, n]):
        acc = hl.zeros([a, b], dtype=acc_dtype)
        for c in hl.tile(k):
            acc = hl.dot(x[a, c], y[c, b], acc=acc)
        out[a, b] = acc
    return out


def batched(x, y):
    out = torch.empty([x.size(0), x.size(1), y.size(2)])
    for i, a, b in hl.tile(out.size()):
        out[i, a, b] = torch.bmm(x[i, a, :], y[i, :, b])
    return out


def declared(kernel: Callable[..., Any], *args: Any) -> list[tuple[str, str, Any]]:
    module = trace(kernel, args)
    return [(d.sym_name.data, str(d.domain.data), d.default.data) for d in declarations(module)]


def rows(x):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        out[t] = x[t, :].sum(1)
    return out


def two_dims(x):
    for a, b in hl.tile(x.size()):
        x[a, b] += 1


def test_domains_and_defaults() -> None:
    half = torch.ones(100, 70, dtype=torch.float16)
    assert declared(matmul, half, torch.ones(70, 50, dtype=torch.float16), torch.float32) == [
        ("a.block_size", "pow2 16 to 128", 16), ("b.block_size", "pow2 16 to 64", 16), ("c.block_size", "pow2 16 to 128", 16),
    ]  # fmt: skip
    byte = torch.ones(100, 70, dtype=torch.int8)
    assert declared(matmul, byte, byte.t().contiguous(), torch.int32)[2] == ("c.block_size", "pow2 32 to 128", 32)
    assert declared(batched, values(6, 40, 20), values(6, 20, 30))[0] == ("i.block_size", "pow2 1 to 1", 1)
    assert declared(two_dims, torch.ones(64, 128)) == [
        ("a.block_size", "pow2 1 to 64", 32),
        ("b.block_size", "pow2 1 to 128", 32),
    ]
    assert declared(two_dims, torch.ones(6, 7)) == [
        ("a.block_size", "pow2 1 to 8", 8),
        ("b.block_size", "pow2 1 to 8", 8),
    ]
    assert declared(two_dims, torch.ones(1, 7)) == [("b.block_size", "pow2 1 to 8", 8)]
    assert declared(rows, torch.ones(50, 2000))[0][2] == 1
    assert declared(rows, torch.ones(50, 128))[0][2] == 32
    assert declared(rows, torch.ones(50, 200))[0][2] == 16


def nested(x):
    out = torch.empty_like(x)
    size = hl.register_block_size(x.size(0))
    for outer in hl.tile(x.size(0), block_size=size):
        for inner in hl.tile(outer.begin, outer.end):
            out[inner, :] = x[inner, :] + 1
    return out


def test_inner_tiles_fit_into_outer_ones() -> None:
    module = trace(nested, (X,))
    assert [r.reason.data for r in requirements(module)] == ["inner lies inside of another tile"]
    assert [d.sym_name.data for d in declarations(module)] == ["size", "inner.block_size"]
    torch.testing.assert_close(run(nested, X), X + 1)


def asks_device(x):
    out = torch.empty_like(x) if x.device.type == "cpu" and not x.is_cuda else None
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] + (1 if x.device.type == "cpu" else 2)
    return out


def test_tensors_say_their_device() -> None:
    torch.testing.assert_close(run(asks_device, X), X + 1)


def empty_first(x):
    out = torch.empty_like(x)
    if x.numel() == 0:
        return out
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :]
    return out


def test_an_early_return_makes_no_kernel() -> None:
    module = trace(empty_first, (torch.empty(0, 4),))
    assert "tile.kernel" not in module_text(module)
    torch.testing.assert_close(run(empty_first, X), X)
