"""Copies of ops, and what the base class of ops answers for xDSL's."""

from __future__ import annotations

import pytest
from xdsl.ir import Operation

from helion_ir.dialects.context import module_text, parse_module
from helion_ir.dialects.editing import append, block_of, copied, fill_last, move_ops, region_of, replace_uses
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.tile.control import ForOp, KernelOp
from helion_ir.dialects.tile.memory import LoadOp

TEXT = """builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @b : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @k (%x: !tile.ref<[64], f32, strides = [1]>, %n: !tile.tile<[], i32>) names ["x", "n"] {
    %zero = tile.full <0.0> -> !tile.tile<[], f32>
    %sum = tile.for "m" (%m = 0 to 64 : !tile.range<@b>) iter_args (%acc = %zero : !tile.tile<[], f32>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<@b>] -> !tile.tile<[@b], f32> loc("a.py":7:13)
      %s = tile.reduce "sum" <0> %v : !tile.tile<[@b], f32> -> !tile.tile<[], f32>
      %t = tile.add %acc, %s : !tile.tile<[], f32>
      tile.yield %t : !tile.tile<[], f32>
    }
  }
}
"""

MASK = "builtin.module { %b = tile.full <1> -> !tile.tile<[@b], i1> }"


def test_a_copy_has_names_and_locations_and_values_of_its_own() -> None:
    module = parse_module(TEXT)
    before, ops = module_text(module), list(module.walk())
    made = copied(module)
    made.verify()
    assert module_text(made) == before and [o.location for o in made.walk()] == [o.location for o in ops]
    assert not set(made.walk()) & set(ops)
    seen = {v for o in made.walk() for v in (*o.results, *(a for r in o.regions for b in r.blocks for a in b.args))}
    assert all(v in seen and any(u.operation is o for u in v.uses) for o in made.walk() for v in o.operands)
    for op in list(made.body.block.ops):
        op.detach()
        op.erase(safe_erase=False)
    assert module_text(module) == before


def test_parts_are_found_by_name() -> None:
    (kernel,) = [op for op in parse_module(TEXT).walk() if isinstance(op, KernelOp)]
    (loop,) = [op for op in kernel.walk() if isinstance(op, ForOp)]
    (load,) = [op for op in kernel.walk() if isinstance(op, LoadOp)]
    x, _ = kernel.body.block.args
    assert load.ref is x and list(load.subscripts) == [loop.body.block.args[0]] and load.mask is None
    assert [v.name_hint for v in loop.iter_args] == ["zero"] and list(loop.symbols) == []
    assert isinstance(vars(LoadOp)["ref"], property) and isinstance(vars(LoadOp)["subscripts"], property)
    assert load.result is load.results[0] and loop.body is loop.regions[0]


def test_edits_leave_what_xdsl_verifies() -> None:
    module = parse_module(TEXT)
    (kernel,) = [op for op in module.walk() if isinstance(op, KernelOp)]
    (loop,) = [op for op in kernel.walk() if isinstance(op, ForOp)]
    (load,) = [op for op in kernel.walk() if isinstance(op, LoadOp)]
    zero = loop.iter_args[0]
    assert isinstance(zero.owner, Operation)
    other = copied(zero.owner)
    other.results[0].name_hint = None
    kernel.body.block.insert_op_before(other, loop)
    (init,) = other.results
    replace_uses(zero, init)
    assert list(zero.uses) == [] and list(loop.iter_args) == [init] and init.name_hint == "zero"
    assert [(u.operation, loop.operands[u.index]) for u in init.uses] == [(loop, init)]
    mask = parse_module(MASK).body.block.first_op
    assert mask is not None
    mask.detach()
    loop.body.block.insert_op_before(mask, load)
    fill_last(load, mask.results[0])
    assert load.mask is mask.results[0] and [u.operation for u in mask.results[0].uses] == [load]
    with pytest.raises(ValueError, match="has its last operand already"):
        fill_last(load, mask.results[0])
    old, ops = kernel.body.block, ops_of(kernel.body.block)
    new = block_of([a.type for a in old.args])
    for before, after in zip(old.args, new.args):
        replace_uses(before, after)
    move_ops(old, new)
    assert list(new.ops) == ops and list(reversed(new.ops)) == ops[::-1] and list(old.ops) == []
    with pytest.raises(ValueError, match="is in a block already"):
        append(new, loop)
    made = KernelOp("k", ["x", "n"], region_of(new))
    kernel.parent_block().insert_op_before(made, kernel)  # pyright: ignore[reportOptionalMemberAccess]
    kernel.detach()
    module.verify()
    assert module_text(parse_module(module_text(module))) == module_text(module)
