"""Ops, blocks and values are copied, moved and named for less than xDSL does it.

Each function is one that xDSL has, without its checks of what the caller sees to: a pass puts an op that it has just
made at the end of a block some fifty times.
"""

from __future__ import annotations

# Private fields of xDSL's are set here, as in operation.py; its version is pinned.
from collections.abc import Sequence
from typing import TypeVar

from xdsl.dialects.builtin import UNKNOWN_LOC
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue, Use
from xdsl.irdl import AttrSizedOperandSegments

from helion_ir.dialects.operation import Op, Values, fill_in, ops_of, segments

OpT = TypeVar("OpT", bound=Operation)


def copied(op: OpT) -> OpT:
    """A copy of an op with its regions, in one walk; names and locations are kept.

    Operations have no successors and use what comes before them, so that xDSL's walks over old and new ops together,
    one for each op, are not needed.
    """
    return _copied(op, {})


def _copied(op: OpT, values: dict[int, SSAValue]) -> OpT:
    """The copy of an op in one whose values so far have these ones in their places, by identity."""
    regions = [_copied_region(region, values) for region in op.regions] if op.regions else ()
    operands = [values.get(id(x), x) for x in op._operands] if op._operands else ()
    types = [r._type for r in op.results] if op.results else ()
    copy = type(op).__new__(type(op))
    fill_in(copy, operands, types, op.properties.copy(), op.attributes.copy(), op.location, regions)
    for old, new in zip(op.results, copy.results):
        new._name = old._name
        values[id(old)] = new
    return copy


def _copied_block(block: Block, values: dict[int, SSAValue]) -> Block:
    made = block_of([a._type for a in block._args])
    for old, new in zip(block._args, made._args):
        new._name, new.location = old._name, old.location
        values[id(old)] = new
    op = block._first_op
    while op is not None:
        append(made, _copied(op, values))
        op = op._next_op
    return made


def _copied_region(region: Region, values: dict[int, SSAValue]) -> Region:
    if region._first_block is not None and region._first_block is region._last_block:
        return region_of(_copied_block(region._first_block, values))
    return Region([_copied_block(b, values) for b in region.blocks])


def block_of(types: Sequence[Attribute]) -> Block:
    """A new block with arguments of these types."""
    made = Block()
    made._args = tuple([BlockArgument(t, made, i, UNKNOWN_LOC) for i, t in enumerate(types)])
    return made


def region_of(block: Block) -> Region:
    """A region of a new block."""
    made = Region()
    made._first_block = made._last_block = block
    block.parent = made
    return made


def append(block: Block, op: Operation) -> None:
    """As `Block.add_op`, of an op that was just made: it cannot contain the block, which xDSL asks all around it."""
    if op.parent is not None:
        raise ValueError(f"a {op.name} is in a block already")
    op.parent = block
    if (last := block._last_op) is None:
        block._first_op = op
    else:
        last._next_op, op._prev_op = op, last
    block._last_op = op


def move_ops(source: Block, target: Block) -> None:
    """Move all ops of a block to the end of another one, which is in none of them."""
    if (first := source._first_op) is None:
        return
    for op in ops_of(source):
        op.parent = target
    if (last := target._last_op) is None:
        target._first_op = first
    else:
        last._next_op, first._prev_op = first, last
    target._last_op = source._last_op
    source._first_op = source._last_op = None


def replace_uses(old: SSAValue, new: SSAValue) -> None:
    """As `old.replace_all_uses_with(new)`, without a view of the operands for each use."""
    use, old.first_use = old.first_use, None
    while use is not None:
        following, op = use._next_use, use._operation
        operands = list(op._operands)
        operands[use._index] = new
        op._operands = type(op._operands)(operands)
        new.add_use(use)
        use = following
    if new._name is None:
        new._name = old._name


def fill_last(op: Op, value: SSAValue) -> None:
    """Give an op its last operand, which it may have and has not yet."""
    option = next(o for o in op.get_irdl_definition().options if isinstance(o, AttrSizedOperandSegments))
    sizes = op.properties[option.attribute_name].get_values()  # pyright: ignore[reportAttributeAccessIssue]
    if sizes[-1]:
        raise ValueError(f"a {op.name} has its last operand already")
    op.properties[option.attribute_name] = segments((*sizes[:-1], 1))
    use = Use(op, len(op._operands))
    value.add_use(use)
    op._operands, op._operand_uses = Values((*op._operands, value)), (*op._operand_uses, use)


def replace(op: Operation, values: Sequence[SSAValue]) -> None:
    """Erase an op; these values stand in the place of its results, under their names where they have none."""
    for old, new in zip(op.results, values, strict=True):
        replace_uses(old, new)
    assert op.parent is not None
    op.parent.detach_op(op)
    op.drop_all_references()


def take_name(new: SSAValue, old: SSAValue) -> None:
    """Name a value as another one is, whose name is known to be legal."""
    new._name = old._name


def name_after(new: SSAValue, old: SSAValue, otherwise: str, suffix: str) -> None:
    """Name a value as another one is, or as is said where that has no name, with a suffix, which are all legal."""
    new._name = (old._name or otherwise) + suffix
