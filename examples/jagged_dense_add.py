"""A dense tensor plus sequences of different lengths, padded on the fly.

`out[s, j, :] = dense[s, j, :] + data[offsets[s] + j, :]` for positions j inside sequence s, and `dense[s, j, :]` behind
its end. The sequences are never padded in memory: their rows are gathered, and lanes behind an end load
nothing and add 0.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def jagged_dense_add(data: torch.Tensor, offsets: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """`dense` (sequences, longest, features) plus the sequences of `data` (rows, features) that begin at `offsets`."""
    sequences, longest, features = dense.size()
    out = torch.empty_like(dense)
    for sequence, position, columns in hl.tile([sequences, longest, features], block_size=[1, None, None]):
        begin = offsets[sequence.begin]
        end = offsets[sequence.begin + 1]
        rows = begin + position.index
        values = hl.load(data, [rows, columns], extra_mask=(rows < end)[:, None]).to(torch.float32)
        total = dense[sequence.begin, position, columns].to(torch.float32) + values
        out[sequence.begin, position, columns] = total.to(out.dtype)
    return out


def _padded(data: torch.Tensor, offsets: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    out = dense.clone()
    starts = offsets.tolist()
    for index, (begin, end) in enumerate(zip(starts, starts[1:])):
        out[index, : end - begin] += data[begin:end]
    return out


def reference(data: torch.Tensor, offsets: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """The sums in float64, rounded once."""
    return _padded(data.double(), offsets, dense.double()).to(dense.dtype)


def eager(data: torch.Tensor, offsets: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """The same with PyTorch's padding of nested sequences."""
    return dense + torch.ops.aten._jagged_to_padded_dense_forward(data, [offsets.long()], [dense.size(1)], 0.0)


def _inputs(rng: Inputs, lengths: list[int], longest: int, features: int, dtype: torch.dtype = torch.float32):
    data = rng.normal(sum(lengths), features, dtype=dtype)
    return data, rng.offsets(lengths), rng.normal(len(lengths), longest, features, dtype=dtype)


CASES = (
    Case("uneven", lambda rng: _inputs(rng, [3, 17, 1, 40, 8], 41, 33)),
    Case("empty-ones", lambda rng: _inputs(rng, [0, 5, 0, 64, 0], 64, 16)),
    Case("bf16", lambda rng: _inputs(rng, [31, 2, 9], 50, 20, torch.bfloat16)),
)

BENCHMARK = (
    Case(
        "1024-of-1024x128-bf16",
        lambda rng: _inputs(rng, rng.integers(1024, 1024).tolist(), 1024, 128, torch.bfloat16),
    ),
    Case("256-of-2048x256-f32", lambda rng: _inputs(rng, rng.integers(2048, 256).tolist(), 2048, 256)),
)

EXAMPLES = (Example("jagged_dense_add", jagged_dense_add, reference, eager, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
