"""Operators on every element type, and lowerings that the closed set does not reach, at each stage."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from tests.coverage import kernels
from tests.coverage.runner import Refused, lowered

import helion_ir.language as hl
from helion_ir.frontend.trace import trace
from helion_ir.interpreter import run_module
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import get_target

DTYPES = {
    str(d).removeprefix("torch."): d
    for d in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.int8,
        torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool,
    )
}  # fmt: skip
FLOATS = [n for n, d in DTYPES.items() if d.is_floating_point and d.itemsize > 1]
INTS = [n for n, d in DTYPES.items() if not d.is_floating_point and d != torch.bool]

ANY = {
    "where": lambda x, y: torch.where(x < y, x, y),
    "eq": lambda x, y: x == y,
    "flip": lambda x, y: x.flip(-1),
    "full": lambda x, y: x.new_full(x.shape, 1),
}
NUMBERS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "abs": lambda x, y: x.abs(),
    "neg": lambda x, y: -x,
    "sign": lambda x, y: x.sign(),
    "maximum": lambda x, y: torch.maximum(x, y),
    "minimum": lambda x, y: torch.minimum(x, y),
    "sum": lambda x, y: x.sum(-1),
    "amax": lambda x, y: x.amax(-1),
    "amin": lambda x, y: x.amin(-1),
    "argmax": lambda x, y: x.argmax(-1),
    "argmin": lambda x, y: x.argmin(-1),
    "cumsum": lambda x, y: x.cumsum(-1),
    "cummax": lambda x, y: x.cummax(-1),
    "any": lambda x, y: x.any(-1),
    "all": lambda x, y: x.all(-1),
    "round": lambda x, y: x.round(),
    "clamp": lambda x, y: x.clamp(1, 5),
}
OF_INTS = {
    "shift left": lambda x, y: x << 3,
    "shift right": lambda x, y: x >> 2,
    "shift by many": lambda x, y: x >> (y & 63),
    "and": lambda x, y: x & y,
    "xor": lambda x, y: x ^ y,
    "not": lambda x, y: ~x,
    "floor_divide": lambda x, y: x // (y | 1),
    "remainder": lambda x, y: x % (y | 1),
    "fmod": lambda x, y: torch.fmod(x, y | 1),
    "pow": lambda x, y: x ** (y & 7),
    "prod": lambda x, y: x.prod(-1),
    "gcd": lambda x, y: torch.gcd(x, y),
}
OF_FLOATS = {
    "tanh": lambda x, y: x.tanh(),
    "erfc": lambda x, y: x.erfc(),
    "remainder": lambda x, y: x % y,
    "fmod": lambda x, y: torch.fmod(x, y),
    "pow": lambda x, y: x.abs() ** y,
    "lgamma": lambda x, y: x.lgamma(),
    "softmax": lambda x, y: x.softmax(-1),
    "atan2": lambda x, y: torch.atan2(x, y),
    "trunc": lambda x, y: x.trunc(),
}


def data(dtype: torch.dtype, seed: int, layout: kernels.Layout = kernels.AXIS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (layout.rows, layout.columns)
    if dtype.is_floating_point:
        return (torch.randn(shape, generator=generator) * 3).to(dtype)
    if dtype == torch.bool:
        return torch.rand(shape, generator=generator) > 0.4
    limits = torch.iinfo(dtype)
    low, high = max(limits.min, -(2**31)), min(limits.max, 2**31 - 1)
    return torch.randint(low, high, shape, generator=generator).to(dtype)


def check(call: Any, operands: dict[str, torch.Tensor], layout: kernels.Layout, target: str = "cpu") -> None:
    """Compare at the tile level, with masks and as a template. Raises Refused."""
    kernel = kernels.build({"call": call}, operands, layout, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = kernel.expected(call, operands, kernel.outputs)
    assignment = kernels.assignment_of(kernel)

    def callback(stage: str, module: Any) -> None:
        if stage not in ("bind-structure", "make-masks", "assign-names"):
            return
        out = kernel.empty()
        run_module(module, [*operands.values(), *out], assignment)
        for got, want in zip(out, wanted):
            rtol = {8: 1e-9, 4: 2e-5, 2: 1e-2, 1: 0.0}[got.itemsize] if got.is_floating_point() else 0.0
            a, b = (got.double(), want.double()) if got.is_floating_point() else (got, want)
            torch.testing.assert_close(a, b, rtol=rtol, atol=rtol, equal_nan=True, msg=lambda m: f"{stage}: {m}")

    lowered(kernel, callback)


def combinations() -> list[tuple[str, str]]:
    out = [(n, op) for n in DTYPES for op in ANY if "float8" not in n]  # which PyTorch only converts
    out += [(n, op) for n in (*FLOATS, *INTS) for op in NUMBERS]
    out += [(n, op) for n in INTS for op in OF_INTS if (n, op) != ("uint8", "neg")]
    return out + [(n, op) for n in FLOATS for op in OF_FLOATS]


@pytest.mark.parametrize("dtype,name", combinations())
def test_element_types(dtype: str, name: str) -> None:
    tables = [ANY, NUMBERS, OF_FLOATS if dtype in FLOATS else OF_INTS]
    function = next(t[name] for t in tables if name in t)
    operands = {"x": data(DTYPES[dtype], 0), "y": data(DTYPES[dtype], 1)}
    check(lambda e: function(e["x"], e["y"]), operands, kernels.AXIS)


@pytest.mark.parametrize("source", DTYPES)
def test_casts(source: str) -> None:
    """To every type; the numbers are in the ranges of both, since what happens beyond differs between devices."""
    x = data(DTYPES[source], 0, kernels.PARTIAL)
    for name, dtype in DTYPES.items():
        operand = x
        if x.is_floating_point() and not dtype.is_floating_point and dtype != torch.bool:
            operand = (x.float() * 10).to(x.dtype)
            operand = operand.float().abs().to(x.dtype) if dtype == torch.uint8 else operand
        if name != source:
            check(lambda e, dtype=dtype: e["x"].to(dtype), {"x": operand}, kernels.PARTIAL)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8", "int32", "uint8", "bool"])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable_with_nan_and_infinities(dtype: str, descending: bool) -> None:
    x = data(DTYPES[dtype], 0)
    x = (x.float() % 4).to(DTYPES[dtype]) if dtype != "bool" else x  # many are equal
    if x.is_floating_point():
        x[:, 3], x[:, 7], x[:, 9], x[:, 11] = float("nan"), float("inf"), float("-inf"), float("nan")
    for layout in (kernels.AXIS, kernels.PARTIAL):
        check(lambda e: torch.sort(e["x"], dim=-1, descending=descending, stable=True), {"x": x}, layout)


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_sort_of_64_bits_is_refused(dtype: str) -> None:
    with pytest.raises(Refused, match="torch.sort, torch.argsort and torch.topk of 64-bit elements"):
        check(lambda e: torch.sort(e["x"], dim=-1), {"x": data(DTYPES[dtype], 0)}, kernels.AXIS)


PRODUCTS = {
    "exp": lambda e: e["x"].exp() @ (e["y"] + 1).T,
    "softmax": lambda e: (e["x"] - e["x"].amax(-1, keepdim=True)).exp() @ e["y"].cos().T,
    "batch": lambda e: torch.bmm((e["x"][None] + 1).expand(2, -1, -1), (e["y"].T[None] + 1).expand(2, -1, -1)),
}


@pytest.mark.parametrize("layout", [kernels.PARTIAL, kernels.AXIS], ids=lambda x: x.name)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_tiles_with_padding_that_is_not_zero(name: str, layout: kernels.Layout) -> None:
    check(PRODUCTS[name], {"x": data(torch.float32, 0) / 3, "y": data(torch.float32, 1) / 3}, layout)


@pytest.mark.parametrize("terms", [1, 3, 8, 17])
def test_products_of_few_terms_are_padded(terms: int) -> None:
    layout = kernels.Layout("narrow", 13, terms, (8,))
    operands = {"x": data(torch.float32, 0, layout), "y": data(torch.float32, 1, layout)}
    operands["y"][0, 0] = float("inf")
    check(lambda e: (e["x"] + 1) @ (e["y"] + 1).T, operands, layout, "h200")


def test_a_product_over_a_small_block_is_refused() -> None:
    with pytest.raises(Refused, match="a matrix product adds up @tile_m.block_size terms, which must be at least 16"):
        check(lambda e: e["x"].T @ e["x"], {"x": data(torch.float32, 0)}, kernels.AXIS)


def test_products_of_uint8_are_refused() -> None:
    kernel = kernels.build({"mm": lambda e: e["x"] @ e["x"].T}, {"x": data(torch.uint8, 0)}, kernels.AXIS)
    with pytest.raises(Refused, match="a matrix product of uint8 tiles"):
        lowered(kernel)


VIEWS = {
    "merge": lambda x: x.reshape(x.shape[0], 3, 7).reshape(x.shape[0], 21),
    "transpose inside": lambda x: x.reshape(x.shape[0], 3, 7).transpose(1, 2).reshape(x.shape[0], 21),
    "regroup": lambda x: x[:, :20].reshape(x.shape[0], 4, 5).reshape(x.shape[0], 10, 2),
    "sum of a group": lambda x: x.reshape(x.shape[0], 7, 3).sum(2),
    "slices": lambda x: (x[:, 3:17], x[:, ::2], x[:, 1::5], x[:, 20:]),
    "cat of three": lambda x: torch.cat([x[:, :3], x, x[:, 5:6]], 1),
    "stack of three": lambda x: torch.stack([x, x + 1, x * 2], 1),
    "stack of four last": lambda x: torch.stack([x, x + 1, x * 2, -x], -1),
    "flip of both": lambda x: x.reshape(x.shape[0], 3, 7).flip(1, 2),
    "sum of a slice": lambda x: (x + 1)[:, 2:7].sum(1),
    "maximum of what remains": lambda x: (x - 9)[:, :18].amax(1),
    "split in three": lambda x: x.split([1, 13, 7], 1),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "bool"])
@pytest.mark.parametrize("name", VIEWS)
def test_views_of_a_padded_axis(name: str, dtype: str) -> None:
    if dtype == "bool" and name in ("maximum of what remains", "stack of four last", "stack of three"):
        return
    check(lambda e: VIEWS[name](e["x"]), {"x": data(DTYPES[dtype], 0)}, kernels.AXIS)


def scans_from_the_end(x: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, ...]:
    out, total, along = (torch.empty_like(x) for _ in range(3))
    for tile_m, tile_n in hl.tile(x.size()):
        v = x[tile_m, tile_n] + 1
        out[tile_m, tile_n] = hl.associative_scan(keep, v, 1, reverse=True)
        total[tile_m, tile_n] = hl.cumsum(v, 1, reverse=True)
        along[tile_m, :] = hl.associative_scan(keep, whole[tile_m, :] + 1, 1, reverse=True)
    return out, total, along


def keep(a: Any, b: Any) -> Any:
    """Associative, and what padding holds changes it."""
    return a + b + 1.5


def test_scans_from_the_end_skip_inactive_lanes() -> None:
    x = data(torch.float32, 0)
    module = trace(scans_from_the_end, (x, x))
    prepare(module, get_target("cpu"))
    assignment = complete(module, {"tile_m.block_size": 8, "tile_n.block_size": 16})

    def scanned(v: torch.Tensor) -> torch.Tensor:
        v = v.clone()
        for i in range(v.shape[1] - 2, -1, -1):
            v[:, i] = keep(v[:, i + 1], v[:, i])
        return v

    parts = [x[:, :16] + 1, x[:, 16:] + 1]
    wanted = torch.cat([scanned(v) for v in parts], 1), torch.cat([v.flip(1).cumsum(1).flip(1) for v in parts], 1)

    def callback(stage: str, at: Any) -> None:
        if stage in ("bind-structure", "make-masks", "assign-names"):
            for got, want in zip(run_module(at, [x, x], assignment), (*wanted, scanned(x + 1))):
                torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5, msg=lambda m: f"{stage}: {m}")

    lower(module, assignment, callback)
