"""The exponential, element by element.

`out[i] = e^x[i]`. One tile a dimension; 16-bit inputs are computed in float32 and rounded once, which is
what the language promises for every elementwise function.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, main


@helion.kernel()
def exp(x: torch.Tensor) -> torch.Tensor:
    """`e ** x`, element by element."""
    out = torch.empty_like(x)
    for tile in hl.tile(x.size()):
        out[tile] = torch.exp(x[tile])
    return out


def reference(x: torch.Tensor) -> torch.Tensor:
    """The exponential in float64, rounded once."""
    return x.double().exp().to(x.dtype)


CASES = (
    Case("prime", lambda rng: (rng.normal(1021),)),
    Case("2d", lambda rng: (rng.normal(33, 65),)),
    Case("bf16", lambda rng: (rng.normal(17, 40, dtype=torch.bfloat16),)),
    Case("f16", lambda rng: (rng.normal(257, dtype=torch.float16),)),
    Case("one", lambda rng: (rng.normal(1),)),
)

BENCHMARK = (
    Case("16M-f32", lambda rng: (rng.normal(16 * 2**20),)),
    Case("64M-bf16", lambda rng: (rng.normal(64 * 2**20, dtype=torch.bfloat16),)),
)

EXAMPLES = (Example("exp", exp, reference, torch.exp, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
