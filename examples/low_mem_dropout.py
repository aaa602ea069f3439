"""Dropout that stores no mask: the backward pass draws the same random numbers again.

`out[i] = x[i] / (1 - p)` where `random(seed, i) >= p`, else 0. The generator is Philox, a function of the seed and a
counter alone, which gives four numbers at a time: those of counter c belong to elements c, c + n, c + 2n and c + 3n, where
n is a quarter of all. They do not depend on block sizes or on which program draws them, so forward and backward agree
whatever their configurations are, and memory holds one seed in place of a mask.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Autograd, Case, Example, Inputs, main


@helion.kernel()
def low_mem_dropout(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """Contiguous `x` with each number dropped with probability `p`, by the numbers that `seed` gives."""
    out = torch.empty_like(x)
    flat, flat_out = x.view(-1), out.view(-1)
    scale = 1.0 / (1.0 - p)
    quarter = helion.cdiv(x.numel(), 4)
    for tile in hl.tile(quarter):
        places = [tile.index + i * quarter for i in range(4)]
        values = [hl.load(flat, [place], extra_mask=place < x.numel()) for place in places]
        for place, value, number in zip(places, values, hl.rand4x(seed, tile.index)):
            kept = torch.where(number >= p, value.to(torch.float32) * scale, 0.0)
            hl.store(flat_out, [place], kept.to(out.dtype), extra_mask=place < x.numel())
    return out


class LowMemDropout(torch.autograd.Function):
    """Dropout whose gradient is the same kernel with the same seed."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
        ctx.p, ctx.seed = p, seed
        return low_mem_dropout(x, p, seed)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return low_mem_dropout(grads[0].contiguous(), ctx.p, ctx.seed), None, None


def dropout(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """Dropout of `x`, differentiable."""
    return LowMemDropout.apply(x, p, seed)  # pyright: ignore[reportReturnType]


def philox(seed: int, count: int, device: torch.device) -> torch.Tensor:
    """Philox-4x32-10 at the counters 0 to `count - 1`, as numbers from 0 to 1: (4, count), float32.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    word = 0xFFFFFFFF
    index = torch.arange(count, dtype=torch.int64, device=device)
    c = [index & word, index >> 32, torch.zeros_like(index), torch.zeros_like(index)]
    key = [seed & word, (seed >> 32) & word]
    for _ in range(10):
        # Products of 32-bit numbers need 64 bits without sign: they are taken apart into 16-bit pieces.
        (high0, low0), (high1, low1) = _product(c[0], 0xD2511F53), _product(c[2], 0xCD9E8D57)
        c = [high1 ^ c[1] ^ key[0], low1, high0 ^ c[3] ^ key[1], low0]
        key = [(key[0] + 0x9E3779B9) & word, (key[1] + 0xBB67AE85) & word]
    words = torch.stack(c)
    signed = torch.where(words >= 2**31, words - 2**32, words)
    return torch.where(signed < 0, -signed - 1, signed).float() * 4.6566127342e-10


def _product(x: torch.Tensor, factor: int) -> tuple[torch.Tensor, torch.Tensor]:
    low = (x & 0xFFFF) * factor
    middle = (x >> 16) * factor + (low >> 16)
    return middle >> 16, ((middle & 0xFFFF) << 16) | (low & 0xFFFF)


def _drop(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    numbers = philox(seed, helion.cdiv(x.numel(), 4), x.device).view(-1)[: x.numel()]
    return torch.where(numbers.view(x.shape) >= p, x / (1 - p), 0.0)


def reference(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """The same in float64, rounded once."""
    return _drop(x.double(), p, seed).to(x.dtype)


def eager(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """PyTorch's dropout on a GPU, where it draws other numbers in the same time; elsewhere the same numbers."""
    if x.is_cuda:
        return torch.nn.functional.dropout(x, p)
    return _drop(x, p, seed)


def _inputs(rng: Inputs, *shape: int, p: float = 0.25, seed: int = 42, dtype: torch.dtype = torch.float32):
    return rng.normal(*shape, dtype=dtype), p, seed


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1009)),
    Case("2d", lambda rng: _inputs(rng, 33, 64, p=0.5, seed=7)),
    Case("large-seed", lambda rng: _inputs(rng, 257, seed=0x123456789AB)),
    Case("bf16", lambda rng: _inputs(rng, 130, p=0.9, dtype=torch.bfloat16)),
)

BENCHMARK = (
    Case("8192x8192-bf16", lambda rng: _inputs(rng, 8192, 8192, dtype=torch.bfloat16)),
    Case("4096x4096-f32", lambda rng: _inputs(rng, 4096, 4096)),
)

EXAMPLES = (
    Example(
        "low_mem_dropout",
        low_mem_dropout,
        reference,
        eager,
        CASES,
        BENCHMARK,
        autograd=Autograd(dropout, _drop, CASES),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
