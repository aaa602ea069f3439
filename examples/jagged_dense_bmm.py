"""Sequences of different lengths, each times a matrix of its own, plus a bias.

`out[r, :] = data[r, :] @ w[s, :, :] + bias[s, :]` for the rows r of sequence s. A program owns one sequence and a tile of
columns. It holds that slice of the matrix, all of its k rows, for as long as it walks the sequence, so the matrix is
read once however long the sequence is. Made for k up to a few hundred; `grouped_gemm.py` tiles k too.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_dense_bmm(data: torch.Tensor, offsets: torch.Tensor, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The products (rows, n) of the sequences of `data` (rows, k) with `w` (sequences, k, n), plus `bias`."""
    rows_in_all, k = data.size()
    sequences, k2, n = w.size()
    assert k == k2, f"the sequences have {k} features and the matrices {k2} rows"
    out = torch.empty([rows_in_all, n], dtype=torch.promote_types(data.dtype, w.dtype), device=data.device)
    for sequence, columns in hl.tile([sequences, n], block_size=[1, None]):
        begin = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        matrix = w[sequence.begin, :, columns]
        row_bias = bias[sequence.begin, columns].to(torch.float32)[None, :]
        for rows in hl.tile(begin, end):
            product = hl.dot(data[rows, :], matrix, out_dtype=torch.float32)
            out[rows, columns] = (product + row_bias).to(out.dtype)
    return out


def _each(data: torch.Tensor, offsets: torch.Tensor, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    parts = torch.tensor_split(data, offsets[1:-1].cpu().long())
    return torch.cat([part @ w[s] + bias[s] for s, part in enumerate(parts)])


def reference(data: torch.Tensor, offsets: torch.Tensor, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The products in float64, rounded once."""
    out = _each(data.double(), offsets, w.double(), bias.double())
    return out.to(torch.promote_types(data.dtype, w.dtype))


def eager(data: torch.Tensor, offsets: torch.Tensor, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """One product after another."""
    return _each(data, offsets, w, bias)


def _inputs(rng: Inputs, lengths: list[int], k: int, n: int, dtype: torch.dtype = torch.float32):
    s = len(lengths)
    data = rng.normal(sum(lengths), k, dtype=dtype)
    return data, rng.offsets(lengths), rng.normal(s, k, n, dtype=dtype), rng.normal(s, n, dtype=dtype)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 23, 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 16, 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 64, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case(
        "512-of-1024x128x256-bf16",
        lambda rng: _inputs(rng, rng.integers(1024, 512).tolist(), 128, 256, torch.bfloat16),
    ),
    Case("1024-of-512x64x64-f16", lambda rng: _inputs(rng, rng.integers(512, 1024).tolist(), 64, 64, torch.float16)),
)

EXAMPLES = (
    Example(
        "jagged_dense_bmm",
        jagged_dense_bmm,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda data, *rest: data.size(1),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
