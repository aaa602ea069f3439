"""Triton source and assembly of the author's, and output for debugging."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, BoolAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, traits_def, var_operand_def, var_result_def
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect

from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.operation import Op
from helion_ir.dialects.tile.inline import AssemblyEffects
from helion_ir.dialects.triton.compute import shape_of
from helion_ir.dialects.types import TileType, integer_attr


def _shapes(types: Sequence[Attribute]) -> ArrayAttr[ArrayAttr[ExprAttr]]:
    return ArrayAttr([shape_of(t) for t in types])


@irdl_op_definition
class InlineOp(Op):
    """Source with `{0}`, `{1}`, … for the operands; its last line is assigned to the results, and they are asserted."""

    name = "triton.inline"

    source = prop_def(StringAttr)
    shapes = prop_def(ArrayAttr[ArrayAttr[ExprAttr]])
    """Of the results, as printed in the assertions."""
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$source `(` $arguments `)` `shapes` $shapes attr-dict `:` `(` type($arguments) `)` `->` `(` type($res) `)`"
    )

    def __init__(self, source: str, arguments: Sequence[SSAValue], types: Sequence[Attribute]):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={"source": StringAttr(source), "shapes": _shapes(types)},
        )


@irdl_op_definition
class FunctionOp(Op):
    """A call of a function; its source, and what it reads, are printed above the kernel."""

    name = "triton.function"

    function = prop_def(StringAttr)
    source = prop_def(ArrayAttr[StringAttr])
    shapes = prop_def(ArrayAttr[ArrayAttr[ExprAttr]])
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$function `(` $arguments `)` `from` $source `shapes` $shapes attr-dict "
        "`:` `(` type($arguments) `)` `->` `(` type($res) `)`"
    )

    def __init__(self, function: str, source: Sequence[str], arguments: Sequence[SSAValue], types: Sequence[Attribute]):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={
                "function": StringAttr(function),
                "source": ArrayAttr([StringAttr(s) for s in source]),
                "shapes": _shapes(types),
            },
        )


@irdl_op_definition
class AssemblyOp(Op):
    """`tl.inline_asm_elementwise(text, constraints, [a, b], dtype=…, is_pure=…, pack=…)`."""

    name = "triton.assembly"

    text = prop_def(StringAttr)
    constraints = prop_def(StringAttr)
    pack = prop_def(IntegerAttr)
    pure = prop_def(BoolAttr)
    arguments = var_operand_def(TileType)
    res = var_result_def(TileType)
    traits = traits_def(AssemblyEffects())
    assembly_format = (
        "$text `constraints` $constraints `pack` $pack `pure` $pure `(` $arguments `)` attr-dict "
        "`:` `(` type($arguments) `)` `->` `(` type($res) `)`"
    )

    def __init__(
        self,
        text: str,
        constraints: str,
        arguments: Sequence[SSAValue],
        types: Sequence[Attribute],
        *,
        pack: int,
        pure: bool,
    ):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={
                "text": StringAttr(text),
                "constraints": StringAttr(constraints),
                "pack": integer_attr(pack),
                "pure": BoolAttr.from_bool(pure),
            },
        )


@irdl_op_definition
class PrintOp(Op):
    """`tl.device_print(prefix, a, b)`."""

    name = "triton.print"

    prefix = prop_def(StringAttr)
    arguments = var_operand_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$prefix `(` $arguments `)` attr-dict `:` `(` type($arguments) `)`"

    def __init__(self, prefix: str, arguments: Sequence[SSAValue]):
        super().__init__(operands=[list(arguments)], properties={"prefix": StringAttr(prefix)})


@irdl_op_definition
class BreakpointOp(Op):
    """`breakpoint()`, which Triton's interpreter runs."""

    name = "triton.breakpoint"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


INLINE = [InlineOp, FunctionOp, AssemblyOp, PrintOp, BreakpointOp]
