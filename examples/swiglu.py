"""The SwiGLU gate of a transformer's feed-forward block.

`out[i] = silu(a[i]) * b[i]` with `silu(a) = a / (1 + e^-a)`. Elementwise over any shape, so the host views both inputs
as one dimension and a program computes one block of it, in float32.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def swiglu(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`silu(a) * b` for contiguous `a` and `b` of one shape."""
    out = torch.empty_like(a)
    flat_a, flat_b, flat_out = a.view(-1), b.view(-1), out.view(-1)
    for tile in hl.tile(a.numel()):
        gate = flat_a[tile].to(torch.float32)
        flat_out[tile] = (gate * torch.sigmoid(gate) * flat_b[tile].to(torch.float32)).to(out.dtype)
    return out


def reference(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The gate in float64, rounded once."""
    return (torch.nn.functional.silu(a.double()) * b.double()).to(a.dtype)


def eager(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The gate as PyTorch has it."""
    return torch.nn.functional.silu(a) * b


def _inputs(rng: Inputs, *shape: int, dtype: torch.dtype = torch.float32):
    return rng.normal(*shape, dtype=dtype), rng.normal(*shape, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1009)),
    Case("3d", lambda rng: _inputs(rng, 2, 9, 31)),
    Case("bf16", lambda rng: _inputs(rng, 16, 64, dtype=torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 3, 43, dtype=torch.float16)),
)

BENCHMARK = (
    Case("4x4096x14336-bf16", lambda rng: _inputs(rng, 4, 4096, 14336, dtype=torch.bfloat16)),
    Case("16M-f32", lambda rng: _inputs(rng, 16 * 2**20)),
)

EXAMPLES = (Example("swiglu", swiglu, reference, eager, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
