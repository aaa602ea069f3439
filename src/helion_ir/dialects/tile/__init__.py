"""The `tile` dialect: what the author said, with symbolic block sizes, no hardware and no configuration."""

from xdsl.ir import Dialect

from helion_ir.dialects.tile.compute import COMPUTE
from helion_ir.dialects.tile.control import CONTROL
from helion_ir.dialects.tile.elementwise import ELEMENTWISE
from helion_ir.dialects.tile.inline import INLINE
from helion_ir.dialects.tile.memory import MEMORY
from helion_ir.dialects.tile.random import RANDOM
from helion_ir.dialects.tile.scaled import SCALED
from helion_ir.dialects.tile.stack import STACK
from helion_ir.dialects.types import IntsAttr, NumberAttr, RangeType, RefType, TileType

Tile = Dialect(
    "tile",
    [*CONTROL, *MEMORY, *COMPUTE, *ELEMENTWISE, *RANDOM, *INLINE, *SCALED, *STACK],
    [TileType, RefType, RangeType, IntsAttr, NumberAttr],
)
