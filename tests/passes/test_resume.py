"""Any dump is an input: the text of each stage of each example, with the rest of the pipeline, ends in the same Triton."""

from __future__ import annotations

import random

import pytest
from examples import registry

from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import module_text, new_context, parse_module
from helion_ir.passes.bind_structure import BindStructure
from helion_ir.passes.pipeline import FRONT, lower, pipeline, prepare
from helion_ir.targets import get_target


@pytest.mark.parametrize("name", registry.CORE)
def test_every_stage_resumes_to_the_same_triton(name: str) -> None:
    example = registry.load(name)
    bound = example.kernel.bind(example.cases[0].args())
    target = get_target("h200")
    module = parse_module(bound.ir("tile"), name)
    stages: list[tuple[str, str]] = [("tile", module_text(module))]
    prepare(module, target, lambda stage, at: stages.append((stage, module_text(at))))
    space = bound.stages_for("h200").space
    assignment = space.sample(random.Random(name))
    template = lower(module, assignment, lambda stage, at: stages.append((stage, module_text(at))))
    want = print_module(template, assignment).text

    bind = BindStructure(config=config_text(assignment))
    passes = [*FRONT, bind, *pipeline()]
    assert len(stages) == len(passes) + 1
    last = None
    for number, (stage, text) in enumerate(stages):
        if text == last:
            continue
        last = text
        again = parse_module(text, f"{name}-{stage}")
        if number == 0:  # what `prepare` notes on the module before its first pass
            again.attributes["helion_ir.target"] = module.attributes["helion_ir.target"]
        for p in passes[number:]:
            p.apply(new_context(), again)
        assert print_module(again, assignment).text == want, stage


def config_text(assignment: dict) -> str:
    import json

    return json.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in assignment.items()})
