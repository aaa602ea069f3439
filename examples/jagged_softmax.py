"""Softmax along each of many sequences of different lengths, for every feature by itself.

`out[r, f] = e^(x[r, f] - m) / sum_r' e^(x[r', f] - m)` with m the maximum, r' and the maximum over the rows of the sequence
that r lies in. A program owns one sequence and a tile of features and walks the sequence's rows twice: the first time
for the maximum and the sum of exponentials relative to it, the second time to write. The bounds of both
loops are numbers loaded from `offsets`.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_softmax(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Softmax over the rows of each sequence of `data` (rows, features); sequences begin at `offsets`."""
    sequences = offsets.size(0) - 1
    features = data.size(1)
    out = torch.empty_like(data)
    for sequence, columns in hl.tile([sequences, features], block_size=[1, None]):
        begin = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        largest = hl.full([columns], float("-inf"), dtype=torch.float32)
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(begin, end):
            values = data[rows, columns].to(torch.float32)
            new_largest = torch.maximum(largest, torch.amax(values, dim=0))
            total = total * torch.exp(largest - new_largest) + torch.exp(values - new_largest[None, :]).sum(dim=0)
            largest = new_largest
        for rows in hl.tile(begin, end):
            values = data[rows, columns].to(torch.float32)
            out[rows, columns] = (torch.exp(values - largest[None, :]) / total[None, :]).to(out.dtype)
    return out


def _each(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.softmax(part, dim=0) for part in torch.tensor_split(data, offsets[1:-1].cpu().long())])


def reference(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The same in float64, rounded once."""
    return _each(data.double(), offsets).to(data.dtype)


def eager(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """One softmax after another."""
    return _each(data, offsets)


def _inputs(rng: Inputs, lengths: list[int], features: int, dtype: torch.dtype = torch.float32):
    return rng.normal(sum(lengths), features, dtype=dtype, scale=2.0), rng.offsets(lengths)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 20, torch.bfloat16)),
)

BENCHMARK = (
    Case("1024-of-1024x128-bf16", lambda rng: _inputs(rng, rng.integers(1024, 1024).tolist(), 128, torch.bfloat16)),
    Case("256-of-4096x64-f32", lambda rng: _inputs(rng, rng.integers(4096, 256).tolist(), 64)),
)

EXAMPLES = (
    Example(
        "jagged_softmax",
        jagged_softmax,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda data, offsets: max(1, int(offsets.diff().max())),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
