"""The language: what may be called in a kernel besides PyTorch, usually imported `as hl`.

Importing it costs nothing: neither torch nor triton is loaded.
"""

from helion_ir.language.compute import (
    associative_scan,
    cumprod,
    cumsum,
    dot,
    dot_scaled,
    join,
    reduce,
    split,
    subscript,
)
from helion_ir.language.creation import arange, full, rand, rand4x, randint, zeros
from helion_ir.language.inline import (
    breakpoint,
    device_print,
    inline_asm_elementwise,
    inline_triton,
    stacktensor_like,
    triton_kernel,
)
from helion_ir.language.loops import (
    barrier,
    grid,
    jagged_tile,
    pdl_launch_dependents,
    pdl_wait,
    static_range,
    tile,
)
from helion_ir.language.memory import (
    atomic_add,
    atomic_and,
    atomic_cas,
    atomic_max,
    atomic_min,
    atomic_or,
    atomic_xchg,
    atomic_xor,
    load,
    store,
)
from helion_ir.language.packed import (
    float4_e2m1fn_x2_to_float32,
    load_bfloat16_x16_to_float16,
    load_float4_e2m1fn_x16_to_float16,
)
from helion_ir.language.tiles import Tile, tile_begin, tile_block_size, tile_end, tile_id, tile_index
from helion_ir.language.tunables import constexpr, register_block_size, register_tunable, specialize

__all__ = [
    "Tile", "arange", "associative_scan", "atomic_add", "atomic_and", "atomic_cas", "atomic_max", "atomic_min",
    "atomic_or", "atomic_xchg", "atomic_xor", "barrier", "breakpoint", "constexpr", "cumprod", "cumsum", "device_print", "dot",
    "dot_scaled", "float4_e2m1fn_x2_to_float32", "full", "grid", "inline_asm_elementwise", "inline_triton", "jagged_tile", "join", "load",
    "load_bfloat16_x16_to_float16", "load_float4_e2m1fn_x16_to_float16", "pdl_launch_dependents", "pdl_wait", "rand",
    "rand4x", "randint", "reduce", "register_block_size", "register_tunable", "specialize", "split",
    "stacktensor_like", "static_range", "store", "subscript", "tile", "tile_begin", "tile_block_size", "tile_end",
    "tile_id", "tile_index", "triton_kernel", "zeros",
]  # fmt: skip
