"""Random bits in the tile dialect; `tile.random` of compute.py gives uniform floats."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from helion_ir.dialects.operation import Op
from helion_ir.dialects.types import TileType, i32, integer_attr, tile_type


@irdl_op_definition
class RandomWordOp(Op):
    """One of the four words of Philox-4x32-10 at each offset, as i32: `%w = tile.random_word 1 %seed, %offset : …`.

    The key is the seed's halves, the counter (offset low, offset high, 0, 0); word 0 is what tl.randint gives.
    """

    name = "tile.random_word"

    word = prop_def(IntegerAttr)
    seed = operand_def(TileType)
    offset = operand_def(TileType)
    result = result_def(TileType)
    traits = traits_def(Pure())
    assembly_format = "$word $seed `,` $offset attr-dict `:` type($seed) `,` type($offset) `->` type($result)"

    def __init__(self, seed: SSAValue, offset: SSAValue, word: int):
        assert isinstance(offset.type, TileType)
        super().__init__(
            operands=[seed, offset],
            properties={"word": integer_attr(word)},
            result_types=[tile_type(offset.type.dims, i32)],
        )

    def verify_(self) -> None:
        if not 0 <= self.word.value.data < 4:
            raise VerifyException(f"Philox gives words 0 to 3, not {self.word.value.data}")


RANDOM = [RandomWordOp]
