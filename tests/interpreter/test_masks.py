"""Implied masks at partial tiles, and that nothing is implied once masks are explicit."""

import math

import pytest
import torch

from helion_ir.interpreter import InterpreterError

SIZES = [1, 7, 8, 9, 13, 16]
BLOCK = 8

REDUCTIONS = {
    "sum": (torch.sum, "f32"),
    "prod": (torch.prod, "f32"),
    "max": (torch.amax, "f32"),
    "min": (torch.amin, "f32"),
    "argmax": (torch.argmax, "i64"),
    "argmin": (torch.argmin, "i64"),
}


def reduce_text(kind, result, ref, x, out, *, axis=1, fill="", attributes=""):
    """Reduces blocks of 8 columns (of rows, if axis is 0) after adding 1, so that inactive lanes hold a 1."""
    m, n = x.shape
    kept = "@bm" if axis == 1 else "@bn"
    full = "!tile.tile<[@bm, @bn], f32>"
    return f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"]{attributes} {{
      tile.parallel "m" (%m = 0 to {m} : !tile.range<@bm>, %n = 0 to {n} : !tile.range<@bn>) {{
        {
        "%mask = tile.mask(%m, %n) partial <1> : (!tile.range<@bm>, !tile.range<@bn>) -> !tile.tile<[@bm, @bn], i1>"
        if attributes
        else ""
    }
        %v = tile.load "x" %x[%m, %n]{" mask %mask" if attributes else ""} : {
        ref(x)
    }[!tile.range<@bm>, !tile.range<@bn>]
           {" mask !tile.tile<[@bm, @bn], i1>" if attributes else ""} -> {full}
        %one = tile.full <1.0> -> {full}
        %w = tile.add %v, %one : {full}
        {fill or "%f = tile.cast %w : " + full + " -> " + full}
        %r = tile.reduce "{kind}" <{axis}> %f : {full} -> !tile.tile<[{kept}], {result}>
        %id = tile.id {"%n : !tile.range<@bn>" if axis == 1 else "%m : !tile.range<@bm>"}  -> !tile.tile<[], i32>
        {"%mask1 = tile.mask(%m) partial <1> : (!tile.range<@bm>) -> !tile.tile<[@bm], i1>" if attributes else ""}
        tile.store "out" %r, %out[%id, {"%m" if axis == 1 else "%n"}]{" mask %mask1" if attributes else ""}
          : !tile.tile<[{kept}], {result}> : {ref(out)}[!tile.tile<[], i32>, !tile.range<{kept}>]
          {" mask !tile.tile<[@bm], i1>" if attributes else ""}
      }}
    }}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_reductions_ignore_inactive_lanes(kind, size, run_kernel, ref):
    function, result = REDUCTIONS[kind]
    x = torch.randn(5, size, dtype=torch.float32) - 3.0
    chunks = [x[:, i : i + BLOCK] + 1 for i in range(0, size, BLOCK)]
    expected = torch.stack([function(c.double(), 1) for c in chunks])
    out = torch.full((len(chunks), 5), 77, dtype=torch.int64 if result == "i64" else torch.float32)
    run_kernel(reduce_text(kind, result, ref, x, out), x, out, assignment={"bm": 4, "bn": BLOCK})
    torch.testing.assert_close(out, expected.to(out.dtype), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_reduction_of_rows(size, run_kernel, ref):
    x = torch.randn(size, 3)
    expected = torch.stack([(x[i : i + BLOCK] + 1).sum(0) for i in range(0, size, BLOCK)])
    out = torch.full_like(expected, 77.0)
    run_kernel(reduce_text("sum", "f32", ref, x, out, axis=0), x, out, assignment={"bm": BLOCK, "bn": 2})
    torch.testing.assert_close(out, expected)


def test_max_and_argmax_take_the_first_nan(run_kernel, ref):
    x = torch.tensor([[1.0, math.nan, math.inf, math.nan, 2.0]])
    out = torch.full((1, 1), 77, dtype=torch.int64)
    run_kernel(reduce_text("argmax", "i64", ref, x, out), x, out, assignment={"bm": 1, "bn": 8})
    assert out.item() == 1
    value = torch.full((1, 1), 77.0)
    run_kernel(reduce_text("max", "f32", ref, x, value), x, value, assignment={"bm": 1, "bn": 8})
    assert value.isnan().item()


def test_explicit_masks_imply_nothing(run_kernel, ref):
    """Without a fill the inactive lanes' 1 is summed, with one it is not."""
    x = torch.full((2, 5), 2.0)
    out = torch.full((1, 2), 77.0)
    full = "!tile.tile<[@bm, @bn], f32>"
    attributes = " attributes {explicit_masks}"
    run_kernel(reduce_text("sum", "f32", ref, x, out, attributes=attributes), x, out, assignment={"bm": 2, "bn": 8})
    assert out.tolist() == [[18.0, 18.0]]
    fill = f"%f = tile.fill %w where %mask with <0.0> : {full}, !tile.tile<[@bm, @bn], i1> -> {full}"
    text = reduce_text("sum", "f32", ref, x, out, attributes=attributes, fill=fill)
    run_kernel(text, x, out, assignment={"bm": 2, "bn": 8})
    assert out.tolist() == [[15.0, 15.0]]


COPY = """
    tile.kernel @k (%x: {ref}, %out: {ref}) names ["x", "out"]{attributes} {{
      tile.parallel "m" (%m = 0 to {n} : !tile.range<4>) {{
        %mask = tile.mask(%m) partial <{partial}> : (!tile.range<4>) -> !tile.tile<[4], i1>
        %v = tile.load "x" %x[%m]{load_mask} : {ref}[!tile.range<4>]{load_type} -> !tile.tile<[4], f32> loc("copy.py":3:7)
        tile.store "out" %v, %out[%m]{store_mask} : !tile.tile<[4], f32> : {ref}[!tile.range<4>]{store_type} loc("copy.py":4:7)
      }}
    }}"""


def copy_text(ref, x, *, load=True, store=True, partial="1"):
    mask, type_ = " mask %mask", " mask !tile.tile<[4], i1>"
    return COPY.format(
        ref=ref(x),
        n=len(x),
        partial=partial,
        attributes=" attributes {explicit_masks}",
        load_mask=mask * load,
        load_type=type_ * load,
        store_mask=mask * store,
        store_type=type_ * store,
    )


@pytest.mark.parametrize("size", [1, 3, 4, 5, 11])
def test_explicit_masks_copy(size, run_kernel, ref):
    x, out = torch.randn(size), torch.full((size,), 77.0)
    run_kernel(copy_text(ref, x), x, out)
    assert torch.equal(out, x)


def test_a_forgotten_mask_of_a_load_is_reported_with_its_position(run_kernel, ref):
    x, out = torch.randn(6), torch.full((6,), 77.0)
    with pytest.raises(InterpreterError, match=r"(?s)out of bounds: index 7 of dimension 0 of 'x'.*copy.py:3:7"):
        run_kernel(copy_text(ref, x, load=False), x, out)


def test_a_forgotten_mask_of_a_store_is_reported(run_kernel, ref):
    x, out = torch.randn(6), torch.full((6,), 77.0)
    with pytest.raises(InterpreterError, match=r"(?s)out of bounds.*tile.store.*copy.py:4:7"):
        run_kernel(copy_text(ref, x, store=False), x, out)


def test_a_mask_that_is_wrongly_said_to_be_full_is_reported(run_kernel, ref):
    x, out = torch.randn(6), torch.full((6,), 77.0)
    with pytest.raises(InterpreterError, match="said to be full"):
        run_kernel(copy_text(ref, x, partial="6 mod 2 ne 0"), x, out)


def test_a_full_tile_needs_no_mask(run_kernel, ref):
    x, out = torch.randn(8), torch.full((8,), 77.0)
    run_kernel(copy_text(ref, x, load=False, store=False), x, out)
    assert torch.equal(out, x)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("kind", "function"), [("sum", torch.cumsum), ("prod", torch.cumprod)])
def test_scans_ignore_inactive_lanes(kind, function, reverse, run_kernel, ref):
    x = torch.randn(5)
    out = torch.full((5,), 77.0)
    t = "!tile.tile<[8], f32>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "m" (%m = 0 to 5 : !tile.range<8>) {{
        %v = tile.load "x" %x[%m] : {ref(x)}[!tile.range<8>] -> {t}
        %c = tile.full <3.0> -> {t}
        %w = tile.add %v, %c : {t}
        %r = tile.scan "{kind}" 0 %w reverse {str(reverse).lower()} : {t} -> {t}
        tile.store "out" %r, %out[%m] : {t} : {ref(out)}[!tile.range<8>]
      }}
    }}"""
    run_kernel(text, x, out)
    source = (x + 3).double()
    expected = function(source.flip(0), 0).flip(0) if reverse else function(source, 0)
    torch.testing.assert_close(out, expected.float())


@pytest.mark.parametrize("descending", [False, True])
def test_sort_puts_inactive_lanes_last(descending, run_kernel, ref):
    x = torch.tensor([[3.0, -1.0, math.nan, 2.0, -7.0]])
    values, positions = torch.full((1, 5), 77.0), torch.full((1, 5), 77)
    t, p = "!tile.tile<[1, 8], f32>", "!tile.tile<[1, 8], i64>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %v: {ref(values)}, %p: {ref(positions)}) names ["x", "v", "p"] {{
      tile.parallel "m" (%m = 0 to 1 : !tile.range<1>, %n = 0 to 5 : !tile.range<8>) {{
        %a = tile.load "x" %x[%m, %n] : {ref(x)}[!tile.range<1>, !tile.range<8>] -> {t}
        %s, %i = tile.sort %a descending {str(descending).lower()} : {t} -> {t}, {p}
        tile.store "v" %s, %v[%m, %n] : {t} : {ref(values)}[!tile.range<1>, !tile.range<8>]
        tile.store "p" %i, %p[%m, %n] : {p} : {ref(positions)}[!tile.range<1>, !tile.range<8>]
      }}
    }}"""
    run_kernel(text, x, values, positions)
    expected = torch.sort(x, descending=descending, stable=True)
    torch.testing.assert_close(values, expected.values, equal_nan=True)
    assert torch.equal(positions, expected.indices)


@pytest.mark.parametrize("reverse", [False, True])
def test_custom_scan_and_reduce(reverse, run_kernel, ref):
    """x -> a * x + b composed along the axis, whose order matters; the reduction takes the larger by absolute value."""
    a, b = torch.rand(5) + 0.5, torch.randn(5)
    outs = torch.full((5,), 77.0), torch.full((5,), 77.0), torch.full((1,), 77.0)
    t, s = "!tile.tile<[8], f32>", "!tile.tile<[], f32>"
    r = f"{ref(a)}[!tile.range<8>]"
    text = f"""
    tile.kernel @k (%a: {ref(a)}, %b: {ref(a)}, %p: {ref(a)}, %q: {ref(a)}, %m: {ref(outs[2])})
        names ["a", "b", "p", "q", "m"] {{
      tile.parallel "i" (%i = 0 to 5 : !tile.range<8>) {{
        %va = tile.load "a" %a[%i] : {r} -> {t}
        %vb = tile.load "b" %b[%i] : {r} -> {t}
        %sa, %sb = tile.custom_scan %va, %vb dim 0 reverse {str(reverse).lower()} {{
          ^bb0(%a0: {s}, %b0: {s}, %a1: {s}, %b1: {s}):
            %c = tile.mul %a0, %a1 : {s}
            %d = tile.mul %b0, %a1 : {s}
            %e = tile.add %d, %b1 : {s}
            tile.yield %c, %e : {s}, {s}
        }} : {t}, {t} -> {t}, {t}
        tile.store "p" %sa, %p[%i] : {t} : {r}
        tile.store "q" %sb, %q[%i] : {t} : {r}
        %big = tile.custom_reduce %vb dim 0 other [#tile.number<0.0>] {{
          ^bb0(%l: {s}, %h: {s}):
            %la = tile.abs %l : {s}
            %ha = tile.abs %h : {s}
            %g = tile.compare "ge" %la, %ha : {s} -> !tile.tile<[], i1>
            %w = tile.where %g, %l, %h : !tile.tile<[], i1>, {s}
            tile.yield %w : {s}
        }} : {t} -> {s}
        %z = tile.full <0> -> !tile.tile<[], i32>
        tile.store "m" %big, %m[%z] : {s} : {ref(outs[2])}[!tile.tile<[], i32>]
      }}
    }}"""
    run_kernel(text, a, b, *outs)
    order = range(4, -1, -1) if reverse else range(5)
    pa, pb = 1.0, 0.0
    for i in order:
        pa, pb = pa * a[i].item(), pb * a[i].item() + b[i].item()
        assert math.isclose(outs[0][i].item(), pa, rel_tol=1e-5)
        assert math.isclose(outs[1][i].item(), pb, rel_tol=1e-5, abs_tol=1e-6)
    assert outs[2].item() == b[b.abs().argmax()].item()
