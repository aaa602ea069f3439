"""One bound kernel for every size: tiles, template and materialized IR compute what PyTorch does."""

from __future__ import annotations

import pytest
from tests.dynamic.kernels import CASES

from helion_ir.backend_triton.printer import print_module
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.interpreter.host import compile_module

EVERY = pytest.mark.parametrize("name", list(CASES))


@EVERY
def test_every_size_at_every_stage(name: str) -> None:
    case = CASES[name]
    k = case.kernel()
    bound = k.bind(case.inputs(case.sizes[0]))
    for number, config in enumerate(case.configs):
        texts = dict(bound.stages(config))
        assignment = bound.lowering.space.encode(config)
        assert print_module(parse_module(texts["materialize-config"])).text == bound.lowering.printed(assignment).text
        for stage in ("tile", "template", "materialize-config") if not number else ("template",):
            run = compile_module(parse_module(texts[stage]), assignment, globals=k.fn.__globals__)
            for sizes in case.sizes:
                args = case.inputs(sizes)
                assert k.bind(args) is bound, f"{sizes} is served by another kernel"
                case.check(run(*args), args)


@EVERY
def test_a_call_serves_every_size(name: str) -> None:
    case = CASES[name]
    k = case.kernel()
    for sizes in case.sizes:
        args = case.inputs(sizes)
        case.check(k(*args), args)
    assert len(k._bound) == 1


@EVERY
def test_no_shape_is_in_the_text(name: str) -> None:
    """Kernels traced for different sizes are the same but for the hints, and their Triton is the same altogether."""
    case = CASES[name]
    texts = set()
    for sizes in (case.sizes[0], case.sizes[3]):
        bound = case.kernel().bind(case.inputs(sizes))
        texts.add(bound.to_triton_code(case.configs[0]))
        assert bound.guard_texts == case.kernel().bind(case.inputs(case.sizes[0])).guard_texts
    assert len(texts) == 1


def test_extents_are_constexpr_and_totals_are_not() -> None:
    case = CASES["softmax"]
    bound = case.kernel().bind(case.inputs((31, 37)))
    whole = bound.to_triton_code({"reduction_loops": [None], "pid_type": "persistent_interleaved"})
    head = whole[whole.index("def _softmax(") :].split("):\n")[0]
    assert "x_size_1_block: tl.constexpr" in head
    assert " total_programs," in head
    assert "x_size_1_block=triton.next_power_of_2(max(x.size(1), 1))" in whole
    assert "tl.arange(0, x_size_1_block)" in whole
    looped = [bound.lowering.printed(bound.config_space.encode({"block_sizes": [b]})).kernel_text for b in (8, 32)]
    assert looped[0] == looped[1]
    assert "x_size_1_block" not in looped[0]


def test_the_template_says_which_parameters_are_which() -> None:
    case = CASES["softmax"]
    bound = case.kernel().bind(case.inputs((31, 37)))
    text = module_text(bound.materialize({"reduction_loops": [None], "block_sizes": [8]}))
    assert "x_size_1_block = #index.expr<next_power_of_2(x_size_1)>" in text
    assert "scalars = {total_programs = #index.expr<x_size_0 ceildiv 8>}" in text
    assert "hints = {x_size_1 = 37 : i64}" in text


def test_launches_have_the_constexprs_of_the_traced_call() -> None:
    case = CASES["softmax"]
    bound = case.kernel().bind(case.inputs((31, 37)))
    (launch,) = bound.lowering.printed(bound.config_space.encode({"reduction_loops": [None]})).launches
    assert launch.constexprs["x_size_1_block"] == 64


def test_a_kernel_is_described_alike_whatever_was_traced_first() -> None:
    case = CASES["matmul"]
    first, second = (case.kernel().bind(case.inputs(s)).cache_key() for s in ((33, 37, 41), (1, 1, 1)))
    assert first == second
