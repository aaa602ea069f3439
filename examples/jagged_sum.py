"""The sum of each of many sequences of different lengths, several short ones to a program.

`out[s, f] = sum_r data[r, f]` over the rows r from `offsets[s]` to `offsets[s + 1]`. A program owns a tile of sequences and
of features; `hl.jagged_tile(length)` walks positions up to the longest of them, and lanes of a sequence that has ended
take no part: nothing is loaded for them, and a sum is as if they were not there.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_sum(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Sums (sequences, features) of the sequences of `data` (rows, features) that begin at `offsets`; float32."""
    sequences = offsets.size(0) - 1
    features = data.size(1)
    out = torch.empty([sequences, features], dtype=torch.float32, device=data.device)
    for sequence, columns in hl.tile([sequences, features]):
        begin = offsets[sequence]
        length = offsets[sequence.index + 1] - begin
        total = hl.zeros([sequence, columns], dtype=torch.float32)
        for position in hl.jagged_tile(length):
            rows = begin[:, None] + position.index[None, :]
            total = total + data[rows, columns].to(torch.float32).sum(dim=1)
        out[sequence, columns] = total
    return out


def reference(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The sums in float64, rounded once."""
    return _sums(data.double(), offsets).float()


def eager(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The same as people write it in PyTorch."""
    return _sums(data.float(), offsets)


def _sums(data: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    lengths = offsets.diff()
    owner = torch.repeat_interleave(torch.arange(lengths.numel(), device=data.device), lengths, output_size=len(data))
    return data.new_zeros(lengths.numel(), data.size(1)).index_add(0, owner, data)


def _inputs(rng: Inputs, lengths: list[int], features: int, dtype: torch.dtype = torch.float32):
    return rng.normal(sum(lengths), features, dtype=dtype), rng.offsets(lengths)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 20, torch.bfloat16)),
)

BENCHMARK = (
    Case("65536-of-64x128-bf16", lambda rng: _inputs(rng, rng.integers(64, 65536).tolist(), 128, torch.bfloat16)),
    Case("16384-of-512x64-f32", lambda rng: _inputs(rng, rng.integers(512, 16384).tolist(), 64)),
)


def terms(data: torch.Tensor, offsets: torch.Tensor) -> int:
    """The longest sequence."""
    return max(1, int(offsets.diff().max()))


EXAMPLES = (Example("jagged_sum", jagged_sum, reference, eager, CASES, BENCHMARK, terms),)

if __name__ == "__main__":
    main(*EXAMPLES)
