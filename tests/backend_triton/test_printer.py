"""Whole modules: kernels with their hosts, under several assignments, open and concrete."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.printed import Launch
from helion_ir.backend_triton.printer import TemplatePrinter, print_module
from helion_ir.backend_triton.spelling import kernel_format
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.knob import KnobValue, declarations
from helion_ir.index.expr import operand, symbol
from helion_ir.passes.materialize_config import materialize

HERE = Path(__file__).parent
MATMUL = parse_module((HERE / "matmul.mlir").read_text(), "matmul.mlir")
SOFTMAX = parse_module((HERE / "softmax.mlir").read_text(), "softmax.mlir")
DEFAULTS: dict[str, KnobValue] = {d.sym_name.data: d.default.data for d in declarations(MATMUL)}


def test_the_hand_written_modules_are_valid_and_survive_a_round_trip() -> None:
    for module in (MATMUL, SOFTMAX):
        module.verify()
        assert module_text(parse_module(module_text(module))) == module_text(module)


def test_matmul() -> None:
    printed = print_module(MATMUL, DEFAULTS | {"load.x.eviction": "first"})
    assert printed.text == (HERE / "matmul_expected.txt").read_text()
    assert printed.launches == (
        Launch(
            kernel="_matmul",
            grid=4,
            arguments=("x", "y", "out"),
            constexprs={
                "block_m": 64,
                "block_n": 64,
                "block_k": 32,
                "loop_k_num_stages": 2,
                "load_x_eviction": "evict_first",
            },
            options={"num_warps": 4, "num_stages": 3},
        ),
    )
    assert printed.kernels["_matmul"].parameters == {"x": "*fp32", "y": "*fp32", "out": "*fp32"}
    assert printed.functions == ("matmul",)


def test_persistent_launches() -> None:
    blocked = print_module(MATMUL, DEFAULTS | {"pid_type": "persistent_blocked"})
    assert "_launcher(\n        _matmul,\n        (min(4, _multiprocessors(x.device)),),\n" in blocked.host_text
    assert blocked.launches[0].grid == "min(4, _multiprocessors(x.device))"
    assert (
        """
    pid_share = tl.cdiv(total_programs, tl.num_programs(0))
    pid_first = tl.program_id(0) * pid_share
    for pid in tl.range(pid_first, tl.maximum(pid_first, tl.minimum(pid_first + pid_share, total_programs)), 1):
        a0m = pid // tl.cdiv(70, block_n)
"""
        in blocked.kernel_text
    )
    other = DEFAULTS | {"pid_type": "persistent_interleaved", "num_sm_multiplier": 4}
    interleaved = print_module(MATMUL, other)
    assert interleaved.launches[0].grid == "min(4, _multiprocessors(x.device) * 4)"
    assert "for pid in tl.range(tl.program_id(0), total_programs, tl.num_programs(0)):" in interleaved.kernel_text


def test_a_grid_known_at_run_time_alone() -> None:
    assignment = {"tile_m.block_size": 4, "reduction.n": 64, "pid_type": "persistent_interleaved"}
    printed = print_module(SOFTMAX, assignment)
    # The number of programs changes with the input and must not make Triton compile again.
    head = "def _softmax(x, out, m, total_programs, block_m: tl.constexpr, chunk: tl.constexpr):"
    assert head in printed.kernel_text
    assert printed.kernels["_softmax"].parameters["total_programs"] == "i32"
    assert "total_programs" not in printed.launches[0].constexprs
    host = printed.host_text
    assert "    _total = triton.cdiv(x.size(0), 4)\n    if _total > 0:\n        _launcher(\n" in host
    assert "            total_programs=_total,\n" in host


def test_a_grid_of_nothing_is_not_launched() -> None:
    text = """builtin.module {
      host.func @f ["x"] { host.launch @_f ["x"] }
      triton.kernel @_f (%x: !tile.tile<[], !triton.ptr<f32>>) names ["x"] constexprs {} launch {} {
        triton.program_loop %pid of <0 * @bm> kind "flat" { triton.barrier }
      }
    }"""
    printed = print_module(parse_module(text), {"bm": 8})
    assert printed.launches[0].grid == 0
    assert printed.host_text.endswith("def f(x, *, _launcher=_default_launcher):\n    pass\n")


def test_configurations_that_differ_in_numbers_share_a_text() -> None:
    texts = {
        print_module(MATMUL, DEFAULTS | own).kernel_text
        for own in (
            {},
            {"tile_m.block_size": 16},
            {"tile_k.block_size": 128, "loop.k.num_stages": 4},
            {"load.x.eviction": "last", "num_warps": 8},
        )
    }
    assert len(texts) == 1


def random_assignments(n: int) -> list[dict[str, KnobValue]]:
    choose = random.Random(7)
    return [{d.sym_name.data: choose.choice(d.domain.data.values) for d in declarations(MATMUL)} for _ in range(n)]


def test_a_template_prints_as_what_it_becomes() -> None:
    fast, texts = TemplatePrinter(MATMUL), list[str]()
    for assignment in random_assignments(40):
        expected = print_module(materialize(MATMUL, assignment))
        assert print_module(MATMUL, assignment) == expected
        assert (printed := fast(assignment)) == expected
        texts.append(printed.kernel_text)
    assert (
        len({id(text) for text in texts}) == len(set(texts)) <= 12
    )  # three kinds of launch, two orders, two ways to read x
    for kind in ("flat", "persistent_interleaved"):
        own = {"tile_m.block_size": 2, "reduction.n": 128, "pid_type": kind}
        assert print_module(SOFTMAX, own) == print_module(materialize(SOFTMAX, own))


def test_concrete_ir_prints_from_its_text() -> None:
    concrete = materialize(MATMUL, DEFAULTS)
    assert print_module(parse_module(module_text(concrete))) == print_module(concrete)


def test_printing_changes_nothing() -> None:
    before = module_text(MATMUL)
    print_module(MATMUL, DEFAULTS)
    assert module_text(MATMUL) == before


def test_an_open_template_needs_an_assignment() -> None:
    with pytest.raises(TritonPrintError, match="is open: give the printer an assignment"):
        print_module(MATMUL)


def test_the_text_is_a_python_file(tmp_path: Path) -> None:
    text = print_module(MATMUL, DEFAULTS | {"pid_type": "persistent_blocked"}).text
    imported = {
        (n.module if isinstance(n, ast.ImportFrom) else n.names[0].name) or ""
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Import | ast.ImportFrom)
    }
    assert imported == {"triton", "triton.language", "functools", "torch"}
    path = tmp_path / "matmul.py"
    path.write_text(text)
    subprocess.run([sys.executable, str(path)], check=True, timeout=120)


def test_host_statements() -> None:
    text = """builtin.module {
      host.func @f ["x", "k=3"] {
        host.python "if k:\\n    s = \\"\\"\\"two\\nlines\\"\\"\\""
        host.bind "split" = <@split>
        host.bind "half" = <(@split + 1) floordiv 2>
        host.launch @_f ["x[0]", "x.size(0) + 1"]
      }
      triton.kernel @_f (%x: !tile.tile<[], !triton.ptr<f16>>, %n: !tile.tile<[], i64>) names ["x", "n"]
          constexprs {bm = #index.expr<@bm>} launch {num_warps = #knob.value<4>, maxnreg = #knob.value<none>} {
        triton.program_loop %pid of <(n ceildiv @bm) * 2> kind "persistent_interleaved" { triton.barrier }
      }
    }"""
    printed = print_module(parse_module(text), {"split": 4, "bm": 8})
    start = printed.host_text.index("def f(")
    assert (
        printed.host_text[start:]
        == '''def f(x, k=3, *, _launcher=_default_launcher):
    if k:
        s = """two
lines"""
    split = 4
    half = 2
    _total = triton.cdiv((x.size(0) + 1), 8) * 2
    if _total > 0:
        _launcher(_f, (min(_total, _multiprocessors((x[0]).device)),), x[0], x.size(0) + 1, num_warps=4)
'''
    )
    # Without a parameter for it, the number of programs is computed in the kernel too.
    assert "for pid in tl.range(tl.program_id(0), tl.cdiv(n, 8) * 2, tl.num_programs(0)):" in printed.kernel_text
    assert printed.kernels["_f"].parameters == {"x": "*fp16", "n": "i64"}


def test_kernels_without_a_host() -> None:
    text = """builtin.module {
      triton.kernel @_f (%x: !tile.tile<[], !triton.ptr<bf16>>) names ["x"] constexprs {bm = #index.expr<@bm>} launch {} {
        triton.program_loop %pid of <100 ceildiv @bm> kind "flat" { triton.barrier }
      }
    }"""
    printed = print_module(parse_module(text), {"bm": 32})
    assert printed.host_text == "" and printed.text == printed.kernel_text
    # What the text does not use is not passed.
    assert printed.launches == (Launch("_f", 4, ("x",), {}, {}),)


def test_a_launch_of_no_kernel() -> None:
    module = parse_module('builtin.module { host.func @f ["x"] { host.launch @_g ["x"] } }')
    with pytest.raises(TritonPrintError, match="host.launch @_g: there is no such kernel"):
        print_module(module)


def test_descriptors_come_with_an_allocator() -> None:
    text = """builtin.module {
      host.func @f ["x"] { host.launch @_f ["x"] }
      triton.kernel @_f (%x: !tile.tile<[], !triton.ptr<f32>>) names ["x"] constexprs {} launch {} {
        %d = triton.make_descriptor %x shape [#index.expr<64>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<8>, #index.expr<16>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[8, 16], f32>
      }
    }"""
    printed = print_module(parse_module(text))
    assert printed.kernels["_f"].uses_descriptors
    assert "    triton.set_allocator(_allocate)\n    return kernel[grid](*args, **options)\n" in printed.host_text
    assert printed.host_text.endswith("    _launcher(_f, (1,), x)\n")


def test_sums_are_added_in_the_order_of_their_operands() -> None:
    """Which is that of the loops that change them; a constant comes last, and what is subtracted after what is added."""
    bm = symbol("bm")
    e = operand(2) * bm + operand(0) * 4096 + operand(1) + symbol("start") + 7 - operand(3)
    assert kernel_format(e, frozenset({"bm"})) == "start + {0} * 4096 + {1} + bm * {2} - {3} + 7"
