"""Subscripts, atomics, views and random numbers of the tile dialect."""

import pytest
import torch

from helion_ir.interpreter import InterpreterError

I = "!tile.tile<[], i32>"


def test_index_tiles_form_an_outer_product(run_kernel, ref):
    x = torch.randn(10, 12)
    rows, cols = torch.tensor([9, 0, 3, 3, 7]), torch.tensor([11, 2, 5], dtype=torch.int32)
    out = torch.full((5, 3), 77.0)
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %r: {ref(rows)}, %c: {ref(cols)}, %out: {ref(out)}) names ["x", "r", "c", "out"] {{
      tile.parallel "ij" (%i = 0 to 5 : !tile.range<@bi>, %j = 0 to 3 : !tile.range<@bj>) {{
        %a = tile.load "r" %r[%i] : {ref(rows)}[!tile.range<@bi>] -> !tile.tile<[@bi], i64>
        %b = tile.load "c" %c[%j] : {ref(cols)}[!tile.range<@bj>] -> !tile.tile<[@bj], i32>
        %v = tile.load "x" %x[%a, %b] : {ref(x)}[!tile.tile<[@bi], i64>, !tile.tile<[@bj], i32>] -> !tile.tile<[@bi, @bj], f32>
        tile.store "out" %v, %out[%i, %j] : !tile.tile<[@bi, @bj], f32> : {ref(out)}[!tile.range<@bi>, !tile.range<@bj>]
      }}
    }}"""
    for bi, bj in ((8, 4), (2, 2), (1, 1)):
        out.fill_(77.0)
        run_kernel(text, x, rows, cols, out, assignment={"bi": bi, "bj": bj})
        assert torch.equal(out, x[rows][:, cols])


POINTWISE = """
    tile.kernel @k (%x: {x}, %r: {r}, %c: {c}, %out: {out}) names ["x", "r", "c", "out"] {{
      tile.parallel "i" (%i = 0 to 5 : !tile.range<8>) {{
        %a = tile.load "r" %r[%i] : {r}[!tile.range<8>] -> !tile.tile<[8], i64>
        %b = tile.load "c" %c[%i] : {c}[!tile.range<8>] -> !tile.tile<[8], i64>
        %a2 = tile.reshape %a : !tile.tile<[8], i64> -> !tile.tile<[8, 1], i64>
        %b2 = tile.reshape %b : !tile.tile<[8], i64> -> !tile.tile<[8, 1], i64>
        %n = tile.axis "n" 0 to 3 : !tile.range<3>
        {body}
      }}
    }}"""
SUBSCRIPTS = "[!tile.tile<[8, 1], i64>, !tile.range<3>, !tile.tile<[8, 1], i64>]"


def test_index_tiles_of_rank_two_broadcast_together(run_kernel, ref):
    x = torch.randn(6, 3, 7)
    r, c = torch.tensor([5, 0, 3, 3, 1]), torch.tensor([6, 2, 5, 0, 0])
    out = torch.full((5, 1, 3), 77.0)
    t = "!tile.tile<[8, 1, 3], f32>"
    body = f"""
        %v = tile.load "x" %x[%a2, %n, %b2] : {ref(x)}{SUBSCRIPTS} -> {t}
        %o = tile.axis "o" 0 to 1 : !tile.range<1>
        tile.store "out" %v, %out[%i, %o, %n] : {t} : {ref(out)}[!tile.range<8>, !tile.range<1>, !tile.range<3>]"""
    run_kernel(POINTWISE.format(x=ref(x), r=ref(r), c=ref(c), out=ref(out), body=body), x, r, c, out)
    assert torch.equal(out[:, 0], x[r, :, c])


def test_scatter_writes_active_lanes_only(run_kernel, ref):
    x = torch.full((6, 3, 7), 77.0)
    r, c = torch.tensor([5, 0, 3, 2, 1]), torch.tensor([6, 2, 5, 0, 0])
    body = f"""
        %v = tile.full <4.0> -> !tile.tile<[8, 1, 3], f32>
        tile.store "x" %v, %x[%a2, %n, %b2] : !tile.tile<[8, 1, 3], f32> : {ref(x)}{SUBSCRIPTS}"""
    out = torch.zeros(1)
    run_kernel(POINTWISE.format(x=ref(x), r=ref(r), c=ref(c), out=ref(out), body=body), x, r, c, out)
    expected = torch.full((6, 3, 7), 77.0)
    expected[r, :, c] = 4.0
    assert torch.equal(x, expected)


def test_an_index_outside_of_the_tensor_is_reported(run_kernel, ref):
    x = torch.randn(6, 3, 7)
    r, c = torch.tensor([5, 0, 6, 3, 1]), torch.tensor([6, 2, 5, 0, 0])
    out = torch.full((5, 1, 3), 77.0)
    body = f'%v = tile.load "x" %x[%a2, %n, %b2] : {ref(x)}{SUBSCRIPTS} -> !tile.tile<[8, 1, 3], f32>'
    with pytest.raises(InterpreterError, match="index 6 of dimension 0 of 'x', whose extent is 6"):
        run_kernel(POINTWISE.format(x=ref(x), r=ref(r), c=ref(c), out=ref(out), body=body), x, r, c, out)


def test_an_extra_mask_and_a_shifted_range(run_kernel, ref):
    """Lane 0 would read x[-1]; the mask excludes it."""
    x, out = torch.randn(11), torch.full((11,), 77.0)
    t = "!tile.tile<[4], f32>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "i" (%i = 0 to 11 : !tile.range<4>) {{
        %m1 = tile.full <-1> -> {I}
        %s = tile.shift %i by %m1 : !tile.range<4>, {I} -> !tile.range<4>
        %n = tile.index %s : !tile.range<4> -> !tile.tile<[4], i32>
        %z = tile.full <0> -> !tile.tile<[4], i32>
        %ok = tile.compare "ge" %n, %z : !tile.tile<[4], i32> -> !tile.tile<[4], i1>
        %v = tile.load "x" %x[%s] mask %ok : {ref(x)}[!tile.range<4>] mask !tile.tile<[4], i1> -> {t}
        tile.store "out" %v, %out[%i] : {t} : {ref(out)}[!tile.range<4>]
      }}
    }}"""
    run_kernel(text, x, out)
    assert torch.equal(out, torch.cat([torch.zeros(1), x[:-1]]))


def test_what_a_range_says_of_itself(run_kernel, ref):
    out = torch.full((3, 3), 77, dtype=torch.int32)
    r = f"{ref(out)}[{I}, {I}]"
    stores = "\n".join(
        f"""%c{i} = index.apply <{i}>() : () -> {I}
            %v{i} = tile.{what} %i : !tile.range<4> -> {I}
            %w{i} = tile.cast %v{i} : {I} -> {I}
            tile.store "out" %w{i}, %out[%p, %c{i}] : {I} : {r}"""
        for i, what in enumerate(("begin", "end", "id"))
    )
    text = f"""
    tile.kernel @k (%out: {ref(out)}) names ["out"] {{
      tile.parallel "i" (%i = 4 to 14 : !tile.range<4>) {{
        %b = tile.begin %i : !tile.range<4> -> {I}
        %p = index.apply <(d0 - 4) floordiv 4>(%b) : ({I}) -> {I}
        {stores}
      }}
    }}"""
    run_kernel(text, out)
    assert out.tolist() == [[4, 8, 1], [8, 12, 2], [12, 14, 3]]


@pytest.mark.parametrize(
    ("kind", "expected"), [("add", 33), ("max", 6), ("min", -3), ("or", 7), ("xor", 3), ("and", 0), ("xchg", 6)]
)
def test_atomics_of_lanes_that_meet(kind, expected, run_kernel, ref):
    """Six lanes, values 1 to 6, update one element; inactive lanes have no effect."""
    start = {"min": -3, "add": 12}.get(kind, 4 if kind == "xor" else 0)
    x = torch.tensor([9, start], dtype=torch.int32)
    t = "!tile.tile<[8], i32>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}) names ["x"] {{
      tile.parallel "i" (%i = 1 to 7 : !tile.range<8>) {{
        %v = tile.index %i : !tile.range<8> -> {t}
        %one = tile.full <1> -> {t}
        tile.atomic "x" {kind} relaxed (%v), %x[%one] : ({t}) : {ref(x)}[{t}]
      }}
    }}"""
    run_kernel(text, x)
    assert x.tolist() == [9, expected]


def test_atomic_results_are_the_previous_contents(run_kernel, ref):
    x, out = torch.tensor([5, 50], dtype=torch.int32), torch.full((4,), 77, dtype=torch.int32)
    t = "!tile.tile<[4], i32>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "i" (%i = 0 to 4 : !tile.range<4>) {{
        %n = tile.index %i : !tile.range<4> -> {t}
        %two = tile.full <2> -> {t}
        %at = tile.div %n, %two : {t}
        %old = tile.atomic "x" add relaxed (%two), %x[%at] : ({t}) : {ref(x)}[{t}] -> {t}
        tile.store "out" %old, %out[%i] : {t} : {ref(out)}[!tile.range<4>]
        %five = tile.full <54> -> {t}
        tile.atomic "x.1" cas relaxed (%five, %n), %x[%at] : ({t}, {t}) : {ref(x)}[{t}]
      }}
    }}"""
    run_kernel(text, x, out)
    assert out.tolist() == [5, 7, 50, 52]
    assert x.tolist() == [9, 2]


def test_views(run_kernel, ref):
    """cat, slice, flip, permute, reshape, broadcast and iota in one expression."""
    x, out = torch.randn(4, 6), torch.full((6, 8), 77.0)
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      %m = tile.axis "m" 0 to 4 : !tile.range<4>
      %n = tile.axis "n" 0 to 6 : !tile.range<6>
      %p = tile.axis "p" 0 to 8 : !tile.range<8>
      %v = tile.load "x" %x[%m, %n] : {ref(x)}[!tile.range<4>, !tile.range<6>] -> !tile.tile<[4, 6], f32>
      %a = tile.slice %v dim 1 : i64 from <1> step <2> : !tile.tile<[4, 6], f32> -> !tile.tile<[4, 3], f32>
      %b = tile.flip <0> %a : !tile.tile<[4, 3], f32> -> !tile.tile<[4, 3], f32>
      %c = tile.cat %a, %b dim 1 : i64 : !tile.tile<[4, 3], f32>, !tile.tile<[4, 3], f32> -> !tile.tile<[4, 6], f32>
      %d = tile.permute <1, 0> %c : !tile.tile<[4, 6], f32> -> !tile.tile<[6, 4], f32>
      %e = tile.reshape %d : !tile.tile<[6, 4], f32> -> !tile.tile<[6, 4, 1], f32>
      %f = tile.broadcast %e : !tile.tile<[6, 4, 1], f32> -> !tile.tile<[6, 4, 2], f32>
      %g = tile.reshape %f : !tile.tile<[6, 4, 2], f32> -> !tile.tile<[6, 8], f32>
      %i = tile.iota <3> step <2> : !tile.tile<[8], f32>
      %j = tile.broadcast %i : !tile.tile<[8], f32> -> !tile.tile<[6, 8], f32>
      %r = tile.add %g, %j : !tile.tile<[6, 8], f32>
      tile.store "out" %r, %out[%n, %p] : !tile.tile<[6, 8], f32> : {ref(out)}[!tile.range<6>, !tile.range<8>]
    }}"""
    run_kernel(text, x, out)
    a = x[:, 1::2]
    g = torch.cat([a, a.flip(0)], 1).t()[:, :, None].expand(6, 4, 2).reshape(6, 8)
    torch.testing.assert_close(out, g + torch.arange(3.0, 19.0, 2.0), rtol=0, atol=0)


def test_gather(run_kernel, ref):
    x, index = torch.randn(3, 5), torch.tensor([[4, 0], [1, 1], [2, 3]])
    out = torch.full((3, 2), 77.0)
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %i: {ref(index)}, %out: {ref(out)}) names ["x", "i", "out"] {{
      tile.parallel "m" (%m = 0 to 3 : !tile.range<4>) {{
        %n = tile.axis "n" 0 to 5 : !tile.range<5>
        %p = tile.axis "p" 0 to 2 : !tile.range<2>
        %v = tile.load "x" %x[%m, %n] : {ref(x)}[!tile.range<4>, !tile.range<5>] -> !tile.tile<[4, 5], f32>
        %w = tile.load "i" %i[%m, %p] : {ref(index)}[!tile.range<4>, !tile.range<2>] -> !tile.tile<[4, 2], i64>
        %r = tile.gather %v[%w] dim 1 : i64 : !tile.tile<[4, 5], f32>, !tile.tile<[4, 2], i64> -> !tile.tile<[4, 2], f32>
        tile.store "out" %r, %out[%m, %p] : !tile.tile<[4, 2], f32> : {ref(out)}[!tile.range<4>, !tile.range<2>]
      }}
    }}"""
    run_kernel(text, x, index, out)
    assert torch.equal(out, x.gather(1, index))
    with pytest.raises(InterpreterError, match="outside of the 5 elements"):
        run_kernel(text, x, index + 1, out)


def test_random_numbers_are_philox(run_kernel, ref):
    """The values of the reference for seed 42, bit for bit through the f32 scale."""
    out = torch.full((8,), 77.0)
    text = f"""
    tile.kernel @k (%seed: !tile.tile<[], i64>, %out: {ref(out)}) names ["seed", "out"] {{
      tile.parallel "i" (%i = 0 to 8 : !tile.range<4>) {{
        %o = tile.index %i : !tile.range<4> -> !tile.tile<[4], i64>
        %r = tile.random %seed, %o : !tile.tile<[], i64>, !tile.tile<[4], i64> -> !tile.tile<[4], f32>
        tile.store "out" %r, %out[%i] : !tile.tile<[4], f32> : {ref(out)}[!tile.range<4>]
      }}
    }}"""
    run_kernel(text, 42, out)
    expected = torch.tensor([0.7741, 0.0246, 0.3483, 0.5408, 0.6528, 0.6297, 0.4510, 0.7167])
    torch.testing.assert_close(out, expected, rtol=0, atol=5e-5)


def test_strided_and_offset_tensors(run_kernel, ref):
    """Tensors that share a storage with others: nothing outside of the view is touched."""
    base = torch.arange(60.0).reshape(6, 10)
    x, out = base[1:5, 2:9:2], torch.full((4, 12), 77.0)[:, 3:11:2]
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "mn" (%m = 0 to 4 : !tile.range<3>, %n = 0 to 4 : !tile.range<2>) {{
        %v = tile.load "x" %x[%m, %n] : {ref(x)}[!tile.range<3>, !tile.range<2>] -> !tile.tile<[3, 2], f32>
        tile.store "out" %v, %out[%m, %n] : !tile.tile<[3, 2], f32> : {ref(out)}[!tile.range<3>, !tile.range<2>]
      }}
    }}"""
    run_kernel(text, x, out)
    assert torch.equal(out, x)
    assert out._base is not None and (out._base == 77.0).sum() == 4 * 8
