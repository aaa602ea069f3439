"""ConfigSpace: counting, sampling, neighbours and legality against brute-force enumeration."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helion_ir import exc
from helion_ir.autotuner.space import Assignment, ConfigSpace
from helion_ir.dialects.context import parse_module

SMALL = """
builtin.module {
  knob.declare @tile_m.block_size : pow2 16 to 128 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @tile_n.block_size : pow2 16 to 64 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @root.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "grid"
  knob.declare @num_sm_multiplier : pow2 1 to 4 = 1 by "map-grid" doc "programs" when <@pid_type ne "flat">
  knob.declare @deep : int 3 to 5 = 3 by "x" doc "d" when <@num_sm_multiplier eq 4>
  knob.declare @reduction.n : one_of none, 16, 32 = none in "reduction_loops" by "roll-reductions" doc "chunks"
  knob.declare @loop.n.num_stages : int 0 to 3 = 0 in "range_num_stages" by "t" doc "s" when <@reduction.n ne none>
  knob.require <@tile_m.block_size * @tile_n.block_size le 4096>, "a tile has at most 4096 elements" by "plan-memory"
}
"""


@pytest.fixture
def space() -> ConfigSpace:
    return ConfigSpace.of(parse_module(SMALL))


def every(space: ConfigSpace) -> Iterator[Assignment]:
    """Each distinct configuration once."""
    seen = set()
    for values in itertools.product(*[k.values for k in space]):
        a = space.project(dict(zip(space.knobs, values)))
        if tuple(a.items()) not in seen:
            seen.add(tuple(a.items()))
            yield a


def test_size_is_the_number_of_distinct_configurations(space: ConfigSpace) -> None:
    # 4 x 3 x 2 orders; flat 1, persistent 1 + 1 + 3; persistent reduction 1, chunked 2 x 4
    assert space.size() == 4 * 3 * 2 * (1 + 2 + 3) * (1 + 2 * 4) == 1296
    assert space.size() == sum(1 for _ in every(space))


def test_size_does_not_enumerate_what_is_independent() -> None:
    loads = "\n".join(
        f'knob.declare @load.t{i}.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "c" doc "d"\n'
        f'knob.declare @load.t{i}.eviction : one_of "", "first", "last" = "" in "load_eviction_policies" by "c" doc "d"'
        f' when <@load.t{i}.indexing eq "pointer" and @pid_type eq "flat">'
        for i in range(40)
    )
    text = f'builtin.module {{ {loads}\n knob.declare @pid_type : one_of "flat", "xyz" = "flat" by "m" doc "d" }}'
    assert ConfigSpace.of(parse_module(text)).size() == 4**40 + 2**40


def test_samples_are_legal_projected_and_cover_the_space(space: ConfigSpace) -> None:
    rng = random.Random(7)
    legal = {tuple(a.items()) for a in every(space) if space.is_legal(a) is None}
    drawn = {tuple(space.sample(rng).items()) for _ in range(20000)}
    assert drawn <= legal
    assert len(drawn) > 0.95 * len(legal)
    assert [space.sample(random.Random(3)) for _ in range(2)][0] == space.sample(random.Random(3))


def test_sampling_repairs_where_almost_nothing_is_legal() -> None:
    knobs = "\n".join(f'knob.declare @k{i} : int 0 to 9 = 9 by "x" doc "d"' for i in range(8))
    rules = "\n".join(f'knob.require <@k{i} eq {i}>, "k{i} is {i}" by "x"' for i in range(8))
    space = ConfigSpace.of(parse_module(f"builtin.module {{ {knobs}\n{rules} }}"))
    only = {f"k{i}": i for i in range(8)}
    assert space.sample(random.Random(1)) == only == space.legal_default()


def test_an_empty_space_says_why() -> None:
    text = 'knob.declare @k : int 2 to 3 = 2 by "x" doc "d"\nknob.require <@k lt 2>, "too much" by "x"'
    space = ConfigSpace.of(parse_module(f"builtin.module {{ {text} }}"))
    with pytest.raises(exc.InvalidConfig, match=r"no configuration of this kernel is legal: too much \(k = [23]\)"):
        space.sample(random.Random(1))


def test_legality_gives_the_reason_and_the_values(space: ConfigSpace) -> None:
    big = {**space.default(), "tile_m.block_size": 128, "tile_n.block_size": 64}
    assert space.is_legal(big) == ("a tile has at most 4096 elements (tile_m.block_size = 128, tile_n.block_size = 64)")
    assert space.is_legal(space.default()) is None
    illegal = sum(1 for a in every(space) if space.is_legal(a) is not None)
    assert illegal == sum(1 for a in every(space) if a["tile_m.block_size"] * a["tile_n.block_size"] > 4096) > 0  # pyright: ignore


def test_active_follows_chains_of_conditions(space: ConfigSpace) -> None:
    flat = {**space.default(), "num_sm_multiplier": 4, "deep": 5}
    assert space.active(flat) == set(space.knobs) - {"num_sm_multiplier", "deep", "loop.n.num_stages"}
    assert space.project(flat) == space.default()
    deep = {**flat, "pid_type": "persistent_blocked", "reduction.n": 16, "loop.n.num_stages": 2}
    assert space.active(deep) == set(space.knobs)
    assert space.project(deep) == deep


def test_neighbours_are_one_step_away_and_mutual(space: ConfigSpace) -> None:
    start = {**space.default(), "reduction.n": 16, "loop.n.num_stages": 2}
    changes = [{k: v for k, v in n.items() if start[k] != v} for n in space.neighbours(start)]
    assert {"tile_m.block_size": 64} in changes and {"tile_m.block_size": 128} not in changes
    assert {"root.loop_order": (1, 0)} in changes
    assert {"reduction.n": None, "loop.n.num_stages": 0} in changes and {"reduction.n": 32} in changes
    assert [c for c in changes if "num_sm_multiplier" in c] == []
    assert len(changes) == 2 + 1 + 1 + 1 + 2 + 2
    for there in space.neighbours(start):
        assert space.is_legal(there) is None
        if there["reduction.n"] is not None:
            assert start in list(space.neighbours(there))
    shuffled = list(space.neighbours(start, random.Random(5)))
    assert shuffled != list(space.neighbours(start)) and len(shuffled) == len(changes)


def test_every_configuration_survives_decode_and_encode(space: ConfigSpace) -> None:
    for a in every(space):
        if space.is_legal(a) is None:
            assert space.encode(space.decode(a)) == a


def test_a_circle_of_conditions_is_an_error() -> None:
    text = (
        'knob.declare @a : bool = true by "x" doc "d" when <@b>\nknob.declare @b : bool = true by "x" doc "d" when <@a>'
    )
    with pytest.raises(ValueError, match="run in a circle: a -> b -> a"):
        ConfigSpace.of(parse_module(f"builtin.module {{ {text} }}"))


@st.composite
def spaces(draw: st.DrawFn) -> str:
    lines = []
    for i in range(draw(st.integers(1, 6))):
        domain = draw(st.sampled_from(['one_of "a", "b"', 'one_of "a", none, "c"', 'one_of none, "a"']))
        when = ""
        if i and draw(st.booleans()):
            terms = [
                f"@k{draw(st.integers(0, i - 1))} {draw(st.sampled_from(['eq', 'ne']))} "
                f"{draw(st.sampled_from([chr(34) + 'a' + chr(34), 'none']))}"
                for _ in range(draw(st.integers(1, 2)))
            ]
            when = f" when <{draw(st.sampled_from([' and ', ' or '])).join(terms)}>"
        default = "none" if domain.endswith('none, "a"') else '"a"'
        lines.append(f'knob.declare @k{i} : {domain} = {default} by "x" doc "d"{when}')
    return "builtin.module {\n" + "\n".join(draw(st.permutations(lines))) + "\n}"


@settings(max_examples=150, deadline=None)
@given(spaces())
def test_size_against_enumeration_of_random_conditions(text: str) -> None:
    space = ConfigSpace.of(parse_module(text))
    configurations = list(every(space))
    assert space.size() == len(configurations)
    for a in configurations:
        assert space.project(a) == a
        assert space.encode(space.decode(a)) == a


def test_default_that_does_not_fit_is_lowered() -> None:
    """The largest number of the requirement it breaks goes down, and the walk takes the same steps every time."""
    space = ConfigSpace.of(
        parse_module("""
        knob.declare @bm : pow2 16 to 256 = 256 in "block_sizes" by "frontend" doc "rows"
        knob.declare @stages : int 1 to 6 = 4 by "t" doc "stages"
        knob.declare @kind : one_of "a", "b" = "a" by "t" doc "kind"
        knob.require <@bm * @stages le 200>, "too much" by "t"
        """)
    )
    assert space.default() == {"bm": 256, "stages": 4, "kind": "a"}
    assert space.legal_default() == {"bm": 32, "stages": 4, "kind": "a"}
