"""The matrix product of a mixture of experts: each token meets the matrices of the experts it was routed to.

`out[t, s, :] = weight[t, s] * (x[t, :] @ w[e, :, :])` with `e = expert[t, s]`, the s-th of a token's experts. The (token,
slot) pairs sorted by expert make one product an expert (`route`). The kernel gathers the rows of x through the sorted
list and scatters the result through it, so that neither is ever copied into sorted order.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


def route(expert: torch.Tensor, experts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs `token * slots + slot` sorted by expert, and where each expert's pairs begin, both int32."""
    order = expert.flatten().argsort(stable=True).to(torch.int32)
    counts = torch.bincount(expert.flatten(), minlength=experts)
    return order, torch.nn.functional.pad(counts.cumsum(0), (1, 0)).to(torch.int32)


@helion.kernel()
def moe_matmul(
    x: torch.Tensor, w: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, offsets: torch.Tensor, largest: int
) -> torch.Tensor:
    """The weighted products (tokens, slots, n) of `x` (tokens, k) with matrices of `w` (experts, k, n).

    Args:
        x: one row a token.
        w: one matrix an expert.
        weight: the router's weight of each token's experts, (tokens, slots).
        order: pairs `token * slots + slot` sorted by expert.
        offsets: where in `order` the pairs of each expert begin, and their number at the end.
        largest: at least the number of pairs of the busiest expert.
    """
    tokens, k = x.size()
    experts, k2, n = w.size()
    slots = hl.specialize(weight.size(1))
    assert k == k2, f"tokens have {k} numbers and matrices {k2} rows"
    largest = hl.specialize(largest)
    out = torch.empty([tokens * slots, n], dtype=torch.promote_types(x.dtype, w.dtype), device=x.device)
    flat_weight = weight.reshape(-1)
    for expert, block, columns in hl.tile([experts, largest, n], block_size=[1, None, None]):
        begin = offsets[expert.begin]
        end = offsets[expert.begin + 1]
        if begin + block.begin < end:
            position = begin + block.index
            inside = position < end
            pairs = hl.load(order, [position], extra_mask=inside)
            token = pairs // slots
            total = hl.zeros([block, columns], dtype=torch.float32)
            for inner in hl.tile(k):
                values = hl.load(x, [token, inner], extra_mask=inside[:, None])
                total = torch.addmm(total, values, w[expert.begin, inner, columns])
            weighted = total * hl.load(flat_weight, [pairs], extra_mask=inside).to(torch.float32)[:, None]
            hl.store(out, [pairs, columns], weighted.to(out.dtype), extra_mask=inside[:, None])
    return out.view(tokens, slots, n)


def reference(
    x: torch.Tensor, w: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, offsets: torch.Tensor, largest: int
) -> torch.Tensor:
    """The products in float64, rounded once."""
    return _each(x.double(), w.double(), weight.double(), order, offsets).to(torch.promote_types(x.dtype, w.dtype))


def eager(
    x: torch.Tensor, w: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, offsets: torch.Tensor, largest: int
) -> torch.Tensor:
    """One product an expert, as people write it in PyTorch."""
    return _each(x, w, weight, order, offsets)


def _each(x: torch.Tensor, w: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, offsets: torch.Tensor):
    starts, slots = offsets.tolist(), weight.size(1)
    out = torch.empty([x.size(0) * slots, w.size(2)], dtype=x.dtype, device=x.device)
    for expert, (begin, end) in enumerate(zip(starts, starts[1:])):
        pairs = order[begin:end].long()
        out[pairs] = (x[pairs // slots] @ w[expert]) * weight.flatten()[pairs, None]
    return out.view(x.size(0), slots, -1)


def _inputs(rng: Inputs, tokens: int, slots: int, experts: int, n: int, k: int, dtype: torch.dtype = torch.float32):
    # Scores that differ between experts, so that some are busy and some have no token at all.
    scores = rng.normal(tokens, experts) + rng.normal(experts, scale=2.0)
    weight, expert = torch.softmax(scores, dim=1).topk(slots, dim=1)
    order, offsets = route(expert, experts)
    return (
        rng.normal(tokens, k, dtype=dtype),
        rng.normal(experts, k, n, dtype=dtype),
        weight.to(dtype),
        order,
        offsets,
        int(offsets.diff().max()),
    )


CASES = (
    Case("prime", lambda rng: _inputs(rng, 29, 2, 5, 19, 23)),
    Case("one-slot", lambda rng: _inputs(rng, 16, 1, 4, 32, 16)),
    Case("bf16", lambda rng: _inputs(rng, 17, 2, 3, 32, 48, torch.bfloat16)),
    Case("f16", lambda rng: _inputs(rng, 5, 3, 8, 33, 64, torch.float16)),
)

BENCHMARK = (
    Case("4096x2-of-8x4096x2048-bf16", lambda rng: _inputs(rng, 4096, 2, 8, 4096, 2048, torch.bfloat16)),
    Case("2048x8-of-64x1024x1024-f16", lambda rng: _inputs(rng, 2048, 8, 64, 1024, 1024, torch.float16)),
)

EXAMPLES = (
    Example(
        "moe_matmul",
        moe_matmul,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, *rest: x.size(1),
        products=True,
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
