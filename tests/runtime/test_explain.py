"""What a space says about itself: rows with reasons and lines, and the number of legal configurations."""

from __future__ import annotations

import itertools
import random

import pytest
from examples import registry
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from helion_ir.autotuner.count import Bounds
from helion_ir.autotuner.space import ConfigSpace
from helion_ir.dialects.context import parse_module


def brute(space: ConfigSpace) -> int:
    """Legal projected assignments, by trying all."""
    names = list(space.knobs)
    seen = {
        tuple(map(repr, space.project(dict(zip(names, values))).values()))
        for values in itertools.product(*[space[n].values for n in names])
        if space.broken(space.project(dict(zip(names, values)))) is None
    }
    return len(seen)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_legal_size_is_exact_where_little_is_open(seed: int) -> None:
    """Random requirements and conditions over a small space: what is counted is what trying all gives."""
    rng = random.Random(seed)
    space = ConfigSpace.of(
        parse_module(f"""
        knob.declare @m : pow2 16 to 128 = 32 in "block_sizes" by "frontend" doc "rows"
        knob.declare @n : pow2 16 to 64 = 16 in "block_sizes" by "frontend" doc "columns"
        knob.declare @kind : one_of "a", "b", "c" = "a" by "map-grid" doc "kind"
        knob.declare @times : pow2 1 to 8 = 1 by "map-grid" doc "times" when <@kind ne "{rng.choice("ab")}">
        knob.declare @deep : bool = false by "t" doc "deep" when <{rng.choice([2, 4])} le @times>
        knob.require <@m * @n * @times le {rng.choice([2048, 4096, 16384])}>, "too much" by "t"
        knob.require <@kind eq "c" or @n le {rng.choice([16, 32])}>, "narrow" by "t"
        """)
    )
    size = space.legal_size()
    assert size.exact and size.low == brute(space)


def test_bounds_hold_where_requirements_depend_on_the_structure() -> None:
    """The upper bound drops them, the lower one holds what decides the structure at its default."""
    text = """
        knob.declare @m : pow2 16 to 128 = 32 in "block_sizes" by "frontend" doc "rows"
        knob.declare @roll : one_of none, 16, 32 = none by "roll-reductions" doc "chunks"
        knob.declare @w : pow2 1 to 8 = 4 by "t" doc "warps"
    """
    plain = ConfigSpace.of(parse_module(text))
    rules = ConfigSpace.of(parse_module(text + 'knob.require <@m le 16 * @w>, "registers" by "t"')).requires
    space = ConfigSpace(
        list(plain), (), lambda a, whole: () if a["roll"] is not None else rules, structural=frozenset({"roll"})
    )
    size = space.legal_size()
    assert size == Bounds(10, 48)
    assert size.low <= brute(space) == 10 + 2 * 16 <= size.high


def test_explains_a_kernel_with_the_authors_lines() -> None:
    example = registry.load("matmul_split_k")
    stages = example.kernel.bind(example.bench[0].blank()).stages_for("b200")
    explanation = stages.space.explain()
    assert {k.name for k in explanation.knobs} == set(stages.space.knobs)
    assert explanation.declared == stages.space.size()
    assert 0 < explanation.size.low <= explanation.size.high < explanation.declared
    (reason,) = {r.reason for r in explanation.removed if r.knob == "load.x.indexing"}
    assert reason == "the loop ends elsewhere than the tensor, so that its mask is not the tensor's bounds"
    listed = [*explanation.knobs, *explanation.removed, *explanation.rules]
    assert not [x for x in listed if "matmul_split_k.py:" not in x.where]
    for rule in explanation.rules:
        assert rule.reason and rule.owner and rule.condition and set(rule.knobs) <= set(stages.space.knobs)
    assert len({r.condition for r in explanation.rules}) == len(explanation.rules)
    text = str(explanation)
    where = next(r.where for r in explanation.removed if r.knob == "load.x.indexing")
    assert f'no @load.x.indexing = "block_ptr", "tensor_descriptor" (choose-indexing, {where})' in text


def test_a_space_made_by_hand_has_nothing_to_explain() -> None:
    with pytest.raises(ValueError, match="was not read off a module"):
        ConfigSpace([]).explain()


def test_the_command_prints_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    from helion_ir.tools.cli import app

    monkeypatch.setenv("COLUMNS", "250")
    shown = CliRunner().invoke(app, ["explain", "examples/matmul_split_k.py:matmul_split_k", "--target", "b200"])
    assert shown.exit_code == 0, shown.output
    assert "matmul_split_k.py:" in shown.output and "@atomic.out.indexing" in shown.output
    assert "warp specialization of a persistent loop fails in Triton" in shown.output
    plain = CliRunner().invoke(
        app, ["explain", "examples/matmul_split_k.py:matmul_split_k", "--target", "b200", "--plain"]
    )
    assert plain.output.splitlines()[0].split()[1] == "knobs,"
