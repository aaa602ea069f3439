"""The result of a Mamba-2 layer in each chunk: from the state before the chunk, and from the positions in it.

For position i of a chunk, with a the running sum of the decay's logarithms,

    out[i] = e^a[i] c[i] state^T + sum_{j <= i} (c[i] . b[j]) e^(a[i] - a[j]) dt[j] x[j] + d x[i]

A program owns a block of positions of one head. The state's part is one product; then it walks the positions up to its
own, scales a tile of the given products `c . b` by the decay, and multiplies it with x on the tensor cores, as
attention does. Above the diagonal the exponent is set to -inf before e is raised to it, not the result to 0: the
decay there would be a growth that overflows.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def mamba2_chunk_scan(
    x: torch.Tensor,
    products: torch.Tensor,
    c: torch.Tensor,
    states: torch.Tensor,
    dt: torch.Tensor,
    decay: torch.Tensor,
    d: torch.Tensor,
) -> torch.Tensor:
    """The results (batch, chunks, L, heads, p).

    Args:
        x: the inputs, (batch, chunks, L, heads, p).
        products: `c[i] . b[j]` of each chunk, (batch, chunks, groups, L, L).
        c: the output projections, (batch, chunks, L, groups, n).
        states: the state before each chunk, (batch, chunks, heads, p, n).
        dt: the step of each position, (batch, heads, chunks, L).
        decay: running sums of the decay's logarithms in each chunk, (batch, heads, chunks, L).
        d: how much of its own input a position passes on, (heads).
    """
    z, chunks, length, heads, p = x.size()
    groups, n = c.size(3), c.size(4)
    assert heads % groups == 0, f"{heads} heads cannot share {groups} projections evenly"
    group_size = hl.specialize(heads // groups)
    out = torch.empty_like(x)
    for batch, chunk, head, rows, columns in hl.tile([z, chunks, heads, length, p], block_size=[1, 1, 1, None, None]):
        group = head.begin // group_size
        own = decay[batch.begin, head.begin, chunk.begin, rows]
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(n):
            projection = c[batch.begin, chunk.begin, rows, group, inner]
            state = states[batch.begin, chunk.begin, head.begin, columns, inner].to(c.dtype)
            total = hl.dot(projection, state.T, acc=total)
        total = total * torch.exp(own)[:, None]
        for steps in hl.tile(rows.end):
            exponent = own[:, None] - decay[batch.begin, head.begin, chunk.begin, steps][None, :]
            exponent = torch.where(rows.index[:, None] >= steps.index[None, :], exponent, float("-inf"))
            weights = products[batch.begin, chunk.begin, group, rows, steps].to(torch.float32) * torch.exp(exponent)
            weights = weights * dt[batch.begin, head.begin, chunk.begin, steps][None, :]
            values = x[batch.begin, chunk.begin, steps, head.begin, columns]
            total = hl.dot(weights.to(values.dtype), values, acc=total)
        passed = x[batch.begin, chunk.begin, rows, head.begin, columns].to(torch.float32) * d[head.begin]
        out[batch.begin, chunk.begin, rows, head.begin, columns] = (total + passed).to(out.dtype)
    return out


def _results(x, products, c, states, dt, decay, d) -> torch.Tensor:
    share = x.size(3) // c.size(3)
    c, products = c.repeat_interleave(share, dim=3), products.repeat_interleave(share, dim=2)
    before = torch.einsum("zclhn,zchpn->zclhp", c, states) * torch.exp(decay).permute(0, 2, 3, 1)[..., None]
    seen = torch.ones(x.size(2), x.size(2), dtype=torch.bool, device=x.device).tril()
    exponent = (decay[..., :, None] - decay[..., None, :]).masked_fill(~seen, float("-inf"))
    weights = products * torch.exp(exponent).transpose(1, 2) * dt.transpose(1, 2)[..., None, :]
    return before + torch.einsum("zchij,zcjhp->zcihp", weights, x) + x * d[:, None]


def reference(x, *rest: torch.Tensor) -> torch.Tensor:
    """The results in float64, rounded once."""
    return _results(x.double(), *(t.double() for t in rest)).to(x.dtype)


def eager(x, *rest: torch.Tensor) -> torch.Tensor:
    """The results as people write them in PyTorch, in float32."""
    return _results(x.float(), *(t.float() for t in rest)).to(x.dtype)


def _inputs(
    rng: Inputs, z: int, chunks: int, length: int, heads: int, groups: int, p: int, n: int, dtype=torch.float32
):
    dt = rng.normal(z, heads, chunks, length).abs() * 0.5 + 0.01
    decay = (dt * -(rng.normal(heads).abs() + 0.1)[None, :, None, None]).cumsum(-1)
    c = rng.normal(z, chunks, length, groups, n, dtype=dtype, scale=n**-0.5)
    b = rng.normal(z, chunks, length, groups, n, dtype=dtype)
    products = torch.einsum("zcign,zcjgn->zcgij", c.float(), b.float()).to(dtype)
    x = rng.normal(z, chunks, length, heads, p, dtype=dtype)
    return x, products, c, rng.normal(z, chunks, heads, p, n), dt, decay, rng.normal(heads)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 2, 37, 2, 1, 19, 23)),
    Case("pow2", lambda rng: _inputs(rng, 1, 2, 32, 4, 2, 16, 32)),
    Case("bf16", lambda rng: _inputs(rng, 1, 1, 64, 2, 1, 32, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case("2x16x256x64/1x64x128-bf16", lambda rng: _inputs(rng, 2, 16, 256, 64, 1, 64, 128, torch.bfloat16)),
    Case("2x32x128x32/8x64x64-f16", lambda rng: _inputs(rng, 2, 32, 128, 32, 8, 64, 64, torch.float16)),
)

EXAMPLES = (
    Example(
        "mamba2_chunk_scan",
        mamba2_chunk_scan,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, products, c, *rest: x.size(2) + c.size(4),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
