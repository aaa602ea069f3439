"""Kernels whose tensors are inconvenient: views that overlap, strides of 0 and of nothing in particular, no elements."""

from __future__ import annotations

import torch

import helion_ir as helion
import helion_ir.language as hl


@helion.kernel()
def store_then_load(x: torch.Tensor) -> torch.Tensor:
    """What is stored is read again, and once more after another tensor was written."""
    out = torch.empty_like(x)
    other = torch.empty_like(x)
    for m in hl.tile(x.size(0)):
        out[m] = x[m] * 2.0
        other[m] = out[m] + 1.0
        out[m] = out[m] + other[m]
    return out


@helion.kernel()
def through_a_view(x: torch.Tensor) -> torch.Tensor:
    """Two tensors of the host are one memory: a store through one changes what the other holds."""
    out = torch.empty_like(x)
    flat = out.view(-1)
    for m in hl.tile(x.size(0)):
        out[m] = x[m]
        flat[m] = x[m] * 3.0
        out[m] = out[m] + 1.0
    return out


@helion.kernel()
def arguments_overlap(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Of arguments nobody knows whether they are one: x is read before and after y is written."""
    for m in hl.tile(x.size(0)):
        before = x[m]
        y[m] = before + 1.0
        out[m] = before * 100.0 + x[m]
    return out


@helion.kernel()
def written_in_a_loop(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A loop reads what it writes itself, an element that every iteration changes."""
    out = torch.zeros_like(x)
    for m in hl.tile(x.size(0)):
        for k in hl.tile(y.size(0)):
            out[m] = out[m] + y[k].sum()
    return out


@helion.kernel()
def invariant_and_not(x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """x does not change in the loop, w does if it is x, which a call decides."""
    out = torch.empty_like(x)
    for m in hl.tile(x.size(0)):
        total = hl.zeros([m], dtype=torch.float32)
        for k in hl.tile(y.size(0), block_size=4):
            total = total + x[m] * y[k].sum()
            w[m] = x[m] + 1.0
        out[m] = total
    return out


@helion.kernel()
def added_then_read(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Each lane reads an element that other lanes add to, and then overwrites what they read."""
    out = torch.zeros_like(x)
    read = torch.empty_like(x)
    for m in hl.tile(x.size(0), block_size=x.size(0)):
        i = index[m]
        hl.atomic_add(out, [i], x[m])
        read[m] = hl.load(out, [i])
        hl.store(out, [m], x[m])
    return read


@helion.kernel()
def stored_then_added(x: torch.Tensor) -> torch.Tensor:
    """Rows are set, and columns, other lanes' elements, added to them."""
    out = torch.empty_like(x)
    for m, n in hl.tile(x.size(), block_size=[x.size(0), x.size(1)]):
        out[m, n] = x[m, n]
        for k in hl.tile(x.size(1)):
            hl.atomic_add(out, [k, m], x[m, k].t())
    return out


@helion.kernel()
def taken_in_turn(x: torch.Tensor) -> torch.Tensor:
    """A loop reads what its iterations before have added up, where the next adds."""
    out = torch.empty_like(x)
    total = torch.zeros([x.size(1)], dtype=x.dtype, device=x.device)
    for n in hl.tile(x.size(1), block_size=x.size(1)):
        for m in hl.tile(x.size(0), block_size=1):
            hl.atomic_add(total, [n], x[m.begin, n])
            out[m.begin, n] = total[x.size(1) - 1 - n.index]
    return out


@helion.kernel()
def handed_over(x: torch.Tensor) -> torch.Tensor:
    """Every program stores its part and counts itself; the last one reads what all have stored."""
    parts = torch.empty_like(x)
    count = torch.zeros([1], dtype=torch.int32, device=x.device)
    out = torch.zeros_like(x)
    programs = x.size(0)
    for m in hl.tile(x.size(0), block_size=1):
        parts[m, :] = x[m, :] * 2.0
        before = hl.atomic_add(count, [0], 1, sem="acq_rel")
        if before == programs - 1:
            for k in hl.tile(programs):
                out[k, :] = parts[k, :] + 1.0
    return out


@helion.kernel()
def scattered(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Indices repeat: what a lane stored is not what it loads."""
    out = torch.zeros_like(x)
    read = torch.empty_like(x)
    for m in hl.tile(x.size(0), block_size=x.size(0)):
        i = index[m]
        hl.store(out, [i], x[m] * 0.0 + 5.0)
        read[m] = hl.load(out, [i]) + x[m]
    return read


@helion.kernel()
def masked(x: torch.Tensor, least: int) -> torch.Tensor:
    """Lanes of a masked load are 0 even where a value was stored before."""
    out = torch.empty_like(x)
    kept = torch.empty_like(x)
    for m in hl.tile(x.size(0)):
        out[m] = x[m] + 1.0
        kept[m] = hl.load(out, [m], extra_mask=m.index >= least)
    return kept


@helion.kernel()
def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Any strides of two dimensions."""
    out = torch.empty(x.size(), dtype=x.dtype, device=x.device)
    for m, n in hl.tile(x.size()):
        out[m, n] = x[m, n] + y[m, n]
    return out


@helion.kernel()
def row_sums(x: torch.Tensor) -> torch.Tensor:
    """A reduction, also of nothing."""
    out = torch.empty([x.size(0)], dtype=x.dtype, device=x.device)
    for m in hl.tile(x.size(0)):
        out[m] = x[m, :].sum(-1)
    return out


@helion.kernel()
def faded_sums(x: torch.Tensor) -> torch.Tensor:
    """A loop carries on less than it had and what it loads, summed over the last dimension."""
    out = torch.empty([x.size(0)], dtype=x.dtype, device=x.device)
    for m in hl.tile(x.size(0)):
        total = hl.zeros([m], dtype=torch.float32)
        for k in hl.tile(x.size(1), block_size=32):
            total = total * 0.5 + x[m, k].sum(1)
        out[m] = total
    return out


@helion.kernel()
def largest_sums(x: torch.Tensor) -> torch.Tensor:
    """A loop keeps the largest of the sums of what it loads."""
    out = torch.empty([x.size(0)], dtype=x.dtype, device=x.device)
    for m in hl.tile(x.size(0)):
        largest = hl.full([m], 1.0, dtype=torch.float32)
        for k in hl.tile(x.size(1), block_size=32):
            largest = torch.maximum(largest, x[m, k].sum(1))
        out[m] = largest
    return out


@helion.kernel()
def matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Products of operands of any layout."""
    out = torch.empty([x.size(0), y.size(1)], dtype=torch.float32, device=x.device)
    for m, n in hl.tile(out.size()):
        total = hl.zeros([m, n], dtype=torch.float32)
        for k in hl.tile(x.size(1)):
            total = torch.addmm(total, x[m, k], y[k, n])
        out[m, n] = total
    return out


@helion.kernel()
def write_slice(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """An output that is a part of a larger tensor."""
    for m, n in hl.tile(x.size()):
        out[m, n] = x[m, n] * 2.0
    return out


@helion.kernel()
def shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    """Subscripts that are negative, in lanes that are masked."""
    out = torch.empty_like(x)
    for m in hl.tile(x.size(0)):
        out[m] = x[m] + hl.load(x, [m.index - by], extra_mask=m.index >= by)
    return out


@helion.kernel()
def reversed_rows(x: torch.Tensor) -> torch.Tensor:
    """Subscripts that fall while the lanes rise."""
    out = torch.empty_like(x)
    for m, n in hl.tile(x.size()):
        out[m, n] = x[x.size(0) - 1 - m.index, n]
    return out


@helion.kernel()
def plus_one(x: torch.Tensor) -> torch.Tensor:
    """Elements one after the other, counted by one number."""
    out = torch.empty_like(x)
    for i in hl.tile(x.size(0)):
        out[i] = x[i] + 1
    return out


@helion.kernel()
def add_row(x: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    """A large tensor and a small one in one loop."""
    out = torch.empty_like(x)
    for m, n in hl.tile(x.size()):
        out[m, n] = x[m, n] + row[n]
    return out


@helion.kernel()
def weighted_sums(x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """A reduction of rows, in float32."""
    out = torch.empty([x.size(0)], dtype=torch.float32, device=x.device)
    for m in hl.tile(x.size(0)):
        out[m] = (x[m, :].to(torch.float32) * weights[:].to(torch.float32)).sum(-1)
    return out


@helion.kernel()
def gather(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Elements by where they are."""
    out = torch.empty([index.size(0)], dtype=x.dtype, device=x.device)
    for i in hl.tile(index.size(0)):
        out[i] = hl.load(x, [index[i]])
    return out


@helion.kernel()
def scatter(x: torch.Tensor, index: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Elements to where they go."""
    for i in hl.tile(index.size(0)):
        hl.store(out, [index[i]], x[i])
    return out


@helion.kernel()
def scatter_add(x: torch.Tensor, index: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Elements added to where they go."""
    for i in hl.tile(index.size(0)):
        hl.atomic_add(out, [index[i]], x[i])
    return out


@helion.kernel()
def rows_of(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows of a table by their numbers."""
    out = torch.empty([index.size(0), table.size(1)], dtype=table.dtype, device=table.device)
    for i, n in hl.tile(out.size()):
        out[i, n] = table[index[i], n]
    return out
