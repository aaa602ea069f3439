"""The triton dialect: pointers, blocks, arithmetic with C's signs, calls, reductions, templates."""

import math

import pytest
import torch

from helion_ir.dialects.context import parse_module
from helion_ir.interpreter import InterpreterError, run_module
from helion_ir.interpreter.calls import resolve

PTR = "!tile.tile<[], !triton.ptr<f32>>"
KERNEL = """
    triton.kernel @k (%x: !tile.tile<[], !triton.ptr<f32>>, %out: !tile.tile<[], !triton.ptr<f32>>, %n: !tile.tile<[], i32>)
        names ["x", "out", "n"] constexprs {{BLOCK = #index.expr<@block>}} launch {{num_warps = 4 : i64}} {{
      triton.program_loop %pid of <n ceildiv @block> kind #index.expr<@pid_type> {{
        %a = triton.arange <BLOCK> : !tile.tile<[@block], i32>
        %i = index.apply <d0 * BLOCK + d1>(%pid, %a) : (!tile.tile<[], i32>, !tile.tile<[@block], i32>) -> !tile.tile<[@block], i32>
        %m = index.apply <d0 lt {bound}>(%i) : (!tile.tile<[@block], i32>) -> !tile.tile<[@block], i1>
        %px = triton.addptr %x, %i : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@block], i32> -> !tile.tile<[@block], !triton.ptr<f32>>
        %po = triton.addptr %out, %i : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@block], i32> -> !tile.tile<[@block], !triton.ptr<f32>>
        %v = triton.load %px mask %m : !tile.tile<[@block], i1> eviction "evict_first" : !tile.tile<[@block], !triton.ptr<f32>> -> !tile.tile<[@block], f32> loc("copy.py":5:9)
        %two = triton.full <2.0> shape [#index.expr<BLOCK>] -> !tile.tile<[@block], f32>
        %w = triton.binary "*" %v, %two : !tile.tile<[@block], f32>, !tile.tile<[@block], f32> -> !tile.tile<[@block], f32>
        triton.store %po, %w mask %m : !tile.tile<[@block], i1> : !tile.tile<[@block], !triton.ptr<f32>>, !tile.tile<[@block], f32>
      }}
    }}"""


@pytest.mark.parametrize("kind", ["flat", "persistent_blocked", "persistent_interleaved"])
@pytest.mark.parametrize("size", [1, 15, 16, 17, 101])
def test_a_template_under_an_assignment(size, kind, run_kernel):
    """The tensors start in the middle of their storages."""
    x, base = torch.randn(size + 3)[3:], torch.full((size + 40,), 77.0)
    out = base[5 : 5 + size]
    run_kernel(KERNEL.format(bound="n"), x, out, size, assignment={"block": 16, "pid_type": kind})
    assert torch.equal(out, 2 * x)
    assert (base == 77.0).sum() == 40


def test_an_address_outside_of_the_storage_is_reported(run_kernel):
    x, out = torch.randn(20), torch.full((40,), 77.0)
    with pytest.raises(InterpreterError, match=r"(?s)element 20 of a storage of 20.*triton.load.*copy.py:5:9"):
        run_kernel(KERNEL.format(bound="n + 1"), x, out, 20, assignment={"block": 16, "pid_type": "flat"})


def test_a_materialized_kernel_needs_no_assignment():
    module = parse_module("""
    builtin.module {
      host.func @f ["x", "out"] { host.launch @k ["x", "out"] }
      triton.kernel @k (%x: !tile.tile<[], !triton.ptr<bf16>>, %out: !tile.tile<[], !triton.ptr<f32>>) names ["x", "out"]
          constexprs {BLOCK = 8 : i64} launch {num_warps = 4 : i64} {
        triton.program_loop %pid of <1> kind "flat" {
          %a = triton.arange <BLOCK> : !tile.tile<[8], i32>
          %p = triton.addptr %x, %a : !tile.tile<[], !triton.ptr<bf16>>, !tile.tile<[8], i32> -> !tile.tile<[8], !triton.ptr<bf16>>
          %v = triton.load %p : !tile.tile<[8], !triton.ptr<bf16>> -> !tile.tile<[8], bf16>
          %f = triton.cast %v : !tile.tile<[8], bf16> -> !tile.tile<[8], f32>
          %q = triton.addptr %out, %a : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[8], i32> -> !tile.tile<[8], !triton.ptr<f32>>
          triton.store %q, %f : !tile.tile<[8], !triton.ptr<f32>>, !tile.tile<[8], f32>
        }
      }
    }""")
    x, out = torch.randn(8).bfloat16(), torch.full((8,), 77.0)
    run_module(module, [x, out])
    assert torch.equal(out, x.float())


def unit(body: str, size: int = 8, element: str = "f32") -> str:
    """A kernel of one program over a block: %v are the elements of x, and `body` computes %r."""
    t, p = f"!tile.tile<[{size}], {element}>", f"!tile.tile<[{size}], !triton.ptr<{element}>>"
    base = f"!tile.tile<[], !triton.ptr<{element}>>"
    return f"""
    triton.kernel @k (%x: {base}, %out: {base}) names ["x", "out"] constexprs {{}} launch {{}} {{
      triton.program_loop %pid of <1> kind "flat" {{
        %a = triton.arange <{size}> : !tile.tile<[{size}], i32>
        %p = triton.addptr %x, %a : {base}, !tile.tile<[{size}], i32> -> {p}
        %v = triton.load %p : {p} -> {t}
        {body}
        %q = triton.addptr %out, %a : {base}, !tile.tile<[{size}], i32> -> {p}
        triton.store %q, %r : {p}, {t}
      }}
    }}"""


T, I = "!tile.tile<[8], f32>", "!tile.tile<[8], i32>"


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("//", [2, -2, 0, 0, 1, 33, -33, 4]), ("%", [1, -1, 1, -2, 0, 1, -1, 0]), (">>", [0, -1, 0, -1, 0, 12, -13, 1])],
)
def test_integer_operators_have_the_signs_of_c(operator, expected, run_kernel):
    x = torch.tensor([7, -7, 1, -2, 3, 100, -100, 12], dtype=torch.int32)
    out = torch.full_like(x, 77)
    body = f"""%y = triton.full <3> shape [#index.expr<8>] -> {I}
        %r = triton.binary "{operator}" %v, %y : {I}, {I} -> {I}"""
    run_kernel(unit(body, element="i32"), x, out)
    assert out.tolist() == expected


def test_operators_promote_and_broadcast(run_kernel):
    """i32 / i32 is a float quotient; a scalar broadcasts; a comparison gives a bool."""
    x, out = torch.randn(8), torch.full((8,), 77.0)
    body = f"""%one = triton.full <1> shape [] -> !tile.tile<[], i32>
        %i = triton.binary "+" %a, %one : {I}, !tile.tile<[], i32> -> {I}
        %h = triton.binary "/" %one, %i : !tile.tile<[], i32>, {I} -> {T}
        %c = triton.binary ">" %v, %h : {T}, {T} -> !tile.tile<[8], i1>
        %m = triton.unary "-" %h : {T} -> {T}
        %r = triton.call "tl.where"(%c, %v, %m) {{}} : (!tile.tile<[8], i1>, {T}, {T}) -> {T}"""
    run_kernel(unit(body), x, out)
    h = 1 / torch.arange(1.0, 9.0)
    torch.testing.assert_close(out, torch.where(x > h, x, -h))


NAN = math.nan
REDUCED = torch.tensor([1.5, -2.0, 3.0, NAN, 0.5, 4.0, -1.0, 2.0])


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("tl.max", 4.0), ("tl.min", -2.0), ("plain.fmax_nan", NAN), ("plain.fmin_nan", NAN), ("tl.sum", NAN)],
)
def test_reductions_of_nan(combine, expected, run_kernel):
    out = torch.full((8,), 77.0)
    body = f"""%s = triton.reduce "{combine}" 0 : i64 %v : {T} -> !tile.tile<[], f32>
        %e = triton.expand_dims <0> %s : !tile.tile<[], f32> -> !tile.tile<[1], f32>
        %r = triton.broadcast_to %e shape [#index.expr<8>] : !tile.tile<[1], f32> -> {T}"""
    run_kernel(unit(body), REDUCED, out)
    torch.testing.assert_close(out, torch.full((8,), expected), equal_nan=True)


@pytest.mark.parametrize(
    ("combine", "function"),
    [
        ("tl.sum", sum),
        ("plain.mul2", math.prod),
        ("tl.xor_sum", lambda v: 3 ^ 5 ^ 6 ^ 9 ^ 17 ^ 2 ^ 8 ^ 40),
        ("plain.or2", lambda v: 63),
    ],
)
def test_reductions_of_integers(combine, function, run_kernel):
    x = torch.tensor([3, 5, 6, 9, 17, 2, 8, 40], dtype=torch.int32)
    out = torch.full_like(x, 77)
    body = f"""%s = triton.reduce "{combine}" 0 : i64 %v : {I} -> !tile.tile<[], i32>
        %e = triton.expand_dims <0> %s : !tile.tile<[], i32> -> !tile.tile<[1], i32>
        %r = triton.broadcast_to %e shape [#index.expr<8>] : !tile.tile<[1], i32> -> {I}"""
    run_kernel(unit(body, element="i32"), x, out)
    assert out.tolist() == [function(x.tolist())] * 8


@pytest.mark.parametrize("values", [[1.0, 5.0, 2.0, 5.0, -3.0, 0.0, 5.0, 1.0], REDUCED.tolist()])
@pytest.mark.parametrize("combine", ["argmax_nan", "argmin_nan"])
def test_positions_of_extrema(combine, values, run_kernel):
    x, out = torch.tensor(values), torch.full((8,), 77.0)
    body = f"""%s = triton.arg_reduce "plain.{combine}" 0 : i64 %v, %a : {T}, {I} -> !tile.tile<[], i32>
        %z = triton.full <0> shape [#index.expr<8>] -> {I}
        %i = triton.binary "+" %z, %s : {I}, !tile.tile<[], i32> -> {I}
        %r = triton.cast %i : {I} -> {T}"""
    run_kernel(unit(body), x, out)
    expected = getattr(torch, combine[:6])(x).item()
    assert out.tolist() == [expected] * 8


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("combine", "function"), [("tl.cumsum", "cumsum"), ("tl.cumprod", "cumprod"), ("plain.fmax_nan", "cummax")]
)
def test_scans(combine, function, reverse, run_kernel):
    x, out = torch.randn(8), torch.full((8,), 77.0)
    run_kernel(unit(f'%r = triton.scan "{combine}" 0 : i64 %v reverse {str(reverse).lower()} : {T} -> {T}'), x, out)
    source = x.flip(0) if reverse else x
    expected = getattr(torch, function)(source, 0)
    expected = expected if isinstance(expected, torch.Tensor) else expected.values
    torch.testing.assert_close(out, expected.flip(0) if reverse else expected)


def test_shapes(run_kernel):
    """Interleaving by join and reshape, undone by split, then a transposition and back."""
    x, out = torch.randn(8), torch.full((8,), 77.0)
    h, d = "!tile.tile<[8, 2], f32>", "!tile.tile<[2, 4], f32>"
    body = f"""%n = triton.unary "-" %v : {T} -> {T}
        %j = triton.join %v, %n : {T}, {T} -> {h}
        %f, %s = triton.split %j : {h} -> {T}, {T}
        %m = triton.reshape %s shape [#index.expr<2>, #index.expr<4>] : {T} -> {d}
        %t = triton.permute <1, 0> %m : {d} -> !tile.tile<[4, 2], f32>
        %u = triton.reshape %t shape [#index.expr<8>] : !tile.tile<[4, 2], f32> -> {T}
        %r = triton.binary "-" %u, %f : {T}, {T} -> {T}"""
    run_kernel(unit(body), x, out)
    torch.testing.assert_close(out, -x.reshape(2, 4).t().reshape(8) - x)


def test_custom_reduction_and_scan(run_kernel):
    x, out = torch.randn(8), torch.full((8,), 77.0)
    s = "!tile.tile<[], f32>"
    region = f"""{{
          ^bb0(%l: {s}, %h: {s}):
            %w = triton.call "tl.minimum"(%l, %h) {{}} : ({s}, {s}) -> {s}
            triton.yield %w : {s}
        }}"""
    body = f"""%m = triton.custom_reduce %v axis 0 : i64 {region} : {T} -> {s}
        %c = triton.custom_scan %v axis 0 : i64 reverse true {region} : {T} -> {T}
        %r = triton.binary "-" %c, %m : {T}, {s} -> {T}"""
    run_kernel(unit(body), x, out)
    torch.testing.assert_close(out, x.flip(0).cummin(0).values.flip(0) - x.min())


def test_bitcast(run_kernel):
    x, out = torch.randn(8), torch.full((8,), 77.0)
    body = f"""%b = triton.bitcast %v : {T} -> {I}
        %m = triton.full <2147483647> shape [#index.expr<8>] -> {I}
        %c = triton.binary "&" %b, %m : {I}, {I} -> {I}
        %r = triton.bitcast %c : {I} -> {T}"""
    run_kernel(unit(body), x, out)
    assert torch.equal(out, x.abs())


BLOCKS = {
    "block_ptr": """
        %bx = triton.make_block_ptr %x[%i, %j] shape [#index.expr<{m}>, #index.expr<{n}>] strides [#index.expr<{n}>, #index.expr<1>]
          block [#index.expr<4>, #index.expr<8>] order <1, 0> : {p}[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !triton.block_ptr<[4, 8], f32>
        %bo = triton.make_block_ptr %out[%i, %j] shape [#index.expr<{m}>, #index.expr<{n}>] strides [#index.expr<{n}>, #index.expr<1>]
          block [#index.expr<4>, #index.expr<8>] order <1, 0> : {p}[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !triton.block_ptr<[4, 8], f32>
        %v = triton.block_load %bx boundary <{boundary}> : !triton.block_ptr<[4, 8], f32> -> !tile.tile<[4, 8], f32>
        triton.block_store %bo, %v boundary <{boundary}> : !triton.block_ptr<[4, 8], f32>, !tile.tile<[4, 8], f32>""",
    "descriptor": """
        %dx = triton.make_descriptor %x shape [#index.expr<{m}>, #index.expr<{n}>] strides [#index.expr<{n}>, #index.expr<1>]
          block [#index.expr<4>, #index.expr<8>] : {p} -> !triton.descriptor<[4, 8], f32>
        %do = triton.make_descriptor %out shape [#index.expr<{m}>, #index.expr<{n}>] strides [#index.expr<{n}>, #index.expr<1>]
          block [#index.expr<4>, #index.expr<8>] : {p} -> !triton.descriptor<[4, 8], f32>
        %v = triton.descriptor_load %dx[%i, %j] : !triton.descriptor<[4, 8], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[4, 8], f32>
        triton.descriptor_store %do[%i, %j], %v : !triton.descriptor<[4, 8], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[4, 8], f32>""",
}


def block_kernel(way: str, m: int, n: int, boundary: str = "0, 1") -> str:
    i = "!tile.tile<[], i32>"
    return f"""
    triton.kernel @k (%x: {PTR}, %out: {PTR}) names ["x", "out"] constexprs {{}} launch {{}} {{
      triton.program_loop %pid of <({m} ceildiv 4) * ({n} ceildiv 8)> kind "flat" {{
        %i = index.apply <(d0 floordiv ({n} ceildiv 8)) * 4>(%pid) : ({i}) -> {i}
        %j = index.apply <(d0 mod ({n} ceildiv 8)) * 8>(%pid) : ({i}) -> {i}
        {BLOCKS[way].format(m=m, n=n, p=PTR, boundary=boundary)}
      }}
    }}"""


@pytest.mark.parametrize(("m", "n"), [(1, 1), (4, 8), (5, 9), (7, 16)])
@pytest.mark.parametrize("way", BLOCKS)
def test_blocks_stop_at_the_shape(way, m, n, run_kernel):
    x, base = torch.randn(m, n), torch.full((m * n + 50,), 77.0)
    out = base[: m * n].view(m, n)
    run_kernel(block_kernel(way, m, n), x, out)
    assert torch.equal(out, x)
    assert (base[m * n :] == 77.0).all()


def test_a_forgotten_boundary_check_is_reported(run_kernel):
    x, out = torch.randn(5, 9), torch.full((5, 9), 77.0)
    with pytest.raises(InterpreterError, match="out of bounds"):
        run_kernel(block_kernel("block_ptr", 5, 9, boundary="1"), x, out)


def test_dot_of_integers_is_exact(run_kernel):
    a, b = torch.randint(-128, 128, (16, 32), dtype=torch.int8), torch.randint(-128, 128, (32, 16), dtype=torch.int8)
    out = torch.full((16, 16), 77, dtype=torch.int32)
    load = """
        %r{x} = triton.arange <{m}> : !tile.tile<[{m}], i32>
        %c{x} = triton.arange <{n}> : !tile.tile<[{n}], i32>
        %rr{x} = triton.expand_dims <1> %r{x} : !tile.tile<[{m}], i32> -> !tile.tile<[{m}, 1], i32>
        %cc{x} = triton.expand_dims <0> %c{x} : !tile.tile<[{n}], i32> -> !tile.tile<[1, {n}], i32>
        %o{x} = index.apply <d0 * {n} + d1>(%rr{x}, %cc{x}) : (!tile.tile<[{m}, 1], i32>, !tile.tile<[1, {n}], i32>) -> !tile.tile<[{m}, {n}], i32>
        %p{x} = triton.addptr %{x}, %o{x} : !tile.tile<[], !triton.ptr<{e}>>, !tile.tile<[{m}, {n}], i32> -> !tile.tile<[{m}, {n}], !triton.ptr<{e}>>"""
    text = f"""
    triton.kernel @k (%a: !tile.tile<[], !triton.ptr<i8>>, %b: !tile.tile<[], !triton.ptr<i8>>, %o: !tile.tile<[], !triton.ptr<i32>>)
        names ["a", "b", "o"] constexprs {{}} launch {{}} {{
      triton.program_loop %pid of <1> kind "flat" {{
        {load.format(x="a", m=16, n=32, e="i8")} {load.format(x="b", m=32, n=16, e="i8")} {load.format(x="o", m=16, n=16, e="i32")}
        %va = triton.load %pa : !tile.tile<[16, 32], !triton.ptr<i8>> -> !tile.tile<[16, 32], i8>
        %vb = triton.load %pb : !tile.tile<[32, 16], !triton.ptr<i8>> -> !tile.tile<[32, 16], i8>
        %z = triton.full <5> shape [#index.expr<16>, #index.expr<16>] -> !tile.tile<[16, 16], i32>
        %d = triton.dot %va, %vb, %z precision "ieee" : !tile.tile<[16, 32], i8>, !tile.tile<[32, 16], i8>, !tile.tile<[16, 16], i32> -> !tile.tile<[16, 16], i32>
        triton.store %po, %d : !tile.tile<[16, 16], !triton.ptr<i32>>, !tile.tile<[16, 16], i32>
      }}
    }}"""
    run_kernel(text, a, b, out)
    assert torch.equal(out, a.int() @ b.int() + 5)


def test_atomics(run_kernel):
    x = torch.tensor([5.0, 50.0, 7.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    out = torch.full((8,), 77.0)
    body = f"""%one = triton.full <1> shape [] -> !tile.tile<[], i32>
        %h = triton.binary ">>" %a, %one : {I}, !tile.tile<[], i32> -> {I}
        %ph = triton.addptr %out, %h : {PTR}, {I} -> !tile.tile<[8], !triton.ptr<f32>>
        %m = index.apply <d0 lt 5>(%a) : ({I}) -> !tile.tile<[8], i1>
        %old = triton.atomic "add" "relaxed" %ph, %v mask %m : !tile.tile<[8], i1> : !tile.tile<[8], !triton.ptr<f32>>, {T} -> {T}
        triton.barrier
        %e = triton.full <132.0> shape [#index.expr<8>] -> {T}
        %po = triton.addptr %out, %a : {PTR}, {I} -> !tile.tile<[8], !triton.ptr<f32>>
        triton.atomic "cas" "relaxed" %po, %e, %v : !tile.tile<[8], !triton.ptr<f32>>, {T}, {T}
        %now = triton.load %po : !tile.tile<[8], !triton.ptr<f32>> -> {T}
        %r = triton.binary "+" %old, %now : {T}, {T} -> {T}"""
    run_kernel(unit(body), x, out)
    # Sums are 132, 85, 78, then untouched; cas puts x[0] where 132 was.
    assert out.tolist() == [77 + 5, 82 + 85, 77 + 78, 84 + 77, 77 + 77, 77, 77, 77]


CALLS = [
    ("tl.maximum", [1.0, NAN], [NAN, 2.0], {}, [1.0, 2.0]),
    ("tl.maximum", [1.0, NAN], [NAN, 2.0], {"propagate_nan": "tl.PropagateNan.ALL"}, [NAN, NAN]),
    ("plain.fmin_nan", [1.0, NAN], [0.5, 2.0], {}, [0.5, NAN]),
    ("libdevice.tanh", [0.5, -3.0], None, {}, [0.46211717, -0.99505478]),
    ("plain.tanh_64", [0.5, -3.0], None, {}, [0.46211717, -0.99505478]),
    ("plain.rint32", [2.5, -3.5], None, {}, [2.0, -4.0]),
    ("libdevice.round", [2.5, -3.5], None, {}, [3.0, -4.0]),
    ("plain.fmod_bits", [7.5, -7.5], [2.0, 2.0], {}, [1.5, -1.5]),
    ("plain.rem_f32", [7.5, -7.5], [2.0, 2.0], {}, [1.5, 0.5]),
    ("libdevice.pow", [2.0, -2.0], [0.5, 3.0], {}, [1.4142135, -8.0]),
    ("plain.sign32", [-3.0, NAN], None, {}, [-1.0, 0.0]),
    ("plain.f2i_sat32", [3e9, -7.9], None, {}, [2147483647, -7]),
    ("plain.f2i_sat32", [NAN, -3e9], None, {}, [0, -2147483648]),
]


@pytest.mark.parametrize(("callee", "a", "b", "keywords", "expected"), CALLS)
def test_calls(callee, a, b, keywords, expected):
    arguments = [torch.tensor(v) for v in (a, b) if v is not None]
    result = resolve(callee, keywords)(*arguments)
    torch.testing.assert_close(result, torch.tensor(expected, dtype=result.dtype), equal_nan=True)


def test_integer_calls():
    a, b = torch.tensor([7, -7, 7, -7]), torch.tensor([2, 2, -2, -2])
    assert resolve("plain.floordiv_i", {})(a, b).tolist() == [3, -4, -4, 3]
    assert resolve("plain.pymod_i", {})(a, b).tolist() == [1, 1, -1, -1]
    assert resolve("plain.fmod_i", {})(a, b).tolist() == [1, -1, 1, -1]


def test_sort_keys_keep_order_and_values():
    x = torch.tensor([3.0, -math.inf, NAN, -0.5, 0.25, math.inf])
    keys = resolve("plain.sortkey32", {})(x)
    assert torch.argsort(keys).tolist() == [1, 3, 4, 0, 5, 2]
    torch.testing.assert_close(resolve("plain.unsortkey32", {})(keys), x, equal_nan=True)
    pairs = resolve("plain.sortpair32", {})(x, torch.arange(6))
    assert resolve("plain.sortpair_position", {})(pairs.sort().values).tolist() == [1, 3, 4, 0, 5, 2]


def test_unknown_functions_are_reported(run_kernel):
    x, out = torch.randn(8), torch.full((8,), 77.0)
    with pytest.raises(InterpreterError, match="knows no function named plain.frobnicate"):
        run_kernel(unit(f'%r = triton.call "plain.frobnicate"(%v) {{}} : ({T}) -> {T}'), x, out)


def test_every_function_of_the_library_is_known():
    """Those that the library has for its own use alone, and combine functions of pairs, excepted."""
    from helion_ir.backend_triton.library import names

    internal = {"angle64", "bits32", "cosine64", "erfcx64", "lgamma_lanczos64", "argmax_nan", "argmin_nan"}
    for name in set(names()) - internal:
        resolve(f"plain.{name}", {})
