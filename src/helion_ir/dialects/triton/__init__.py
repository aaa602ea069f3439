"""The `triton` dialect: one op, one Triton construct. Its values have the types of the tile dialect."""

from xdsl.ir import Dialect

from helion_ir.dialects.triton.compute import COMPUTE
from helion_ir.dialects.triton.control import CONTROL
from helion_ir.dialects.triton.inline import INLINE
from helion_ir.dialects.triton.memory import MEMORY
from helion_ir.dialects.triton.scaled import SCALED
from helion_ir.dialects.triton.stack import STACK
from helion_ir.dialects.triton.switch import SWITCH
from helion_ir.dialects.triton.types import BlockPointerType, DescriptorType, PointerType

Triton = Dialect(
    "triton",
    [*CONTROL, *MEMORY, *COMPUTE, *INLINE, *SCALED, *STACK, *SWITCH],
    [PointerType, BlockPointerType, DescriptorType],
)
