"""The base class of every op of these dialects: xDSL's, made and walked for less."""

from __future__ import annotations

# Private fields of xDSL's ops and values are set here, in editing.py, and nowhere else; its version is pinned.
import functools
import itertools
import operator
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

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
from xdsl.irdl.operations import (
    BaseAccessor,
    BaseAttrAccessor,
    BeforeVariadicSingleAccessor,
    UniqueVariadicAccessor,
    VariadicAttrAccessor,
    VarIRConstruct,
)


class OpClass(ABCMeta):
    """The class of op classes: what is no instance of one is found out at once.

    Nothing is ever registered as an op, which Python's abstract classes look for, in five times the time.
    """

    __instancecheck__ = type.__instancecheck__

    def __setattr__(cls, name: str, value: Any) -> None:  # how `irdl_op_definition` adds accessors
        super().__setattr__(name, _quick(value) if isinstance(value, BaseAccessor | BaseAttrAccessor) else value)


_HELD = {VarIRConstruct.OPERAND: "_operands", VarIRConstruct.RESULT: "results", VarIRConstruct.REGION: "regions"}
"""Where an op has what it is defined with."""


class Values(SSAValues[Any]):
    """Operands or results, which are looked up without xDSL asking each time whether a slice is wanted."""

    __getitem__ = tuple.__getitem__  # pyright: ignore[reportAssignmentType] - a slice is a tuple


NO_VALUES: SSAValues[Any] = SSAValues()


def _quick(accessor: BaseAccessor | BaseAttrAccessor) -> Any:
    """A property that gives what xDSL's accessor does, without asking each time for which kind of part it is."""
    if (held := _HELD.get(accessor.construct)) is None:
        return accessor
    parts = operator.attrgetter(held)
    values = accessor.construct is not VarIRConstruct.REGION
    if isinstance(accessor, BaseAttrAccessor):
        name, sizes, index = accessor.option.attribute_name, accessor.option.container, accessor.index
        if isinstance(accessor, VariadicAttrAccessor) and values:
            return property(lambda op: Values(index(sizes(op)[name].get_values(), parts(op))))  # pyright: ignore
        return property(lambda op: index(sizes(op)[name].get_values(), parts(op)))  # pyright: ignore
    if isinstance(accessor, BeforeVariadicSingleAccessor):
        place = accessor.idx
        return property(lambda op: parts(op)[place])
    if isinstance(accessor, UniqueVariadicAccessor):
        if accessor.num_defs == 1:
            return property(parts)
        before, after = accessor.idx, accessor.num_defs - accessor.idx - 1
        some = Values if values else tuple
        return property(lambda op: some((x := parts(op))[before : len(x) - after]))
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
        form = _form(type(self))
        parts: Any = (operands, result_types, regions)
        if tuple(map(len, parts)) != form.counts:
            raise ValueError(f"{self.name} is defined with {form.counts} operands, results and regions, not these")
        if not form.plain:
            parts = _flattened(form, parts, given)
        fill_in(
            self,
            parts[0],
            parts[1],
            given,
            {} if attributes is None else {k: v for k, v in attributes.items() if v is not None},
            UNKNOWN_LOC,
            parts[2],
        )
        if form.has_defaults:
            super().__post_init__()

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
            for given, plain in zip((operands, result_types, regions), _form(cls).single)
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

    def walk(self, *, reverse: bool = False, region_first: bool = False) -> Iterator[Operation]:
        """This op and all ops in it, as xDSL's: an op may be erased, and others put before it, while it is visited."""
        if reverse != region_first:
            return super().walk(reverse=reverse, region_first=region_first)
        return reversed(list(walk(self))) if reverse else walk(self)  # as they are now, in the former case


# What xDSL's constructor does, without its generators and views: half the time.
def fill_in(
    op: Operation,
    operands: Sequence[SSAValue],
    result_types: Sequence[Attribute],
    properties: dict[str, Attribute],
    attributes: dict[str, Attribute],
    location: LocationAttr,
    regions: Sequence[Region],
) -> None:
    values: type[SSAValues[Any]] = (
        Values if isinstance(op, Op) else SSAValues
    )  # xDSL's own ops want slices that know their types
    op._operands, op._operand_uses = NO_VALUES, ()
    if operands:
        uses: list[Use] = []
        for i, value in enumerate(operands):
            following = value.first_use
            value.first_use = use = Use(op, i, None, following)
            if following is not None:
                following._prev_use = use
            uses.append(use)
        op._operands, op._operand_uses = values(operands), tuple(uses)
    op.results = values([OpResult(t, op, i) for i, t in enumerate(result_types)]) if result_types else NO_VALUES
    op.properties, op.attributes, op.location = properties, attributes, location
    op._successors = op._successor_uses = ()
    op.regions = ()
    for region in regions:
        op.add_region(region)


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


def ops_of(block: Block) -> list[Operation]:
    """The ops of a block, as they are now."""
    found: list[Operation] = []
    op = block._first_op
    while op is not None:
        found.append(op)
        op = op._next_op
    return found


operands_of: Callable[[Operation], SSAValues] = operator.attrgetter("_operands")
"""The operands of an op as a tuple, without xDSL's view of them."""


@functools.cache
def segments(sizes: tuple[int, ...]) -> DenseArrayBase:
    made = DenseArrayBase.from_list(i32, sizes)
    # Each access to an operand asks for them, and xDSL unpacks bytes each time: a tenth of what lowering cost.
    object.__setattr__(made, "get_values", lambda: sizes)
    return made


@dataclass(frozen=True)
class _Form:
    """What a class of ops is defined with: of operands, results and regions, how many definitions there are, which are
    all of exactly one, and the property with the sizes of the others."""

    counts: tuple[int, int, int]
    single: tuple[bool, bool, bool]
    sized: tuple[str | None, str | None, str | None]
    plain: bool
    """Whether every definition is of exactly one."""
    has_defaults: bool
    """Whether properties or attributes that are not given have a value."""


@functools.cache
def _form(op: type[Op]) -> _Form:
    d = op.get_irdl_definition()
    kinds = (
        (d.operands, AttrSizedOperandSegments),
        (d.results, AttrSizedResultSegments),
        (d.regions, AttrSizedRegionSegments),
    )
    single = tuple([not any(isinstance(each, VariadicDef) for _, each in defs) for defs, _ in kinds])
    sized = tuple([next((o.attribute_name for o in d.options if isinstance(o, kind)), None) for _, kind in kinds])
    defs = [*d.properties.values(), *d.attributes.values()]
    defaults = any(not isinstance(p, OptionalDef) and p.default_value is not None for p in defs)
    return _Form(tuple([len(defs) for defs, _ in kinds]), single, sized, all(single), defaults)  # pyright: ignore


def _flattened(form: _Form, parts: Sequence[Sequence[Any]], given: dict[str, Attribute]) -> list[Sequence[Any]]:
    """The elements of lists of elements, lists of them and nothing; how many each gave is noted among the properties."""
    out: list[Sequence[Any]] = []
    for part, single, sized in zip(parts, form.single, form.sized):
        if not single:
            lists = [x if isinstance(x, list | tuple) else () if x is None else (x,) for x in part]
            part = lists[0] if len(lists) == 1 else list(itertools.chain(*lists))
            if sized is not None:
                given[sized] = segments(tuple(map(len, lists)))
        out.append(part)
    return out
