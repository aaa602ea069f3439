"""Kernels that say things twice, as authors do, for the rules whose worth the examples do not show."""

from __future__ import annotations

import torch
from examples.inputs import Args, Inputs

import helion_ir as helion
import helion_ir.language as hl


@helion.kernel()
def add_rms_norm(x: torch.Tensor, residual: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The root-mean-square norm of x + residual, which is kept in `residual` and read from there again."""
    m, n = x.size()
    out = torch.empty_like(x)
    total = torch.empty_like(x)
    for rows in hl.tile(m):
        total[rows, :] = x[rows, :] + residual[rows, :]
        squares = (total[rows, :].to(torch.float32) ** 2).mean(-1)
        normed = total[rows, :].to(torch.float32) * torch.rsqrt(squares + 1e-5)[:, None]
        out[rows, :] = (normed * weight[:].to(torch.float32)[None, :]).to(out.dtype)
    return out


@helion.kernel()
def gates(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two outputs of two inputs, each of which is read for each."""
    first = torch.empty_like(x)
    second = torch.empty_like(x)
    for i in hl.tile(x.numel()):
        first[i] = (torch.sigmoid(x[i].to(torch.float32)) * y[i].to(torch.float32)).to(x.dtype)
        second[i] = (torch.tanh(x[i].to(torch.float32)) - y[i].to(torch.float32)).to(x.dtype)
    return first, second


@helion.kernel()
def variances(x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Variances of rows of known means, which are read in the loop."""
    m, n = x.size()
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    for rows in hl.tile(m):
        total = hl.zeros([rows], dtype=torch.float32)
        for columns in hl.tile(n):
            off = x[rows, columns].to(torch.float32) - mean[rows][:, None]
            total = total + (off * off).sum(-1)
        out[rows] = total / n
    return out


@helion.kernel()
def scores_of_queries(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The largest score of each query (heads, m, d) over all keys (heads, n, d); queries are read in the loop."""
    heads, m, d = q.size()
    d = hl.specialize(d)
    out = torch.empty([heads, m], dtype=torch.float32, device=q.device)
    keys = k.transpose(1, 2)
    for head, rows in hl.tile([heads, m], block_size=[1, None]):
        largest = hl.full([head, rows], float("-inf"), dtype=torch.float32)
        for columns in hl.tile(k.size(1)):
            scores = torch.bmm(q[head, rows, :], keys[head, :, columns])
            largest = torch.maximum(largest, torch.amax(scores, dim=-1).to(torch.float32))
        out[head, rows] = largest
    return out


def _norm(inputs: Inputs) -> Args:
    x, residual = (inputs.normal(8192, 4096, dtype=torch.bfloat16) for _ in range(2))
    return x, residual, inputs.normal(4096, dtype=torch.bfloat16)


def _gates(inputs: Inputs) -> Args:
    x, y = (inputs.normal(1 << 26, dtype=torch.bfloat16) for _ in range(2))
    return x, y


def _variances(inputs: Inputs) -> Args:
    return inputs.normal(8192, 8192, dtype=torch.bfloat16), inputs.normal(8192)


def _scores(inputs: Inputs) -> Args:
    q, k = (inputs.normal(64, 4096, 128, dtype=torch.bfloat16) for _ in range(2))
    return q, k


KERNELS = {
    "add_rms_norm": (add_rms_norm, _norm),
    "gates": (gates, _gates),
    "variances": (variances, _variances),
    "scores_of_queries": (scores_of_queries, _scores),
}
"""Kernel and inputs, by name."""
