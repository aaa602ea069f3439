"""Grids of every kind: each stage computes what PyTorch does, reads back, resumes, and runs and compiles as Triton."""

from __future__ import annotations

import random

import pytest
from tests.grid.kernels import CASES
from tests.language.harness import check_stages, triton_failures
from tests.passes.structures import resume_every_stage
from tests.triton_interpreter.client import TritonInterpreter
from xdsl.dialects.builtin import ModuleOp

from helion_ir.backend_triton.compile import compile_kernels
from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.knob import ChooseOp, declarations, knobs_read
from helion_ir.index.expr import knobs_of
from helion_ir.passes.bind_structure import schedules
from helion_ir.targets import get_target

EVERY = pytest.mark.parametrize("name", list(CASES))
ONCE = pytest.mark.parametrize("name", ["three_roots", "phases", "ragged", "space", "four", "row_sums"])


@EVERY
def test_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_triton(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, "tests.grid.kernels") == {}


@ONCE
def test_template_and_materialized_module_print_the_same(name: str) -> None:
    stages = CASES[name].bound({}).stages_for("h200")
    rng = random.Random(7)
    read: dict[ModuleOp, ModuleOp] = {}
    for _ in range(12):
        assignment = stages.space.sample(rng)
        concrete = stages.concrete(assignment)
        concrete.verify()
        assert not knobs_read(concrete) and not any(isinstance(op, ChooseOp) for op in concrete.walk())
        text = stages.printed(assignment).text
        assert print_module(concrete).text == text
        template = stages.template(assignment)
        if template not in read:
            read[template] = parse_module(module_text(template))
        assert print_module(read[template], assignment).text == text


@ONCE
def test_any_dump_resumes_to_the_same_triton(name: str) -> None:
    stages = CASES[name].bound({}).stages_for("h200")
    resume_every_stage(stages.declared, stages.space.sample(random.Random(5)))


@ONCE
def test_the_structure_reads_the_declared_knobs(name: str) -> None:
    stages = CASES[name].bound({}).stages_for("h200")
    known = {d.sym_name.data for d in declarations(stages.declared)}
    used: set[str] = set()
    rng = random.Random(2)
    for assignment in (stages.space.legal_default(), *[stages.space.sample(rng) for _ in range(8)]):
        used |= knobs_read(stages.template(assignment))
    bound = {n for schedule in schedules(stages.declared) for n in knobs_of(schedule.data)}  # with the structure
    assert used | bound == known


@pytest.mark.parametrize("target", ["h200", "mi350x"])
@ONCE
def test_compiles(name: str, target: str) -> None:
    bound = CASES[name].bound({})
    stages = bound.stages_for(target)
    for config in CASES[name].configs[:2]:
        printed = stages.printed(stages.space.encode({**stages.space.decode(stages.space.legal_default()), **config}))
        made = compile_kernels(printed, get_target(target))
        assert len(made) == (3 if name == "phases" else 1)
        binary = "cubin" if target == "h200" else "hsaco"
        assert all(len(m.asm[binary]) > 0 for m in made)
