"""Add two tensors element by element, with PyTorch's broadcasting and promotion.

`out[i, j] = x[i, j] + y[i, j]`. The whole index space is tiled at once, whatever its rank: `hl.tile`
of a list of sizes makes one tile a dimension, and a program computes one block of their product.
The host broadcasts first; a broadcast dimension is a stride of 0 and costs nothing.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, main


@helion.kernel()
def vector_add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum of `x` and `y`, of any shapes that broadcast."""
    x, y = torch.broadcast_tensors(x, y)
    out = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for tile in hl.tile(out.size()):
        out[tile] = x[tile] + y[tile]
    return out


def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum in float64, rounded once."""
    return (x.double() + y.double()).to(torch.promote_types(x.dtype, y.dtype))


CASES = (
    Case("prime", lambda rng: (rng.normal(1021), rng.normal(1021))),
    Case("2d", lambda rng: (rng.normal(37, 129), rng.normal(37, 129))),
    Case("broadcast", lambda rng: (rng.normal(13, 1), rng.normal(61))),
    Case("mixed", lambda rng: (rng.normal(5, 7, 11, dtype=torch.bfloat16), rng.normal(5, 7, 11))),
    Case("half", lambda rng: (rng.normal(3, 100, dtype=torch.float16), rng.normal(3, 100, dtype=torch.float16))),
    Case("empty", lambda rng: (rng.normal(0, 3), rng.normal(0, 3))),
    Case("strided", lambda rng: (rng.normal(67, 31).t(), rng.normal(31, 67))),
)

BENCHMARK = (
    Case("16M-f32", lambda rng: (rng.normal(4096, 4096), rng.normal(4096, 4096))),
    Case(
        "64M-bf16",
        lambda rng: (rng.normal(8192, 8192, dtype=torch.bfloat16), rng.normal(8192, 8192, dtype=torch.bfloat16)),
    ),
)

EXAMPLES = (Example("vector_add", vector_add, reference, torch.add, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
