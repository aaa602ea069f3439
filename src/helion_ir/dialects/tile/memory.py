"""Loads, stores and atomics of the tile dialect.

One subscript a dimension of the tensor: a range gives a dimension of the result, a scalar none, a 1-D tile of indices
its own (so several form an outer product), and tiles of rank two or more broadcast together, their dimensions standing
where the first of them stands. Lanes outside of a range are inactive: loads give 0 there and stores do nothing. Until
make-masks runs `mask` is only what the author asked for (`extra_mask`); afterwards it is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    opt_result_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.editing import fill_last
from helion_ir.dialects.operation import Op
from helion_ir.dialects.tile.control import print_extra
from helion_ir.dialects.types import RangeType, RefType, TileType, string_attr

ATOMIC_KINDS = ("add", "max", "min", "and", "or", "xor", "xchg", "cas")


def subscript_dims(subscripts: Sequence[Attribute]) -> tuple:
    """The dimensions of the tile that subscripts of these types select."""
    dims: list = []
    grouped: list[TileType] = []
    for s in subscripts:
        if isinstance(s, RangeType):
            dims.append(s.block.data)
        elif not isinstance(s, TileType):
            continue
        elif s.rank == 1:
            dims.append(s.dims[0])
        elif s.rank >= 2 and not grouped:
            grouped = [t for t in subscripts if isinstance(t, TileType) and t.rank >= 2]
            rank = max(g.rank for g in grouped)
            for i in range(-rank, 0):
                extents = [g.dims[i] for g in grouped if g.rank >= -i]
                dims.append(next((e for e in extents if e != 1), extents[0]))
    return tuple(dims)


class AccessOp(Op):
    """Base of what reads or writes a tensor. `site` names the access in knobs; copies of an access share it."""

    site = prop_def(StringAttr)
    indexing = opt_prop_def(Attribute)
    """How it is addressed, a string or an expression over knobs; written by choose-indexing."""
    ref = operand_def(RefType)
    subscripts = var_operand_def()
    mask = opt_operand_def(TileType)
    schedule = opt_prop_def(Attribute)
    """Open decisions about how it is done."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def verify_(self) -> None:
        assert isinstance(self.ref.type, RefType)
        if len(self.subscripts) != len(self.ref.type.shape):
            raise VerifyException(f"{len(self.subscripts)} subscripts for a tensor of rank {len(self.ref.type.shape)}")
        for s in self.subscripts:
            if not isinstance(s.type, RangeType | TileType):
                raise VerifyException(f"{s.type} is no subscript")

    @property
    def dims(self) -> tuple:
        """The dimensions of the tile accessed."""
        return subscript_dims([s.type for s in self.subscripts])

    def set_mask(self, mask: SSAValue) -> None:
        """Give an access without a mask one, which is its last operand."""
        fill_last(self, mask)

    def print_access(self, printer: Printer) -> None:
        printer.print_ssa_value(self.ref)
        with printer.in_square_brackets():
            printer.print_list(self.subscripts, printer.print_ssa_value)
        if self.mask is not None:
            printer.print_string(" mask ")
            printer.print_ssa_value(self.mask)

    def print_types(self, printer: Printer) -> None:
        printer.print_string(" : ")
        printer.print_attribute(self.ref.type)
        with printer.in_square_brackets():
            printer.print_list(self.subscripts, lambda s: printer.print_attribute(s.type))
        if self.mask is not None:
            printer.print_string(" mask ")
            printer.print_attribute(self.mask.type)


class ParsedAccess:
    """The common part of an access while it is parsed: first the names, after the colon their types."""

    def __init__(self, parser: Parser):
        self.parser = parser
        self.ref = parser.parse_unresolved_operand()
        self.subscripts = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_unresolved_operand)
        self.mask = parser.parse_unresolved_operand() if parser.parse_optional_keyword("mask") is not None else None

    def resolve(self) -> tuple[SSAValue, list[SSAValue], SSAValue | None]:
        p = self.parser
        p.parse_punctuation(":")
        ref = p.resolve_operand(self.ref, p.parse_type())
        types = p.parse_comma_separated_list(p.Delimiter.SQUARE, p.parse_type)
        subscripts = list(p.resolve_operands(self.subscripts, types, p.pos))
        if self.mask is None:
            return ref, subscripts, None
        p.parse_keyword("mask")
        return ref, subscripts, p.resolve_operand(self.mask, p.parse_type())


def parse_attributes(parser: Parser) -> dict[str, Attribute]:
    return parser.parse_optional_attr_dict() if parser.parse_optional_keyword("attributes") is not None else {}


@irdl_op_definition
class LoadOp(AccessOp):
    """`%v = tile.load "x" %x[%m, %k] mask %b : !tile.ref<…>[!tile.range<…>, …] mask t1 -> t`."""

    name = "tile.load"

    eviction = opt_prop_def(Attribute)
    """The eviction policy, a string or an expression over knobs."""
    cache = opt_prop_def(Attribute)
    """The cache modifier, likewise."""
    result = result_def(TileType)

    traits = traits_def(MemoryReadEffect())

    def __init__(
        self,
        site: str,
        ref: SSAValue,
        subscripts: Sequence[SSAValue],
        result_type: Attribute,
        mask: SSAValue | None = None,
        *,
        indexing: Attribute | None = None,
        eviction: Attribute | None = None,
    ):
        super().__init__(
            operands=[ref, list(subscripts), mask],
            result_types=[result_type],
            properties={"site": string_attr(site), "indexing": indexing, "eviction": eviction},
        )

    def verify_(self) -> None:
        super().verify_()
        assert isinstance(self.result.type, TileType)
        if self.result.type.dims != self.dims:
            raise VerifyException(f"the subscripts select {list(self.dims)}, the result is {self.result.type}")

    @classmethod
    def parse(cls, parser: Parser) -> LoadOp:
        site = parser.parse_str_literal()
        access = ParsedAccess(parser)
        extra = parse_attributes(parser)
        ref, subscripts, mask = access.resolve()
        parser.parse_punctuation("->")
        op = cls(site, ref, subscripts, parser.parse_type(), mask)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.site.data)
        printer.print_string(" ")
        self.print_access(printer)
        print_extra(printer, self, ("site",))
        self.print_types(printer)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)


@irdl_op_definition
class StoreOp(AccessOp):
    """`tile.store "out" %v, %out[%m, %n] mask %b : t : !tile.ref<…>[…] mask t1`; the value has exactly the shape accessed."""

    name = "tile.store"

    cache = opt_prop_def(Attribute)
    """The cache modifier, a string or an expression over knobs."""
    value = operand_def(TileType)

    traits = traits_def(MemoryWriteEffect())

    def __init__(
        self,
        site: str,
        value: SSAValue,
        ref: SSAValue,
        subscripts: Sequence[SSAValue],
        mask: SSAValue | None = None,
        *,
        indexing: Attribute | None = None,
    ):
        super().__init__(
            operands=[value, ref, list(subscripts), mask],
            properties={"site": string_attr(site), "indexing": indexing},
        )

    def verify_(self) -> None:
        super().verify_()
        assert isinstance(self.value.type, TileType) and isinstance(self.ref.type, RefType)
        if self.value.type.dims != self.dims or self.value.type.element_type != self.ref.type.element_type:
            raise VerifyException(f"cannot store {self.value.type} as {list(self.dims)} of {self.ref.type}")

    @classmethod
    def parse(cls, parser: Parser) -> StoreOp:
        site = parser.parse_str_literal()
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(",")
        access = ParsedAccess(parser)
        extra = parse_attributes(parser)
        parser.parse_punctuation(":")
        value_ = parser.resolve_operand(value, parser.parse_type())
        ref, subscripts, mask = access.resolve()
        op = cls(site, value_, ref, subscripts, mask)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.site.data)
        printer.print_string(" ")
        printer.print_ssa_value(self.value)
        printer.print_string(", ")
        self.print_access(printer)
        print_extra(printer, self, ("site",))
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)
        self.print_types(printer)


@irdl_op_definition
class AtomicOp(AccessOp):
    """`%old = tile.atomic "out" add relaxed (%v), %out[%m, %n] : (t) : !tile.ref<…>[…] -> t`.

    The result, if there is one, is the previous contents, unspecified in inactive lanes. `cas` takes (expected, value).
    """

    name = "tile.atomic"

    kind = prop_def(StringAttr)
    sem = prop_def(StringAttr)
    arguments = var_operand_def(TileType)
    result = opt_result_def(TileType)

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    def __init__(
        self,
        site: str,
        kind: str,
        sem: str,
        arguments: Sequence[SSAValue],
        ref: SSAValue,
        subscripts: Sequence[SSAValue],
        mask: SSAValue | None = None,
        *,
        result_type: Attribute | None = None,
    ):
        super().__init__(
            operands=[list(arguments), ref, list(subscripts), mask],
            result_types=[result_type],
            properties={"site": string_attr(site), "kind": string_attr(kind), "sem": string_attr(sem)},
        )

    def verify_(self) -> None:
        super().verify_()
        if self.kind.data not in ATOMIC_KINDS:
            raise VerifyException(f"no such atomic: {self.kind.data}")

    @classmethod
    def parse(cls, parser: Parser) -> AtomicOp:
        site = parser.parse_str_literal()
        kind, sem = parser.parse_identifier(), parser.parse_identifier()
        values = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        parser.parse_punctuation(",")
        access = ParsedAccess(parser)
        extra = parse_attributes(parser)
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        arguments = parser.resolve_operands(values, types, parser.pos)
        ref, subscripts, mask = access.resolve()
        result = parser.parse_type() if parser.parse_optional_punctuation("->") is not None else None
        op = cls(site, kind, sem, arguments, ref, subscripts, mask, result_type=result)
        op.properties.update(extra)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.site.data)
        printer.print_string(f" {self.kind.data} {self.sem.data} ")
        with printer.in_parens():
            printer.print_list(self.arguments, printer.print_ssa_value)
        printer.print_string(", ")
        self.print_access(printer)
        print_extra(printer, self, ("site", "kind", "sem"))
        printer.print_string(" : ")
        with printer.in_parens():
            printer.print_list(self.arguments, lambda a: printer.print_attribute(a.type))
        self.print_types(printer)
        if self.result is not None:
            printer.print_string(" -> ")
            printer.print_attribute(self.result.type)


MEMORY = [LoadOp, StoreOp, AtomicOp]
