"""The base class of every op of these dialects: xDSL's, made and walked for less."""

from __future__ import annotations

# Private fields of xDSL's ops and values are set here and nowhere else; its version is pinned.
import functools
import operator
from abc import ABCMeta
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

from xdsl.dialects.builtin import UNKNOWN_LOC, DenseArrayBase, LocationAttr, i32
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue, Use
from xdsl.ir.core import SSAValues
from xdsl.irdl import (
    AttrSizedOperandSegments,
    AttrSizedRegionSegments,
    AttrSizedResultSegments,
    IRDLOperation,
    OptionalDef,
    VariadicDef,
)
from xdsl.irdl.operations import BaseAccessor, BaseAttrAccessor, BeforeVariadicSingleAccessor, VarIRConstruct


class OpClass(ABCMeta):
    """The class of op classes: what is no instance of one is found out at once.

    Nothing is ever registered as an op, which Python's abstract classes look for, in five times the time.
    """

    __instancecheck__ = type.__instancecheck__

    def __setattr__(cls, name: str, value: Any) -> None:  # how `irdl_op_definition` adds accessors
        super().__setattr__(name, _quick(value) if isinstance(value, BaseAccessor | BaseAttrAccessor) else value)


_HELD = {VarIRConstruct.OPERAND: "_operands", VarIRConstruct.RESULT: "results", VarIRConstruct.REGION: "regions"}
"""Where an op has what it is defined with."""


def _quick(accessor: BaseAccessor | BaseAttrAccessor) -> Any:
    """A property that gives what xDSL's accessor does, without asking each time for which kind of part it is."""
    if (held := _HELD.get(accessor.construct)) is None:
        return accessor
    parts = operator.attrgetter(held)
    if isinstance(accessor, BaseAttrAccessor):
        name, sizes, index = accessor.option.attribute_name, accessor.option.container, accessor.index
        return property(lambda op: index(sizes(op)[name].get_values(), parts(op)))  # pyright: ignore
    if isinstance(accessor, BeforeVariadicSingleAccessor):
        place = accessor.idx
        return property(lambda op: parts(op)[place])
    part = accessor.index
    return property(lambda op: part(parts(op)))


class Op(IRDLOperation, metaclass=OpClass):
    """An op of our own. It is defined, built, verified, printed and parsed as any of xDSL's.

    A kernel's template is some hundred ops, made and walked over by twenty passes, and half of what a first
    configuration cost went into xDSL's general constructor and its nested generators. Both are here for what these
    dialects have: no successors, and operands, result types and regions given in the order of their definitions.
    """

    def __init__(
        self,
        *,
        operands: Sequence[SSAValue | list[Any] | tuple[SSAValue, ...] | None] = (),
        result_types: Sequence[Attribute | list[Any] | tuple[Attribute, ...] | None] = (),
        properties: Mapping[str, Attribute | None] | None = None,
        attributes: Mapping[str, Attribute | None] | None = None,
        regions: Sequence[Region | list[Region]] = (),
    ):
        given = {} if properties is None else {k: v for k, v in properties.items() if v is not None}
        lists: list[Sequence[Any]] = []
        for (what, expected, plain, sized), each in zip(_defined(type(self)), (operands, result_types, regions)):
            if len(each) != expected:
                raise ValueError(f"{self.name} is defined with {expected} {what}, not {len(each)}")
            if not plain:
                each, sizes = _flat(each)
                if sized is not None:
                    given[sized] = _segments(sizes)
            lists.append(each)
        _fill(
            self,
            lists[0],
            lists[1],
            given,
            {} if attributes is None else {k: v for k, v in attributes.items() if v is not None},
            UNKNOWN_LOC,
            lists[2],
        )
        self.__post_init__()

    @classmethod
    def build(
        cls,
        *,
        operands: Sequence[Any] | None = None,
        result_types: Sequence[Any] | None = None,
        attributes: Mapping[str, Attribute | None] | None = None,
        properties: Mapping[str, Attribute | None] | None = None,
        successors: Sequence[Any] | None = None,
        regions: Sequence[Any] | None = None,
    ) -> Self:
        """An op from its parts, for what does not know its class's own constructor, such as the parser of formats."""
        assert not successors, f"{cls.name} has no successors"
        # A list of one is given, too, for what is exactly one.
        parts: list[list[Any]] = [
            [x[0] if plain and isinstance(x, list | tuple) and len(x) == 1 else x for x in given or ()]
            for given, (_, _, plain, _) in zip((operands, result_types, regions), _defined(cls))
        ]
        made = cls.__new__(cls)
        Op.__init__(
            made,
            operands=parts[0],
            result_types=parts[1],
            properties=properties,
            attributes=attributes,
            regions=parts[2],
        )
        return made

    def __post_init__(self) -> None:
        if _has_defaults(type(self)):
            super().__post_init__()

    def walk(self, *, reverse: bool = False, region_first: bool = False) -> Iterator[Operation]:
        """This op and all ops in it, as xDSL's: an op may be erased, and others put before it, while it is visited."""
        if reverse != region_first:
            return super().walk(reverse=reverse, region_first=region_first)
        return reversed(list(walk(self))) if reverse else walk(self)  # as they are now, in the former case


# What xDSL's constructor does, without its generators and views: half the time.
def _fill(
    op: Operation,
    operands: Sequence[SSAValue],
    result_types: Sequence[Attribute],
    properties: dict[str, Attribute],
    attributes: dict[str, Attribute],
    location: LocationAttr,
    regions: Sequence[Region],
) -> None:
    op._operands = SSAValues(operands)
    op._operand_uses = uses = tuple([Use(op, i) for i in range(len(operands))])
    for value, use in zip(operands, uses):
        value.add_use(use)
    op.results = SSAValues([OpResult(t, op, i) for i, t in enumerate(result_types)])
    op.properties, op.attributes, op.location = properties, attributes, location
    op._successors = op._successor_uses = ()
    op.regions = ()
    for region in regions:
        op.add_region(region)


OpT = TypeVar("OpT", bound=Operation)


def copied(op: OpT, values: dict[SSAValue, SSAValue] | None = None) -> OpT:
    """A copy of an op with its regions, in one walk; names and locations are kept, `values` from outside replaced.

    Operations have no successors and use what comes before them, so that xDSL's walks over old and new ops together,
    one for each op, are not needed.
    """
    values = {} if values is None else values
    regions: list[Region] = []
    for region in op.regions:
        blocks: list[Block] = []
        for block in region.blocks:
            made = Block(arg_types=[a.type for a in block.args])
            for old, new in zip(block.args, made.args):
                new._name, new.location = old._name, old.location
                values[old] = new
            inner = block.first_op
            while inner is not None:
                made.add_op(copied(inner, values))
                inner = inner.next_op
            blocks.append(made)
        regions.append(Region(blocks))
    copy = type(op).__new__(type(op))
    operands = [values.get(x, x) for x in op._operands]
    types = [r.type for r in op.results]
    _fill(copy, operands, types, dict(op.properties), dict(op.attributes), op.location, regions)
    for old, new in zip(op.results, copy.results):
        new._name = old._name
        values[old] = new
    return copy


def walk(root: Operation) -> Iterator[Operation]:
    """An op, which may be xDSL's own such as a module, and all ops in it, as `Op.walk` does."""
    yield root
    waiting: list[Any] = [b for r in reversed(root.regions) for b in reversed(r.blocks)]  # blocks and ops
    while waiting:
        op: Operation | None = waiting.pop()
        if type(op) is Block:
            op = op.first_op
        while op is not None:
            following = op._next_op  # noted before the op is seen, which may remove it
            yield op
            if op.regions:
                if following is not None:
                    waiting.append(following)
                for region in reversed(op.regions):
                    if (block := region.first_block) is region.last_block:
                        if block is not None:
                            waiting.append(block)
                    else:
                        waiting.extend(reversed(region.blocks))
                break
            op = following


def _flat(given: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """The elements of a list of elements, lists of them and nothing; and how many each gave."""
    lists = [() if x is None else x if isinstance(x, list | tuple) else (x,) for x in given]
    return [x for each in lists for x in each], tuple(map(len, lists))


@functools.cache
def _segments(sizes: tuple[int, ...]) -> DenseArrayBase:
    made = DenseArrayBase.from_list(i32, sizes)
    # Each access to an operand asks for them, and xDSL unpacks bytes each time: a tenth of what lowering cost.
    object.__setattr__(made, "get_values", lambda: sizes)
    return made


@functools.cache
def _defined(op: type[Op]) -> list[tuple[str, int, bool, str | None]]:
    """Of operands, results and regions: what they are, how many definitions there are, whether each is of exactly one,
    and the property with sizes."""
    d = op.get_irdl_definition()
    kinds = (
        ("operands", d.operands, AttrSizedOperandSegments),
        ("results", d.results, AttrSizedResultSegments),
        ("regions", d.regions, AttrSizedRegionSegments),
    )
    return [
        (
            what,
            len(defs),
            not any(isinstance(each, VariadicDef) for _, each in defs),
            kind.attribute_name if any(isinstance(o, kind) for o in d.options) else None,
        )
        for what, defs, kind in kinds
    ]


@functools.cache
def _has_defaults(op: type[Op]) -> bool:
    """Whether properties or attributes that are not given have a value."""
    d = op.get_irdl_definition()
    defs = [*d.properties.values(), *d.attributes.values()]
    return any(not isinstance(p, OptionalDef) and p.default_value is not None for p in defs)
