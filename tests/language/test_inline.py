"""Triton source, Triton functions and assembly inside of kernels; printing and stopping."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl
from tests.language.harness import Case, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.interpreter import InterpreterError, run_module

FACTOR = tl.constexpr(3)


@triton.jit
def tripled(x):
    return x * FACTOR


@triton.jit
def sum_and_difference(x, y):
    return tripled(x) + y, x - y


TEXT = """
def squares(x, n: tl.constexpr):
    return x * x + n
"""


def one_result(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        y = x[t] + 1.0
        z = hl.inline_triton(
            """
            # the author's y is not the kernel's
            y = {0} * 2.0
            if {scale} > 1:
                y = y * {scale}
            y + {y} - y * 0.0
            """,
            {"0": y, "y": y, "scale": 4},
            y,
        )
        out[t] = z + y
    return out


def two_results(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.empty_like(x), torch.empty(x.size(), dtype=torch.int32, device=x.device)
    for t in hl.tile(x.size(0)):
        y = x[t]
        first, second = hl.inline_triton(
            "tl.sqrt({0}), {0}.to(tl.int32) + {1}", (y, t.block_size), (y, y.to(torch.int32))
        )
        a[t] = first
        b[t] = second - t.block_size
    return a, b


def statements(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -1.0)
    for t in hl.tile(x.size(0)):
        hl.inline_triton("tl.store({0} + {1}, {2} * 2.0, mask={1} < {3})", [out, t.index, x[t], x.size(0)], None)
    return out


def functions(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        y = x[t]
        s, d = hl.triton_kernel(sum_and_difference, (y, y * y), (y, y))
        a[t] = s + hl.triton_kernel("tripled", (y,), y)
        b[t] = d + hl.triton_kernel(TEXT, (y, 2.0), y)
    return a, b


def printing(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        print("before")
        y = x[t]
        hl.device_print("values: ", y, t.begin)
        out[t] = y
        print("after", y + 100.0)
    return out


def numbers() -> tuple[torch.Tensor]:
    return (torch.arange(1, 12, dtype=torch.float32),)


BLOCKS = ({"block_sizes": [4]}, {"block_sizes": [16]})
CASES = {
    "one result": Case(one_result, numbers, lambda x: 10 * (x + 1), BLOCKS),
    "two results": Case(two_results, numbers, lambda x: (x.double().sqrt(), x.int()), BLOCKS, 1e-6),
    "statements": Case(statements, numbers, lambda x: x * 2, BLOCKS),
    "functions": Case(functions, numbers, lambda x: (3 * x + x * x + 3 * x, x - x * x + x * x + 2), BLOCKS),
    "printing": Case(printing, numbers, lambda x: x, BLOCKS),
}


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
@pytest.mark.parametrize("name", CASES)
def test_compiled(name: str, target: str) -> None:
    assert compiled(CASES[name], target).asm


@pytest.mark.parametrize("name", CASES)
def test_stages_print_as_they_were_read(name: str) -> None:
    for text, stage in {text: stage for stage, text in CASES[name].bound({}).stages(BLOCKS[0])}.items():
        assert module_text(parse_module(text, stage)) == text, stage


def test_a_function_is_printed_once() -> None:
    code = CASES["functions"].bound({}).to_triton_code(helion.Config(**BLOCKS[0]))
    assert code.count("def tripled(") == 1 and code.count("FACTOR = ") == 1 and code.count("def squares(") == 1
    assert code.index("def tripled(") < code.index("def sum_and_difference(") < code.index("def _functions(")


def test_results_are_asserted() -> None:
    def wrong(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        for t in hl.tile(x.size(0)):
            out[t] = hl.inline_triton("{0}.to(tl.float16)", (x[t],), x[t])
        return out

    with pytest.raises(Exception, match="output_like has tl.float32"):
        helion.kernel(wrong).bind(numbers()).compile_for("h200", {"block_sizes": [4]})


def test_no_interpreter_of_ours_runs_source() -> None:
    with pytest.raises(InterpreterError, match="Triton source"):
        helion.kernel(one_result)(*numbers())


def negated(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = hl.inline_asm_elementwise("neg.f32 $0, $1;", "=f,f", [x[t]], torch.float32, True, 1)
    return out


def test_assembly() -> None:
    bound = helion.kernel(negated).bind(numbers())
    assert "neg.f32" in bound.compile_for("h200", {"block_sizes": [4]}).asm["ptx"]
    with pytest.raises(InterpreterError, match="assembly"):
        helion.kernel(negated)(*numbers())


def test_printing_shows_every_program(capsys: pytest.CaptureFixture[str]) -> None:
    bound = CASES["printing"].bound({})
    assignment = bound.config_space.encode({**bound.config_spec.default_config(), **BLOCKS[0]})
    for stage in (bound.ir("tile"), bound.stages(BLOCKS[0])[-1][1]):
        run_module(parse_module(stage), numbers(), assignment, globals=globals())
        lines = [line for line in capsys.readouterr().out.splitlines() if line]
        assert len(lines) == 9
        assert lines[0] == "before" and lines[3] == "before"
        assert lines[1].startswith("values: ") and "[1., 2., 3., 4.]" in lines[1] and lines[1].rstrip(")").endswith("0")
        assert lines[5].startswith("after") and "[105., 106., 107., 108.]" in lines[5]


def stopping(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t]
        breakpoint()
    return out


def test_breakpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[int] = []
    monkeypatch.setattr("sys.breakpointhook", lambda *_: stops.append(1))
    bound = helion.kernel(stopping).bind(numbers())
    assignment = bound.config_space.encode({**bound.config_spec.default_config(), **BLOCKS[0]})
    for text in (bound.ir("tile"), bound.stages(BLOCKS[0])[-1][1]):
        stops.clear()
        run_module(parse_module(text), numbers(), assignment, globals=globals())
        assert len(stops) == 3
    with pytest.raises(exc.BreakpointInDeviceLoopRequiresInterpret):
        bound.compile_for("h200", BLOCKS[0])


MISUSES: list[tuple[Any, str]] = [
    (lambda y: hl.inline_triton("{2}", (y,), y), r"no argument for \{2\}"),
    (lambda y: hl.inline_triton("y = {0}", (y,), y), "must be an expression"),
    (lambda y: hl.inline_triton("{0} +", (y,), y), "inline source: invalid syntax"),
    (lambda y: hl.inline_triton("{0} + {", (y,), y), "inline source"),
    (lambda y: hl.inline_triton("{0}", y, y), "a tuple, a list or a dict"),
    (lambda y: hl.inline_triton("{0}", (y,), 4), "output_like is a device tensor"),
    (lambda y: hl.inline_triton("{0}", (torch.float32,), y), "dtype cannot be passed"),
    (lambda y: hl.triton_kernel("absent", (y,), y), "no 'absent'"),
    (lambda y: hl.triton_kernel(torch.sqrt, (y,), y), "takes a @triton.jit function"),
    (lambda y: hl.inline_asm_elementwise("a", "b", y, torch.float32, True, 1), "are device tensors"),
    (lambda y: hl.inline_asm_elementwise("a", "b", [y], "f32", True, 1), "is a dtype"),
    (lambda y: hl.inline_asm_elementwise("a", "b", [y], torch.float32, True, 1.5), "pack of"),
    (lambda y: hl.device_print(y), "a string"),
    (lambda y: hl.device_print("x", 4), "shows device tensors"),
]


@pytest.mark.parametrize(("use", "message"), MISUSES, ids=[m for _, m in MISUSES])
def test_misuse(use: Any, message: str) -> None:
    def kernel(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        for t in hl.tile(x.size(0)):
            y = x[t]
            USES[0](y)
            out[t] = y
        return out

    USES[:] = [use]
    with pytest.raises(exc.InvalidAPIUsage, match=message):
        helion.kernel(kernel).bind(numbers())


USES: list[Any] = []
