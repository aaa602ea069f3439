"""roll-reductions: loops over chunks compute what the whole axis does, and where they would not there is no choice."""

from __future__ import annotations

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.context import new_context, parse_module
from helion_ir.dialects.knob import declarations
from helion_ir.dialects.tile.control import ForOp
from helion_ir.interpreter import run_module
from helion_ir.passes.bind_structure import bind, complete
from helion_ir.passes.declare_schedules import DeclareSchedules
from helion_ir.passes.roll_reductions import RollReductions

ROWS, BLOCK = 5, 2


def kernel(body: str, n: int, out: str = f"[{ROWS}]") -> str:
    """A kernel over rows of x[5, n]; `X`, `R` and `O` in its body are the types of x, of a tile of rows and of out."""
    x = f"!tile.ref<[{ROWS}, {n}], f32, strides = [{n}, 1]>"
    size = [int(s) for s in out.strip("[]").split(",")]
    o = f"!tile.ref<{out}, f32, strides = {[1] if len(size) == 1 else [size[1], 1]}>"
    for short, long in (("$X", x), ("$O", o), ("$R", f"!tile.tile<[@bm, {n}], f32>"), ("$V", "!tile.tile<[@bm], f32>"),
                        ("$M", "!tile.range<@bm>"), ("$N", f"!tile.range<{n}>"), ("$n", str(n))):  # fmt: skip
        body = body.replace(short, long)
    return f"""
builtin.module {{
  knob.declare @bm : pow2 1 to 8 = {BLOCK} in "block_sizes" by "frontend" doc "rows"
  host.func @f ["x"] {{
    host.python "out = torch.full({out}, 77.0)"
    host.launch @k ["x", "out"]
    host.python "return x, out"
  }}
  tile.kernel @k (%x: {x}, %out: {o}) names ["x", "out"] {{
    tile.parallel "m" (%m = 0 to {ROWS} : !tile.range<@bm>) {{
      %n = tile.axis "n" 0 to {n} : !tile.range<{n}>
      %v = tile.load "x" %x[%m, %n] : {x}[!tile.range<@bm>, !tile.range<{n}>] -> !tile.tile<[@bm, {n}], f32>
{body}
    }}
  }}
}}"""


SOFTMAX = """
%max = tile.reduce "max" <1> %v : $R -> $V
%max1 = tile.reshape %max : $V -> !tile.tile<[@bm, 1], f32>
%maxn = tile.broadcast %max1 : !tile.tile<[@bm, 1], f32> -> $R
%d = tile.sub %v, %maxn : $R
%e = tile.exp %d : $R
%sum = tile.reduce "sum" <1> %e : $R -> $V
%sum1 = tile.reshape %sum : $V -> !tile.tile<[@bm, 1], f32>
%sumn = tile.broadcast %sum1 : !tile.tile<[@bm, 1], f32> -> $R
%y = tile.div %e, %sumn : $R
tile.store "out" %y, %out[%m, %n] : $R : $O[$M, $N]"""
IN_PLACE = SOFTMAX.replace("%out", "%x").replace("$O", "$X")


def reduce(kind: str) -> str:
    """The reduction of rows plus one, so that inactive lanes hold a one."""
    return f"""
%one = tile.full <1.0> -> $R
%w = tile.add %v, %one : $R
%s = tile.reduce "{kind}" <1> %w : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""


def prepared(text: str) -> ModuleOp:
    module = parse_module(text)
    DeclareSchedules().apply(new_context(), module)
    module.verify()
    return module


def chunks(module: ModuleOp) -> tuple:
    (found,) = [d.domain.data.values for d in declarations(module) if d.sym_name.data == "reduction.n"] or [()]
    return found


def rolled(module: ModuleOp, chunk: int | None) -> tuple[ModuleOp, dict]:
    assignment = complete(module, {"reduction.n": chunk})
    made = module.clone()
    bind(made, assignment)
    RollReductions().apply(new_context(), made)
    made.verify()
    return made, assignment


def sample(n: int) -> torch.Tensor:
    return torch.randn(ROWS, n, generator=torch.Generator().manual_seed(n)) - 0.5


CASES = {
    "softmax": (SOFTMAX, True, 3, lambda x: (x, x.softmax(1))),
    "in_place": (IN_PLACE, False, 3, lambda x: (x.softmax(1), None)),
    "sum": (reduce("sum"), False, 1, lambda x: (x, (x + 1).sum(1))),
    "prod": (reduce("prod"), False, 1, lambda x: (x, (x + 1).prod(1))),
    "max": (reduce("max"), False, 1, lambda x: (x, (x + 1).amax(1))),
    "min": (reduce("min"), False, 1, lambda x: (x, (x + 1).amin(1))),
}


@pytest.mark.parametrize("n", [33, 64])
@pytest.mark.parametrize("name", list(CASES))
def test_chunks_compute_what_the_whole_does(name: str, n: int) -> None:
    body, wide, loops, reference = CASES[name]
    module = prepared(kernel(body, n, f"[{ROWS}, {n}]" if wide else f"[{ROWS}]"))
    assert chunks(module) == tuple(c for c in (None, 16, 32) if c is None or c < n)
    for chunk in chunks(module):
        made, assignment = rolled(module, chunk)
        assert len([op for op in made.walk() if isinstance(op, ForOp)]) == (loops if chunk else 0)
        x = sample(n)
        for got, want in zip(run_module(made, (x.clone(),), assignment), reference(x.double())):
            if want is not None:  # n terms, each off by a few units of float32
                scale = want.abs().max().item()
                torch.testing.assert_close(got.double(), want, rtol=n * 2.0**-23, atol=n * 2.0**-23 * scale)


def test_axis_of_two_dimensions_at_once() -> None:
    """All of a tile is reduced: the loop's chunks keep the rows apart until the end."""
    body = """
%s = tile.reduce "sum" <0, 1> %v : $R -> !tile.tile<[], f32>
%i = tile.id %m : $M -> !tile.tile<[], i32>
tile.store "out" %s, %out[%i] : !tile.tile<[], f32> : $O[!tile.tile<[], i32>]"""
    module = prepared(kernel(body, 40, "[3]"))
    x = sample(40)
    want = torch.stack([x[i : i + BLOCK].double().sum() for i in range(0, ROWS, BLOCK)])
    for chunk in (None, 16, 32):
        made, assignment = rolled(module, chunk)
        got = run_module(made, (x.clone(),), assignment)[1]
        torch.testing.assert_close(got.double(), want, rtol=80 * 2.0**-23, atol=1e-5)


AFTER_A_STORE = """
%two = tile.full <2.0> -> $R
%w = tile.mul %v, %two : $R
tile.store "x" %w, %x[%m, %n] : $R : $X[$M, $N]
%s = tile.reduce "sum" <1> %v : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
AFTER_A_SCALAR = """
%max = tile.reduce "max" <1> %v : $R -> $V
%zero = tile.full <0> -> !tile.tile<[], i32>
tile.store "x" %max, %x[%m, %zero] : $V : $X[$M, !tile.tile<[], i32>]
%s = tile.reduce "sum" <1> %v : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
AFTER_AN_ATOMIC = AFTER_A_SCALAR.replace(
    'tile.store "x" %max, %x[%m, %zero] : $V', 'tile.atomic "x" add relaxed (%max), %x[%m, %zero] : ($V)'
)
ANOTHER_AXIS = """
%o = tile.axis "o" 0 to $n : $N
%w = tile.load "x.1" %x[%m, %o] : $X[$M, $N] -> $R
%d = tile.mul %v, %w : $R
%s = tile.reduce "sum" <1> %d : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
ARGMAX = """
%i = tile.reduce "argmax" <1> %v : $R -> !tile.tile<[@bm], i64>
%s = tile.cast %i : !tile.tile<[@bm], i64> -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
SCAN = """
%c = tile.scan "sum" 1 : i64 %v reverse false : $R -> $R
%s = tile.reduce "max" <1> %c : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
NO_REDUCTION = """
tile.store "x" %v, %x[%m, %n] : $R : $X[$M, $N]"""


@pytest.mark.parametrize(
    "body",
    [AFTER_A_STORE, AFTER_A_SCALAR, AFTER_AN_ATOMIC, ANOTHER_AXIS, ARGMAX, SCAN, NO_REDUCTION],
    ids=["store", "scalar", "atomic", "another", "argmax", "scan", "copy"],
)
def test_where_chunks_would_differ_there_is_no_choice(body: str) -> None:
    assert chunks(prepared(kernel(body, 40))) == ()


def test_a_load_after_the_store_may_be_rolled() -> None:
    """The sum reads what was stored, in the whole and in chunks."""
    body = """
%two = tile.full <2.0> -> $R
%w = tile.mul %v, %two : $R
tile.store "x" %w, %x[%m, %n] : $R : $X[$M, $N]
%u = tile.load "x.1" %x[%m, %n] : $X[$M, $N] -> $R
%s = tile.reduce "sum" <1> %u : $R -> $V
tile.store "out" %s, %out[%m] : $V : $O[$M]"""
    module = prepared(kernel(body, 40))
    assert chunks(module) == (None, 16, 32)
    x = sample(40)
    for chunk in chunks(module):
        made, assignment = rolled(module, chunk)
        after, sums = run_module(made, (x.clone(),), assignment)
        assert torch.equal(after, x * 2)
        torch.testing.assert_close(sums.double(), (x.double() * 2).sum(1), rtol=40 * 2.0**-23, atol=1e-5)
