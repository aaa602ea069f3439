"""The mean of each of many sequences of different lengths, two ways.

The sequences lie one after another in the rows of `data`; sequence `i` is rows `offsets[i]` to `offsets[i + 1]`, and
`out[i, f] = mean_r data[r, f]` over those rows, 0 for an empty one.

* `jagged_mean`: a program owns one sequence and a tile of features, and loops from its sequence's first row
  to its last. The bounds are numbers loaded from `offsets`, so each program has its own trip count.
* `jagged_mean_tiled`: a program owns a tile of sequences and loops to the longest of them. Rows are gathered
  at `offset + position` and masked where a sequence has ended, which suits many short ones.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_mean(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Means of the sequences of `data` (rows, features) that begin at `offsets`; float32."""
    sequences = offsets.size(0) - 1
    features = data.size(1)
    out = torch.empty([sequences, features], dtype=torch.float32, device=data.device)
    for sequence, columns in hl.tile([sequences, features], block_size=[1, None]):
        start = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        total = hl.zeros([columns], dtype=torch.float32)
        for rows in hl.tile(start, end):
            total = total + data[rows, columns].to(torch.float32).sum(dim=0)
        length = (end - start).to(torch.float32)
        out[sequence.begin, columns] = total / torch.clamp(length, min=1.0)
    return out


@helion.kernel()
def jagged_mean_tiled(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The same, several sequences a program."""
    sequences = offsets.size(0) - 1
    features = data.size(1)
    flat = data.view(-1)
    out = torch.empty([sequences, features], dtype=torch.float32, device=data.device)
    for sequence, columns in hl.tile([sequences, features]):
        start = offsets[sequence]
        length = offsets[sequence.index + 1] - start
        total = hl.zeros([sequence, columns], dtype=torch.float32)
        for position in hl.tile(0, length.amax()):
            row = start[:, None] + position.index[None, :]
            inside = position.index[None, :] < length[:, None]
            values = hl.load(
                flat,
                [row[:, :, None] * features + columns.index[None, None, :]],
                extra_mask=inside[:, :, None],
            )
            total = total + values.to(torch.float32).sum(dim=1)
        out[sequence, columns] = total / torch.clamp(length.to(torch.float32), min=1.0)[:, None]
    return out


def reference(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The means in float64, rounded once."""
    starts = offsets.tolist()
    out = torch.zeros([len(starts) - 1, data.size(1)], dtype=torch.float64, device=data.device)
    for index, (start, end) in enumerate(zip(starts, starts[1:])):
        if end > start:
            out[index] = data[start:end].double().mean(dim=0)
    return out.float()


def eager(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The same as people write it in PyTorch."""
    lengths = offsets[1:] - offsets[:-1]
    owner = torch.repeat_interleave(torch.arange(lengths.numel(), device=data.device), lengths, output_size=len(data))
    total = torch.zeros([lengths.numel(), data.size(1)], dtype=torch.float32, device=data.device)
    return total.index_add(0, owner, data.float()) / lengths.clamp(min=1)[:, None]


def _inputs(rng: Inputs, lengths: list[int], features: int, dtype: torch.dtype = torch.float32):
    return rng.normal(sum(lengths), features, dtype=dtype), rng.offsets(lengths)


def _many(rng: Inputs, sequences: int, longest: int, features: int, dtype: torch.dtype):
    return _inputs(rng, rng.integers(longest, sequences).tolist(), features, dtype)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 20, torch.bfloat16)),
)

BENCHMARK = (
    Case("4096-of-512x128-bf16", lambda rng: _many(rng, 4096, 512, 128, torch.bfloat16)),
    Case("256-of-4096x256-f32", lambda rng: _many(rng, 256, 4096, 256, torch.float32)),
)


def terms(data: torch.Tensor, offsets: torch.Tensor) -> int:
    """The longest sequence."""
    return max(1, int((offsets[1:] - offsets[:-1]).max()))


EXAMPLES = (
    Example("jagged_mean", jagged_mean, reference, eager, CASES, BENCHMARK, terms),
    Example("jagged_mean_tiled", jagged_mean_tiled, reference, eager, CASES, BENCHMARK, terms),
)

if __name__ == "__main__":
    main(*EXAMPLES)
