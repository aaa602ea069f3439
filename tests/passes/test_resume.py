"""Any dump is an input: each pass makes of the text of a stage what it made of the module, so that all end in the same Triton."""

from __future__ import annotations

import json
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
    """One pass from each text is enough: it leaves the next text, from which the next pass goes on."""
    example = registry.load(name)
    bound = example.kernel.bind(example.cases[0].args())
    target = get_target("h200")
    module = parse_module(bound.ir("tile"), name)
    module.attributes["helion_ir.target"] = bound.stages_for("h200").declared.attributes["helion_ir.target"]
    texts = [module_text(module)]
    prepare(module, target, lambda stage, at: texts.append(module_text(at)))
    assignment = bound.stages_for("h200").space.sample(random.Random(name))
    template = lower(module, assignment, lambda stage, at: texts.append(module_text(at)))

    bind = BindStructure(config=json.dumps(assignment))  # of permutations JSON makes lists
    passes = [*FRONT, bind, *pipeline()]
    assert len(texts) == len(passes) + 1
    again = parse_module(texts[0], name)
    for p, before, after in zip(passes, texts, texts[1:], strict=False):
        p.apply(new_context(), again)
        assert module_text(again) == after, f"{p.name} of the text it was given"
        if before != after:
            again = parse_module(after, f"{name}-{p.name}")
    assert print_module(again, assignment).text == print_module(template, assignment).text
