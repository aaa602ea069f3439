"""Copies of IR with attributes replaced on the way, each new attribute built once."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Expr, Symbol
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr
from xdsl.ir import Attribute, Block, Operation, ParametrizedAttribute, Region, SSAValue

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.index.expr import substitute


class Copier:
    """Copies ops into other blocks; subclasses say what becomes of an expression, and of ops that are not just copied.

    `values` maps what was copied to its copy; what is not in it is seen from outside and stays.
    """

    def __init__(self) -> None:
        self.values: dict[SSAValue, SSAValue] = {}
        self.memo: dict[Attribute, Attribute] = {}

    def expression(self, a: ExprAttr) -> Attribute:
        return a

    def attr(self, a: Attribute) -> Attribute:
        if (known := self.memo.get(a)) is None:
            known = self.memo[a] = self._attr(a)
        return known

    def _attr(self, a: Attribute) -> Attribute:
        if isinstance(a, ExprAttr):
            return self.expression(a)
        if isinstance(a, ArrayAttr):
            return a if all(self.attr(x) is x for x in a) else ArrayAttr([self.attr(x) for x in a])  # pyright: ignore
        if isinstance(a, DictionaryAttr):
            return DictionaryAttr({k: self.attr(v) for k, v in a.data.items()})
        if isinstance(a, ParametrizedAttribute) and a.parameters:
            parameters = [self.attr(p) for p in a.parameters]
            return a if all(p is q for p, q in zip(parameters, a.parameters)) else a.new(parameters)
        return a

    def block(self, source: Block, target: Block) -> None:
        """Append copies of a block's ops to another."""
        for op in source.ops:
            target.add_op(self.op(op))

    def op(self, op: Operation) -> Operation:
        """The copy of an op, with its regions; its results are known from then on."""
        regions: list[Region] = []
        for region in op.regions:
            inner = [Block(arg_types=[self.attr(a.type) for a in b.args]) for b in region.blocks]
            for old, new in zip(region.blocks, inner):
                for x, y in zip(old.args, new.args):
                    y.name_hint = x.name_hint
                    self.values[x] = y
                self.block(old, new)
            regions.append(Region(inner))
        made = op.create(
            operands=[self.values.get(x, x) for x in op.operands],
            result_types=[self.attr(r.type) for r in op.results],
            properties={k: self.attr(v) for k, v in op.properties.items()},
            attributes=op.attributes,
            regions=regions,
        )
        made.location = op.location
        for old, new in zip(op.results, made.results):
            new.name_hint = old.name_hint
            self.values[old] = new
        return made


class Substitution(Copier):
    """Copies with symbols of every expression replaced."""

    def __init__(self, symbols: Mapping[Symbol, Expr]):
        super().__init__()
        self.symbols = symbols

    def expression(self, a: ExprAttr) -> Attribute:
        return expr_attr(substitute(a.data, self.symbols))
