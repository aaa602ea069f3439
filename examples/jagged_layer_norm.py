"""Normalization of each of many sequences of different lengths by the mean and variance of all its numbers.

`out[r, f] = (x[r, f] - mean) / sqrt(var + eps)`, both over every row and feature of the sequence of r. A program owns
one sequence and walks its rows twice. The first time it carries count, mean and sum of squared deviations, and
merges those of each tile into them: for parts of sizes n and m whose means differ by d,

    mean = mean_n + d m / (n + m)        deviations = deviations_n + deviations_m + d^2 n m / (n + m)

which never subtracts two large sums, as the formula `E[x^2] - E[x]^2` does.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_layer_norm(data: torch.Tensor, offsets: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """The sequences of `data` (rows, features), which begin at `offsets`, with mean 0 and variance 1."""
    sequences = offsets.size(0) - 1
    features = data.size(1)
    out = torch.empty_like(data)
    for sequence in hl.tile(sequences, block_size=1):
        begin = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        count = hl.zeros([1], dtype=torch.float32)
        mean = hl.zeros([1], dtype=torch.float32)
        deviations = hl.zeros([1], dtype=torch.float32)
        for rows in hl.tile(begin, end):
            values = data[rows, :].to(torch.float32)
            more = ((rows.end - rows.begin) * features).to(torch.float32)
            part_mean = values.sum(dim=1).sum(dim=0, keepdim=True) / more
            centered = values - part_mean[:, None]
            apart = part_mean - mean
            share = more / (count + more)
            mean = mean + apart * share
            deviations = deviations + (centered * centered).sum(dim=1).sum(dim=0, keepdim=True)
            deviations = deviations + apart * apart * count * share
            count = count + more
        rstd = torch.rsqrt(deviations / torch.clamp(count, min=1.0) + eps)
        for rows in hl.tile(begin, end):
            values = data[rows, :].to(torch.float32)
            out[rows, :] = ((values - mean[:, None]) * rstd[:, None]).to(out.dtype)
    return out


def _each(data: torch.Tensor, offsets: torch.Tensor, eps: float) -> torch.Tensor:
    parts = torch.tensor_split(data, offsets[1:-1].cpu().long())
    return torch.cat([torch.nn.functional.layer_norm(p, list(p.shape), eps=eps) if len(p) else p for p in parts])


def reference(data: torch.Tensor, offsets: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """The same in float64, rounded once."""
    return _each(data.double(), offsets, eps).to(data.dtype)


def eager(data: torch.Tensor, offsets: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """One normalization after another."""
    return _each(data, offsets, eps)


def _inputs(rng: Inputs, lengths: list[int], features: int, dtype: torch.dtype = torch.float32):
    # Far from 0, so that a count or a mean that is off is plainly visible.
    return (rng.normal(sum(lengths), features) + 3.0).to(dtype), rng.offsets(lengths), 1e-5


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 20, torch.bfloat16)),
)

BENCHMARK = (
    Case("1024-of-1024x128-bf16", lambda rng: _inputs(rng, rng.integers(1024, 1024).tolist(), 128, torch.bfloat16)),
    Case("1024-of-256x512-f32", lambda rng: _inputs(rng, rng.integers(256, 1024).tolist(), 512)),
)

EXAMPLES = (
    Example(
        "jagged_layer_norm",
        jagged_layer_norm,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda data, offsets, eps: data.size(1) * max(1, int(offsets.diff().max())),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
