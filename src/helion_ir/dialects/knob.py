"""The `knob` dialect: what the tuner may decide, by name, with its domain, owner and conditions.

A knob is declared once at the top of a module and referred to as `@name` in index expressions, wherever its value
matters: in types, loop options, or the selector of a `knob.choose`.
"""

from __future__ import annotations

import abc
import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr
from xdsl.ir import Attribute, Data, Dialect, Operation, ParametrizedAttribute, Region, SSAValue
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.index import ExprAttr, parse_expr_attr, print_expr
from helion_ir.dialects.operation import Op, ops_of

KnobValue = int | bool | float | str | None | tuple[int, ...]
"""What a knob may be bound to; a tuple is a permutation, a float a number of the author's."""


def parse_value(parser: AttrParser) -> KnobValue:
    if parser.parse_optional_keyword("none") is not None:
        return None
    if (text := parser.parse_optional_str_literal()) is not None:
        return text
    if parser.parse_optional_punctuation("[") is not None:
        items: list[int] = []
        while parser.parse_optional_punctuation("]") is None:
            if items:
                parser.parse_punctuation(",")
            items.append(parser.parse_integer(allow_boolean=False))
        return tuple(items)
    if (flag := parser.parse_optional_boolean()) is not None:
        return flag
    return parser.parse_number(allow_boolean=False)


def value_text(value: KnobValue) -> str:
    """The printed form of a knob's value.

    >>> value_text((1, 0)), value_text("flat"), value_text(True), value_text(None), value_text(1e-05)
    ('[1, 0]', '"flat"', 'true', 'none', '1.0e-05')
    """
    if value is None:
        return "none"
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")  # MLIR's floats have a point: 1.0e-05
        return (mantissa if "." in mantissa else f"{mantissa}.0") + e + exponent
    return json.dumps(list(value) if isinstance(value, tuple) else value)


@irdl_attr_definition
class ValueAttr(Data[Any]):
    """A knob's value: `#knob.value<16>`, `#knob.value<"flat">`, `#knob.value<[1, 0]>`, `#knob.value<none>`."""

    name = "knob.value"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> KnobValue:
        with parser.in_angle_brackets():
            return parse_value(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(value_text(self.data))

    # True == 1 and hash(True) == hash(1) in Python; as knob values they differ.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValueAttr) and type(self.data) is type(other.data) and self.data == other.data

    def __hash__(self) -> int:
        return hash((type(self.data), self.data))


@dataclass(frozen=True)
class Domain:
    """The values a knob may take: `kind` with its parameters.

    `pow2 low to high` · `int low to high` · `bool` · `permutation n` · `one_of v, …` (any values, in order of preference).
    """

    kind: Literal["pow2", "int", "bool", "permutation", "one_of"]
    parameters: tuple[Any, ...] = ()

    @functools.cached_property
    def values(self) -> tuple[KnobValue, ...]:
        p = self.parameters
        if self.kind == "pow2":
            return tuple(1 << i for i in range(p[0].bit_length() - 1, p[1].bit_length()))
        if self.kind == "int":
            return tuple(range(p[0], p[1] + 1))
        if self.kind == "bool":
            return (False, True)
        return tuple(itertools.permutations(range(p[0]))) if self.kind == "permutation" else p

    @functools.cached_property
    def _members(self) -> frozenset[tuple[type, KnobValue]]:
        return frozenset((type(v), v) for v in self.values)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, list | dict | set):
            return False
        return (type(value), value) in self._members

    def __str__(self) -> str:
        if self.kind in ("pow2", "int"):
            return f"{self.kind} {self.parameters[0]} to {self.parameters[1]}"
        return " ".join([self.kind, ", ".join(value_text(v) for v in self.parameters)]).rstrip()


def pow2(low: int, high: int) -> Domain:
    """Powers of two from `low` to `high`, both powers of two themselves.

    >>> pow2(16, 64).values
    (16, 32, 64)
    """
    return Domain("pow2", (low, max(low, high)))


def one_of(*values: KnobValue) -> Domain:
    return Domain("one_of", values)


def integers(low: int, high: int) -> Domain:
    return Domain("int", (low, high))


def permutations(n: int) -> Domain:
    return Domain("permutation", (n,))


BOOLEAN = Domain("bool")


@irdl_attr_definition
class DomainAttr(Data[Domain]):
    """`#knob.domain<pow2 16 to 256>`; see `Domain`."""

    name = "knob.domain"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Domain:
        with parser.in_angle_brackets():
            return parse_domain(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(str(self.data))

    def verify(self) -> None:
        d = self.data
        if d.kind == "pow2" and any(p <= 0 or p & (p - 1) for p in d.parameters):
            raise VerifyException(f"{d}: the bounds must be powers of two")
        if not d.values:
            raise VerifyException(f"{d}: the domain is empty")


def parse_domain(parser: AttrParser) -> Domain:
    kind = parser.parse_identifier(" (pow2, int, bool, permutation or one_of)")
    match kind:
        case "pow2" | "int":
            low = parser.parse_integer()
            parser.parse_keyword("to")
            return Domain(kind, (low, parser.parse_integer()))
        case "bool":
            return BOOLEAN
        case "permutation":
            return permutations(parser.parse_integer())
        case "one_of":
            values = [parse_value(parser)]
            while parser.parse_optional_punctuation(",") is not None:
                values.append(parse_value(parser))
            return one_of(*values)
        case _:
            parser.raise_error(f"unknown kind of domain: {kind}")


@irdl_op_definition
class DeclareOp(Op):
    """Declare a knob.

    `knob.declare @tile_m.block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "rows a program computes"`,
    optionally followed by `when <expr>`: the condition, over other knobs, under which it is used at all.
    `in` names the positional list of `Config` whose next entry it is.
    """

    name = "knob.declare"

    # not "sym_name": a knob may be called what the function is called, and modules keep symbols apart by that property
    sym_name = prop_def(StringAttr, prop_name="knob_name")
    domain = prop_def(DomainAttr)
    default = prop_def(ValueAttr)
    field = opt_prop_def(StringAttr)
    owner = prop_def(StringAttr)
    doc = prop_def(StringAttr)
    when = opt_prop_def(ExprAttr)

    def __init__(
        self,
        name: str,
        domain: Domain,
        default: KnobValue,
        *,
        owner: str,
        doc: str,
        field: str | None = None,
        when: ExprAttr | None = None,
    ):
        super().__init__(
            properties={
                "knob_name": StringAttr(name),
                "domain": DomainAttr(domain),
                "default": ValueAttr(default),
                "field": StringAttr(field) if field else None,
                "owner": StringAttr(owner),
                "doc": StringAttr(doc),
                "when": when,
            }
        )

    def verify_(self) -> None:
        if self.default.data not in self.domain.data:
            raise VerifyException(
                f"@{self.sym_name.data}: default {value_text(self.default.data)} is not in {self.domain.data}"
            )

    @classmethod
    def parse(cls, parser: Parser) -> DeclareOp:
        name = parser.parse_symbol_name().data
        parser.parse_punctuation(":")
        domain = parse_domain(parser)
        parser.parse_punctuation("=")
        default = parse_value(parser)
        field = parser.parse_str_literal() if parser.parse_optional_keyword("in") else None
        parser.parse_keyword("by")
        owner = parser.parse_str_literal()
        parser.parse_keyword("doc")
        doc = parser.parse_str_literal()
        when = None
        if parser.parse_optional_keyword("when"):
            with parser.in_angle_brackets():
                when = parse_expr_attr(parser)
        return cls(name, domain, default, owner=owner, doc=doc, field=field, when=when)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" @{self.sym_name.data} : {self.domain.data} = {value_text(self.default.data)}")
        if self.field is not None:
            printer.print_string(" in ")
            printer.print_string_literal(self.field.data)
        printer.print_string(" by ")
        printer.print_string_literal(self.owner.data)
        printer.print_string(" doc ")
        printer.print_string_literal(self.doc.data)
        if self.when is not None:
            printer.print_string(" when <")
            print_expr(printer, self.when)
            printer.print_string(">")


@irdl_op_definition
class RequireOp(Op):
    """Rule out the configurations for which the expression is false: `knob.require <@bm * @bn le 65536>, "reason"`."""

    name = "knob.require"

    condition = prop_def(ExprAttr)
    reason = prop_def(StringAttr)
    owner = prop_def(StringAttr)

    def __init__(self, condition: ExprAttr, reason: str, *, owner: str):
        super().__init__(properties={"condition": condition, "reason": StringAttr(reason), "owner": StringAttr(owner)})

    @classmethod
    def parse(cls, parser: Parser) -> RequireOp:
        with parser.in_angle_brackets():
            condition = parse_expr_attr(parser)
        parser.parse_punctuation(",")
        reason = parser.parse_str_literal()
        parser.parse_keyword("by")
        return cls(condition, reason, owner=parser.parse_str_literal())

    def print(self, printer: Printer) -> None:
        printer.print_string(" <")
        print_expr(printer, self.condition)
        printer.print_string(">, ")
        printer.print_string_literal(self.reason.data)
        printer.print_string(" by ")
        printer.print_string_literal(self.owner.data)


@irdl_op_definition
class RuledOutOp(Op):
    """Says why a knob does not have these values, or does not exist: `knob.ruled_out @x : 2, 4, "reason" by "owner"`.

    Nothing reads it but people: the knob's domain is without the values already.
    """

    name = "knob.ruled_out"

    knob_name = prop_def(StringAttr)
    values = prop_def(ArrayAttr[ValueAttr])
    reason = prop_def(StringAttr)
    owner = prop_def(StringAttr)

    def __init__(self, name: str, values: Sequence[KnobValue], reason: str, *, owner: str):
        super().__init__(
            properties={
                "knob_name": StringAttr(name),
                "values": ArrayAttr([ValueAttr(v) for v in values]),
                "reason": StringAttr(reason),
                "owner": StringAttr(owner),
            }
        )

    @classmethod
    def parse(cls, parser: Parser) -> RuledOutOp:
        name = parser.parse_symbol_name().data
        parser.parse_punctuation(":")
        values = [parse_value(parser)]
        reason = ""
        while not reason:
            parser.parse_punctuation(",")
            value = parse_value(parser)
            if isinstance(value, str) and parser.parse_optional_keyword("by") is not None:
                reason = value
            else:
                values.append(value)
        return cls(name, values, reason, owner=parser.parse_str_literal())

    def print(self, printer: Printer) -> None:
        values = ", ".join(value_text(v.data) for v in self.values)
        printer.print_string(f" @{self.knob_name.data} : {values}, ")
        printer.print_string_literal(self.reason.data)
        printer.print_string(" by ")
        printer.print_string_literal(self.owner.data)


@irdl_op_definition
class YieldOp(Op):
    """The values of one alternative of a `knob.choose`."""

    name = "knob.yield"

    arguments = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($arguments^ `:` type($arguments))?"

    def __init__(self, *arguments: SSAValue):
        super().__init__(operands=[list(arguments)])


class AlternativesOp(Op, abc.ABC):
    """Alternatives as regions, one a value of the selector, each of which gives values of the same types."""

    selector = prop_def(ExprAttr)
    cases = prop_def(ArrayAttr[ValueAttr])
    res = var_result_def()
    alternatives = var_region_def("single_block")

    traits = traits_def(RecursiveMemoryEffect())

    ENDS: ClassVar[type[Operation]]
    """What the alternatives end in, with the values they give."""

    def __init__(
        self,
        selector: ExprAttr,
        cases: Sequence[KnobValue],
        alternatives: Sequence[Region],
        result_types: Sequence[Attribute],
    ):
        super().__init__(
            result_types=[list(result_types)],
            properties={"selector": selector, "cases": ArrayAttr([ValueAttr(c) for c in cases])},
            regions=[list(alternatives)],
        )

    def alternative(self, value: KnobValue) -> Region:
        """The region kept when the selector is `value`; KeyError if there is none (truth values count as 0 and 1)."""
        value = int(value) if isinstance(value, bool) else value
        for case, region in zip(self.cases, self.alternatives):
            if case.data == value and isinstance(case.data, str) == isinstance(value, str):
                return region
        raise KeyError(value)

    def verify_(self) -> None:
        if len(self.cases) != len(self.alternatives):
            raise VerifyException("one case an alternative")
        types = [r.type for r in self.results]
        for region in self.alternatives:
            last = region.block.last_op
            if not isinstance(last, self.ENDS) or [a.type for a in last.operands] != types:
                raise VerifyException(f"each alternative must yield ({', '.join(map(str, types))})")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        with parser.in_angle_brackets():
            selector = parse_expr_attr(parser)
        types: list[Attribute] = []
        if parser.parse_optional_punctuation("->") is not None:
            types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)  # pyright: ignore
        cases: list[KnobValue] = []
        regions: list[Region] = []
        while parser.parse_optional_keyword("case") is not None:
            cases.append(parse_value(parser))
            regions.append(parser.parse_region())
        return cls(selector, cases, regions, types)

    def print(self, printer: Printer) -> None:
        printer.print_string(" <")
        print_expr(printer, self.selector)
        printer.print_string(">")
        if self.results:
            printer.print_string(" -> (")
            printer.print_list(self.results, lambda r: printer.print_attribute(r.type))
            printer.print_string(")")
        for case, region in zip(self.cases, self.alternatives):
            printer.print_string(f" case {value_text(case.data)} ")
            printer.print_region(region)


@irdl_op_definition
class ChooseOp(AlternativesOp):
    """Alternatives of which a configuration keeps one: the case whose value the selector has.

    `%r = knob.choose <@load.x.indexing> -> (t) case "pointer" { … knob.yield %a : t } case "tensor_descriptor" { … }`
    """

    name = "knob.choose"

    ENDS: ClassVar[type[Operation]] = YieldOp


def declarations(module: Operation) -> list[DeclareOp]:
    """The knobs declared in a module, in the order of declaration."""
    return [op for op in ops_of(module.regions[0].block) if type(op) is DeclareOp]


def requirements(module: Operation) -> list[RequireOp]:
    """The `knob.require`s of a module."""
    return [op for op in ops_of(module.regions[0].block) if type(op) is RequireOp]


def ruled_out(module: Operation) -> list[RuledOutOp]:
    """The `knob.ruled_out`s of a module."""
    return [op for op in ops_of(module.regions[0].block) if type(op) is RuledOutOp]


def knobs_read(module: Operation) -> frozenset[str]:
    """Names of the knobs that a module's ops, types and attributes refer to, other than in declarations and requirements."""
    from helion_ir.index.expr import knobs_of

    names: set[str] = set()
    seen: set[Attribute] = set()

    def visit(attr: Attribute) -> None:
        if attr in seen:
            return
        seen.add(attr)
        if isinstance(attr, ExprAttr):
            names.update(knobs_of(attr.data))
        parts = attr.parameters if isinstance(attr, ParametrizedAttribute) else ()
        if isinstance(attr, ArrayAttr):
            parts = attr.data
        elif isinstance(attr, DictionaryAttr):
            parts = tuple(attr.data.values())
        for part in parts:
            visit(part)

    for op in module.walk():
        if isinstance(op, DeclareOp | RequireOp | RuledOutOp):
            continue
        for attr in (*op.properties.values(), *(r.type for r in op.results)):
            visit(attr)
        for region in op.regions:
            for block in region.blocks:
                for argument in block.args:
                    visit(argument.type)
    return frozenset(names)


Knob = Dialect("knob", [DeclareOp, RequireOp, RuledOutOp, ChooseOp, YieldOp], [ValueAttr, DomainAttr])
