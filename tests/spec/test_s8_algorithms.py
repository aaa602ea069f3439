"""Section 8: algorithms as authors write them: attention, norms, jagged rows, packed numbers, scans by segments."""

from __future__ import annotations

import functools
import math

import pytest
import torch
import torch.nn.functional as F
from tests.spec.spec import Item, Section, check_stages, numbers

import helion_ir as helion
import helion_ir.language as hl

SECTION = Section("8 Algorithms of authors")
item = functools.partial(SECTION.item, sizes=(5,))  # one tile and a part of one


def matrix(n: int) -> tuple[torch.Tensor]:
    return (numbers(n, 6),)


@item(
    "split-k with a tunable, next_power_of_2 and atomics",
    lambda n: (numbers(n, 64), numbers(64, 16)),
    lambda a, b: a @ b,
    tolerance=1e-5,
)
def split_k(x, y):
    m, k = x.size()
    _, n = y.size()
    out = torch.zeros([m, n], dtype=torch.float32, device=x.device)
    split_k = hl.register_tunable("split_k", helion.autotuner.PowerOfTwoFragment(1, 8, 2))
    k_block = helion.next_power_of_2(helion.cdiv(k, split_k))
    for tile_m, tile_n, outer_k in hl.tile([m, n, k], block_size=[None, None, k_block]):
        acc = hl.zeros([tile_m, tile_n], dtype=torch.float32)
        for inner_k in hl.tile(outer_k.begin, outer_k.end):
            acc = torch.addmm(acc, x[tile_m, inner_k], y[inner_k, tile_n])
        hl.atomic_add(out, [tile_m, tile_n], acc)
    return out


@item(
    "as many partial results as a row has blocks, of whatever number",
    lambda n: (numbers(n, 77),),
    lambda x: (x.logsumexp(1), x.softmax(1).amax(1)),
    tolerance=1e-5,
)
def pieces_of_rows(x):
    m, n = x.size()
    piece = hl.register_block_size(16, 64)  # 2, 3 or 5 of them
    parts = torch.empty([m, helion.cdiv(n, piece)], dtype=torch.float32, device=x.device)
    largest = torch.empty_like(parts)
    out = torch.empty([m], dtype=torch.float32, device=x.device)
    weight = torch.empty_like(out)
    for row, columns in hl.tile([m, n], block_size=[1, piece]):
        parts[row, columns.id] = torch.logsumexp(x[row, columns], 1)
        largest[row, columns.id] = x[row, columns].amax(1)
    hl.barrier()
    for rows in hl.tile(m):
        sums = parts[rows, :]
        inside = torch.exp(largest[rows, :] - sums)  # the largest of a block's softmax
        out[rows] = torch.logsumexp(sums, 1)
        weight[rows] = (torch.softmax(sums, 1) * inside).amax(1)
    return out, weight


@item(
    "rows of differing lengths by offsets, gathered with masks",
    lambda n: (torch.arange(40.0).reshape(20, 2), torch.tensor([0, 3, 3, 8, 20])),
    lambda x, o: torch.stack([x[o[i] : o[i + 1]].sum(0) for i in range(4)]),
)
def jagged_sums(x, offs):
    n = offs.size(0) - 1
    out = torch.zeros([n, x.size(1)], dtype=x.dtype, device=x.device)
    flat = x.view(-1)
    M = x.size(1)
    for b in hl.tile(n):
        starts = offs[b]
        ends = offs[b.index + 1]
        nnz = ends - starts
        mx = nnz.amax()
        for f in hl.tile(M):
            acc = hl.zeros([b, f], dtype=x.dtype)
            for k in hl.tile(mx):
                idx = (starts[:, None] + k.index[None, :])[:, :, None] * M + f.index[None, None, :]
                row_mask = k.index[None, :] < nnz[:, None]
                comb = row_mask[:, :, None] & (f.index < M)[None, None, :]
                acc += hl.load(flat, [idx], extra_mask=comb).sum(dim=1)
            out[b, f] = acc
    return out


@item("an embedding, reshaped on the host", lambda n: (torch.randint(0, 7, (n, 3)), numbers(7, 6)), lambda i, w: w[i])
def embedding(x, w):
    x_flat = x.reshape(-1)
    _, d = w.size()
    out = torch.empty([x_flat.size(0), d], dtype=w.dtype, device=w.device)
    for b, e in hl.tile([x_flat.size(0), d]):
        out[b, e] = w[x_flat[b], e]
    return out.view(*x.size(), d)


@item(
    "its gradient by atomics",
    lambda n: (torch.randint(0, 7, (n,)), numbers(n, 6)),
    lambda i, g: torch.zeros(7, 6).index_add_(0, i, g),
    tolerance=1e-6,
)
def embedding_backward(i, g):
    gw = torch.zeros([7, g.size(1)], dtype=g.dtype, device=g.device)
    for b, e in hl.tile([i.size(0), g.size(1)]):
        hl.atomic_add(gw, [i[b], e], g[b, e])
    return gw


@item("Welford's variance over tiles", lambda n: (numbers(n, 11),), lambda x: F.layer_norm(x, [11]), tolerance=1e-4)
def welford(x):
    m, n = x.size()
    out = torch.empty_like(x)
    for tm in hl.tile(m):
        cnt = torch.zeros_like(x[tm, 0], dtype=torch.float32)
        mean = torch.zeros_like(cnt)
        m2 = torch.zeros_like(cnt)
        for tn in hl.tile(n):
            chunk = x[tm, tn]
            msk = (tn.index < n)[None, :].to(torch.float32)
            tc = msk.sum(-1)
            s = chunk.sum(-1)
            mc = s / tc
            d = (chunk - mc[:, None]) * msk
            m2c = (d * d).sum(-1)
            delta = mc - mean
            nc = cnt + tc
            mean = mean + delta * (tc / nc)
            m2 = m2 + m2c + delta * delta * (cnt * tc / nc)
            cnt = nc
        rstd = torch.rsqrt(m2 / cnt + 1e-5)
        for tn in hl.tile(n):
            out[tm, tn] = (x[tm, tn] - mean[:, None]) * rstd[:, None]
    return out


@item(
    "hl.split, hl.join and reshapes",
    lambda n: (numbers(n, 8), numbers(n, 4)),
    lambda x, c: torch.stack([x[:, ::2] * c, x[:, 1::2] + c], -1).flatten(1),
)
def rope(x, c):
    out = torch.empty_like(x)
    for t in hl.tile(x.shape[0]):
        a, b = hl.split(x[t, :].reshape(t, 4, 2))
        out[t, :] = hl.join(a * c[t, :], b + c[t, :]).reshape(t, 8)
    return out


@item("two loads with complementary masks", lambda n: (numbers(n, 6), numbers(n, 5)), lambda x, y: torch.cat([x, y], 1))
def concatenate(x, y):
    assert x.size(0) == y.size(0)
    out = torch.empty([x.size(0), x.size(1) + y.size(1)], dtype=x.dtype, device=x.device)
    for t0, t1 in hl.tile(out.size()):
        xp = hl.load(x, [t0, t1], extra_mask=(t1.index < x.size(1))[None, :])
        yp = hl.load(y, [t0, t1.index - x.size(1)], extra_mask=(t1.index >= x.size(1))[None, :])
        out[t0, t1] = torch.where((t1.index < x.size(1))[None, :], xp, yp)
    return out


@item(
    "softmax of the two largest, with their places",
    lambda n: (numbers(n, 8),),
    lambda x: (torch.topk(x, 2).values.softmax(-1), torch.topk(x + torch.arange(8) * 1e-3, 2).indices),
    tolerance=1e-6,
)
def top_k_gating(x):
    w = x.new_empty([x.size(0), 2])
    idx = torch.empty([x.size(0), 2], dtype=torch.int64, device=x.device)
    for t in hl.tile(x.size(0)):
        v, _ = torch.topk(x[t, :], 2, dim=-1)
        w[t, :] = torch.softmax(v, dim=-1)
        _, i = torch.topk(x[t, :] + torch.arange(8) * 1e-3, k=2)
        idx[t, :] = i
    return w, idx


@item(
    "var_mean, broadcast back",
    lambda n: (numbers(n, 8),),
    lambda x: (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5),
    tolerance=1e-5,
)
def normalize_by_var_mean(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        var, mean = torch.var_mean(x[t, :], dim=-1, keepdim=True, correction=0)
        out[t, :] = (x[t, :] - mean) * torch.rsqrt(var + 1e-5)
    return out


@item(
    "lerp, addcmul, clamp, nan_to_num, norm, std, hypot, normalize",
    lambda n: (numbers(n, 8), numbers(n, 8)),
    lambda x, y: (
        torch.lerp(x, y, 0.3)
        + torch.addcmul(x, x, y, value=2)
        + torch.clamp(x, min=-1)
        + x.clamp(y - 1, y + 1)
        + torch.nan_to_num(x / (y - y))
        + x.norm(dim=1, keepdim=True)
        + x.std(1, keepdim=True)
        + torch.hypot(x, y)
        + F.normalize(x, dim=-1)
    ),
    tolerance=1e-4,
)
def a_chain_of_functions(x, y):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a, b = x[t, :], y[t, :]
        out[t, :] = (
            torch.lerp(a, b, 0.3)
            + torch.addcmul(a, a, b, value=2)
            + torch.clamp(a, min=-1)
            + a.clamp(b - 1, b + 1)
            + torch.nan_to_num(a / (b - b))
            + a.norm(dim=1, keepdim=True)
            + a.std(1, keepdim=True)
            + torch.hypot(a, b)
            + F.normalize(a, dim=-1)
        )
    return out


@item(
    "cumsum, cumprod, logcumsumexp, cummax of one tile",
    lambda n: (numbers(n, 8),),
    lambda x: x.cumsum(1) + x.cumprod(1) + torch.logcumsumexp(x, 1) + x.cummax(1).values,
    tolerance=1e-4,
)
def every_scan(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a = x[t, :]
        out[t, :] = a.cumsum(1) + a.cumprod(-1) + torch.logcumsumexp(a, dim=1) + a.cummax(1).values
    return out


@item(
    "int8 rows with scales",
    lambda n: (numbers(n, 6),),
    lambda x: (
        (x / (x.abs().amax(1, keepdim=True) / 127)).round().clamp(-128, 127).to(torch.int8),
        x.abs().amax(1) / 127,
    ),
)
def quantize_rows(x):
    q = torch.empty(x.shape, dtype=torch.int8)
    s = x.new_empty(x.size(0))
    for t in hl.tile(x.size(0)):
        a = x[t, :].abs().amax(dim=-1) / 127
        q[t, :] = (x[t, :] / a[:, None]).round().clamp(-128, 127).to(torch.int8)
        s[t] = a
    return q, s


@item(
    "shifts of packed bytes, stored with steps",
    lambda n: (torch.randint(-128, 127, (n, 6), dtype=torch.int8),),
    lambda p: torch.stack([(p << 4) >> 4, p >> 4], -1).reshape(p.size(0), 12).float(),
)
def unpack_int4(p):
    out = torch.empty([p.size(0), p.size(1) * 2], dtype=torch.float32)
    for t in hl.tile(p.size(0)):
        v = p[t, :]
        lo = (v << 4) >> 4
        hi = v >> 4
        out[t, 0::2] = lo.float()
        out[t, 1::2] = hi.float()
    return out


@item(
    "softmax in two passes of bfloat16",
    lambda n: (numbers(n, 11).bfloat16(),),
    lambda x: torch.softmax(x.float(), -1).bfloat16(),
    tolerance=1e-2,
)
def online_softmax(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        mi = hl.full([t], float("-inf"), dtype=torch.float32)
        di = hl.zeros([t], dtype=torch.float32)
        for n in hl.tile(x.size(1)):
            v = x[t, n].to(torch.float32) * 1.44269504
            la = torch.amax(v, dim=1)
            mn = torch.maximum(mi, la)
            di = di * torch.exp2(mi - mn) + torch.exp2(v - mn[:, None]).sum(dim=1)
            mi = mn
        for n in hl.tile(x.size(1)):
            v = x[t, n].to(torch.float32) * 1.44269504
            out[t, n] = (torch.exp2(v - mi[:, None]) / di[:, None]).to(x.dtype)
    return out


def comb(a, b):
    v1, i1 = a
    v2, i2 = b
    take = v2 > v1
    return torch.where(take, v2, v1), torch.where(take, i2, i1)


@item(
    "hl.reduce of values and places",
    lambda n: (numbers(n, 8) + torch.arange(8) * 1e-3,),
    lambda x: (x.amax(1), x.argmax(1).int()),
)
def argmax_by_reduce(x):
    v = x.new_empty(x.size(0))
    i = torch.empty([x.size(0)], dtype=torch.int32)
    for t in hl.tile(x.size(0)):
        idx = hl.arange(8)[None, :].expand(t, 8)
        a, b = hl.reduce(comb, (x[t, :], idx), dim=-1, other=(float("-inf"), 0))
        v[t] = a
        i[t] = b
    return v, i


def seg(a, b):
    av, ai = a
    bv, bi = b
    return torch.where(ai == bi, av + bv, bv), bi


@item("hl.associative_scan of pairs", lambda n: (numbers(n, 8),), lambda x: x.cumsum(1), tolerance=1e-6)
def segmented_scan(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        z = torch.zeros_like(x[t, :])
        v, _ = hl.associative_scan(seg, (x[t, :], z), dim=1)
        out[t, :] = v
    return out


@item(
    "attention with registers carried over tiles of keys",
    lambda n: (numbers(2, 16, 16) / 4,) * 3,
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    tolerance=1e-4,
)
def attention(q, k, v):
    m = q.size(-2)
    n = k.size(-2)
    d = hl.specialize(q.size(-1))
    kt = k.transpose(1, 2)
    out = torch.empty_like(q)
    sm = 1.0 / math.sqrt(d) * 1.44269504
    for tb, tm in hl.tile([q.size(0), m]):
        mi = hl.full([tb, tm], float("-inf"), dtype=torch.float32)
        li = torch.full_like(mi, 1.0)
        acc = hl.zeros([tb, tm, d], dtype=torch.float32)
        qq = q[tb, tm, :]
        for tn in hl.tile(n):
            kk = kt[tb, :, tn]
            qk = torch.bmm(qq, kk)
            mij = torch.maximum(mi, torch.amax(qk, -1) * sm)
            qk = qk * sm - mij[:, :, None]
            p = torch.exp2(qk)
            lij = torch.sum(p, -1)
            alpha = torch.exp2(mi - mij)
            li = li * alpha + lij
            acc = acc * alpha[:, :, None]
            vv = v[tb, tn, :]
            acc = torch.baddbmm(acc, p.to(vv.dtype), vv)
            mi = mij
        acc = acc / (li)[:, :, None]
        out[tb, tm, :] = acc.to(out.dtype)
    return out


@item(
    "neighbours by t + 1 and by gathers",
    lambda n: (numbers(n + 1),),
    lambda x: F.pad(x, (1, 1))[:-2] + F.pad(x, (1, 1))[2:],
)
def stencil(x):
    n = x.size(0)
    out = torch.empty_like(x)
    for t in hl.tile(n):
        left = hl.load(x, [t.index - 1], extra_mask=t.index > 0)
        right = hl.load(x, [t + 1], extra_mask=t.index + 1 < n)
        out[t] = left + right
    return out


@item(
    "Euclid's algorithm on a tile: while some lane goes on",
    lambda n: (torch.randint(1, 50, (n,)), torch.randint(1, 50, (n,))),
    torch.gcd,
)
def euclid(a, b):
    out = torch.empty_like(a)
    for t in hl.tile(a.size(0)):
        x, y = a[t], b[t]
        while (y != 0).any():
            rest = x % torch.where(y != 0, y, 1)
            x, y = torch.where(y != 0, y, x), torch.where(y != 0, rest, 0)
        out[t] = x
    return out


@item(
    "states in tuples, lists and dicts, carried by nested loops",
    lambda n: (numbers(n, 11),),
    lambda x: (x.topk(2, 1).values, x.sum(1), x.abs().amax(1)),
)
def states(x):
    n, m = x.size()
    top, total, largest = x.new_empty(n, 2), x.new_empty(n), x.new_empty(n)
    for t in hl.tile(n):
        first_two = (hl.full([t], float("-inf")), hl.full([t], float("-inf")))
        sums = [hl.zeros([t])]
        found = {"most": hl.zeros([t])}
        for j in hl.tile(m):
            sums[0] = sums[0] + x[t, j].sum(1)
            for k in range(j.begin, j.end):
                v = x[t, k]
                found["most"] = torch.maximum(found["most"], v.abs())
                first_two = (
                    torch.maximum(first_two[0], v),
                    torch.maximum(torch.minimum(first_two[0], v), first_two[1]),
                )
        top[t, 0], top[t, 1] = first_two
        total[t], largest[t] = sums[0], found["most"]
    return top, total, largest


def latest(a, flag_a, b, flag_b):
    return torch.where(flag_b, b, a + b), flag_a | flag_b


@item(
    "sums of segments by a scan with flags, the next element's number loaded beyond the tile",
    lambda n: (numbers(n), torch.randint(0, 3, (n,)).sort().values),
    lambda x, i: torch.zeros(3).index_add_(0, i, x),
)
def segments(x, ids):
    n = x.size(0)
    out = torch.zeros(3)
    for t in hl.tile(n):
        own = ids[t]
        before = hl.load(ids, [t.index - 1], extra_mask=t.index > 0)
        sums, _ = hl.associative_scan(latest, (x[t], (own != before) | (t.index == t.begin)), dim=0)
        after = hl.load(ids, [t + 1], extra_mask=t.index + 1 < n)
        last = (t.index == t.end - 1) | (after != own)
        hl.atomic_add(out, [own], torch.where(last, sums, 0.0))
    return out


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong
