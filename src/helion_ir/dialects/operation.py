"""The base class of every op of these dialects: xDSL's, made and walked for less."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import DenseArrayBase, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    AttrSizedRegionSegments,
    AttrSizedResultSegments,
    IRDLOperation,
    OptionalDef,
)


class Op(IRDLOperation):
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
        values, value_sizes = _flat(operands)
        types, type_sizes = _flat(result_types)
        flat_regions, region_sizes = _flat(regions)
        given = {} if properties is None else {k: v for k, v in properties.items() if v is not None}
        for (what, expected, sized), sizes in zip(_defined(type(self)), (value_sizes, type_sizes, region_sizes)):
            if len(sizes) != expected:
                raise ValueError(f"{self.name} is defined with {expected} {what}, not {len(sizes)}")
            if sized is not None:
                given[sized] = _segments(tuple(sizes))
        Operation.__init__(
            self,
            operands=values,
            result_types=types,
            properties=given,
            attributes={} if attributes is None else {k: v for k, v in attributes.items() if v is not None},
            regions=flat_regions,
        )

    def __post_init__(self) -> None:
        if _has_defaults(type(self)):
            super().__post_init__()

    def walk(self, *, reverse: bool = False, region_first: bool = False) -> Iterator[Operation]:
        """This op and all ops in it, as xDSL's: an op may be erased, and others put before it, while it is visited."""
        if reverse != region_first:
            return super().walk(reverse=reverse, region_first=region_first)
        return reversed(list(_walk(self))) if reverse else _walk(self)  # as they are now, in the former case


def _walk(root: Operation) -> Iterator[Operation]:
    yield root
    waiting: list[Block | Operation] = [b for r in reversed(root.regions) for b in reversed(r.blocks)]
    while waiting:
        at = waiting.pop()
        if isinstance(at, Block):
            if (first := at.first_op) is None:
                continue
            at = first
        # Noted before the op is seen, which may remove it.
        if (following := at.next_op) is not None:
            waiting.append(following)
        yield at
        for region in reversed(at.regions):
            if (block := region.first_block) is region.last_block:
                if block is not None:
                    waiting.append(block)
            else:
                waiting.extend(reversed(region.blocks))


def _flat(given: Sequence[object]) -> tuple[list, list[int]]:
    """The elements of a list of elements, lists of them and nothing; and how many each gave."""
    out: list = []
    sizes: list[int] = []
    for each in given:
        if each is None:
            sizes.append(0)
        elif isinstance(each, list | tuple):
            out.extend(each)
            sizes.append(len(each))
        else:
            out.append(each)
            sizes.append(1)
    return out, sizes


@functools.cache
def _segments(sizes: tuple[int, ...]) -> DenseArrayBase:
    return DenseArrayBase.from_list(i32, sizes)


@functools.cache
def _defined(op: type[Op]) -> tuple[tuple[str, int, str | None], ...]:
    """Of operands, results and regions: what they are, how many definitions there are, and the property with sizes."""
    d = op.get_irdl_definition()
    kinds = (
        ("operands", d.operands, AttrSizedOperandSegments),
        ("results", d.results, AttrSizedResultSegments),
        ("regions", d.regions, AttrSizedRegionSegments),
    )
    return tuple(
        [
            (what, len(defs), kind.attribute_name if any(isinstance(o, kind) for o in d.options) else None)
            for what, defs, kind in kinds
        ]
    )


@functools.cache
def _has_defaults(op: type[Op]) -> bool:
    """Whether properties or attributes that are not given have a value."""
    d = op.get_irdl_definition()
    defs = [*d.properties.values(), *d.attributes.values()]
    return any(not isinstance(p, OptionalDef) and p.default_value is not None for p in defs)
