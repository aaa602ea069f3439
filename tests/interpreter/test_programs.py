"""Whole kernels of the tile dialect: products, loops, branches, program loops, knobs, host code."""

import pytest
import torch
from tests.interpreter.device_double import Device, DeviceTensor

from helion_ir.dialects.context import parse_module
from helion_ir.interpreter import InterpreterError, at_most, compile_module, largest_assignment, run_module
from helion_ir.interpreter.kernel import Interpreter

MATMUL = """
builtin.module attributes {{helion_ir.target = "cpu"}} {{
  knob.declare @bm : pow2 1 to 64 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @bn : pow2 1 to 64 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @bk : pow2 1 to 64 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @pid_type : one_of "flat", "persistent_blocked", "persistent_interleaved" = "flat" by "map-grid" doc ""
  knob.require <@bm * @bn le 1024>, "too large" by "plan-memory"
  host.func @matmul ["x", "y", "scale"] {{
    host.python "def twice(v):\\n    return v * 2"
    host.python "m, k = x.shape"
    host.python "out = torch.full([m, y.size(1)], float('nan'), dtype=torch.float32)"
    host.bind "block" = <@bm>
    host.launch @_matmul ["x", "y", "out"]
    host.python "return out * twice(scale) + helper(block)"
  }}
  tile.kernel @_matmul (%x: !tile.ref<[{m}, {k}], bf16, strides = [{k}, 1]>, %y: !tile.ref<[{k}, {n}], bf16, strides = [{n}, 1]>,
      %out: !tile.ref<[{m}, {n}], f32, strides = [{n}, 1]>) names ["x", "y", "out"] {{
    {head}
      %zero = tile.full <0.0> -> !tile.tile<[@bm, @bn], f32>
      %acc = tile.for "k" (%tk = 0 to {k} : !tile.range<@bk>) iter_args (%a = %zero : !tile.tile<[@bm, @bn], f32>) {{
        %vx = tile.load "x" %x[%tm, %tk] : !tile.ref<[{m}, {k}], bf16, strides = [{k}, 1]>[!tile.range<@bm>, !tile.range<@bk>] -> !tile.tile<[@bm, @bk], bf16>
        %one = tile.full <1.0> -> !tile.tile<[@bm, @bk], bf16>
        %vx1 = tile.add %vx, %one : !tile.tile<[@bm, @bk], bf16>
        %vy = tile.load "y" %y[%tk, %tn] : !tile.ref<[{k}, {n}], bf16, strides = [{n}, 1]>[!tile.range<@bk>, !tile.range<@bn>] -> !tile.tile<[@bk, @bn], bf16>
        %oney = tile.full <1.0> -> !tile.tile<[@bk, @bn], bf16>
        %vy1 = tile.add %vy, %oney : !tile.tile<[@bk, @bn], bf16>
        %d = tile.dot %vx1, %vy1, %a precision "ieee" : !tile.tile<[@bm, @bk], bf16>, !tile.tile<[@bk, @bn], bf16>, !tile.tile<[@bm, @bn], f32> -> !tile.tile<[@bm, @bn], f32>
        tile.yield %d : !tile.tile<[@bm, @bn], f32>
      }}
      tile.store "out" %acc, %out[%tm, %tn] : !tile.tile<[@bm, @bn], f32> : !tile.ref<[{m}, {n}], f32, strides = [{n}, 1]>[!tile.range<@bm>, !tile.range<@bn>]
    }}
  }}
}}
"""
PARALLEL = 'tile.parallel "mn" (%tm = 0 to {m} : !tile.range<@bm>, %tn = 0 to {n} : !tile.range<@bn>) {{'
LOOP = """triton.program_loop %pid of <({m} ceildiv @bm) * ({n} ceildiv @bn)> kind #index.expr<@pid_type> {{
      %pm = index.apply <d0 floordiv ({n} ceildiv @bn)>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %pn = index.apply <d0 mod ({n} ceildiv @bn)>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %tm = tile.block %pm of 0 to {m} : !tile.range<@bm>
      %tn = tile.block %pn of 0 to {n} : !tile.range<@bn>"""


def matmul_module(head: str, m: int, n: int, k: int):
    sizes = dict(m=m, n=n, k=k)
    module = parse_module(MATMUL.format(head=head.format(**sizes), **sizes))
    module.verify()
    return module


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (15, 16, 17), (33, 31, 29), (32, 16, 48)])
@pytest.mark.parametrize("kind", ["flat", "persistent_blocked", "persistent_interleaved"])
@pytest.mark.parametrize("head", [PARALLEL, LOOP], ids=["parallel", "program_loop"])
def test_matmul(head, kind, m, n, k):
    module = matmul_module(head, m, n, k)
    x, y = torch.randn(m, k).bfloat16(), torch.randn(k, n).bfloat16()
    knobs = {"bm": 16, "bn": 8, "bk": 16, "pid_type": kind}
    out = run_module(module, [x, y, 1.5], knobs, globals={"helper": lambda block: block / 4})
    expected = ((x + 1).double() @ (y + 1).double()) * 3 + 4
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-4)


def test_persistent_kinds_run_each_program_once():
    for kind in ("persistent_blocked", "persistent_interleaved"):
        for total in (1, 2, 3, 7, 12):
            out = torch.zeros(12, dtype=torch.int32)
            module = parse_module(f"""
            builtin.module attributes {{helion_ir.target = "cpu"}} {{
              host.func @f ["out"] {{ host.launch @k ["out"] }}
              tile.kernel @k (%out: !tile.ref<[12], i32, strides = [1]>) names ["out"] {{
                triton.program_loop %pid of <{total}> kind "{kind}" attributes {{multiplier = #knob.value<2>}} {{
                  %one = tile.full <1> -> !tile.tile<[], i32>
                  tile.atomic "out" add relaxed (%one), %out[%pid] : (!tile.tile<[], i32>)
                    : !tile.ref<[12], i32, strides = [1]>[!tile.tile<[], i32>]
                }}
              }}
            }}""")
            run_module(module, [out])
            assert out.tolist() == [1] * total + [0] * (12 - total)


def test_kernels_are_compiled_once_for_what_they_read():
    module = parse_module("""
    builtin.module {
      host.func @f ["out", "n", "v"] { host.launch @k ["out", "n", "v"] }
      tile.kernel @k (%out: !tile.ref<[s], i32, strides = [1]>, %n: !tile.tile<[], i32>, %v: !tile.tile<[], i32>) names ["out", "n", "v"] {
        tile.parallel "i" (%i = 0 to n : !tile.range<4>) {
          %b = tile.broadcast %v : !tile.tile<[], i32> -> !tile.tile<[4], i32>
          tile.store "out" %b, %out[%i] : !tile.tile<[4], i32> : !tile.ref<[s], i32, strides = [1]>[!tile.range<4>]
        }
      }
    }""")
    function = compile_module(module)
    for size, n, v in ((7, 7, 5), (7, 3, 6), (9, 9, 8), (7, 7, 11)):
        out = torch.full((size,), -1, dtype=torch.int32)
        function(out, n, v)
        assert out.tolist() == [v] * n + [-1] * (size - n)


def test_loops_branches_and_while(run_kernel, ref):
    """Collatz steps of each row, and a loop with a negative step."""
    x = torch.tensor([6, 7, 27, 1], dtype=torch.int32)
    steps, down = torch.full((4,), -5, dtype=torch.int32), torch.full((4,), -5, dtype=torch.int32)
    s, b, r = "!tile.tile<[], i32>", "!tile.tile<[], i1>", f"{ref(x)}[!tile.tile<[], i32>]"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %steps: {ref(x)}, %down: {ref(x)}) names ["x", "steps", "down"] {{
      tile.parallel "i" (%i = 0 to 4 : {s}) {{
        %v = tile.load "x" %x[%i] : {r} -> {s}
        %zero = tile.full <0> -> {s}
        %one = tile.full <1> -> {s}
        %two = tile.full <2> -> {s}
        %three = tile.full <3> -> {s}
        %last, %count = tile.while (%v, %zero : {s}, {s}) -> ({s}, {s}) {{
          ^bb0(%n: {s}, %c: {s}):
            %more = tile.compare "ne" %n, %one : {s} -> {b}
            tile.condition %more : {b}, %n, %c : {s}, {s}
        }} do {{
          ^bb0(%n: {s}, %c: {s}):
            %odd = tile.remainder %n, %two : {s}
            %is_odd = tile.compare "eq" %odd, %one : {s} -> {b}
            %next = tile.if %is_odd : {b} -> ({s}) {{
              %t = tile.mul %n, %three : {s}
              %u = tile.add %t, %one : {s}
              tile.yield %u : {s}
            }} else {{
              %h = tile.div %n, %two : {s}
              tile.yield %h : {s}
            }}
            %c1 = tile.add %c, %one : {s}
            tile.yield %next, %c1 : {s}, {s}
        }}
        tile.store "steps" %count, %steps[%i] : {s} : {r}
        %sum = tile.for "j" (%j = 9 to d0 : {s}) step -2 with (%i : {s}) iter_args (%acc = %zero : {s}) {{
          %t = tile.add %acc, %j : {s}
          tile.yield %t : {s}
        }}
        tile.store "down" %sum, %down[%i] : {s} : {r}
      }}
    }}"""
    run_kernel(text, x, steps, down)
    assert steps.tolist() == [8, 16, 111, 0]
    assert down.tolist() == [sum(range(9, i, -2)) for i in range(4)]


def test_jagged_bounds(run_kernel, ref):
    """The bounds of an inner loop are loaded."""
    offsets = torch.tensor([0, 3, 3, 14], dtype=torch.int32)
    data, out = torch.randn(14), torch.full((3,), 77.0)
    s, i = "!tile.tile<[], f32>", "!tile.tile<[], i32>"
    text = f"""
    tile.kernel @k (%o: {ref(offsets)}, %data: {ref(data)}, %out: {ref(out)}) names ["o", "data", "out"] {{
      tile.parallel "i" (%i = 0 to 3 : {i}) {{
        %low = tile.load "o" %o[%i] : {ref(offsets)}[{i}] -> {i}
        %next = index.apply <d0 + 1>(%i) : ({i}) -> {i}
        %high = tile.load "o.1" %o[%next] : {ref(offsets)}[{i}] -> {i}
        %zero = tile.full <0.0> -> {s}
        %r = tile.for "j" (%j = d0 to d1 : !tile.range<4>) with (%low, %high : {i}, {i}) iter_args (%acc = %zero : {s}) {{
          %v = tile.load "data" %data[%j] : {ref(data)}[!tile.range<4>] -> !tile.tile<[4], f32>
          %e = tile.exp %v : !tile.tile<[4], f32>
          %p = tile.reduce "sum" <0> %e : !tile.tile<[4], f32> -> {s}
          %t = tile.add %acc, %p : {s}
          tile.yield %t : {s}
        }}
        tile.store "out" %r, %out[%i] : {s} : {ref(out)}[{i}]
      }}
    }}"""
    run_kernel(text, offsets, data, out)
    expected = torch.stack([data[a:b].double().exp().sum() for a, b in ((0, 3), (3, 3), (3, 14))])
    torch.testing.assert_close(out, expected.float())


def test_choose_keeps_one_alternative(run_kernel, ref):
    text = """
    tile.kernel @k (%out: !tile.ref<[1], i32, strides = [1]>) names ["out"] {
      %z = tile.full <0> -> !tile.tile<[], i32>
      %v = knob.choose <@way> -> (!tile.tile<[], i32>) case "a" {
        %a = tile.full <11> -> !tile.tile<[], i32>
        knob.yield %a : !tile.tile<[], i32>
      } case "b" {
        %b = tile.full <22> -> !tile.tile<[], i32>
        knob.yield %b : !tile.tile<[], i32>
      }
      tile.store "out" %v, %out[%z] : !tile.tile<[], i32> : !tile.ref<[1], i32, strides = [1]>[!tile.tile<[], i32>]
    }"""
    out = torch.zeros(1, dtype=torch.int32)
    run_kernel(text, out, assignment={"way": "b"})
    assert out.item() == 22
    with pytest.raises(InterpreterError, match='no alternative for "c"'):
        run_kernel(text, out, assignment={"way": "c"})
    with pytest.raises(InterpreterError, match="no knob of the assignment"):
        run_kernel(text, out)


def test_largest_assignment_respects_requirements():
    values = largest_assignment(matmul_module(PARALLEL, 33, 31, 29))
    assert values["bk"] == 64 and values["pid_type"] == "flat"
    assert values["bm"] * values["bn"] == 1024


def test_interpreting_ends_with_its_time():
    x, y = torch.randn(33, 29).bfloat16(), torch.randn(29, 31).bfloat16()
    module = matmul_module(PARALLEL, 33, 31, 29)
    with pytest.raises(InterpreterError, match="its time is over"), at_most(-1.0):
        run_module(module, [x, y, 1.5], {"bm": 1, "bn": 1, "bk": 1, "pid_type": "flat"}, globals={"helper": int})


def test_wrong_arguments_are_reported():
    module = matmul_module(PARALLEL, 4, 4, 4)
    x, y = torch.randn(4, 4).bfloat16(), torch.randn(4, 4).bfloat16()
    knobs = {"bm": 4, "bn": 4, "bk": 4}
    for bad in (x.float(), torch.randn(5, 4).bfloat16(), x.t()):
        with pytest.raises(InterpreterError, match="argument 'x'"):
            run_module(module, [bad, y, 1.0], knobs, globals={"helper": lambda block: 0})


def test_tensors_of_a_device_are_computed_with_there():
    module = matmul_module(PARALLEL, 33, 31, 29)
    knobs = {"bm": 16, "bn": 8, "bk": 16, "pid_type": "flat"}
    x, y = torch.randn(33, 29).bfloat16(), torch.randn(29, 31).bfloat16()
    out, expected = torch.full([33, 31], torch.nan), torch.full([33, 31], torch.nan)
    Interpreter(module, knobs).launch("_matmul", [x, y, expected])
    with Device():
        Interpreter(module, knobs).launch("_matmul", [DeviceTensor(t) for t in (x, y, out)])
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-5)


def test_what_pytorch_lacks_for_a_device_is_computed_on_the_cpu():
    module = parse_module("""
    builtin.module attributes {helion_ir.target = "cpu"} {
      tile.kernel @k (%x: !tile.ref<[4, 4], i32, strides = [4, 1]>) names ["x"] {
        %r = tile.axis "r" 0 to 4 : !tile.range<4>
        %v = tile.load "x" %x[%r, %r] : !tile.ref<[4, 4], i32, strides = [4, 1]>[!tile.range<4>, !tile.range<4>] -> !tile.tile<[4, 4], i32>
        %one = tile.full <1> -> !tile.tile<[4, 4], i32>
        %d = tile.dot %v, %v, %one precision "ieee" : !tile.tile<[4, 4], i32>, !tile.tile<[4, 4], i32>, !tile.tile<[4, 4], i32> -> !tile.tile<[4, 4], i32>
        tile.store "x" %d, %x[%r, %r] : !tile.tile<[4, 4], i32> : !tile.ref<[4, 4], i32, strides = [4, 1]>[!tile.range<4>, !tile.range<4>]
      }
    }""")
    x = torch.arange(16, dtype=torch.int32).view(4, 4)
    expected = x @ x + 1
    with Device(lacks=torch.matmul):
        Interpreter(module, {}).launch("k", [DeviceTensor(x)])
    assert torch.equal(x, expected)
