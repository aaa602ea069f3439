"""What each chunk of a sequence adds to the state of a Mamba-2 layer.

Within a chunk of L positions, for a head of size p and a state of size n,

    state[p, n] = sum_l e^(a[L - 1] - a[l]) * dt[l] * x[l, p] * b[l, n]

where a is the running sum of the decay's logarithms in the chunk. Scaled rows of x times rows of b are one matrix product:
a program owns a block of a head's state in one chunk, walks the positions in tiles, scales a tile of x in registers and
multiplies on the tensor cores. Heads share b in groups.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def mamba2_chunk_state(x: torch.Tensor, b: torch.Tensor, dt: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """The states (batch, chunks, heads, p, n), in float32.

    Args:
        x: the inputs, (batch, chunks, L, heads, p).
        b: the input projections, (batch, chunks, L, groups, n).
        dt: the step of each position, (batch, heads, chunks, L).
        decay: running sums of the decay's logarithms in each chunk, (batch, heads, chunks, L).
    """
    z, chunks, length, heads, p = x.size()
    groups, n = b.size(3), b.size(4)
    assert heads % groups == 0, f"{heads} heads cannot share {groups} projections evenly"
    group_size = hl.specialize(heads // groups)
    out = torch.empty([z, chunks, heads, p, n], dtype=torch.float32, device=x.device)
    for batch, chunk, head, rows, columns in hl.tile([z, chunks, heads, p, n], block_size=[1, 1, 1, None, None]):
        group = head.begin // group_size
        last = decay[batch.begin, head.begin, chunk.begin, length - 1]
        state = hl.zeros([rows, columns], dtype=torch.float32)
        for step in hl.tile(length):
            scale = torch.exp(last - decay[batch.begin, head.begin, chunk.begin, step])
            scale = scale * dt[batch.begin, head.begin, chunk.begin, step]
            scaled = x[batch.begin, chunk.begin, step, head.begin, rows].to(torch.float32) * scale[:, None]
            state = hl.dot(scaled.to(x.dtype).T, b[batch.begin, chunk.begin, step, group, columns], acc=state)
        out[batch.begin, chunk.begin, head.begin, rows, columns] = state
    return out


def _states(x: torch.Tensor, b: torch.Tensor, dt: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    b = b.repeat_interleave(x.size(3) // b.size(3), dim=3)
    scale = torch.exp(decay[..., -1:] - decay) * dt
    scaled = x * scale.permute(0, 2, 3, 1)[..., None]
    return torch.einsum("zclhp,zclhn->zchpn", scaled, b)


def reference(x: torch.Tensor, b: torch.Tensor, dt: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """The states in float64, rounded once."""
    return _states(x.double(), b.double(), dt.double(), decay.double()).float()


def eager(x: torch.Tensor, b: torch.Tensor, dt: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """The states as people write them in PyTorch, in float32."""
    return _states(x.float(), b.float(), dt, decay)


def _inputs(
    rng: Inputs, z: int, chunks: int, length: int, heads: int, groups: int, p: int, n: int, dtype=torch.float32
):
    dt = rng.normal(z, heads, chunks, length).abs() * 0.5 + 0.01
    rate = -(rng.normal(heads).abs() + 0.1)
    decay = (dt * rate[None, :, None, None]).cumsum(-1)
    x = rng.normal(z, chunks, length, heads, p, dtype=dtype)
    return x, rng.normal(z, chunks, length, groups, n, dtype=dtype), dt, decay


CASES = (
    Case("prime", lambda rng: _inputs(rng, 1, 2, 37, 2, 1, 19, 23)),
    Case("pow2", lambda rng: _inputs(rng, 1, 2, 32, 4, 2, 16, 32)),
    Case("bf16", lambda rng: _inputs(rng, 1, 1, 64, 2, 1, 32, 48, torch.bfloat16)),
)

BENCHMARK = (
    Case("8x16x256x64/1x64x128-bf16", lambda rng: _inputs(rng, 8, 16, 256, 64, 1, 64, 128, torch.bfloat16)),
    Case("2x32x128x32/8x64x64-f16", lambda rng: _inputs(rng, 2, 32, 128, 32, 8, 64, 64, torch.float16)),
)

EXAMPLES = (
    Example(
        "mamba2_chunk_state",
        mamba2_chunk_state,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda x, *rest: x.size(2),
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
