"""The exact text of each kind of op."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.knob import KnobValue

I32, F32, I1, T = "!tile.tile<[], i32>", "!tile.tile<[], f32>", "!tile.tile<[], i1>", "!tile.tile<[8, 16], f32>"
V, VI, VM = "!tile.tile<[8], f32>", "!tile.tile<[8], i32>", "!tile.tile<[8], i1>"
PTR, PTRS = "!tile.tile<[], !triton.ptr<f32>>", "!tile.tile<[8], !triton.ptr<f32>>"
BM = "bm = #index.expr<@tile_m.block_size>"
ASSIGNMENT: Mapping[str, KnobValue] = {"tile_m.block_size": 8, "loop.k.num_stages": 2}


def lines(
    body: str, args: str = "", constexprs: str = "", assignment: Mapping[str, KnobValue] = ASSIGNMENT
) -> list[str]:
    """The lines of a kernel with this body."""
    return text(body, args, constexprs, assignment).split(":\n    ", 1)[1].rstrip("\n").split("\n    ")


def text(body: str, args: str = "", constexprs: str = "", assignment: Mapping[str, KnobValue] = ASSIGNMENT) -> str:
    names = ", ".join(f'"{n}"' for n in re.findall(r"%(\w+)\s*:", args))
    module = f"""builtin.module {{
      triton.kernel @_k ({args}) names [{names}] constexprs {{{constexprs}}} launch {{}} {{
        {body}
      }}
    }}"""
    printed = print_module(parse_module(module), assignment).kernel_text
    return printed[printed.rindex("@triton.jit") :]


CASES = [
    ("%r = triton.full <-inf> shape [#index.expr<bm>, #index.expr<16>] -> !tile.tile<[8, 16], f32>",
     'r = tl.full([bm, 16], float("-inf"), tl.float32)'),
    ("%r = triton.full <1.5> shape [] -> !tile.tile<[], bf16>", "r = tl.full([], 1.5, tl.bfloat16)"),
    ("%r = triton.full <-0.0> shape [#index.expr<8>] -> !tile.tile<[8], f32>", "r = tl.full([8], -0.0, tl.float32)"),
    ("%r = triton.full <3> shape [#index.expr<8>] -> !tile.tile<[8], ui8>", "r = tl.full([8], 3, tl.uint8)"),
    ("%r = triton.arange <bm> : !tile.tile<[8], i32>", "r = tl.arange(0, bm)"),
    (f'%r = triton.unary "~" %i : {VI} -> {VI}', "r = ~i"),
    (f'%r = triton.binary "<=" %i, %s : {VI}, {I32} -> {VM}', "r = i <= s"),
    (f'%r = triton.call "tl.maximum"(%v, %f) {{propagate_nan = "tl.PropagateNan.ALL"}} : ({V}, {F32}) -> {V}',
     "r = tl.maximum(v, f, propagate_nan=tl.PropagateNan.ALL)"),
    (f'%r = triton.call "libdevice.tanh"(%v) {{}} : ({V}) -> {V}', "r = libdevice.tanh(v)"),
    (f'%r = triton.call "plain.rint32"(%v) {{}} : ({V}) -> {V}', "r = plain_rint32(v)"),
    (f"%r = triton.cast %v : {V} -> !tile.tile<[8], f8E4M3FN>", "r = v.to(tl.float8e4nv)"),
    (f"%r = triton.cast %s : {I32} -> !tile.tile<[], i64>", "r = tl.cast(s, tl.int64)"),
    (f"%r = triton.bitcast %v : {V} -> !tile.tile<[8], ui32>", "r = v.to(tl.uint32, bitcast=True)"),
    (f"%r = triton.expand_dims <0, 2> %v : {V} -> !tile.tile<[1, 8, 1], f32>", "r = v[None, :, None]"),
    (f"%r = triton.expand_dims <0> %f : {F32} -> !tile.tile<[1], f32>", "r = tl.full([1], f, tl.float32)"),
    (f"%r = triton.broadcast_to %v shape [#index.expr<bm>, #index.expr<8>] : {V} -> !tile.tile<[8, 8], f32>",
     "r = tl.broadcast_to(v, [bm, 8])"),
    (f"%r = triton.broadcast_to %s shape [#index.expr<bm>] : {I32} -> {VI}", "r = tl.full([bm], s, tl.int32)"),
    (f"%r = triton.reshape %a shape [#index.expr<bm * 16>] : {T} -> !tile.tile<[128], f32>",
     "r = tl.reshape(a, [bm * 16])"),
    (f"%r = triton.permute <1, 0> %a : {T} -> !tile.tile<[16, 8], f32>", "r = tl.permute(a, [1, 0])"),
    (f"%q, %r = triton.split %a : {T} -> {V}, {V}", "q, r = tl.split(a)"),
    (f"%r = triton.join %v, %v : {V}, {V} -> !tile.tile<[8, 2], f32>", "r = tl.join(v, v)"),
    (f'%r = triton.reduce "tl.sum" 1 : i64 %a : {T} -> {V}', "r = tl.sum(a, 1)"),
    (f'%r = triton.reduce "plain.fmax_nan" 0 : i64 %a : {T} -> {V}', "r = tl.reduce(a, 0, plain_fmax_nan)"),
    (f'%r = triton.arg_reduce "plain.argmax_nan" 0 : i64 %v, %i : {V}, {VI} -> {I32}',
     "r = tl.reduce((v, i), 0, plain_argmax_nan)[1]"),
    (f'%r = triton.scan "tl.cumsum" 0 : i64 %v reverse false : {V} -> {V}', "r = tl.cumsum(v, 0)"),
    (f'%r = triton.scan "plain.mul2" 0 : i64 %v reverse true : {V} -> {V}',
     "r = tl.associative_scan(v, 0, plain_mul2, reverse=True)"),
    (f'%r = triton.dot %a, %b, %a precision "tf32" : {T}, {T}, {T} -> {T}',
     'r = tl.dot(a, b, a, input_precision="tf32")'),
    (f"%r = triton.addptr %p, %i : {PTR}, {VI} -> {PTRS}", "r = p + i"),
    (f"%r = triton.load %ps : {PTRS} -> {V}", "r = tl.load(ps)"),
    (f'%r = triton.load %ps mask %m : {VM} eviction "first" : {PTRS} -> {V}',
     'r = tl.load(ps, mask=m, other=0.0, eviction_policy="evict_first")'),
    (f'%r = triton.load %ps eviction "" : {PTRS} -> {V}', "r = tl.load(ps)"),
    (f"triton.store %ps, %v : {PTRS}, {V}", "tl.store(ps, v)"),
    (f"triton.store %ps, %v mask %m : {VM} : {PTRS}, {V}", "tl.store(ps, v, mask=m)"),
    ("triton.barrier", "tl.debug_barrier()"),
    ("%r = index.apply <d0 * bm + d1>(%s, %i) : " f"({I32}, {VI}) -> {VI}", "r = bm * s + i"),
    (f"%r = index.apply <d0 floordiv 4 mod (bm ceildiv 2)>(%i) : ({VI}) -> {VI}", "r = i // 4 % tl.cdiv(bm, 2)"),
    (f"%r = index.apply <(d0 + 3) floordiv 4 * 2 - d1>(%i, %s) : ({VI}, {I32}) -> {VI}", "r = ((i + 3) // 4) * 2 - s"),
    (f"%r = index.apply <d0 * -1 + 7>(%i) : ({VI}) -> {VI}", "r = -i + 7"),
    (f"%r = index.apply <min(d0, 64) + max(bm, 16)>(%i) : ({VI}) -> {VI}", "r = max(bm, 16) + tl.minimum(i, 64)"),
    (f"%r = index.apply <0 le d0 and d0 lt s or not (d0 eq 7)>(%i) : ({VI}) -> {VM}",
     "r = (0 <= i) & (i < s) | ((i == 7) == 0)"),
    (f"%r = index.apply <d0 lt 5 and (bm ne 8 or bm le 2)>(%i) : ({VI}) -> {VM}",
     "r = (i < 5) & (bm != 8 or bm <= 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CASES, ids=[c[1] for c in CASES])
def test_line(body: str, expected: str) -> None:
    values = [
        "%a = triton.full <2.0> shape [#index.expr<8>, #index.expr<16>] -> " + T,
        "%b = triton.full <2.0> shape [#index.expr<8>, #index.expr<16>] -> " + T,
        "%v = triton.full <2.0> shape [#index.expr<8>] -> " + V,
        "%i = triton.full <2> shape [#index.expr<8>] -> " + VI,
        "%m = triton.full <1> shape [#index.expr<8>] -> " + VM,
        f"%ps = triton.addptr %p, %i : {PTR}, {VI} -> {PTRS}",
    ]
    args = f"%s: {I32}, %f: {F32}, %p: {PTR}"
    assert lines("\n".join([*values, body]), args, BM)[6:] == [expected]


def test_atomics() -> None:
    args = f"%p: {PTR}, %s: {F32}"
    assert lines(f'triton.atomic "add" "relaxed" %p, %s : {PTR}, {F32}', args) == ['tl.atomic_add(p, s, sem="relaxed")']
    body = f"""%m = index.apply <1>() : () -> {I1}
    %r = triton.atomic "max" "acq_rel" %p, %s mask %m : {I1} : {PTR}, {F32} -> {F32}
    %q = triton.atomic "cas" "relaxed" %p, %s, %r : {PTR}, {F32}, {F32} -> {F32}"""
    assert lines(body, args) == [
        'r = tl.atomic_max(p, s, mask=1, sem="acq_rel")',
        'q = tl.atomic_cas(p, s, r, sem="relaxed")',
    ]


def test_block_pointers_and_descriptors() -> None:
    body = f"""%k = index.apply <bm * 2>() : () -> {I32}
    %b = triton.make_block_ptr %p [%k, %s] shape [#index.expr<m>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<bm>, #index.expr<16>] order <1, 0> : {PTR} [{I32}, {I32}] -> !triton.block_ptr<[@tile_m.block_size, 16], f32>
    %v = triton.block_load %b boundary <0> : !triton.block_ptr<[@tile_m.block_size, 16], f32> -> !tile.tile<[@tile_m.block_size, 16], f32>
    triton.block_store %b, %v boundary <> : !triton.block_ptr<[@tile_m.block_size, 16], f32>, !tile.tile<[@tile_m.block_size, 16], f32>
    %d = triton.make_descriptor %p shape [#index.expr<m>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<bm>, #index.expr<16>] : {PTR} -> !triton.descriptor<[@tile_m.block_size, 16], f32>
    %w = triton.descriptor_load %d [%k, %s] : !triton.descriptor<[@tile_m.block_size, 16], f32> [{I32}, {I32}] -> !tile.tile<[@tile_m.block_size, 16], f32>
    triton.descriptor_store %d [%s, %k], %w : !triton.descriptor<[@tile_m.block_size, 16], f32> [{I32}, {I32}], !tile.tile<[@tile_m.block_size, 16], f32>"""
    assert lines(body, f"%p: {PTR}, %m: {I32}, %s: {I32}", BM) == [
        "b = tl.make_block_ptr(p, [m, 64], [64, 1], [(bm * 2), s], [bm, 16], [1, 0])",
        'v = tl.load(b, boundary_check=[0], padding_option="zero")',
        "tl.store(b, v)",
        "d = tl.make_tensor_descriptor(p, [m, 64], [64, 1], [bm, 16])",
        "w = d.load([(bm * 2), s])",
        "d.store([s, (bm * 2)], w)",
    ]


def test_a_loop_that_swaps_what_it_carries() -> None:
    body = f"""%one = index.apply <1>() : () -> {I32}
    %r, %q, %u = triton.for %k = <0> to <s> step <bm> iter_args (%x = %one : {I32}, %y = %s : {I32}, %z = %s : {I32}) options {{num_stages = #index.expr<stages>, flatten = #knob.value<true>, loop_unroll_factor = 2 : i64}} {{
      triton.yield %y, %x, %z : {I32}, {I32}, {I32}
    }}
    %t = triton.binary "+" %r, %q : {I32}, {I32} -> {I32}"""
    assert lines(body, f"%s: {I32}", f"{BM}, stages = #index.expr<@loop.k.num_stages>") == [
        "x = tl.full([], 1, tl.int32)",
        "y = s",
        "z = s",
        "for k in tl.range(0, s, bm, num_stages=stages, flatten=True, loop_unroll_factor=2):",
        "    x, y = y, x",
        "t = x + y",
    ]


def test_branches() -> None:
    body = f"""%r = triton.if %c : {I1} -> ({I32}) {{
      %t = triton.binary "+" %s, %s : {I32}, {I32} -> {I32}
      triton.yield %t : {I32}
    }} else {{
      %n = index.apply <3>() : () -> {I32}
      triton.yield %n : {I32}
    }}
    triton.if %c : {I1} {{ triton.yield }} else {{ triton.yield }}"""
    assert lines(body, f"%s: {I32}, %c: {I1}") == [
        "if c:",
        "    t = s + s",
        "    r = t",
        "else:",
        "    r = tl.full([], 3, tl.int32)",
        "if c:",
        "    pass",
    ]


def test_while_prints_its_condition_twice_under_the_same_names() -> None:
    body = f"""%r = triton.while (%s : {I32}) -> ({I32}) {{
    ^bb0(%i : {I32}):
      %0 = triton.binary "*" %i, %i : {I32}, {I32} -> {I32}
      %more = triton.binary "<" %0, %s : {I32}, {I32} -> {I1}
      triton.condition %more : {I1}, %i : {I32}
    }} do {{
    ^bb0(%j : {I32}):
      %1 = triton.binary "+" %j, %j : {I32}, {I32} -> {I32}
      triton.yield %1 : {I32}
    }}
    %t = triton.unary "-" %r : {I32} -> {I32}"""
    assert lines(body, f"%s: {I32}") == [
        "i = s",
        "v_0 = i * i",
        "more = v_0 < s",
        "while more:",
        "    v_1 = i + i",
        "    i = v_1",
        "    v_0 = i * i",
        "    more = v_0 < s",
        "t = -i",
    ]


def test_choice() -> None:
    body = f"""%r = knob.choose <@order> -> ({I32}) case [0, 1] {{
      %t = triton.unary "-" %s : {I32} -> {I32}
      knob.yield %t : {I32}
    }} case [1, 0] {{ knob.yield %s : {I32} }}
    %u = triton.unary "~" %r : {I32} -> {I32}"""
    assert lines(body, f"%s: {I32}", assignment={"order": (0, 1)}) == ["t = -s", "u = ~t"]
    assert lines(body, f"%s: {I32}", assignment={"order": (1, 0)}) == ["u = ~s"]
    with pytest.raises(TritonPrintError, match=r"no alternative for \[2, 1\]"):
        lines(body, f"%s: {I32}", assignment={"order": (2, 1)})
    with pytest.raises(TritonPrintError, match="@order is open"):
        lines(body, f"%s: {I32}")


def test_alternatives_of_a_parameter_are_branches() -> None:
    """Names of what they yield are assigned where they are others; a permutation travels as text."""
    body = f"""%r, %q = triton.switch <order> -> ({I32}, {I32}) case [0, 1] {{
      %r = triton.unary "-" %s : {I32} -> {I32}
      triton.yield %r, %s : {I32}, {I32}
    }} case [1, 0] {{ triton.yield %s, %s : {I32}, {I32} }}
    %u = triton.binary "+" %r, %q : {I32}, {I32} -> {I32}"""
    constexprs = "order = #index.expr<@order>"
    assert lines(body, f"%s: {I32}", constexprs, {"order": (0, 1)}) == [
        'if order == "0,1":', "    r = -s", "    q = s", "else:", "    r = s", "    q = s", "u = r + q",
    ]  # fmt: skip
    truth = f"""triton.switch <1000 mod bm ne 0> case 0 {{ triton.yield }} case 1 {{
      %t = triton.unary "-" %s : {I32} -> {I32}
      triton.yield
    }}"""
    assert lines(truth, f"%s: {I32}", BM) == ["if 1000 % bm != 0:", "    t = -s"]
    swapped = truth.replace("case 0", "case 2").replace("case 1", "case 0").replace("case 2", "case 1")
    assert lines(swapped, f"%s: {I32}", BM) == ["if not (1000 % bm != 0):", "    t = -s"]
    view = "shape [#index.expr<8>] strides [#index.expr<1>] block [#index.expr<8>]"
    descriptor = "!triton.descriptor<[8], f32>"
    made = f"%d = triton.make_descriptor %p {view} : {PTR} -> {descriptor}\n triton.yield %d : {descriptor}"
    none = f"%d = triton.undefined : {descriptor}\n triton.yield %d : {descriptor}"
    three = f"""%d = triton.switch <way> -> ({descriptor}) case "a" {{
      {none} }} case none {{
      {made} }} case 3 {{
      {none} }}"""
    assert lines(three, f"%p: {PTR}", "way = #index.expr<@way>", {"way": "a"}) == [
        'if way == "a":', "    pass", "elif way is None:", "    d = tl.make_tensor_descriptor(p, [8], [1], [8])",
    ]  # fmt: skip


def test_a_truth_value_selects_its_number() -> None:
    body = f"""knob.choose <1000 mod @bm ne 0> case 0 {{ knob.yield }} case 1 {{
      %t = triton.unary "-" %s : {I32} -> {I32}
      knob.yield
    }}"""
    assert lines(body, f"%s: {I32}", assignment={"bm": 64}) == ["t = -s"]
    assert lines(body, f"%s: {I32}", assignment={"bm": 8}) == ["pass"]


def test_combine_functions_are_printed_above_the_kernel() -> None:
    body = f"""%v = triton.full <2.0> shape [#index.expr<8>] -> {V}
    %i = triton.arange <8> : {VI}
    %x, %y = triton.custom_reduce %v, %i axis 0 : i64 {{
    ^bb0(%a : {F32}, %b : {I32}, %c : {F32}, %d : {I32}):
      %s = triton.binary "+" %a, %c : {F32}, {F32} -> {F32}
      %t = triton.call "plain.max2"(%b, %d) {{}} : ({I32}, {I32}) -> {I32}
      triton.yield %s, %t : {F32}, {I32}
    }} : {V}, {VI} -> {F32}, {I32}
    %z = triton.custom_scan %v axis 0 : i64 reverse true {{
    ^bb0(%a1 : {F32}, %c1 : {F32}):
      triton.yield %a1 : {F32}
    }} : {V} -> {V}"""
    module = f"builtin.module {{ triton.kernel @_k () names [] constexprs {{}} launch {{}} {{ {body} }} }}"
    printed = print_module(parse_module(module)).kernel_text
    assert (
        printed
        == """import triton
import triton.language as tl


@triton.jit
def plain_max2(a, b):
    return tl.where(a > b, a, b)


@triton.jit
def _k_combine0(a, b, c, d):
    s = a + c
    t = plain_max2(b, d)
    return s, t


@triton.jit
def _k_combine1(a1, c1):
    return a1


@triton.jit
def _k():
    v = tl.full([8], 2.0, tl.float32)
    i = tl.arange(0, 8)
    x, y = tl.reduce((v, i), 0, _k_combine0)
    z = tl.associative_scan(v, 0, _k_combine1, reverse=True)
"""
    )


def test_a_combine_function_cannot_see_the_kernels_values() -> None:
    body = f"""%v = triton.full <2.0> shape [#index.expr<8>] -> {V}
    %z = triton.custom_scan %v axis 0 : i64 reverse false {{
    ^bb0(%a : {F32}, %c : {F32}):
      triton.yield %f : {F32}
    }} : {V} -> {V}"""
    with pytest.raises(TritonPrintError, match="f is used where Triton cannot see it"):
        lines(body, f"%f: {F32}")


def test_knobs_that_were_not_lifted_print_as_numbers() -> None:
    body = f"%r = index.apply <d0 * @bm + 100 floordiv @bm>(%s) : ({I32}) -> {I32}"
    assert lines(body, f"%s: {I32}", assignment={"bm": 8}) == ["r = s * 8 + 12"]


def test_names_that_python_or_triton_use() -> None:
    body = f"""%in = triton.unary "-" %s : {I32} -> {I32}
    %tl = triton.unary "~" %in : {I32} -> {I32}"""
    assert lines(body, f"%s: {I32}") == ["in_ = -s", "tl_ = ~in_"]


def test_an_op_without_an_emitter_is_named() -> None:
    with pytest.raises(TritonPrintError, match="nothing says how to print tile.full"):
        lines(f"%r = tile.full <1.0> -> {V}")


def test_a_third_partys_emitter() -> None:
    from xdsl.dialects.test import TestOp

    from helion_ir.backend_triton.emitting import EMITTERS, emitter

    @emitter(TestOp)
    def emit_test(p, op) -> None:
        p.line(f"tl.device_print({p.names[op.operands[0]]})")

    try:
        module = parse_module(
            "builtin.module { triton.kernel @_k (%s: " + I32 + ') names ["s"] constexprs {} launch {} {} }'
        )
        kernel = module.body.block.first_op
        assert kernel is not None
        kernel.regions[0].block.add_op(TestOp(operands=[kernel.regions[0].block.args[0]]))
        assert "    tl.device_print(s)\n" in print_module(module).kernel_text
    finally:
        del EMITTERS[TestOp]
