"""Matrix product with 4-bit integer weights that have a scale for each group of rows.

`out[i, j] = sum_k x[i, k] * q[k, j] * scale[k // g, j]` with groups of g rows and q from -8 to 7. Two weights share a byte: the low four
bits of `packed[r, j]` are `q[r, j]`, the high four `q[k / 2 + r, j]`. So the two halves of an unpacked tile meet two tiles
of x that are contiguous in memory, and nothing has to be interleaved: each byte is read once, shifted
twice, scaled, and multiplied on the tensor cores in the dtype of x.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main

GROUP = 64
"""Weights of a column that share a scale in the inputs below."""


@helion.kernel()
def gemm_int4(x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """`x @ (q * scale)` for `x` (m, k), `packed` (k / 2, n) int8 and `scale` (groups, n)."""
    m, k = x.size()
    half, n = packed.size()
    groups = scale.size(0)
    group_size = hl.specialize(k // groups)
    assert k == 2 * half and half % group_size == 0, f"{k} weights in a column are not an even number of groups"
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    block_k = hl.register_block_size(16, group_size)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(half, block_size=block_k):
            pair = packed[inner, columns].to(torch.int32)
            # A tile lies within one group: its size divides the group's.
            group = inner.begin // group_size
            low = ((pair << 28) >> 28).to(torch.float32) * scale[group, columns][None, :]
            high = (pair >> 4).to(torch.float32) * scale[group + groups // 2, columns][None, :]
            total = torch.addmm(total, x[rows, inner], low.to(x.dtype))
            total = torch.addmm(total, x[rows, inner + half], high.to(x.dtype))
        out[rows, columns] = total.to(out.dtype)
    return out


def pack(q: torch.Tensor) -> torch.Tensor:
    """Weights (k, n) from -8 to 7 as bytes (k / 2, n)."""
    low, high = q.to(torch.int32).chunk(2, dim=0)
    return ((low & 15) | (high << 4)).to(torch.int8)


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """The weights in bytes that `pack` made, as int32."""
    pair = packed.to(torch.int32)
    return torch.cat([(pair << 28) >> 28, pair >> 4], dim=0)


def reference(x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The product in float64, rounded once."""
    weights = unpack(packed).double() * scale.double().repeat_interleave(GROUP, dim=0)
    return (x.double() @ weights).to(x.dtype)


def eager(x: torch.Tensor, packed: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Unpacking, then a product in the dtype of x."""
    weights = unpack(packed).float() * scale.repeat_interleave(GROUP, dim=0)
    return x @ weights.to(x.dtype)


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    q = rng.integers(16, k, n) - 8
    return rng.normal(m, k, dtype=dtype), pack(q), rng.normal(k // GROUP, n).abs() * 0.1 + 0.01


CASES = (
    Case("prime", lambda rng: _inputs(rng, 7, 19, 2 * GROUP)),
    Case("pow2", lambda rng: _inputs(rng, 16, 32, 4 * GROUP)),
    Case("bf16", lambda rng: _inputs(rng, 33, 48, 4 * GROUP, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 1, 64, 2 * GROUP, torch.float16)),
)

BENCHMARK = (
    Case("16x8192x8192-bf16", lambda rng: _inputs(rng, 16, 8192, 8192, torch.bfloat16)),
    Case("4096^3-f16", lambda rng: _inputs(rng, 4096, 4096, 4096, torch.float16)),
)

EXAMPLES = (
    Example(
        "gemm_int4",
        gemm_int4,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, *rest: x.size(1),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
