"""Matrix product with an epilogue that the caller supplies, here a bias and GELU.

`out[i, j] = epilogue(sum_k x[i, k] * y[k, j])`. The kernel calls a function it is given on its float32 accumulator, with
the tiles of rows and columns, before anything is written. The function is traced into the kernel: what
it closes over (here `bias`) becomes one of the kernel's inputs, and the bias costs one load of a row.
"""

from collections.abc import Callable

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main

Epilogue = Callable[[torch.Tensor, tuple[torch.Tensor, ...]], torch.Tensor]


@helion.kernel()
def matmul_epilogue(x: torch.Tensor, y: torch.Tensor, epilogue: Epilogue) -> torch.Tensor:
    """`epilogue(x @ y, (rows, columns))`, tile by tile."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"x has {k} columns and y {k2} rows"
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = epilogue(total, (rows, columns)).to(out.dtype)
    return out


def bias_gelu(bias: torch.Tensor) -> Epilogue:
    """The epilogue `gelu(total + bias)`, `bias` by column."""

    def epilogue(total: torch.Tensor, tile: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return torch.nn.functional.gelu(total + bias[tile[1]], approximate="tanh")

    return epilogue


def _bias(epilogue: Epilogue) -> torch.Tensor:
    cells = epilogue.__closure__  # pyright: ignore[reportFunctionMemberAccess]
    assert cells, "not an epilogue that `bias_gelu` made"
    return cells[0].cell_contents


def reference(x: torch.Tensor, y: torch.Tensor, epilogue: Epilogue) -> torch.Tensor:
    """The same in float64, rounded once."""
    total = x.double() @ y.double() + _bias(epilogue).double()
    return torch.nn.functional.gelu(total, approximate="tanh").to(torch.promote_types(x.dtype, y.dtype))


def eager(x: torch.Tensor, y: torch.Tensor, epilogue: Epilogue) -> torch.Tensor:
    """The same as people write it in PyTorch."""
    return torch.nn.functional.gelu(torch.addmm(_bias(epilogue), x, y), approximate="tanh")


def _inputs(rng: Inputs, m: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    return rng.normal(m, k, dtype=dtype), rng.normal(k, n, dtype=dtype), bias_gelu(rng.normal(n, dtype=dtype))


CASES = (
    Case("pow2", lambda rng: _inputs(rng, 32, 32, 32)),
    Case("prime", lambda rng: _inputs(rng, 19, 43, 31)),
    Case("bf16", lambda rng: _inputs(rng, 40, 24, 64, torch.bfloat16)),
)

BENCHMARK = (
    Case("4096x14336x4096-bf16", lambda rng: _inputs(rng, 4096, 14336, 4096, torch.bfloat16)),
    Case("2048^3-f16", lambda rng: _inputs(rng, 2048, 2048, 2048, torch.float16)),
)

EXAMPLES = (
    Example(
        "matmul_bias_gelu",
        matmul_epilogue,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, *rest: x.size(1),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
