"""Configurations that are right, wrong, slow to end or deadly, tried in a process of their own."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from helion_ir.autotuner.author_names import AuthorNames
from helion_ir.autotuner.benchmark import InlineBenchmark, Inputs, IsolatedBenchmark, run_all, user_measure
from helion_ir.autotuner.measure import Effort, Restorer, host_milliseconds
from helion_ir.autotuner.reference import Expectation, Tolerance

X = torch.linspace(-3.0, 5.0, 64)
SUM = torch.full((64,), 0.5)

# Each is the body of `def scale(x, total)`, which should return 3 x and add x to total.
BODIES = {
    "good": "total += x; out = torch.empty_like(x); out[:] = 3 * x; return out",
    "factor": "total += x; return 3.5 * x",
    "unwritten": "total += x; out = torch.empty_like(x); out[:63] = 3 * x[:63]; return out",
    "not_added": "return 3 * x",
    "spoils_input": "total += x; y = 3 * x; x[2] = 9.0; return y",
    "raises": "raise RuntimeError('device-side trouble')",
    "resources": "raise type('OutOfResources', (Exception,), {})('out of resource: shared memory')",
    "segfault": "os.kill(os.getpid(), 11)",
    "hang": "time.sleep(600)",
}


def job(directory: Path, name: str, **extra: Any) -> dict[str, Any]:
    path = directory / f"{name if name in BODIES else abs(hash(name))}.py"
    path.write_text(f"import os, time, torch\nCOST = 0.25\n\ndef scale(x, total):\n    {BODIES.get(name, name)}\n")
    return {"path": str(path), "function": "scale", **extra}


def inputs(expectation: bool = True) -> Inputs:
    right = Expectation(3 * X, {1: SUM + X}) if expectation else None
    return Inputs((X.clone(), SUM.clone()), right, Tolerance())


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[IsolatedBenchmark]:
    measure = "tests.autotuner.printing_bound:cost_measure"
    benchmark = IsolatedBenchmark(inputs(), tmp_path, limit=4.0, measure=measure)
    yield benchmark
    benchmark.close()


def test_each_failure_is_a_row(isolated: IsolatedBenchmark, tmp_path: Path) -> None:
    names = [
        "good",
        "factor",
        "segfault",
        "good",
        "raises",
        "hang",
        "unwritten",
        "not_added",
        "spoils_input",
        "good",
        "resources",
    ]
    (tmp_path / "syntax.py").write_text("def scale(:\n")
    jobs = [job(tmp_path, n) for n in names] + [{"path": str(tmp_path / "syntax.py"), "function": "scale"}]
    answers: dict[int, Mapping[str, Any]] = {i: a for i, a, _ in run_all(isolated, jobs)}
    stages = [answers[i]["stage"] for i in range(len(jobs))]
    assert stages == [
        "ok",
        "wrong",
        "crash",
        "ok",
        "run",
        "timeout",
        "wrong",
        "wrong",
        "wrong",
        "ok",
        "compile",
        "compile",
    ]
    assert answers[0]["milliseconds"] == 0.25
    assert answers[1]["reason"].endswith("most at (63,): 17.5 instead of 15.0")
    assert answers[2]["reason"] == "SIGSEGV"
    assert answers[4]["reason"] == "RuntimeError: device-side trouble"
    assert answers[5]["reason"] == "stopped after 4 s"
    assert "most at (63,): nan instead of 15.0" in answers[6]["reason"]
    assert answers[7]["reason"].startswith("argument tensor 1: ")
    assert answers[8]["reason"].startswith("argument tensor 0: 1 of 64 elements differ, most at (2,): 9.0")
    assert answers[10]["reason"] == "OutOfResources: out of resource: shared memory"
    assert answers[11]["reason"].startswith("SyntaxError")
    assert isolated.processes_started == 3


def test_an_expectation_taken_from_a_configuration_survives_its_process(tmp_path: Path) -> None:
    benchmark = IsolatedBenchmark(inputs(expectation=False), tmp_path, limit=10.0)
    try:
        jobs = [
            job(tmp_path, "good", expect=True),
            job(tmp_path, "segfault"),
            job(tmp_path, "factor"),
            job(tmp_path, "good"),
        ]
        stages = [a["stage"] for _, a, _ in run_all(benchmark, jobs)]
    finally:
        benchmark.close()
    assert stages == ["ok", "crash", "wrong", "ok"]
    assert benchmark.processes_started == 2


def test_triton_interpreter(tmp_path: Path) -> None:
    text = """
import torch
import triton
import triton.language as tl

@triton.jit
def _scale(x, total, out, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + i, i < n)
    tl.store(total + i, tl.load(total + i, i < n) + v, i < n)
    tl.store(out + i, v * FACTOR, i < n)

def scale(x, total):
    out = torch.empty_like(x)
    _scale[((64 + 15) // 16,)](x, total, out, 64, B=16)
    return out
"""
    jobs = []
    for name, factor in (("right", 3.0), ("wrong", 2.0)):
        (tmp_path / f"{name}.py").write_text(text.replace("FACTOR", str(factor)))
        jobs.append({"path": str(tmp_path / f"{name}.py"), "function": "scale"})
    benchmark = IsolatedBenchmark(inputs(), tmp_path, limit=60.0, environment={"TRITON_INTERPRET": "1"})
    try:
        answers = [a for _, a, _ in run_all(benchmark, jobs)]
    finally:
        benchmark.close()
    assert [a["stage"] for a in answers] == ["ok", "wrong"], answers
    assert answers[0]["milliseconds"] > 0


def test_inline_leaves_the_callers_tensors_alone(tmp_path: Path) -> None:
    given = inputs()
    benchmark = InlineBenchmark(given)
    answers = [a for _, a, _ in run_all(benchmark, [job(tmp_path, n) for n in ("good", "factor", "raises", "good")])]
    assert [a["stage"] for a in answers] == ["ok", "wrong", "run", "ok"]
    assert torch.equal(given.args[0], X) and torch.equal(given.args[1], SUM)


def test_a_check_of_the_authors(tmp_path: Path) -> None:
    def check(actual: torch.Tensor, expected: torch.Tensor) -> None:
        assert (actual / expected).std() < 1e-3, "not a multiple"

    benchmark = InlineBenchmark(inputs(), check=check)
    answers = [a for _, a, _ in run_all(benchmark, [job(tmp_path, n) for n in ("factor", "total += x; return x * x")])]
    assert answers[0]["stage"] == "ok"
    assert answers[1]["stage"] == "wrong" and "not a multiple" in answers[1]["reason"]


def test_no_check(tmp_path: Path) -> None:
    benchmark = InlineBenchmark(Inputs((X, SUM), Expectation(3 * X), Tolerance(), accuracy_check=False))
    assert [a["stage"] for _, a, _ in run_all(benchmark, [job(tmp_path, "factor")])] == ["ok"]


def test_user_measure() -> None:
    def benchmark_fn(fns: list[Any], *, repeat: int, desc: str | None = None) -> list[float]:
        assert repeat > 0
        return [float(f()) for f in fns]

    assert user_measure(benchmark_fn)(lambda a: a + 0.5, (2,), None, None) == 2.5


def test_restored_between_calls() -> None:
    x = torch.tensor([1.0, 2.0])
    seen: list[float] = []

    def run() -> None:
        seen.append(float(x[0]))
        x.add_(1.0)

    host_milliseconds(run, Restorer([x]), Effort(milliseconds=0.0))
    assert seen == [1.0, 1.0, 1.0]


def test_hopeless_is_cut_short() -> None:
    calls: list[int] = []
    host_milliseconds(lambda: calls.append(1), lambda: None, Effort(milliseconds=50.0, best=1e-9))
    assert len(calls) == 1


def test_arguments_that_cannot_be_carried_raise(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="lambda|pickle"):
        IsolatedBenchmark(Inputs((X, lambda v: v), None, Tolerance()), tmp_path)


def test_worker_imports_no_compiler(tmp_path: Path) -> None:
    probe = "import sys; total += x; assert not any(m in sys.modules for m in ('xdsl', 'sympy')), 'heavy'; return 3 * x"
    benchmark = IsolatedBenchmark(inputs(), tmp_path, limit=20.0)
    try:
        answers = [a for _, a, _ in run_all(benchmark, [job(tmp_path, probe)])] if os.name == "posix" else []
    finally:
        benchmark.close()
    assert answers[0]["stage"] == "ok", answers


def test_names_of_the_authors_module(tmp_path: Path) -> None:
    import math

    body = "total += x; return math.floor(FACTOR) * x + shift(0.0)"
    text = f"def scale(x, total):\n    {body}\n"
    space = {"math": math, "FACTOR": 3.9, "shift": abs_shift, "unused": lambda: 1, "x": object()}
    names = AuthorNames.used_by(text, {**space, "x": 5})
    assert names.modules == {"math": "math"} and set(names.values) == {"FACTOR", "shift", "x"}
    (tmp_path / "scale.py").write_text(text)
    benchmark = IsolatedBenchmark(replace(inputs(), names=names), tmp_path, limit=20.0)
    try:
        answers = [a for _, a, _ in run_all(benchmark, [{"path": str(tmp_path / "scale.py"), "function": "scale"}])]
    finally:
        benchmark.close()
    assert answers[0]["stage"] == "ok", answers
    own = types.FunctionType(abs_shift.__code__, {}, "shift")
    own.__module__ = "__main__"
    with pytest.raises(ValueError, match="shift is defined in the script itself"):
        AuthorNames({}, {"shift": own}).save(str(tmp_path / "n.pt"))


def abs_shift(value: float) -> float:
    return abs(value)
