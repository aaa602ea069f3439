"""make-masks: with every mask spelled out, partial tiles give what implied masks give, and what PyTorch gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.context import new_context, parse_module
from helion_ir.dialects.tile.compute import FillOp
from helion_ir.dialects.tile.control import KernelOp, MaskOp
from helion_ir.interpreter import run_module
from helion_ir.passes.make_masks import MakeMasks
from helion_ir.passes.map_grid import MapGrid

BLOCK = 4
SIZES = [1, 6, 7, 8, 13]
POISON = 77.0


def module_of(body: str, n: int, out: str) -> ModuleOp:
    """A kernel of one program loop over x[n] in blocks; short names for types in the body."""
    o = f"!tile.ref<{out}, f32, strides = [1]>"
    for short, long in (("$X", f"!tile.ref<[{n}], f32, strides = [1]>"), ("$I", f"!tile.ref<[{n}], i32, strides = [1]>"),
                        ("$O", o), ("$T", "!tile.tile<[@b], f32>"), ("$J", "!tile.tile<[@b], i32>"),
                        ("$R", "!tile.range<@b>"), ("$S", "!tile.tile<[], i32>"), ("$F", "!tile.tile<[], f32>")):  # fmt: skip
        body = body.replace(short, long)
    module = parse_module(f"""
builtin.module {{
  knob.declare @b : pow2 1 to 16 = {BLOCK} in "block_sizes" by "frontend" doc "block"
  host.func @f ["x", "i"] {{
    host.python "out = torch.full({out}, {POISON})"
    host.launch @k ["x", "i", "out"]
    host.python "return out"
  }}
  tile.kernel @k (%x: !tile.ref<[{n}], f32, strides = [1]>, %i: !tile.ref<[{n}], i32, strides = [1]>, %out: {o}) names ["x", "i", "out"] {{
    tile.parallel "m" (%m = 0 to {n} : !tile.range<@b>) {{
{body}
    }}
  }}
}}""")
    module.verify()
    return module


def masked(module: ModuleOp) -> ModuleOp:
    made = module.clone()
    for p in (MapGrid(), MakeMasks()):
        p.apply(new_context(), made)
    made.verify()
    assert all(op.explicit_masks is not None for op in made.walk() if isinstance(op, KernelOp))
    return made


LOAD = """
%v0 = tile.load "x" %x[%m] : $X[$R] -> $T
%one = tile.full <3.0> -> $T
%v = tile.add %v0, %one : $T
"""
"""Lanes outside of the tensor hold a 3 here, which is neutral for nothing."""

STORE = """
tile.store "out" %r, %out[%m] : $T : $O[$R]"""
STORE_ONE = """
%id = tile.id %m : $R -> $S
tile.store "out" %r, %out[%id] : $F : $O[$S]"""
GATHER = """
%j = tile.load "i" %i[%m] : $I[$R] -> $J
%five = tile.full <5> -> $J
%w = tile.add %j, %five : $J
%minus = tile.sub %w, %five : $J
%r = tile.load "x.1" %x[%minus] : $X[$J] -> $T"""
SCATTER = """
%j = tile.load "i" %i[%m] : $I[$R] -> $J
%r = tile.add %v, %v : $T
tile.store "out" %r, %out[%j] : $T : $O[$J]"""


def blocks(x: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    parts = [function(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)]
    return torch.stack(parts) if parts[0].dim() == 0 else torch.cat(parts)


def scan(kind: str, reverse: bool) -> str:
    return LOAD + f'%r = tile.scan "{kind}" 0 : i64 %v reverse {str(reverse).lower()} : $T -> $T' + STORE


def reduce(kind: str) -> str:
    return LOAD + f'%r = tile.reduce "{kind}" <0> %v : $T -> $F' + STORE_ONE


CASES: dict[str, tuple[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]] = {
    "gather": (GATHER + STORE, lambda x, i: x[i]),
    "scatter": (LOAD + SCATTER, lambda x, i: torch.empty_like(x).index_copy(0, i, 2 * (x + 3))),
    "cumsum": (scan("sum", False), lambda x, i: blocks(x + 3, lambda b: b.cumsum(0))),
    "cumprod": (scan("prod", False), lambda x, i: blocks(x + 3, lambda b: b.cumprod(0))),
    "reverse cumsum": (scan("sum", True), lambda x, i: blocks(x + 3, lambda b: b.flip(0).cumsum(0).flip(0))),
    "reverse cumprod": (scan("prod", True), lambda x, i: blocks(x + 3, lambda b: b.flip(0).cumprod(0).flip(0))),
    "sum": (reduce("sum"), lambda x, i: blocks(x + 3, torch.sum)),
    "prod": (reduce("prod"), lambda x, i: blocks(x + 3, torch.prod)),
    "max": (reduce("max"), lambda x, i: blocks(x + 3, torch.amax)),
    "min": (reduce("min"), lambda x, i: blocks(x + 3, torch.amin)),
    "sort": (
        LOAD + "%r, %p = tile.sort %v descending false : $T -> $T, !tile.tile<[@b], i64>" + STORE,
        lambda x, i: blocks(x + 3, lambda b: b.sort().values),
    ),
}


def sample(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    # Below -3 too, so that the padding's 3 is neither the greatest nor the least.
    x = torch.randn(n, generator=generator) * 4 - 3
    return x, torch.randperm(n, generator=generator).int()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", list(CASES))
def test_partial_tiles(name: str, n: int) -> None:
    body, reference = CASES[name]
    x, i = sample(n)
    want = reference(x.double(), i.long())
    module = module_of(body, n, f"[{len(want)}]")
    made = masked(module)
    assert bool([op for op in made.walk() if isinstance(op, MaskOp)])
    for stage in (module, made):
        got = run_module(stage, (x, i), {"b": BLOCK})
        torch.testing.assert_close(got.double(), want, rtol=8 * 2.0**-23, atol=1e-5)


def test_a_whole_number_of_blocks_needs_no_mask() -> None:
    made = masked(module_of(reduce("min"), 16, "[4]"))
    assert not [op for op in made.walk() if isinstance(op, MaskOp | FillOp)]


def dot_text(m: int, k: int, n: int) -> str:
    """exp(x) @ exp(y): the padding of the inner dimension is a one, unless it is filled."""
    x, y, o = (f"!tile.ref<[{a}, {b}], f32, strides = [{b}, 1]>" for a, b in ((m, k), (k, n), (m, n)))
    a, b, c = ("!tile.tile<[@bm, @bk], f32>", "!tile.tile<[@bk, @bn], f32>", "!tile.tile<[@bm, @bn], f32>")
    rm, rk, rn = "!tile.range<@bm>", "!tile.range<@bk>", "!tile.range<@bn>"
    knobs = "".join(f'knob.declare @b{d} : pow2 1 to 16 = 4 in "block_sizes" by "frontend" doc "b"\n' for d in "mkn")
    return f"""
builtin.module {{
  {knobs}
  host.func @f ["x", "y"] {{
    host.python "out = torch.full([{m}, {n}], {POISON})"
    host.launch @k ["x", "y", "out"]
    host.python "return out"
  }}
  tile.kernel @k (%x: {x}, %y: {y}, %out: {o}) names ["x", "y", "out"] {{
    tile.parallel "m" (%m = 0 to {m} : {rm}, %n = 0 to {n} : {rn}) {{
      %zero = tile.full <0.0> -> {c}
      %r = tile.for "k" (%k = 0 to {k} : {rk}) iter_args (%acc = %zero : {c}) {{
        %a = tile.load "x" %x[%m, %k] : {x}[{rm}, {rk}] -> {a}
        %ea = tile.exp %a : {a}
        %b = tile.load "y" %y[%k, %n] : {y}[{rk}, {rn}] -> {b}
        %eb = tile.exp %b : {b}
        %d = tile.dot %ea, %eb, %acc precision "ieee" : {a}, {b}, {c} -> {c}
        tile.yield %d : {c}
      }}
      tile.store "out" %r, %out[%m, %n] : {c} : {o}[{rm}, {rn}]
    }}
  }}
}}"""


@pytest.mark.parametrize("sizes", [(5, 7, 3), (4, 8, 4), (1, 13, 6)], ids=str)
def test_products_ignore_padding(sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    module = parse_module(dot_text(m, k, n))
    module.verify()
    generator = torch.Generator().manual_seed(k)
    x, y = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
    want = x.double().exp() @ y.double().exp()
    made = masked(module)
    fills = [op for op in made.walk() if isinstance(op, FillOp)]
    assert len(fills) == 2
    for stage in (module, made):
        for blocks_ in ((4, 4, 4), (2, 8, 1), (16, 16, 16)):
            got = run_module(stage, (x, y), dict(zip(("bm", "bk", "bn"), blocks_)))
            torch.testing.assert_close(got.double(), want, rtol=k * 2.0**-22, atol=1e-5)
