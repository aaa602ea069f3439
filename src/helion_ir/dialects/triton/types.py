"""Types that only Triton has: pointers, block pointers and tensor descriptors."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from helion_ir.dialects.index import ExprAttr, parse_expr_attr, print_expr


@irdl_attr_definition
class PointerType(ParametrizedAttribute, TypeAttribute):
    """The address of an element, itself an element type: `!tile.tile<[@bm], !triton.ptr<f32>>`."""

    name = "triton.ptr"

    pointee: Attribute


@functools.lru_cache(maxsize=256)
def pointer_to(element: Attribute) -> PointerType:
    return PointerType(element)


class _BlockedType(ParametrizedAttribute, TypeAttribute):
    shape: ArrayAttr[ExprAttr]
    element_type: Attribute

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            dims = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: parse_expr_attr(parser))
            parser.parse_punctuation(",")
            return ArrayAttr(dims), parser.parse_type()

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            with printer.in_square_brackets():
                printer.print_list(self.shape, lambda d: print_expr(printer, d))
            printer.print_string(", ")
            printer.print_attribute(self.element_type)


@irdl_attr_definition
class BlockPointerType(_BlockedType):
    """What tl.make_block_ptr gives: `!triton.block_ptr<[@bm, @bk], bf16>`."""

    name = "triton.block_ptr"


@irdl_attr_definition
class DescriptorType(_BlockedType):
    """What tl.make_tensor_descriptor gives: `!triton.descriptor<[@bm, @bk], bf16>`."""

    name = "triton.descriptor"
