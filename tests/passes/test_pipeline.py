"""The contracts of the pipeline, on two hand-written tile modules: every stage computes the same, reads back and resumes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.passes.structures import resume_every_stage

from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import module_text, new_context, parse_module
from helion_ir.dialects.knob import ChooseOp, declarations, knobs_read, requirements
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.index.expr import compiled, knobs_of
from helion_ir.interpreter import run_module
from helion_ir.passes.base import kernels
from helion_ir.passes.bind_structure import check_structure, complete, schedules
from helion_ir.passes.materialize_config import MaterializeConfig, materialize
from helion_ir.passes.pipeline import lower, lower_plain, prepare, structure_key
from helion_ir.passes.plan_memory import PlanMemory
from helion_ir.passes.plan_memory.features import Features
from helion_ir.targets import get_target

HERE = Path(__file__).parent


def declared(name: str, target: str = "cpu"):
    module = parse_module((HERE / f"{name}.mlir").read_text(), name)
    prepare(module, get_target(target))
    module.verify()
    return module


def random_assignment(module, rng: random.Random) -> dict:
    return complete(module, {d.sym_name.data: rng.choice(d.domain.data.values) for d in declarations(module)})


def matmul_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    return torch.randn(100, 128).bfloat16(), torch.randn(128, 72).bfloat16()


def row_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(2)
    return (torch.randn(13, 131).bfloat16(),)


CASES: dict[str, tuple[Callable, Callable, float]] = {
    # bf16 results are off by half a unit of the last of 8 bits
    "matmul": (matmul_inputs, lambda x, y: x.double() @ y.double(), 2**-8),
    # 131 terms of which each is off by a few float32 units
    "row_sums": (row_inputs, lambda x: (x.double() - x.double().amax(1, True)).exp().sum(1), 131 * 2**-23),
}
EVERY = pytest.mark.parametrize("name", list(CASES))


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_every_stage_computes_what_pytorch_does(name: str, seed: int) -> None:
    inputs, reference, tolerance = CASES[name]
    args = inputs()
    want = reference(*args)
    module = declared(name)
    assignment = random_assignment(module, random.Random(seed)) if seed else complete(module, {})

    last = ""

    def check(stage: str, at) -> None:
        nonlocal last
        at.verify()
        text = module_text(at)
        if text == last:
            return
        last = text
        again = parse_module(text, stage)
        assert module_text(again) == text, f"{stage} does not read back"
        got = run_module(again, args, assignment)
        torch.testing.assert_close(
            got.double(), want, rtol=tolerance, atol=tolerance * want.abs().max().item(), msg=lambda m: f"{stage}: {m}"
        )

    template = lower(module, assignment, check)
    check("materialize-config", materialize(template, assignment))


@EVERY
def test_template_and_materialized_module_print_the_same(name: str) -> None:
    module = declared(name, "h200")
    rng, key, templates = random.Random(3), structure_key(module), {}
    for _ in range(60):
        assignment = random_assignment(module, rng)
        structure = key(assignment)
        if structure not in templates:
            template = lower(module, assignment)
            templates[structure] = template, parse_module(module_text(template))
        template, again = templates[structure]
        concrete = materialize(template, assignment)
        concrete.verify()
        assert not knobs_read(concrete) and not any(isinstance(op, ChooseOp) for op in concrete.walk())
        text = print_module(template, assignment).text
        assert print_module(concrete).text == text
        assert print_module(again, assignment).text == text
    # Split, or stored in 1, 2 or 4 parts, with masks peeled or not; a reduction whole, looped or online, of either base.
    assert 2 < len({structure[:-1] for structure in templates}) <= {"matmul": 8, "row_sums": 6}[name]


@EVERY
def test_a_whole_template_serves_a_plain_configuration_too(name: str) -> None:
    module = declared(name, "h200")
    default = complete(module, {})
    other = {**default, "pid_type": "persistent_blocked"}
    assert structure_key(module)(default)[-1] == 1 and structure_key(module)(other)[-1] == 0
    plain, whole = lower(module, default), lower(module, default, whole=True)
    assert sum(1 for _ in plain.walk()) + 20 < sum(1 for _ in whole.walk())
    assert not any(n.endswith((".indexing", ".l2_grouping")) for n in knobs_read(plain))
    assert module_text(lower(module, other)) == module_text(whole)
    args = CASES[name][0]()
    got = [run_module(template, args, default) for template in (plain, whole)]
    assert torch.equal(*got)
    assert Features(plain)(default) == Features(whole)(default)
    with pytest.raises(ValueError, match="lowered for .*@pid_type eq"):
        materialize(plain, other)


@pytest.mark.parametrize("target", ["h200", "b200", "mi350x"])
@EVERY
def test_a_plan_is_the_same_when_it_is_written_later_and_says_the_same_in_numbers(name: str, target: str) -> None:
    module = declared(name, target)
    default = complete(module, {})
    planned = lower(module, default)
    made, plan = lower_plain(module, default)
    rules = [compiled(r.condition.data) for r in requirements(planned) if r.owner.data == "plan-memory"]
    numbers = [d for d in declarations(module) if all(type(v) is int for v in d.domain.data.values)]
    rng, seen = random.Random(4), set()
    for _ in range(60):
        chosen = {**default, **{d.sym_name.data: rng.choice(d.domain.data.values) for d in numbers}}
        seen.add(fits := all(rule(chosen) for rule in rules))
        assert plan.allows(chosen) == fits, chosen
    assert seen == {True} | ({False} if rules else set())
    assert all(k.memory is None for k in kernels(made, KernelOp))
    plan.write(PlanMemory(), kernels(made, KernelOp))
    assert module_text(made) == module_text(planned)


@EVERY
def test_knobs_of_the_templates_are_the_declared_ones(name: str) -> None:
    module = declared(name, "h200")
    known = {d.sym_name.data: d for d in declarations(module)}
    rng = random.Random(4)
    used = {name for schedule in schedules(module) for name in knobs_of(schedule.data)}
    for _ in range(6):
        assignment = random_assignment(module, rng)
        template = lower(module, assignment)
        read = knobs_read(template)
        assert read <= set(known)
        used |= read
    # What the launch itself takes is read off the program loop and the launch options.
    assert used == set(known)


@EVERY
def test_any_dump_resumes_to_the_same_triton(name: str) -> None:
    module = declared(name, "h200")
    resume_every_stage(module, random_assignment(module, random.Random(5)))


def test_a_template_refuses_a_config_of_another_structure() -> None:
    module = declared("row_sums")
    whole = complete(module, {"reduction.n": None})
    looped = complete(module, {"reduction.n": 32})
    template = lower(module, whole)
    check_structure(template, whole)
    with pytest.raises(ValueError, match=r"lowered for .*@reduction.n ne none.* = 0; the config has 1"):
        materialize(template, looped)


def test_materialize_config_as_a_pass() -> None:
    module = declared("matmul", "h200")
    assignment = complete(module, {"tile_m.block_size": 32, "pid_type": "persistent_blocked"})
    template = lower(module, assignment)
    want = print_module(template, assignment).text
    MaterializeConfig(config='{"tile_m.block_size": 32, "pid_type": "persistent_blocked"}').apply(
        new_context(), template
    )
    assert print_module(template).text == want


def test_a_config_with_an_unknown_knob_or_value_is_refused() -> None:
    module = declared("matmul")
    with pytest.raises(ValueError, match="there is no knob @tile_q.block_size; the module declares @tile_m.block_size"):
        complete(module, {"tile_q.block_size": 32})
    with pytest.raises(ValueError, match=r"@tile_m.block_size cannot be 24: its domain is pow2 16 to 256"):
        complete(module, {"tile_m.block_size": 24})


def test_locations_survive_every_pass() -> None:
    module = declared("row_sums")
    template = lower(module, complete(module, {"reduction.n": 32}))
    text = module_text(template)
    loads = [line for line in text.splitlines() if "triton.load" in line]
    assert loads and all('"a.py":3:4' in line for line in loads)
