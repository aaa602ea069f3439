"""The gradient of an embedding: each picked row's gradient is added to the row of the table that it came from.

`grad_table[ids[i], :] += grad[i, :]`. An id may occur many times, in programs that run at once, so rows are added with
atomics, in float32 whatever the table's dtype: thousands of bfloat16 additions to one number would stop changing it. The
result is rounded once. `segment_reduction.py` adds sorted ids in registers instead.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples import embedding as forward
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def embedding_backward(grad: torch.Tensor, ids: torch.Tensor, rows_of_table: int) -> torch.Tensor:
    """The gradient of a table of that many rows, given that of the picked rows, (*ids, width)."""
    width = grad.size(-1)
    flat_ids = ids.reshape(-1)
    flat_grad = grad.reshape(-1, width)
    out = torch.zeros([rows_of_table, width], dtype=torch.float32, device=grad.device)
    for rows, columns in hl.tile([flat_ids.size(0), width]):
        hl.atomic_add(out, [flat_ids[rows], columns], flat_grad[rows, columns].to(torch.float32))
    return out.to(grad.dtype)


class Embedding(torch.autograd.Function):
    """The lookup with both of its kernels."""

    @staticmethod
    def forward(ctx, ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(ids)
        ctx.rows = table.size(0)
        return forward.embedding(ids, table)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return None, embedding_backward(grads[0].contiguous(), *ctx.saved_tensors, ctx.rows)


def embedding(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """`table[ids]`, differentiable in `table`."""
    return Embedding.apply(ids, table)  # pyright: ignore[reportReturnType]


def reference(grad: torch.Tensor, ids: torch.Tensor, rows_of_table: int) -> torch.Tensor:
    """The sums in float64, rounded once."""
    out = torch.zeros(rows_of_table, grad.size(-1), dtype=torch.float64, device=grad.device)
    return out.index_add(0, ids.flatten().long(), grad.double().flatten(0, -2)).to(grad.dtype)


def eager(grad: torch.Tensor, ids: torch.Tensor, rows_of_table: int) -> torch.Tensor:
    """The gradient as PyTorch has it."""
    return torch.ops.aten.embedding_dense_backward(grad, ids, rows_of_table, -1, False)


def _inputs(rng: Inputs, shape: tuple[int, ...], rows: int, width: int, dtype=torch.float32, ids=torch.int64):
    return rng.normal(*shape, width, dtype=dtype), rng.integers(rows, *shape, dtype=ids), rows


CASES = (
    Case("prime", lambda rng: _inputs(rng, (37,), 11, 67)),
    Case("one-row", lambda rng: _inputs(rng, (64,), 1, 16)),
    Case("bf16", lambda rng: _inputs(rng, (5, 7), 29, 33, torch.bfloat16)),
    Case("int32-ids", lambda rng: _inputs(rng, (3, 11), 100, 16, ids=torch.int32)),
)

BENCHMARK = (
    Case("8x4096-of-32000x4096-bf16", lambda rng: _inputs(rng, (8, 4096), 32000, 4096, torch.bfloat16)),
    Case("65536-of-1Mx128-f32", lambda rng: _inputs(rng, (65536,), 2**20, 128)),
)


def _terms(grad: torch.Tensor, ids: torch.Tensor, rows: int) -> int:
    return max(1, ids.numel() // rows)


EXAMPLES = (
    Example(
        "embedding_backward",
        embedding_backward,
        reference,
        eager,
        CASES,
        BENCHMARK,
        _terms,
        autograd=Autograd(
            embedding, lambda ids, table: torch.nn.functional.embedding(ids, table), forward.CASES, lambda ids, table: 4
        ),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
