"""Matrix products of groups of rows, each group with a matrix of its own.

`out[r, :] = x[r, :] @ w[g, :, :]` for the rows r from `offsets[g]` to `offsets[g + 1]`. The groups differ in size and lie one
after another without padding. The grid spans the largest group; a program whose block of rows lies behind the end of
its group does nothing. How many rows a group has is read on the device, so routing need not wait for the host.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def grouped_gemm(x: torch.Tensor, w: torch.Tensor, offsets: torch.Tensor, largest: int) -> torch.Tensor:
    """The product of each group of rows of `x` (rows, k) with its matrix of `w` (groups, k, n).

    Args:
        x: the groups, one after another.
        w: a matrix for each group.
        offsets: where each group begins, and the number of rows at the end, int32.
        largest: at least the number of rows of the largest group.
    """
    rows_in_all, k = x.size()
    groups, k2, n = w.size()
    assert k == k2, f"x has {k} columns and the matrices {k2} rows"
    largest = hl.specialize(largest)
    out = torch.empty([rows_in_all, n], dtype=torch.promote_types(x.dtype, w.dtype), device=x.device)
    for group, block, columns in hl.tile([groups, largest, n], block_size=[1, None, None]):
        begin = offsets[group.begin]
        end = offsets[group.begin + 1]
        if begin + block.begin < end:
            rows = begin + block.index
            inside = (rows < end)[:, None]
            total = hl.zeros([block, columns], dtype=torch.float32)
            for inner in hl.tile(k):
                values = hl.load(x, [rows, inner], extra_mask=inside)
                total = torch.addmm(total, values, w[group.begin, inner, columns])
            hl.store(out, [rows, columns], total.to(out.dtype), extra_mask=inside)
    return out


def _each(x: torch.Tensor, w: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    starts = offsets.tolist()
    return torch.cat([x[begin:end] @ w[group] for group, (begin, end) in enumerate(zip(starts, starts[1:]))])


def reference(x: torch.Tensor, w: torch.Tensor, offsets: torch.Tensor, largest: int) -> torch.Tensor:
    """The products in float64, rounded once."""
    return _each(x.double(), w.double(), offsets).to(torch.promote_types(x.dtype, w.dtype))


def eager(x: torch.Tensor, w: torch.Tensor, offsets: torch.Tensor, largest: int) -> torch.Tensor:
    """One product after another."""
    return _each(x, w, offsets)


def _inputs(rng: Inputs, sizes: list[int], n: int, k: int, dtype: torch.dtype = torch.float32):
    return (
        rng.normal(sum(sizes), k, dtype=dtype),
        rng.normal(len(sizes), k, n, dtype=dtype),
        rng.offsets(sizes),
        max(sizes),
    )


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 37, 0, 1, 16], 19, 23)),
    Case("pow2", lambda rng: _inputs(rng, [32, 16], 32, 16)),
    Case("bf16", lambda rng: _inputs(rng, [5, 40], 32, 48, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, [7, 18, 2], 33, 64, torch.float16)),
)

BENCHMARK = (
    Case(
        "8-of-2048x4096x4096-bf16",
        lambda rng: _inputs(rng, (rng.integers(2047, 8) + 1).tolist(), 4096, 4096, torch.bfloat16),
    ),
    Case(
        "64-of-512x2048x1024-f16",
        lambda rng: _inputs(rng, (rng.integers(511, 64) + 1).tolist(), 2048, 1024, torch.float16),
    ),
)

EXAMPLES = (
    Example(
        "grouped_gemm",
        grouped_gemm,
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
