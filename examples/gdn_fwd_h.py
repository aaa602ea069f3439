"""The states of a gated delta net, chunk after chunk, and the corrected values that its outputs are made of.

For a chunk with keys k, weights w, values u and a the running sum of the gate's logarithms in it,

    v_new[i] = u[i] - w[i] state
    state   <- e^a[last] state + sum_i k[i]^T e^(a[last] - a[i]) v_new[i]

Chunks follow one another, so a program owns a slice of one head's state, (dk, block of dv), and keeps it in float32
registers through the whole sequence: two products on the tensor cores a chunk, and the state is written, never read. The
last chunk may be shorter.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main


@helion.kernel()
def gdn_fwd_h(
    k: torch.Tensor,
    w: torch.Tensor,
    u: torch.Tensor,
    gate: torch.Tensor,
    chunk: hl.constexpr,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The state before each chunk (batch, chunks, heads, dk, dv) and the corrected values (batch, n, heads, dv).

    Args:
        k: keys, (batch, n, heads, dk).
        w: weights of the state that a value is corrected by, (batch, n, heads, dk).
        u: values, (batch, n, heads, dv).
        gate: running sums of the gate's logarithms in each chunk, (batch, n, heads), float32.
        chunk: positions in a chunk, a power of two.
    """
    z, n, heads, dk = k.size()
    dk = hl.specialize(dk)
    dv = u.size(3)
    states = torch.empty([z, helion.cdiv(n, chunk), heads, dk, dv], dtype=k.dtype, device=k.device)  # pyright: ignore[reportArgumentType]
    values = torch.empty_like(u)
    for batch, head, columns in hl.tile([z, heads, dv], block_size=[1, 1, None]):
        state = hl.zeros([dk, columns], dtype=torch.float32)
        for rows in hl.tile(n, block_size=chunk):  # pyright: ignore[reportArgumentType]
            rounded = state.to(k.dtype)
            states[batch.begin, rows.id, head.begin, :, columns] = rounded
            predicted = hl.dot(w[batch.begin, rows, head.begin, :], rounded)
            corrected = u[batch.begin, rows, head.begin, columns].to(torch.float32) - predicted
            values[batch.begin, rows, head.begin, columns] = corrected.to(values.dtype)
            last = gate[batch.begin, rows.end - 1, head.begin]
            faded = corrected * torch.exp(last - gate[batch.begin, rows, head.begin])[:, None]
            keys = k[batch.begin, rows, head.begin, :]
            state = hl.dot(keys.T, faded.to(k.dtype), acc=state * torch.exp(last))
    return states, values


def _chunks(k, w, u, gate, chunk: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    z, n, heads, dk = k.size()
    k, w, u, gate = (t.to(dtype).transpose(1, 2) for t in (k, w, u, gate))
    state = torch.zeros(z, heads, dk, u.size(3), dtype=dtype, device=k.device)
    states, values = [], []
    for begin in range(0, n, chunk):
        part = slice(begin, min(begin + chunk, n))
        states.append(state)
        values.append(u[:, :, part] - w[:, :, part] @ state)
        last = gate[:, :, part][:, :, -1:]
        faded = values[-1] * torch.exp(last - gate[:, :, part])[..., None]
        state = torch.exp(last)[..., None] * state + k[:, :, part].mT @ faded
    return torch.stack(states, dim=1), torch.cat(values, dim=2).transpose(1, 2)


def reference(k, w, u, gate, chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States and values in float64, rounded once."""
    states, values = _chunks(k, w, u, gate, chunk, torch.float64)
    return states.to(k.dtype), values.to(u.dtype)


def eager(k, w, u, gate, chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States and values as people write them in PyTorch, in float32."""
    states, values = _chunks(k, w, u, gate, chunk, torch.float32)
    return states.to(k.dtype), values.to(u.dtype)


def _inputs(rng: Inputs, z: int, n: int, heads: int, dk: int, dv: int, chunk: int, dtype: torch.dtype = torch.float32):
    k = torch.nn.functional.normalize(rng.normal(z, n, heads, dk), dim=-1)
    w = torch.nn.functional.normalize(rng.normal(z, n, heads, dk), dim=-1) * 0.5
    log_gate = torch.nn.functional.logsigmoid(rng.normal(z, n, heads) + 3.0)
    gate = torch.cat([part.cumsum(1) for part in log_gate.split(chunk, dim=1)], dim=1)
    return k.to(dtype), w.to(dtype), rng.normal(z, n, heads, dv, dtype=dtype), gate, chunk


CASES = (
    Case("tail", lambda rng: _inputs(rng, 1, 53, 2, 16, 19, 16)),
    Case("pow2", lambda rng: _inputs(rng, 2, 64, 1, 32, 32, 32)),
    Case("bf16", lambda rng: _inputs(rng, 1, 100, 1, 32, 48, 32, torch.bfloat16)),
)

BENCHMARK = (
    Case("8x4096x16x128x128-bf16", lambda rng: _inputs(rng, 8, 4096, 16, 128, 128, 64, torch.bfloat16)),
    Case("4x8192x8x64x128-f16", lambda rng: _inputs(rng, 4, 8192, 8, 64, 128, 64, torch.float16)),
)

EXAMPLES = (
    Example(
        "gdn_fwd_h",
        gdn_fwd_h,
        reference,
        eager,
        CASES,
        BENCHMARK,
        terms=lambda k, *rest: k.size(1) + k.size(3),
        # A state passes through two products a chunk, but it fades: the errors of a few chunks count.
        products=True,
        narrow="inputs",
    ),
)

if __name__ == "__main__":
    main(*EXAMPLES)
