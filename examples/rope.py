"""Rotary position embedding, and its gradient, which is the rotation back.

Each pair (a, b) of numbers of a head is turned by an angle that its position and its place in the head determine:
`a' = a cos - b sin`, `b' = b cos + a sin`. The pairs are either the two halves of a head, or neighbours. The host views
a head as two halves, so that both numbers of a pair are plain loads; neighbours are loaded together and split in
registers. A program turns a block of positions of several heads, which all share one block of cosines and sines.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def rope(
    x: torch.Tensor,
    cosine: torch.Tensor,
    sine: torch.Tensor,
    neighbours: hl.constexpr = False,  # pyright: ignore[reportArgumentType]
    back: hl.constexpr = False,  # pyright: ignore[reportArgumentType]
) -> torch.Tensor:
    """`x` (b, heads, n, d) turned by the angles whose `cosine` and `sine` are given, (n, d / 2).

    Args:
        x: queries or keys, contiguous.
        cosine: of each position and pair.
        sine: of each position and pair.
        neighbours: whether the pairs are neighbours rather than halves of a head.
        back: whether to turn the other way.
    """
    b, heads, n, d = x.size()
    assert d % 2 == 0, f"a head of {d} numbers has no pairs"
    out = torch.empty_like(x)
    half = d // 2
    shape = [b, heads, n, half, 2] if neighbours else [b, heads, n, 2, half]
    pairs, turned = x.view(shape), out.view(shape)
    for batch, head, position in hl.tile([b, heads, n], block_size=[1, None, None]):
        cos = cosine[position, :].to(torch.float32)[None, :, :]
        sin = sine[position, :].to(torch.float32)[None, :, :]
        if back:
            sin = -sin
        if neighbours:
            first, second = hl.split(pairs[batch.begin, head, position, :, :].to(torch.float32))
            both = hl.join(first * cos - second * sin, second * cos + first * sin)
            turned[batch.begin, head, position, :, :] = both.to(out.dtype)
        else:
            first = pairs[batch.begin, head, position, 0, :].to(torch.float32)
            second = pairs[batch.begin, head, position, 1, :].to(torch.float32)
            turned[batch.begin, head, position, 0, :] = (first * cos - second * sin).to(out.dtype)
            turned[batch.begin, head, position, 1, :] = (second * cos + first * sin).to(out.dtype)
    return out


class Rope(torch.autograd.Function):
    """The rotation, forward and backward by one kernel."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, neighbours: bool) -> torch.Tensor:
        ctx.save_for_backward(cosine, sine)
        ctx.neighbours = neighbours
        return rope(x, cosine, sine, neighbours, False)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return rope(grads[0].contiguous(), *ctx.saved_tensors, ctx.neighbours, True), None, None, None


def rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, neighbours: bool, back: bool) -> torch.Tensor:
    """The rotation, differentiable in `x`; the angles are taken as constants."""
    assert not back, "the gradient turns back by itself"
    return Rope.apply(x, cosine.detach(), sine.detach(), neighbours)  # pyright: ignore[reportReturnType]


def eager(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, neighbours: bool, back: bool) -> torch.Tensor:
    """The rotation as people write it in PyTorch."""
    cos, sin = cosine.detach(), -sine.detach() if back else sine.detach()
    if neighbours:
        first, second = x[..., 0::2], x[..., 1::2]
        return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2).to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def reference(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, neighbours: bool, back: bool) -> torch.Tensor:
    """The rotation in float64, rounded once."""
    return eager(x.double(), cosine.double(), sine.double(), neighbours, back).to(x.dtype)


def _inputs(rng: Inputs, b: int, h: int, n: int, d: int, dtype=torch.float32, neighbours=False, back=False):
    rates = 10000.0 ** (-torch.arange(0, d, 2, device=rng.device) / d)
    angles = torch.arange(n, device=rng.device)[:, None] * rates
    return rng.normal(b, h, n, d, dtype=dtype), angles.cos(), angles.sin(), neighbours, back


CASES = (
    Case("halves", lambda rng: _inputs(rng, 2, 3, 17, 16)),
    Case("neighbours", lambda rng: _inputs(rng, 1, 5, 13, 32, neighbours=True)),
    Case("bf16", lambda rng: _inputs(rng, 1, 2, 16, 64, torch.bfloat16)),
    Case("f16-neighbours", lambda rng: _inputs(rng, 1, 1, 7, 24, torch.float16, neighbours=True)),
)

BACK = (
    Case("back", lambda rng: _inputs(rng, 1, 2, 11, 16, back=True)),
    Case("back-neighbours", lambda rng: _inputs(rng, 1, 2, 11, 16, neighbours=True, back=True)),
)

BENCHMARK = (
    Case("4x32x4096x128-bf16", lambda rng: _inputs(rng, 4, 32, 4096, 128, torch.bfloat16)),
    Case("4x32x4096x64-neighbours-f16", lambda rng: _inputs(rng, 4, 32, 4096, 64, torch.float16, neighbours=True)),
)

EXAMPLES = (
    Example(
        "rope",
        rope,
        reference,
        eager,
        CASES + BACK,
        BENCHMARK,
        # A difference of products: its error is relative to them.
        terms=lambda *args: 4,
        autograd=Autograd(rotated, eager, CASES, terms=lambda *args: 4),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
