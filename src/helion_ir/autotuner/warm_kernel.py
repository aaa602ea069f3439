"""A kernel to compile where nothing but the compiling matters."""

import triton
import triton.language as tl


@triton.jit
def copy(source, out, n, BLOCK: tl.constexpr):
    """`out[:n] = source[:n]`."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(source + at, at < n), at < n)
