"""Kernels written the plain way, for what the passes that offer algorithms make of them."""

from __future__ import annotations

import torch

import helion_ir as helion
import helion_ir.language as hl


@helion.kernel()
def causal_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Causal attention of q (heads, m, d) over k and v (heads, n, d): base e, every score compared with the diagonal."""
    heads, m, d = q.size()
    d = hl.specialize(d)
    out = torch.empty_like(q)
    keys = k.transpose(1, 2)
    scale = d**-0.5
    for head, rows in hl.tile([heads, m]):
        queries = q[head, rows, :]
        largest = hl.full([head, rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([head, rows], dtype=torch.float32)
        weighted = hl.zeros([head, rows, d], dtype=torch.float32)
        for columns in hl.tile(0, rows.end):
            scores = hl.dot(queries, keys[head, :, columns], out_dtype=torch.float32) * scale
            below = rows.index[:, None] >= columns.index[None, :]
            scores = torch.where(below, scores, float("-inf"))
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1))
            weights = torch.exp(scores - new_largest[:, :, None])
            correction = torch.exp(largest - new_largest)
            total = total * correction + weights.sum(dim=-1)
            weighted = weighted * correction[:, :, None]
            weighted = torch.baddbmm(weighted, weights.to(v.dtype), v[head, columns, :])
            largest = new_largest
        out[head, rows, :] = (weighted / total[:, :, None]).to(out.dtype)
    return out


@helion.kernel()
def plain_causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Causal attention whose loop goes over all keys."""
    heads, m, d = q.size()
    d = hl.specialize(d)
    out = torch.empty_like(q)
    keys = k.transpose(1, 2)
    for head, rows in hl.tile([heads, m]):
        queries = q[head, rows, :]
        largest = hl.full([head, rows], float("-inf"), dtype=torch.float32)
        total = hl.zeros([head, rows], dtype=torch.float32)
        weighted = hl.zeros([head, rows, d], dtype=torch.float32)
        for columns in hl.tile(k.size(1)):
            scores = hl.dot(queries, keys[head, :, columns], out_dtype=torch.float32) * d**-0.5
            below = rows.index[:, None] >= columns.index[None, :]
            scores = torch.where(below, scores, float("-inf"))
            new_largest = torch.maximum(largest, torch.amax(scores, dim=-1))
            weights = torch.exp(scores - new_largest[:, :, None])
            correction = torch.exp(largest - new_largest)
            total = total * correction + weights.sum(dim=-1)
            weighted = weighted * correction[:, :, None]
            weighted = torch.baddbmm(weighted, weights.to(v.dtype), v[head, columns, :])
            largest = new_largest
        out[head, rows, :] = (weighted / total[:, :, None]).to(out.dtype)
    return out


@helion.kernel()
def matmul_bias_relu(x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """relu(x @ y + bias), in the type of x: an epilogue that no partial sum can go through."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=x.dtype, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = torch.relu(total + bias[columns].to(torch.float32)).to(out.dtype)
    return out


@helion.kernel()
def matmul_f32(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x @ y in float32, which programs can add to."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=torch.float32, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = total * 0.5
    return out


@helion.kernel()
def scaled_rows(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """(scale * x) @ y in float32, of 16-bit operands whose rows are scaled as they are loaded."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=torch.float32, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            left = (x[rows, inner].to(torch.float32) * scale[rows][:, None]).to(x.dtype)
            total = torch.addmm(total, left, y[inner, columns])
        out[rows, columns] = total
    return out


@helion.kernel()
def scaled_terms(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """(x @ y) * scale * 0.5 in float32, every block of products scaled by itself."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=torch.float32, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = total + hl.dot(x[rows, inner], y[inner, columns]) * scale[columns][None, :] * 0.5
        out[rows, columns] = total
    return out


@helion.kernel()
def affine(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """x * scale + shift, row by row, of rows that fill no number of blocks."""
    out = torch.empty_like(x)
    for rows, columns in hl.tile(x.size()):
        out[rows, columns] = x[rows, columns] * scale[columns] + shift[columns]
    return out
