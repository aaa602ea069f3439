"""What the author wrote for a lower level, and output for debugging. All but pure assembly keep their order."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from xdsl.dialects.builtin import ArrayAttr, BoolAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, MemoryReadEffect, MemoryWriteEffect

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType, integer_attr


class AssemblyEffects(MemoryEffect):
    """None if the author says that it is pure."""

    @classmethod
    def get_effects(cls, op: Operation) -> AbstractSet[EffectInstance]:
        pure = op.properties["pure"]
        assert isinstance(pure, IntegerAttr)
        return set() if pure.value.data else {EffectInstance(MemoryEffectKind.WRITE)}


@irdl_op_definition
class InlineTritonOp(Op):
    """Triton source with `{0}`, `{1}`, … for the operands, tiles or tensors, which are pointers there.

    `%r = tile.inline_triton "y = {0} + 1\\ny * y"(%x) : (t) -> (t)`; the last line is the results.
    """

    name = "tile.inline_triton"

    source = prop_def(StringAttr)
    arguments = var_operand_def()
    res = var_result_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$source `(` $arguments `)` attr-dict `:` `(` type($arguments) `)` `->` `(` type($res) `)`"

    def __init__(self, source: str, arguments: Sequence[SSAValue], types: Sequence[Attribute]):
        super().__init__(
            operands=[list(arguments)], result_types=[list(types)], properties={"source": StringAttr(source)}
        )


@irdl_op_definition
class TritonCallOp(Op):
    """A call of a Triton function of the author's: `%r = tile.triton_call "f"(%x) from ["@triton.jit…"] : (t) -> (t)`.

    `source` are the texts of what it reads and its own, each printed once above the kernel.
    """

    name = "tile.triton_call"

    function = prop_def(StringAttr)
    source = prop_def(ArrayAttr[StringAttr])
    arguments = var_operand_def()
    res = var_result_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$function `(` $arguments `)` `from` $source attr-dict `:` `(` type($arguments) `)` `->` `(` type($res) `)`"
    )

    def __init__(self, function: str, source: Sequence[str], arguments: Sequence[SSAValue], types: Sequence[Attribute]):
        super().__init__(
            operands=[list(arguments)],
            result_types=[list(types)],
            properties={"function": StringAttr(function), "source": ArrayAttr([StringAttr(s) for s in source])},
        )


@irdl_op_definition
class InlineAssemblyOp(Op):
    """Elementwise assembly of a GPU, `pack` elements at a time.

    `%r = tile.inline_assembly "mov.b32 $0, $1;" constraints "=r,r" pack 1 pure true (%x) : (t) -> (t)`
    """

    name = "tile.inline_assembly"

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
    """Print values, padded lanes included, from every program: `tile.print "x"(%x) : t`."""

    name = "tile.print"

    prefix = prop_def(StringAttr)
    arguments = var_operand_def(TileType)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$prefix `(` $arguments `)` attr-dict `:` `(` type($arguments) `)`"

    def __init__(self, prefix: str, arguments: Sequence[SSAValue]):
        super().__init__(operands=[list(arguments)], properties={"prefix": StringAttr(prefix)})


@irdl_op_definition
class BreakpointOp(Op):
    """Stop in Python's debugger; in an interpreter only: `tile.breakpoint`."""

    name = "tile.breakpoint"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


INLINE = [InlineTritonOp, TritonCallOp, InlineAssemblyOp, PrintOp, BreakpointOp]
