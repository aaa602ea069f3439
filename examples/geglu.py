"""The GEGLU gate of a transformer's feed-forward block, with the tanh form of GELU.

`out = gelu(a) * b` with `gelu(a) = a / 2 * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 a^3)))`. Elementwise over a matrix:
one tile a dimension, computed in float32.
"""

import math

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def geglu(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`gelu(a) * b` for `a` and `b` of one shape."""
    out = torch.empty_like(a)
    slope = math.sqrt(2.0 / math.pi)
    for tile in hl.tile(a.size()):
        gate = a[tile].to(torch.float32)
        inner = slope * (gate + 0.044715 * gate * gate * gate)
        out[tile] = (0.5 * gate * (1.0 + torch.tanh(inner)) * b[tile].to(torch.float32)).to(out.dtype)
    return out


def reference(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The gate in float64, rounded once."""
    return (torch.nn.functional.gelu(a.double(), approximate="tanh") * b.double()).to(a.dtype)


def eager(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The gate as PyTorch has it."""
    return torch.nn.functional.gelu(a, approximate="tanh") * b


def _inputs(rng: Inputs, *shape: int, dtype: torch.dtype = torch.float32):
    return rng.normal(*shape, dtype=dtype), rng.normal(*shape, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 29, 37)),
    Case("1d", lambda rng: _inputs(rng, 130)),
    Case("bf16", lambda rng: _inputs(rng, 16, 64, dtype=torch.bfloat16)),
    Case("strided", lambda rng: (rng.normal(19, 41).t(), rng.normal(41, 19))),
)

BENCHMARK = (
    Case("16384x14336-bf16", lambda rng: _inputs(rng, 16384, 14336, dtype=torch.bfloat16)),
    Case("4096x4096-f32", lambda rng: _inputs(rng, 4096, 4096)),
)

EXAMPLES = (Example("geglu", geglu, reference, eager, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
