"""Cross entropy of logits against class labels, averaged over the rows.

`loss[i] = log sum_j e^x[i, j] - x[i, label[i]]`. The logarithm is taken of a sum relative to the row's maximum. A program
owns a tile of rows. The one logit a row's label names is gathered from the flattened matrix at
`i * v + label[i]`, where `rows.index` is the vector of the tile's row numbers.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss of `logits` (rows by classes) under integer `labels` (rows), in float32."""
    n, v = logits.size()
    losses = torch.empty([n], dtype=torch.float32, device=logits.device)
    flat = logits.view(-1)
    for rows in hl.tile(n):
        picked = hl.load(flat, [rows.index * v + labels[rows]]).to(torch.float32)
        values = logits[rows, :].to(torch.float32)
        largest = torch.amax(values, dim=-1)
        total = torch.exp(values - largest[:, None]).sum(dim=-1)
        losses[rows] = torch.log(total) + largest - picked
    return losses.mean()


def reference(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss in float64, rounded once."""
    return torch.nn.functional.cross_entropy(logits.double(), labels.long()).float()


def eager(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss as PyTorch has it."""
    return torch.nn.functional.cross_entropy(logits.float(), labels.long())


def _inputs(rng: Inputs, n: int, v: int, dtype: torch.dtype = torch.float32, label: torch.dtype = torch.int64):
    return rng.normal(n, v, dtype=dtype, scale=3.0), rng.integers(v, n, dtype=label)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 13, 257)),
    Case("pow2", lambda rng: _inputs(rng, 32, 64)),
    Case("bf16", lambda rng: _inputs(rng, 7, 1000, torch.bfloat16)),
    Case("int32-labels", lambda rng: _inputs(rng, 5, 33, label=torch.int32)),
)

BENCHMARK = (
    Case("8192x32000-bf16", lambda rng: _inputs(rng, 8192, 32000, torch.bfloat16)),
    Case("4096x16384-f32", lambda rng: _inputs(rng, 4096, 16384)),
)


def terms(logits: torch.Tensor, labels: torch.Tensor) -> int:
    """A row's exponentials are summed, then the rows' losses."""
    return logits.size(1) + logits.size(0)


EXAMPLES = (Example("cross_entropy", cross_entropy, reference, eager, CASES, BENCHMARK, terms),)

if __name__ == "__main__":
    main(*EXAMPLES)
