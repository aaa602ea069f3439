"""map-grid: every loop order and grouping visits every block of the grid exactly once."""

from __future__ import annotations

import itertools

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.context import new_context, parse_module
from helion_ir.dialects.knob import declarations
from helion_ir.interpreter import run_module
from helion_ir.passes.bind_structure import bind, complete
from helion_ir.passes.declare_schedules import DeclareSchedules
from helion_ir.passes.map_grid import MapGrid

BLOCKS = (2, 4, 1, 1)


def counting(extents: tuple[int, ...], lower: int = 0) -> ModuleOp:
    """A kernel that adds one to every element of the box from `lower` to `extents`, and says in which order.

    `order[b]` is the place of the element whose program came first in block b: programs run in order on the CPU.
    """
    n = len(extents)
    strides = [1]
    for e in reversed(extents[1:]):
        strides.insert(0, strides[0] * e)
    ref = f"!tile.ref<{list(extents)}, i32, strides = {strides}>"
    names = [f"%d{'abcd'[i]}" for i in range(n)]
    ranges = ", ".join(f"{v} = {lower} to {e} : !tile.range<@b{i}>" for i, (v, e) in enumerate(zip(names, extents)))
    types = ", ".join(f"!tile.range<@b{i}>" for i in range(n))
    dims = ", ".join(f"@b{i}" for i in range(n))
    tile = f"!tile.tile<[{dims}], i32>"
    knobs = "".join(
        f'knob.declare @b{i} : pow2 1 to 8 = {BLOCKS[i]} in "block_sizes" by "frontend" doc "b"\n' for i in range(n)
    )
    module = parse_module(f"""
builtin.module {{
  {knobs}
  host.func @f [] {{
    host.python "seen = torch.zeros({list(extents)}, dtype=torch.int32)"
    host.python "order = torch.full({list(extents)}, -1, dtype=torch.int32)"
    host.python "clock = torch.zeros([1], dtype=torch.int32)"
    host.launch @k ["seen", "order", "clock"]
    host.python "return seen, order, clock"
  }}
  tile.kernel @k (%seen: {ref}, %order: {ref}, %clock: !tile.ref<[1], i32, strides = [1]>) names ["seen", "order", "clock"] {{
    tile.parallel "g" ({ranges}) {{
      %one = tile.full <1> -> {tile}
      tile.atomic "seen" add relaxed (%one), %seen[{", ".join(names)}] : ({tile}) : {ref}[{types}]
      %z = tile.full <0> -> !tile.tile<[], i32>
      %o = tile.full <1> -> !tile.tile<[], i32>
      %t = tile.atomic "clock" add relaxed (%o), %clock[%z] : (!tile.tile<[], i32>) : !tile.ref<[1], i32, strides = [1]>[!tile.tile<[], i32>] -> !tile.tile<[], i32>
      %w = tile.broadcast %t : !tile.tile<[], i32> -> {tile}
      tile.store "order" %w, %order[{", ".join(names)}] : {tile} : {ref}[{types}]
    }}
  }}
}}""")
    DeclareSchedules().apply(new_context(), module)
    module.verify()
    return module


def mapped(module: ModuleOp, **given: object) -> tuple[torch.Tensor, torch.Tensor]:
    assignment = complete(module, {"g." + k if "pid" not in k and "num" not in k else k: v for k, v in given.items()})  # pyright: ignore
    made = module.clone()
    bind(made, assignment)
    MapGrid().apply(new_context(), made)
    made.verify()
    seen, order, _ = run_module(made, (), assignment)
    return seen, order


def values(module: ModuleOp, name: str) -> tuple:
    found = [d.domain.data.values for d in declarations(module) if d.sym_name.data == name]
    return found[0] if found else ()


@pytest.mark.parametrize("extents", [(7, 9), (8, 4), (3, 5, 4), (2, 9, 3, 2)], ids=str)
def test_every_block_once(extents: tuple[int, ...]) -> None:
    module = counting(extents)
    orders = values(module, "g.loop_order")
    assert orders == tuple(itertools.permutations(range(len(extents))))
    groupings = (1, 2, 4, 64)
    assert set(groupings) <= set(values(module, "g.l2_grouping"))
    for order, grouping in itertools.product(orders, groupings):
        seen, _ = mapped(module, loop_order=order, l2_grouping=grouping)
        assert seen.unique().tolist() == [1], (order, grouping)


@pytest.mark.parametrize("kind", ["flat", "persistent_blocked", "persistent_interleaved"])
def test_one_dimension_and_a_lower_bound(kind: str) -> None:
    module = counting((21,), lower=3)
    assert values(module, "g.loop_order") == values(module, "g.l2_grouping") == ()
    seen, order = mapped(module, pid_type=kind)
    assert seen.tolist() == [0, 0, 0] + [1] * 18
    if kind == "flat":
        assert order.tolist() == [-1] * 3 + [i // BLOCKS[0] for i in range(18)]


def test_the_first_of_the_order_runs_fastest() -> None:
    module = counting((4, 8))  # two blocks of rows, two of columns
    _, rows_first = mapped(module, loop_order=(0, 1))
    assert rows_first[::2, ::4].tolist() == [[0, 2], [1, 3]]
    _, columns_first = mapped(module, loop_order=(1, 0))
    assert columns_first[::2, ::4].tolist() == [[0, 1], [2, 3]]


def test_a_group_walks_its_columns_before_the_next_rows() -> None:
    module = counting((10, 12))  # five blocks of rows, three of columns
    _, order = mapped(module, loop_order=(0, 1), l2_grouping=2)
    assert order[::2, ::4].tolist() == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11], [12, 13, 14]]
