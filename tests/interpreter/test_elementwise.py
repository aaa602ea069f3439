"""Elementwise ops against PyTorch in double precision, special values included."""

import math

import pytest
import torch

from helion_ir.dialects.tile import elementwise as ops
from helion_ir.interpreter.elementwise import BINARY, UNARY

FLOATS = [0.5, -0.5, 1.0, -1.0, 2.75, -3.25, 1e-6, 30.0, -0.0, math.inf, -math.inf, math.nan]
INTEGERS_ONLY = {ops.BitwiseNotOp, ops.BitwiseAndOp, ops.BitwiseOrOp, ops.BitwiseXorOp, ops.GcdOp, ops.ShiftLeftOp,
                 ops.ShiftRightOp}  # fmt: skip


def unary_text(name, ref, x, out, t):
    return f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "i" (%i = 0 to {len(x)} : !tile.range<8>) {{
        %v = tile.load "x" %x[%i] : {ref(x)}[!tile.range<8>] -> !tile.tile<[8], {t}>
        %r = {name} %v : !tile.tile<[8], {t}>
        tile.store "out" %r, %out[%i] : !tile.tile<[8], {t}> : {ref(out)}[!tile.range<8>]
      }}
    }}"""


def binary_text(name, ref, x, y, out, t):
    return f"""
    tile.kernel @k (%x: {ref(x)}, %y: {ref(y)}, %out: {ref(out)}) names ["x", "y", "out"] {{
      tile.parallel "i" (%i = 0 to {len(x)} : !tile.range<8>) {{
        %a = tile.load "x" %x[%i] : {ref(x)}[!tile.range<8>] -> !tile.tile<[8], {t}>
        %b = tile.load "y" %y[%i] : {ref(y)}[!tile.range<8>] -> !tile.tile<[8], {t}>
        %r = {name} %a, %b : !tile.tile<[8], {t}>
        tile.store "out" %r, %out[%i] : !tile.tile<[8], {t}> : {ref(out)}[!tile.range<8>]
      }}
    }}"""


def of_torch(op):
    name = op.name.removeprefix("tile.")
    return torch.special.i1 if name == "i1" else getattr(torch, name)


@pytest.mark.parametrize("op", [o for o in UNARY if o not in INTEGERS_ONLY and o is not ops.SignbitOp])
def test_unary_of_floats(op, run_kernel, ref):
    x = torch.tensor(FLOATS)
    out = torch.full_like(x, 123.0)
    run_kernel(unary_text(op.name, ref, x, out, "f32"), x, out)
    torch.testing.assert_close(out, of_torch(op)(x.double()).float(), equal_nan=True, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("op", [o for o in BINARY if o not in INTEGERS_ONLY and o is not ops.NextafterOp])
def test_binary_of_floats(op, run_kernel, ref):
    pairs = torch.tensor([(a, b) for a in FLOATS for b in FLOATS])
    x, y = pairs[:, 0].contiguous(), pairs[:, 1].contiguous()
    out = torch.full_like(x, 123.0)
    run_kernel(binary_text(op.name, ref, x, y, out, "f32"), x, y, out)
    torch.testing.assert_close(out, of_torch(op)(x.double(), y.double()).float(), equal_nan=True, rtol=3e-6, atol=0)


def test_nextafter_steps_by_one_bit(run_kernel, ref):
    x, y = torch.tensor([1.0, 1.0, -2.0]), torch.tensor([2.0, 0.0, 0.0])
    out = torch.full_like(x, 123.0)
    run_kernel(binary_text("tile.nextafter", ref, x, y, out, "f32"), x, y, out)
    assert (out.view(torch.int32) - x.view(torch.int32)).tolist() == [1, -1, -1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tile.div", [3, -3, -3, 3, 0, 2]),
        ("tile.fmod", [1, -1, 1, -1, 3, 0]),
        ("tile.remainder", [1, 1, -1, -1, 3, 0]),
        ("tile.gcd", [1, 1, 1, 1, 1, 4]),
        ("tile.pow", [49, 49, 0, 0, 81, 4096]),
        ("tile.bitwise_and", [2, 0, 6, -8, 0, 0]),
        ("tile.maximum", [7, 2, 7, -2, 4, 8]),
    ],
)
def test_binary_of_integers(name, expected, run_kernel, ref):
    x = torch.tensor([7, -7, 7, -7, 3, 8], dtype=torch.int32)
    y = torch.tensor([2, 2, -2, -2, 4, 4], dtype=torch.int32)
    out = torch.full_like(x, 123)
    run_kernel(binary_text(name, ref, x, y, out, "i32"), x, y, out)
    assert out.tolist() == expected


def test_division_survives_zero_and_the_least_integer(run_kernel, ref):
    least = torch.iinfo(torch.int32).min
    x, y = (torch.tensor(v, dtype=torch.int32) for v in ([least, 5, 9], [-1, 0, 3]))
    out = torch.full_like(x, 123)
    run_kernel(binary_text("tile.div", ref, x, y, out, "i32"), x, y, out)
    assert out[0] == least and out[2] == 3


@pytest.mark.parametrize(
    ("name", "expected"), [("tile.shift_left", [40, 0, 0, -8]), ("tile.shift_right", [0, 0, -1, -1])]
)
def test_shifts_out_of_range(name, expected, run_kernel, ref):
    x, y = (torch.tensor(v, dtype=torch.int32) for v in ([5, 5, -5, -1], [3, 32, 40, 3]))
    out = torch.full_like(x, 123)
    run_kernel(binary_text(name, ref, x, y, out, "i32"), x, y, out)
    assert out.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64])
def test_unsigned_arithmetic_wraps(dtype, run_kernel, ref, element):
    top = 2 ** (dtype.itemsize * 8)
    x, y = torch.tensor([3, 200], dtype=dtype), torch.tensor([5, 100], dtype=dtype)
    out = torch.full_like(x, 77)
    run_kernel(binary_text("tile.sub", ref, x, y, out, element(dtype)), x, y, out)
    assert out.tolist() == [top - 2, 100]


@pytest.mark.parametrize("predicate", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_compare_and_where(predicate, run_kernel, ref):
    x, y = torch.tensor([1.0, 2.0, 3.0, math.nan, math.inf]), torch.tensor([2.0, 2.0, 1.0, 5.0, math.nan])
    out = torch.full_like(x, 123.0)
    t, b = "!tile.tile<[8], f32>", "!tile.tile<[8], i1>"
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %y: {ref(y)}, %out: {ref(out)}) names ["x", "y", "out"] {{
      tile.parallel "i" (%i = 0 to 5 : !tile.range<8>) {{
        %a = tile.load "x" %x[%i] : {ref(x)}[!tile.range<8>] -> {t}
        %b = tile.load "y" %y[%i] : {ref(y)}[!tile.range<8>] -> {t}
        %c = tile.compare "{predicate}" %a, %b : {t} -> {b}
        %z = tile.full <-4.0> -> {t}
        %r = tile.where %c, %a, %z : {b}, {t}
        tile.store "out" %r, %out[%i] : {t} : {ref(out)}[!tile.range<8>]
      }}
    }}"""
    run_kernel(text, x, y, out)
    expected = torch.where(getattr(torch, predicate)(x, y), x, -4.0)
    torch.testing.assert_close(out, expected, equal_nan=True, rtol=0, atol=0)


CASTS = [
    (torch.float32, torch.int32, [1.9, -1.9, 7.0]),
    (torch.float32, torch.bool, [0.0, -0.0, math.nan]),
    (torch.float32, torch.bfloat16, [1.00390625, 1.01171875, 3.0]),
    (torch.float32, torch.float8_e4m3fn, [1.06, -300.0, 0.002]),
    (torch.float8_e5m2, torch.float32, [1.25, -3.0, 96.0]),
    (torch.int64, torch.int8, [300, -129, 5]),
    (torch.bool, torch.float32, [1, 0, 1]),
]


@pytest.mark.parametrize(("source", "target", "values"), CASTS)
def test_cast(source, target, values, run_kernel, ref, element):
    x = torch.tensor(values).to(source)
    out = torch.tensor([9.0, 9.0, 9.0]).to(target)
    s, t = element(source), element(target)
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      tile.parallel "i" (%i = 0 to 3 : !tile.range<4>) {{
        %v = tile.load "x" %x[%i] : {ref(x)}[!tile.range<4>] -> !tile.tile<[4], {s}>
        %r = tile.cast %v : !tile.tile<[4], {s}> -> !tile.tile<[4], {t}>
        tile.store "out" %r, %out[%i] : !tile.tile<[4], {t}> : {ref(out)}[!tile.range<4>]
      }}
    }}"""
    run_kernel(text, x, out)
    assert out.float().tolist() == x.to(target).float().tolist()


def test_bitcast(run_kernel, ref):
    x = torch.tensor([1.0, -2.0])
    out = torch.full((2,), 7, dtype=torch.int32)
    text = f"""
    tile.kernel @k (%x: {ref(x)}, %out: {ref(out)}) names ["x", "out"] {{
      %i = tile.axis "i" 0 to 2 : !tile.range<2>
      %v = tile.load "x" %x[%i] : {ref(x)}[!tile.range<2>] -> !tile.tile<[2], f32>
      %r = tile.bitcast %v : !tile.tile<[2], f32> -> !tile.tile<[2], i32>
      tile.store "out" %r, %out[%i] : !tile.tile<[2], i32> : {ref(out)}[!tile.range<2>]
    }}"""
    run_kernel(text, x, out)
    assert out.tolist() == [0x3F800000, -0x40000000]


def test_scalars_compute_in_their_type(run_kernel, ref):
    """2147483647 + 1 wraps in i32, and 0.1 is that of f32."""
    out, fout = torch.full((1,), 7, dtype=torch.int32), torch.full((1,), 7.0)
    text = f"""
    tile.kernel @k (%n: !tile.tile<[], i32>, %s: !tile.tile<[], f32>, %out: {ref(out)}, %fout: {ref(fout)})
        names ["n", "s", "out", "fout"] {{
      %z = tile.full <0> -> !tile.tile<[], i32>
      %one = tile.full <1> -> !tile.tile<[], i32>
      %r = tile.add %n, %one : !tile.tile<[], i32>
      tile.store "out" %r, %out[%z] : !tile.tile<[], i32> : {ref(out)}[!tile.tile<[], i32>]
      %f = tile.mul %s, %s : !tile.tile<[], f32>
      tile.store "fout" %f, %fout[%z] : !tile.tile<[], f32> : {ref(fout)}[!tile.tile<[], i32>]
    }}"""
    run_kernel(text, 2147483647, 0.1, out, fout)
    assert out.item() == -2147483648
    assert fout.item() == (torch.tensor(0.1) * torch.tensor(0.1)).item()
