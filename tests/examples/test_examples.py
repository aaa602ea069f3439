"""Every example on every case: what each stage of the compiler makes of it, run and compared with PyTorch."""

import functools
import importlib.metadata
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import index, registry
from examples.compare import leaves
from examples.harness import Args, Autograd, Case, Example, poisoned
from tests.examples.in_triton import in_triton
from tests.triton_interpreter.client import TritonInterpreter

ROOT = Path(__file__).parents[2]

FULL = os.environ.get("HELION_IR_FULL") == "1"
"""Every example like those of `registry.CORE`: about ten minutes."""

CORE = registry.names() if FULL else list(registry.CORE)
OTHERS = [name for name in registry.names() if name not in CORE]

ALL = [pytest.param(name, case.name, id=f"{name}-{case.name}") for name in CORE for case in registry.load(name).cases]
FIRST = [pytest.param(name, registry.load(name).cases[0].name, id=name) for name in CORE]
ONCE = [pytest.param(name, registry.load(name).cases[0].name, id=name) for name in OTHERS]


@functools.lru_cache(maxsize=8)
def prepared(name: str, case_name: str) -> tuple[Example, Args, Any, Any]:
    """The example, its arguments, the reference's answer and the bound kernel."""
    example = registry.load(name)
    args = example.case(case_name).args()
    return example, args, example.expect(args), example.kernel.bind(args)


def run_text(name: str, case_name: str, stage: str, text: str, assignment: Any) -> None:
    """Parse the text of a stage, run it in the interpreter and compare."""
    from helion_ir.dialects.context import parse_module

    run_parsed(name, case_name, stage, parse_module(text, f"{name}-{stage}"), assignment)


def run_parsed(name: str, case_name: str, stage: str, module: Any, assignment: Any) -> None:
    """Run a module that was read in the interpreter and compare."""
    from helion_ir.interpreter import run_module

    example, args, expected, bound = prepared(name, case_name)
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


@pytest.mark.parametrize(("name", "case_name"), ONCE)
def test_called_and_last_stage(name: str, case_name: str) -> None:
    """An example that is not of the core, on one case: as tiles, and what is printed as Triton."""
    test_called_on_cpu(name, case_name)
    test_last_stage(name, case_name)


@pytest.mark.parametrize(("name", "case_name"), ALL)
def test_tile_level_in_default_blocks(name: str, case_name: str) -> None:
    """The frontend's module, run with the blocks of the default configuration: many programs, partial tiles."""
    bound = prepared(name, case_name)[3]
    assignment = bound.config_space.encode(bound.config_spec.default_config())
    run_text(name, case_name, "tile", bound.ir("tile"), assignment)


@pytest.mark.parametrize(("name", "case_name"), ALL)
def test_last_stage(name: str, case_name: str) -> None:
    """What is printed as Triton, run in the interpreter of the triton dialect."""
    from helion_ir.dialects.context import module_text

    bound = prepared(name, case_name)[3]
    assignment = bound.config_space.encode(bound.config_spec.default_config())
    run_text(name, case_name, "the last pass", module_text(bound.lowering.concrete(assignment)), assignment)


@pytest.mark.parametrize(("name", "case_name"), FIRST)
def test_every_stage(name: str, case_name: str) -> None:
    """The text of the module after each pass is printed as it was read, and means the same; the first stage that does not
    is named."""
    from helion_ir.dialects.context import module_text, parse_module

    bound = prepared(name, case_name)[3]
    config = bound.config_spec.default_config()
    assignment = bound.config_space.encode(config)
    read: dict[str, Any] = {}
    last = None
    for stage, text in bound.stages(config):
        if text not in read:
            read[text] = parse_module(text, f"{name}-{stage}")
            assert module_text(read[text]) == text, f"{name}: {stage} does not print as it was read"
        if text != last:
            run_parsed(name, case_name, stage, read[text], assignment)
        last = text


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
    """Random configurations, lowered and run: three, or `HELION_IR_CONFIGS` of them."""
    import random

    from helion_ir.dialects.context import module_text

    bound = prepared(name, case_name)[3]
    space, rng = bound.config_space, random.Random(name)
    for _ in range(int(os.environ.get("HELION_IR_CONFIGS", "3"))):
        assignment = space.sample(rng)
        text = module_text(bound.lowering.concrete(assignment))
        run_text(name, case_name, f"configuration {space.decode(assignment)}", text, assignment)


def version(package: str) -> tuple[int, int]:
    """Major and minor version of an installed package."""
    major, minor = importlib.metadata.version(package).split(".")[:2]
    return int(major), int(minor)


def suited(name: str) -> list[str]:
    """The cases of an example that Triton's interpreter can run."""
    example = registry.load(name)
    return [case.name for case in example.cases if example.suits_triton_interpreter(case)]


needs_interpreter = pytest.mark.skipif(
    version("triton") < (3, 7) and version("numpy") >= (2, 4),
    reason="Triton's interpreter before 3.7 makes numbers of one-element arrays, which NumPy 2.4 forbids",
)


@needs_interpreter
@pytest.mark.parametrize("name", CORE)
def test_printed_triton_in_its_interpreter(name: str, triton_interpreter: TritonInterpreter) -> None:
    """The printed program, run by Triton's own interpreter on every case it can run."""
    cases = suited(name)
    assert cases, f"{name} has no case that Triton's interpreter can run"
    triton_interpreter.run(in_triton, name, cases)


@needs_interpreter
@pytest.mark.parametrize("name", [name for name in OTHERS if suited(name)])
def test_others_in_the_triton_interpreter(name: str, triton_interpreter: TritonInterpreter) -> None:
    """The other examples, one case each."""
    triton_interpreter.run(in_triton, name, suited(name)[:1])


def test_registry_is_complete() -> None:
    """Every example file is registered, and every name finds its example."""
    parts = {"__init__", "__main__", "compare", "gradients", "harness", "index", "inputs", "registry", "rounding"}
    files = {path.stem for path in (ROOT / "examples").glob("*.py")} - parts
    assert set(registry.FILES.values()) == files
    assert [example.name for example in registry.load_all()] == registry.names()
    assert set(registry.CORE) <= set(registry.names())


def test_index_is_up_to_date() -> None:
    """The README lists the registry."""
    assert index.PAGE.read_text() == index.page(), "run `python -m examples.index`"


@pytest.mark.parametrize("name", registry.names())
def test_baseline_is_the_same_function(name: str) -> None:
    """What timings are compared with computes what the reference does, up to its own rounding."""
    example = registry.load(name)
    for case in example.cases[: None if name in CORE else 1]:
        args = case.args()
        actual, expected = leaves(example.eager(*args)), leaves(example.reference(*args))
        inputs = [arg.dtype for arg in args if isinstance(arg, torch.Tensor) and arg.dtype.is_floating_point]
        rounding = max(torch.finfo(dtype).eps for dtype in [*inputs, torch.float32])
        for got, want in zip(actual, expected):
            assert got.shape == want.shape
            if want.dtype.is_floating_point:
                limit = max(rounding, example.unit(want.dtype, args)) + 1e-5
                assert (got.double() - want.double()).norm() <= limit * want.double().norm(), case.name
            else:
                assert torch.equal(got.to(want.dtype), want), case.name


DIFFERENTIABLE = [name for name in registry.names() if registry.load(name).autograd is not None]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name: str) -> None:
    """A kernel in its `torch.autograd.Function`: results and gradients are those of PyTorch in float64."""
    autograd = registry.load(name).autograd
    assert autograd is not None
    for case in autograd.cases[: None if FULL else 1]:
        autograd.check(name, case.args())


def test_gradients_see_what_is_wrong() -> None:
    """A gradient that is off, or swapped with another, is named."""
    case = Case("pair", lambda rng: (rng.normal(7), rng.normal(7)))
    Autograd(lambda x, y: x * y.sin(), lambda x, y: x * y.sin(), (case,)).check("f", case.args())
    for wrong in (
        lambda x, y: x * y.detach().sin() + y * 0,
        lambda x, y: x * y.detach().sin(),
        lambda x, y: y * x.sin(),
    ):
        with pytest.raises(AssertionError, match="f, "):
            Autograd(wrong, lambda x, y: x * y.sin(), (case,)).check("f", case.args())


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
