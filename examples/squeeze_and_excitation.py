"""The squeeze-and-excitation block of a convolutional network, in one kernel.

The mean of each channel over an image passes through two small layers to a gate for each channel:
`out[c, :] = x[c, :] * sigmoid(w2 relu(w1 mean(x)))[c]`. A gate needs the means of all channels of its image, so that there
are three phases with barriers between them: means of rows, which are a channel of an image each; gates, of which a
program makes those of an image, by two sums of products over weights that it holds whole; and rows scaled, in tiles. The
first and the last are as parallel as there are rows, however few images there are.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def squeeze_and_excitation(x: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
    """The gated images.

    Args:
        x: images, (batch, channels, pixels), contiguous.
        w1: from channels to hidden units, (hidden, channels).
        w2: from hidden units to channels, (channels, hidden).
    """
    z, channels, pixels = x.size()
    channels = hl.specialize(channels)
    out = torch.empty_like(x)
    means = torch.empty([z, channels], dtype=torch.float32, device=x.device)
    gates = torch.empty([z, channels], dtype=torch.float32, device=x.device)
    flat, flat_out, flat_means, flat_gates = x.view(-1, pixels), out.view(-1, pixels), means.view(-1), gates.view(-1)
    for rows in hl.tile(flat.size(0)):
        flat_means[rows] = flat[rows, :].to(torch.float32).mean(dim=1)
    hl.barrier()
    for image in hl.tile(z, block_size=1):
        squeezed = means[image.begin, :]
        hidden = torch.relu((w1[:, :].to(torch.float32) * squeezed[None, :]).sum(dim=1))
        gates[image.begin, :] = torch.sigmoid((w2[:, :].to(torch.float32) * hidden[None, :]).sum(dim=1))
    hl.barrier()
    for rows, part in hl.tile([flat.size(0), pixels]):
        flat_out[rows, part] = (flat[rows, part].to(torch.float32) * flat_gates[rows][:, None]).to(out.dtype)
    return out


def eager(x: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
    """The block as people write it in PyTorch."""
    gate = torch.sigmoid(torch.relu(x.mean(dim=2) @ w1.T) @ w2.T)
    return x * gate[:, :, None]


def reference(x: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
    """The block in float64, rounded once."""
    return eager(x.double(), w1.double(), w2.double()).to(x.dtype)


def _inputs(rng: Inputs, z: int, channels: int, pixels: int, hidden: int, dtype: torch.dtype = torch.float32):
    # Means that differ from channel to channel, so that gates do.
    x = (rng.normal(z, channels, pixels) + rng.normal(z, channels, 1, scale=2.0)).to(dtype)
    return x, rng.normal(hidden, channels, dtype=dtype, scale=0.3), rng.normal(channels, hidden, dtype=dtype)


CASES = (
    Case("prime", lambda rng: _inputs(rng, 3, 19, 37, 5)),
    Case("pow2", lambda rng: _inputs(rng, 2, 32, 64, 4)),
    Case("bf16", lambda rng: _inputs(rng, 2, 24, 49, 3, torch.bfloat16)),
)

BENCHMARK = (
    Case("256x256x3136-of-16-bf16", lambda rng: _inputs(rng, 256, 256, 3136, 16, torch.bfloat16)),
    Case("256x512x784-of-32-f32", lambda rng: _inputs(rng, 256, 512, 784, 32)),
)

EXAMPLES = (
    Example(
        "squeeze_and_excitation",
        squeeze_and_excitation,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, w1, w2: x.size(2) + x.size(1) + w1.size(0),
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
