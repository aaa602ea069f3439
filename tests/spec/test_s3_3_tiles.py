"""Section 3.3: tile objects."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.3 Tile objects")
item, refuses = SECTION.item, SECTION.refuses


def vector(n: int) -> tuple[torch.Tensor]:
    return (numbers(n),)


def tile_numbers(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    i = torch.arange(x.size(0), dtype=torch.int32)
    block = 1 if x.size(0) == 1 else 4  # of one index the block is 1
    begin = i // 4 * 4
    end = torch.clamp(begin + 4, max=x.size(0))
    return i, begin, end, i // 4, torch.full_like(i, block), torch.full_like(i, -(-x.size(0) // 4))


@item("t.index, t.begin, t.end, t.id, t.block_size, t.count", vector, tile_numbers, sizes=(0, 3, 4, 5, 11))
def attributes(x):
    outs = [torch.empty([x.size(0)], dtype=torch.int32) for _ in range(6)]
    a, b, c, d, e, f = outs
    for t in hl.tile(x.size(0)):
        a[t] = t.index
        b[t] = t.begin
        c[t] = t.end
        d[t] = t.id
        e[t] = t.block_size
        f[t] = t.count
    return a, b, c, d, e, f


@item(
    "hl.tile_index, hl.tile_begin, hl.tile_end, hl.tile_id, hl.tile_block_size",
    vector,
    lambda x: tile_numbers(x)[:5],
    sizes=(0, 3, 4, 5, 11),
)
def functions(x):
    a, b, c, d, e = [torch.empty([x.size(0)], dtype=torch.int32) for _ in range(5)]
    for t in hl.tile(x.size(0)):
        a[t] = hl.tile_index(t)
        b[t] = hl.tile_begin(t)
        c[t] = hl.tile_end(t)
        d[t] = hl.tile_id(t)
        e[t] = hl.tile_block_size(t)
    return a, b, c, d, e


@item(
    "t.id is absolute and t.count relative where a loop begins elsewhere",
    vector,
    lambda x: (
        tile_numbers(x)[3].index_fill(0, torch.arange(min(4, x.size(0))), -1),
        torch.full_like(tile_numbers(x)[3], -(-(x.size(0) - 4) // 4)).index_fill(
            0, torch.arange(min(4, x.size(0))), -1
        ),
    ),
    sizes=(4, 8, 9, 11),
)
def begins_elsewhere(x):
    a, b = [torch.full([x.size(0)], -1, dtype=torch.int32) for _ in range(2)]
    for t in hl.tile(4, x.size(0)):
        a[t] = t.id
        b[t] = t.count
    return a, b


@item(
    "t + k: an index, in arithmetic and in subscripts",
    lambda n: (numbers(n + 3), 2),
    lambda x, k: (x[2:-1] + x[1:-2] + x[3:], torch.arange(3, x.size(0), dtype=torch.int32)),
)
def shifted(x, k):
    n = x.size(0) - 3
    out, index = torch.empty([n]), torch.empty([n], dtype=torch.int32)
    for t in hl.tile(n):
        out[t] = x[t + k] + x[t + 1] + x[t.index + 3]
        index[t] = t + 3
    return out, index


@item(
    "dtypes: index + 1 keeps the index dtype, index * 1.0 is float32, a float16 tensor + t.begin float16",
    vector,
    lambda x: (torch.arange(x.size(0)) * 1.5, (torch.arange(x.size(0)) // 4 * 4).half() + x.half()),
)
def index_dtypes(x):
    a, b = torch.empty([x.size(0)]), torch.empty([x.size(0)], dtype=torch.float16)
    for t in hl.tile(x.size(0)):
        assert_dtype = (t.index + 1).dtype == torch.int32
        v = x[t].to(torch.float16) + t.begin
        a[t] = t.index * 1.5 if assert_dtype else 0.0
        b[t] = v if v.dtype == torch.float16 else 0.0
    return a, b


@item(
    "block sizes in shapes, arithmetic and conditions; isinstance(t, hl.Tile)",
    lambda n: (numbers(n, 4),),
    lambda x: (x * 4, x + 1),
    sizes=(0, 3, 4, 5, 11),
)
def blocks(x):
    a, b = torch.empty_like(x), torch.empty_like(x)
    for t, s in hl.tile(x.size(), block_size=[None, 4]):
        bs = t.block_size
        k = bs * 2 - bs if isinstance(t, hl.Tile) else 0
        if bs > 2 and bs % 2 == 0:
            a[t, s] = x[t, s] * k
        else:
            a[t, s] = x[t, s] * 77
        ones = torch.ones([t, s]) + hl.zeros([bs, 4])
        b[t, s] = x[t, s].reshape(t, 2, 2).reshape(bs, s) + ones
    return a, b


@refuses(
    "k + t", exc.IncorrectTileUsage, "only `tile + k` is defined on a tile; use tile.index to compute with its indices"
)
def added(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = 1 + t  # here


@refuses(
    "t - k", exc.IncorrectTileUsage, "only `tile + k` is defined on a tile; use tile.index to compute with its indices"
)
def subtracted(x):
    for t in hl.tile(x.size(0)):
        x[t - 1, :] = 1  # here


@refuses(
    "t // k", exc.IncorrectTileUsage, "only `tile + k` is defined on a tile; use tile.index to compute with its indices"
)
def divided(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, t // 2]  # here


@refuses(
    "t < k", exc.IncorrectTileUsage, "only `tile + k` is defined on a tile; use tile.index to compute with its indices"
)
def compared(x):
    for t in hl.tile(x.size(0)):
        if t < 2:  # here
            x[t, :] = 1


@refuses(
    "a tile in a function of torch",
    exc.IncorrectTileUsage,
    "tile t cannot be passed to sin; use tile.index for its indices",
)
def passed(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.sin(t)  # here


@refuses("hl.zeros(t) without a list", exc.TypeInferenceError, "a shape is a list, such as [tile, 4]")
def bare_shape(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = hl.zeros(t)  # here


@refuses(
    "a tuple of tiles inside of a subscript",
    exc.OverpackedTile,
    "a tuple of tiles stands inside the subscript of 'x'; unpack it, as in x[*tiles, i]",
    args=(torch.ones(5, 5, 5),),
)
def overpacked(x):
    for ts in hl.tile([5, 5]):
        x[ts, 0] = 1  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
