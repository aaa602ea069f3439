"""Sums of segments: rows with the same id, which lie next to each other, are added.

`out[s, :] = sum_{i: ids[i] = s} values[i, :]` for ascending ids. A program owns a block of rows and adds those of one id
with a segmented scan over the pairs (sum, id): two neighbours are added if their ids agree. A segment that begins and ends
inside the block is then complete in its last row, and stored. Only the block's first and last segments may go on in
another block; their two sums are added to memory atomically.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


def combine(
    left_sum: torch.Tensor, left_id: torch.Tensor, right_sum: torch.Tensor, right_id: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum and id at the right end of two neighbouring pieces."""
    return torch.where(left_id == right_id, left_sum + right_sum, right_sum), right_id


@helion.kernel()
def segment_reduction(values: torch.Tensor, ids: torch.Tensor, segments: int) -> torch.Tensor:
    """The sums (segments, features) of the rows of `values`, float32, by their ascending `ids`."""
    n, features = values.size()
    out = torch.zeros([segments, features], dtype=torch.float32, device=values.device)
    for rows, columns in hl.tile([n, features]):
        value = values[rows, columns].to(torch.float32)
        segment = ids[rows].to(torch.int32)
        last_row = rows.end - 1
        first = ids[rows.begin].to(torch.int32)
        last = ids[last_row].to(torch.int32)
        sums, _ = hl.associative_scan(combine, (value, segment[:, None].expand_as(value)), dim=0)
        following = hl.load(ids, [rows.index + 1], extra_mask=rows.index < last_row).to(torch.int32)
        complete = (segment != following) & (segment != first) & (segment != last)
        hl.store(out, [segment, columns], sums, extra_mask=complete[:, None])
        hl.atomic_add(out, [first, columns], torch.where((segment == first)[:, None], value, 0.0).sum(dim=0))
        if last != first:
            hl.atomic_add(out, [last, columns], torch.where((segment == last)[:, None], value, 0.0).sum(dim=0))
    return out


def reference(values: torch.Tensor, ids: torch.Tensor, segments: int) -> torch.Tensor:
    """The sums in float64, rounded once."""
    out = torch.zeros(segments, values.size(1), dtype=torch.float64, device=values.device)
    return out.index_add(0, ids.long(), values.double()).float()


def eager(values: torch.Tensor, ids: torch.Tensor, segments: int) -> torch.Tensor:
    """The same as people write it in PyTorch."""
    out = torch.zeros(segments, values.size(1), dtype=torch.float32, device=values.device)
    return out.index_add(0, ids, values.float())


def _inputs(rng: Inputs, n: int, features: int, segments: int, dtype=torch.float32, ids=torch.int64):
    return rng.normal(n, features, dtype=dtype), rng.integers(segments, n).sort().values.to(ids), segments


CASES = (
    Case("prime", lambda rng: _inputs(rng, 101, 19, 13)),
    Case("one-segment", lambda rng: _inputs(rng, 64, 16, 1)),
    Case("mostly-empty", lambda rng: _inputs(rng, 17, 33, 100, ids=torch.int32)),
    Case("bf16", lambda rng: _inputs(rng, 128, 8, 40, torch.bfloat16)),
)

BENCHMARK = (
    Case("262144x128-in-16384-f32", lambda rng: _inputs(rng, 2**18, 128, 2**14)),
    Case("65536x256-in-50000-bf16", lambda rng: _inputs(rng, 2**16, 256, 50000, torch.bfloat16)),
)

EXAMPLES = (
    Example(
        "segment_reduction",
        segment_reduction,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda values, ids, segments: max(1, values.size(0) // segments),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
