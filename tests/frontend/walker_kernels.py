"""Kernels for the tests of the walker: each once, with arguments and the answer of eager PyTorch."""

from __future__ import annotations

import math

import torch

import helion_ir.language as hl
from helion_ir.language.fragments import PowerOfTwoFragment
from helion_ir.language.numbers import cdiv, next_power_of_2

EPS = 1e-5


def add(x, y):
    # broadcasting is the host's affair
    x, y = torch.broadcast_tensors(x, y)
    out = torch.empty_like(x)
    for tile in hl.tile(out.size()):
        out[tile] = x[tile] + y[tile]
    return out


def softmax(x):
    n, _ = x.size()
    out = torch.empty_like(x)
    for tile_n in hl.tile(n):
        out[tile_n, :] = torch.softmax(x[tile_n, :], dim=1)
    return out


def layer_norm(x, weight, bias: torch.Tensor | None, eps: float):
    m, n = x.size()
    out = torch.empty([m, n], dtype=x.dtype)
    for tile_m in hl.tile(m):
        row = x[tile_m, :].to(torch.float32)
        var, mean = torch.var_mean(row, dim=-1, keepdim=True, correction=0)
        normal = (row - mean) * torch.rsqrt(var + eps)
        scaled = normal * weight[:].to(torch.float32)
        if bias is not None:
            scaled = scaled + bias[:].to(torch.float32)
        out[tile_m, :] = scaled
    return out


def matmul(x, y, epilogue):
    """A product with a function of the caller's applied to each tile."""
    m, k = x.size()
    k2, n = y.size()
    assert k == k2, f"sizes {k} and {k2}"
    out = torch.empty([m, n], dtype=torch.promote_types(x.dtype, y.dtype), device=x.device)
    for tile_m, tile_n in hl.tile([m, n]):
        acc = hl.zeros([tile_m, tile_n], dtype=torch.float32)
        for tile_k in hl.tile(k):
            acc = torch.addmm(acc, x[tile_m, tile_k], y[tile_k, tile_n])
        out[tile_m, tile_n] = epilogue(acc, (tile_m, tile_n))
    return out


def attention(q_in, k_in, v_in):
    m_dim, n_dim = q_in.size(-2), k_in.size(-2)
    head_dim = hl.specialize(q_in.size(-1))
    q_view = q_in.reshape([-1, m_dim, head_dim])
    v_view = v_in.reshape([-1, n_dim, head_dim])
    k_view = k_in.reshape([-1, n_dim, head_dim]).transpose(1, 2)
    out = torch.empty_like(q_view)
    scale = 1.0 / math.sqrt(head_dim) * 1.44269504
    for tile_b, tile_m in hl.tile([q_view.size(0), m_dim]):
        m_i = hl.full([tile_b, tile_m], float("-inf"), dtype=torch.float32)
        l_i = torch.full_like(m_i, 1.0)
        acc = hl.zeros([tile_b, tile_m, head_dim], dtype=torch.float32)
        q = q_view[tile_b, tile_m, :]
        for tile_n in hl.tile(n_dim):
            k = k_view[tile_b, :, tile_n]
            qk = torch.bmm(q, k)
            m_ij = torch.maximum(m_i, torch.amax(qk, -1) * scale)
            qk = qk * scale - m_ij[:, :, None]
            p = torch.exp2(qk)
            l_ij = torch.sum(p, -1)
            alpha = torch.exp2(m_i - m_ij)
            l_i = l_i * alpha + l_ij
            acc = acc * alpha[:, :, None]
            v = v_view[tile_b, tile_n, :]
            acc = torch.baddbmm(acc, p.to(v.dtype), v)
            m_i = m_ij
        acc = acc / l_i[:, :, None]
        out[tile_b, tile_m, :] = acc.to(out.dtype)
    return out.view(q_in.size())


def jagged_mean(data, offsets):
    rows, features = offsets.size(0) - 1, data.size(1)
    out = torch.zeros([rows, features], dtype=data.dtype)
    for row in hl.grid(rows):
        start = offsets[row]
        stop = offsets[row + 1]
        for tile_f in hl.tile(features):
            acc = hl.zeros([tile_f], dtype=torch.float32)
            for tile_j in hl.tile(start, stop):
                acc = acc + data[tile_j, tile_f].sum(0)
            out[row, tile_f] = acc / (stop - start)
    return out


def split_k(x, y):
    m, k = x.size()
    k, n = y.size()
    out = torch.zeros([m, n], dtype=torch.float32, device=x.device)
    split = hl.register_tunable("split_k", PowerOfTwoFragment(1, 8, 2))
    k_block = next_power_of_2(cdiv(k, split))
    for tile_m, tile_n, outer_k in hl.tile([m, n, k], block_size=[None, None, k_block]):
        acc = hl.zeros([tile_m, tile_n])
        for inner_k in hl.tile(outer_k.begin, outer_k.end):
            acc = hl.dot(x[tile_m, inner_k], y[inner_k, tile_n], acc=acc)
        hl.atomic_add(out, [tile_m, tile_n], acc)
    return out


def embedding(x, weight):
    x_flat = x.reshape(-1)
    _, dim = weight.size()
    out = torch.empty([x_flat.size(0), dim], dtype=weight.dtype)
    for tile_b, tile_e in hl.tile([x_flat.size(0), dim]):
        out[tile_b, tile_e] = weight[x_flat[tile_b], tile_e]
    return out.view(*x.size(), dim)


def cross_entropy(logits, labels):
    n, v = logits.shape
    losses = torch.zeros([n], dtype=torch.float32)
    flat = logits.view(-1)
    for tile_n in hl.tile(n):
        label = labels[tile_n]
        index = tile_n.index * v + label
        picked = hl.load(flat, [index])
        row = logits[tile_n, :]
        top = torch.amax(row, dim=-1, keepdim=True)
        total = torch.sum(torch.exp(row - top), dim=-1)
        losses[tile_n] = torch.log(total) + top.squeeze(1) - picked
    return losses.mean()


def helper(row, power):
    total = row * 0
    for i in hl.static_range(1, power + 1):
        total = total + row**i
    if power > 2:
        total = total / power
    return total


def branches(x, flag: bool, count: int, power: hl.constexpr):
    m, n = x.size()
    out = torch.empty_like(x)
    for tile in hl.tile(m):
        row = helper(x[tile, :], power) + EPS
        if flag:
            row = row * 2
        else:
            row = row - 1
        if tile.begin > 40 and count > 3:
            row = row + count
        if tile.block_size > 16:
            row.add_(0)
        parts = [row * f for f in (0.25, 0.75)]
        for i in range(count):
            row = row + i
        out[tile, :] = row + sum(parts)
    return out


def counted(x):
    (n,) = x.size()
    out = torch.empty_like(x)
    for t in hl.tile(n):
        v = x[t]
        steps = hl.zeros([], dtype=torch.int32)
        while v.sum() < 100.0:
            v = v * 2
            steps = steps + 1
        out[t] = v + steps
    return out


def shifted(x, i: int):
    n, m = x.size()
    out = torch.zeros_like(x)
    for t in hl.tile(n - 1):
        out[t + 1, :] = x[t, :] * 2 + x[-1, :][None, :] + x[t, 0:1] + x[i, None, ...]
    return out


def pair(l0, l1, r0, r1):
    return l0 + r0, torch.maximum(l1, r1)


def reduced(x):
    n, m = x.size()
    total = torch.empty([n], dtype=x.dtype)
    largest = torch.empty([n], dtype=x.dtype)
    running = torch.empty_like(x)
    for t in hl.tile(n):
        row = x[t, :]
        total[t], largest[t] = hl.reduce(pair, (row, row), dim=1, other=(0.0, float("-inf")))
        running[t, :] = hl.cumsum(row, 1) + hl.associative_scan(torch.maximum, row, 1)
    return total, largest, running
