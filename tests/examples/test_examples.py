"""Every example on every case: what each stage of the compiler makes of it, run and compared with PyTorch."""

import functools
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import registry
from examples.harness import Args, Example, poisoned

ROOT = Path(__file__).parents[2]

ALL = [
    pytest.param(name, case.name, id=f"{name}-{case.name}")
    for name in registry.names()
    for case in registry.load(name).cases
]

FIRST = [pytest.param(name, registry.load(name).cases[0].name, id=name) for name in registry.names()]


@functools.lru_cache(maxsize=8)
def prepared(name: str, case_name: str) -> tuple[Example, Args, Any, Any]:
    """The example, its arguments, the reference's answer and the bound kernel."""
    example = registry.load(name)
    args = example.case(case_name).args()
    return example, args, example.reference(*args), example.kernel.bind(args)


@functools.lru_cache(maxsize=8)
def stages(name: str, case_name: str) -> list[tuple[str, str]]:
    """(stage, IR text) of the default configuration."""
    bound = prepared(name, case_name)[3]
    return bound.stages(bound.config_spec.default_config())


def run_text(name: str, case_name: str, stage: str, text: str, assignment: Any) -> None:
    """Parse the text of a stage, run it in the interpreter and compare."""
    from helion_ir.dialects.context import parse_module
    from helion_ir.interpreter import run_module

    example, args, expected, bound = prepared(name, case_name)
    module = parse_module(text, f"{name}-{stage}")
    with poisoned():
        actual = run_module(module, args, assignment, globals=bound.kernel.fn.__globals__)
    try:
        example.check(actual, args, expected)
    except AssertionError as error:
        raise AssertionError(f"after {stage}: {error}") from None


@pytest.mark.parametrize(("name", "case_name"), ALL)
def test_called_on_cpu(name: str, case_name: str) -> None:
    """A call on CPU tensors, as an author makes it: traced, and run as tiles."""
    example, args, expected, _ = prepared(name, case_name)
    with poisoned():
        actual = example.kernel(*args)
    example.check(actual, args, expected)


@pytest.mark.parametrize(("name", "case_name"), ALL)
def test_tile_level_in_default_blocks(name: str, case_name: str) -> None:
    """The frontend's module, run with the blocks of the default configuration: many programs, partial tiles."""
    bound = prepared(name, case_name)[3]
    assignment = bound.config_space.encode(bound.config_spec.default_config())
    run_text(name, case_name, "tile", bound.ir("tile"), assignment)


@pytest.mark.parametrize(("name", "case_name"), ALL)
def test_last_stage(name: str, case_name: str) -> None:
    """What is printed as Triton, run in the interpreter of the triton dialect."""
    bound = prepared(name, case_name)[3]
    assignment = bound.config_space.encode(bound.config_spec.default_config())
    stage, text = stages(name, case_name)[-1]
    run_text(name, case_name, stage, text, assignment)


@pytest.mark.parametrize(("name", "case_name"), FIRST)
def test_every_stage(name: str, case_name: str) -> None:
    """The module after each pass means the same; the first stage that does not is named."""
    bound = prepared(name, case_name)[3]
    assignment = bound.config_space.encode(bound.config_spec.default_config())
    last = None
    for stage, text in stages(name, case_name):
        if text != last:
            run_text(name, case_name, stage, text, assignment)
        last = text


@pytest.mark.parametrize(("name", "case_name"), FIRST)
def test_text_round_trip(name: str, case_name: str) -> None:
    """The text of each stage, parsed and printed, is the same text."""
    from helion_ir.dialects.context import module_text, parse_module

    for stage, text in stages(name, case_name):
        assert module_text(parse_module(text, f"{name}-{stage}")) == text, (
            f"{name}: {stage} does not print as it was read"
        )


@pytest.mark.parametrize(("name", "case_name"), FIRST)
def test_two_ways_to_text(name: str, case_name: str) -> None:
    """The template printed with a configuration is the concrete module printed."""
    import random

    from helion_ir.backend_triton.printer import print_module
    from helion_ir.passes.materialize_config import materialize

    bound = prepared(name, case_name)[3]
    space, rng = bound.config_space, random.Random(name)
    for assignment in [space.legal_default(), *[space.sample(rng) for _ in range(10)]]:
        template = bound.lowering.template(assignment)
        assert print_module(materialize(template, assignment)).text == print_module(template, assignment).text


@pytest.mark.parametrize(("name", "case_name"), FIRST)
def test_random_configs_in_the_interpreter(name: str, case_name: str) -> None:
    """Three random configurations, lowered and run."""
    import random

    from helion_ir.dialects.context import module_text

    bound = prepared(name, case_name)[3]
    space, rng = bound.config_space, random.Random(name)
    for _ in range(3):
        assignment = space.sample(rng)
        text = module_text(bound.lowering.concrete(assignment))
        run_text(name, case_name, f"configuration {space.decode(assignment)}", text, assignment)


RUN_TRITON = """
import sys
from examples import registry
from examples.harness import poisoned, run_in_triton_interpreter
example = registry.load(sys.argv[1])
for name in sys.argv[2:]:
    args = example.case(name).args()
    expected = example.reference(*args)
    with poisoned():
        actual = run_in_triton_interpreter(example, args)
    example.check(actual, args, expected)
    print("checked", name)
"""


def version(package: str) -> tuple[int, int]:
    """Major and minor version of an installed package."""
    major, minor = importlib.metadata.version(package).split(".")[:2]
    return int(major), int(minor)


@pytest.mark.skipif(
    version("triton") < (3, 7) and version("numpy") >= (2, 4),
    reason="Triton's interpreter before 3.7 makes numbers of one-element arrays, which NumPy 2.4 forbids",
)
@pytest.mark.parametrize("name", registry.names())
def test_printed_triton_in_its_interpreter(name: str) -> None:
    """The printed program, run by Triton's own interpreter, in a process where that is switched on from the start."""
    example = registry.load(name)
    cases = [case.name for case in example.cases if example.suits_triton_interpreter(case)]
    assert cases, f"{name} has no case that Triton's interpreter can run"
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN_TRITON, name, *cases], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [word for case in cases for word in ("checked", case)]


def test_registry_is_complete() -> None:
    """Every example file is registered, and every name finds its example."""
    files = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"__init__", "__main__", "harness", "registry"}
    assert set(registry.FILES.values()) == files
    assert [example.name for example in registry.load_all()] == registry.names()


@pytest.mark.parametrize("name", registry.names())
def test_baseline_is_the_same_function(name: str) -> None:
    """What timings are compared with computes what the reference does, up to its own rounding."""
    example = registry.load(name)
    for case in example.cases:
        args = case.args()
        actual, expected = example.eager(*args), example.reference(*args)
        want = expected[0] if isinstance(expected, tuple) else expected
        assert actual.shape == want.shape
        limit = torch.finfo(want.dtype).eps + 1e-5
        assert (actual.double() - want.double()).norm() <= limit * want.double().norm(), case.name


def test_check_sees_what_is_wrong() -> None:
    """The comparison that all of this rests on: it must fail on a lost element, a NaN, another dtype, another shape."""
    example = registry.load("exp")
    args = example.case("2d").args()
    right = example.reference(*args)
    assert example.check(right.clone(), args) == 0.0
    off = right.clone()
    off[3, 5] *= 1.001
    unwritten = right.clone()
    unwritten[32, 64] = float("nan")
    for wrong in (off, unwritten, right.double(), right[:, :-1], right.t(), None, (right, right)):
        with pytest.raises(AssertionError, match="exp"):
            example.check(wrong, args)


def test_poison_fills_allocations() -> None:
    """An output that a kernel never writes is not left to chance, and the setting is put back."""
    with poisoned():
        assert torch.empty(100).isnan().all()
        assert torch.empty_like(torch.ones(3, dtype=torch.bfloat16)).isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()
