"""Rows of a table picked by an integer tensor of any shape.

`out[i, :] = table[ids[i], :]`. The picked ids and the table's columns are both tiled; the ids of a tile are loaded and
used as the first index of a gather, so a program copies a block of several rows.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def embedding(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """`table[ids]` for integer `ids`; the result has one dimension more than `ids`."""
    flat_ids = ids.reshape(-1)
    width = table.size(1)
    out = torch.empty([flat_ids.size(0), width], dtype=table.dtype, device=table.device)
    for rows, columns in hl.tile([flat_ids.size(0), width]):
        out[rows, columns] = table[flat_ids[rows], columns]
    return out.view(*ids.size(), width)


def reference(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """The rows themselves: nothing is computed."""
    return table[ids.long()]


def eager(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """The lookup as PyTorch has it."""
    return torch.nn.functional.embedding(ids, table)


def _inputs(rng: Inputs, shape: tuple[int, ...], rows: int, width: int, dtype=torch.float32, ids=torch.int64):
    return rng.integers(rows, *shape, dtype=ids), rng.normal(rows, width, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, (37,), 101, 67)),
    Case("2d", lambda rng: _inputs(rng, (3, 11), 16, 64)),
    Case("bf16", lambda rng: _inputs(rng, (5, 7), 29, 33, torch.bfloat16)),
    Case("int32-ids", lambda rng: _inputs(rng, (64,), 1000, 16, ids=torch.int32)),
)

BENCHMARK = (
    Case("8x4096-of-32000x4096-bf16", lambda rng: _inputs(rng, (8, 4096), 32000, 4096, torch.bfloat16)),
    Case("65536-of-1Mx128-f32", lambda rng: _inputs(rng, (65536,), 2**20, 128)),
)

EXAMPLES = (Example("embedding", embedding, reference, eager, CASES, BENCHMARK),)

if __name__ == "__main__":
    main(*EXAMPLES)
