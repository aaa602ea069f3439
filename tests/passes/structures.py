"""Runs a kernel in chosen structures and compares every stage that a pass changes with PyTorch; for tests of such passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from examples.harness import poisoned
from xdsl.dialects.builtin import ModuleOp

from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import module_text, new_context, parse_module
from helion_ir.dialects.knob import KnobValue
from helion_ir.interpreter import run_module
from helion_ir.passes.materialize_config import materialize
from helion_ir.passes.pipeline import lower, pipeline
from helion_ir.runtime.stages import Stages

Forced = Mapping[str, KnobValue]


def legal(stages: Stages, forced: Forced, seed: int = 0) -> dict[str, KnobValue]:
    """A legal assignment with the given values; the other knobs have their defaults, or are drawn by `seed`."""
    space, rng = stages.space, random.Random(seed)
    unknown = set(forced) - set(space.knobs)
    assert not unknown, f"the kernel has no knob {', '.join(sorted(unknown))}; it has {', '.join(space.knobs)}"
    reason = None
    for _ in range(200):
        base = space.sample(rng) if seed else space.legal_default()
        assignment = space.project({**base, **forced})
        reason = space.is_legal(assignment)
        if reason is None:
            assert all(assignment[k] == v for k, v in forced.items()), f"{forced} means nothing here"
            return assignment
        if not seed:
            break
    raise AssertionError(f"{forced} is not legal: {reason}")


def lowered(stages: Stages, assignment: Forced, stage: str) -> ModuleOp:
    """What a pass of the lowering leaves."""
    found: list[ModuleOp] = []
    lower(stages.declared, assignment, lambda name, module: found.append(module.clone()) if name == stage else None)
    return found[0]


def run_every_stage(
    stages: Stages,
    assignment: Mapping[str, KnobValue],
    args: Sequence[Any],
    check: Callable[[Any], None],
    names: Mapping[str, Any],
    at: Sequence[str] = (),
) -> None:
    """Run what the passes in `at` leave (all of them if there are none given), and the concrete module; check each.

    Many passes leave a module as it was: one text is run once.
    """
    done: set[str] = set()

    def run(stage: str, module: Any) -> None:
        if at and stage not in at:
            return
        module.verify()
        text = module_text(module)
        if text in done:
            return
        done.add(text)
        again = parse_module(text, stage)
        given = [a.clone() if isinstance(a, torch.Tensor) else a for a in args]
        with poisoned():
            result = run_module(again, given, assignment, globals=names)
        try:
            check(result)
        except AssertionError as error:
            raise AssertionError(f"after {stage}, {dict(assignment)}: {error}") from None

    template = lower(stages.declared, assignment, run)
    concrete = materialize(template, assignment)
    concrete.verify()
    assert print_module(concrete).text == print_module(template, assignment).text
    at = ()
    run("materialize-config", concrete)


def resume_every_stage(declared: ModuleOp, assignment: Mapping[str, KnobValue]) -> None:
    """The text of each stage, parsed and taken through the rest of the passes, ends in the same Triton.

    One pass from each text is enough: it leaves the next text, from which the next pass goes on.
    """
    texts: list[tuple[str, str]] = []
    template = lower(declared, assignment, lambda stage, module: texts.append((stage, module_text(module))))
    passes = pipeline()
    assert len(texts) == len(passes) + 1  # bind-structure leaves the first
    again = parse_module(texts[0][1], texts[0][0])
    for p, (_, before), (stage, after) in zip(passes, texts, texts[1:], strict=False):
        p.apply(new_context(), again)
        assert module_text(again) == after, f"{p.name} of the text it was given"
        if before != after:
            again = parse_module(after, stage)
            assert module_text(again) == after, f"{stage} does not read back"
    assert print_module(again, assignment).text == print_module(template, assignment).text
