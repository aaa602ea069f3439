"""Comparing results: what passes as equal, and what is said where it is not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from helion_ir.autotuner.reference import Expectation, Tolerance, find_expectation, mismatch, observe
from helion_ir.autotuner.tensors import cloned, leaves, on_meta, same


def test_rounding_of_the_type_passes_and_more_does_not() -> None:
    torch.manual_seed(0)
    exact = torch.randn(4096, dtype=torch.float64)
    for dtype in (torch.float16, torch.bfloat16):
        expected = exact.to(dtype)
        one_ulp = (expected.view(torch.int16) + 1).view(dtype)
        assert mismatch(one_ulp, expected) is None
        assert mismatch((exact * 1.08).to(dtype), expected) is not None
    assert mismatch(exact.float() * (1 + 1e-3), exact.float()) is None
    assert mismatch(exact.float() * 1.05, exact.float()) is not None


def test_the_scale_is_the_results_own() -> None:
    # Results of about 1e-4 must not pass because the tolerance was made for results of about 1.
    expected = 1e-4 * torch.linspace(1.0, 2.0, 100)
    assert mismatch(torch.full_like(expected, 2e-3), expected) is not None
    assert mismatch(1.5 * expected, expected) is not None
    # Nor must cancellation among results of about 1e4 fail.
    big = torch.tensor([1e4, -1e4, 0.5])
    assert mismatch(torch.tensor([1e4, -1e4, 0.0]), big) is None


def test_single_wrong_element() -> None:
    expected = torch.randn(64, 64)
    actual = expected.clone()
    actual[5, 7] = 100.0
    found = mismatch(actual, expected)
    assert found is not None and found.startswith(
        "output: 1 of 4096 elements differ, most at (5, 7): 100.0 instead of "
    )


def test_nan_and_infinity() -> None:
    nan, inf = float("nan"), float("inf")
    assert mismatch(torch.tensor([nan, inf, 1.0]), torch.tensor([nan, inf, 1.0])) is None
    for actual in ([nan, 1.0], [-inf, 1.0], [3e38, 1.0]):
        assert mismatch(torch.tensor(actual), torch.tensor([inf, 1.0])) is not None
    found = mismatch(torch.tensor([nan, 1.0]), torch.tensor([2.0, 1.0]))
    assert found == "output: 1 of 2 elements differ, most at (0,): nan instead of 2.0"


def test_integers_are_exact() -> None:
    assert mismatch(torch.tensor([2**40 + 1]), torch.tensor([2**40])) is not None
    assert mismatch(torch.tensor([True, False]), torch.tensor([True, False])) is None


def test_trees() -> None:
    a = {"x": (torch.ones(2), [3]), "y": None}
    assert mismatch({"x": (torch.ones(2), [3]), "y": None}, a) is None
    assert mismatch({"x": (torch.ones(2), [4]), "y": None}, a) == "output 'x' 1 0: 4 instead of 3"
    assert mismatch({"x": (torch.ones(2),), "y": None}, a) == "output 'x': tuple of 1 instead of tuple of 2"
    assert mismatch((torch.ones(3),), (torch.ones(2),)) == "output 0: float32[3] instead of float32[2]"
    assert mismatch(torch.ones(2).double(), torch.ones(2)) == "output: float64[2] instead of float32[2]"


def test_given_tolerances_win() -> None:
    expected = torch.tensor([1.0, 2.0])
    actual = torch.tensor([1.001, 2.0])
    assert mismatch(actual, expected, Tolerance(atol=0.0, rtol=0.0)) is not None
    assert mismatch(actual * 2, expected, Tolerance(atol=10.0)) is None


def test_clones_keep_strides_and_sharing() -> None:
    base = torch.arange(24.0).reshape(4, 6)
    a, (b, c) = cloned((base.t(), (base[1:, ::2], 5)))
    assert c == 5 and a.stride() == (1, 6) and b.stride() == (6, 2)
    b[0, 0] = -1.0
    assert a[0, 1] == -1.0 and base[1, 0] == 6.0
    assert [t.device.type for t in leaves(on_meta((base, [base[:, 1]])))] == ["meta", "meta"]


def test_observe_finds_what_is_written_and_leaves_the_arguments() -> None:
    def kernel(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        out.copy_(2 * x)
        return x + torch.rand(3)

    x, out = torch.tensor([1.0, 2.0, float("nan")]), torch.full((3,), 7.0)
    first, second = observe(kernel, (x, out)), observe(kernel, (x, out))
    assert list(first.changed) == [1]
    assert same(first.changed[1], torch.tensor([2.0, 4.0, float("nan")]))
    assert torch.equal(out, torch.full((3,), 7.0))
    assert same(first.outputs, second.outputs)


def test_expectation_round_trip(tmp_path: object) -> None:
    path = f"{tmp_path}/e.pt"
    Expectation((torch.ones(2), 3), {1: torch.zeros(2)}).save(path)
    back = Expectation.load(path)
    assert back.outputs[1] == 3 and torch.equal(back.changed[1], torch.zeros(2))


@pytest.mark.parametrize(
    "settings, size, origin",
    [
        (SimpleNamespace(autotune_baseline_fn=lambda x: x * 5.0), 4, "autotune_baseline_fn"),
        (SimpleNamespace(), 4, "the interpreter"),
        (SimpleNamespace(), 1 << 22, ""),
    ],
)
def test_where_the_reference_comes_from(settings: object, size: int, origin: str) -> None:
    bound = SimpleNamespace(settings=settings, reference=lambda args: args[0] * 3.0)
    found, where = find_expectation(bound, (torch.ones(1).expand(size),))  # pyright: ignore[reportArgumentType]
    assert where == origin
    assert (found is None) == (size > 4)


def test_a_failing_interpreter_is_said() -> None:
    def fail(args: object) -> object:
        raise NotImplementedError("sort")

    bound = SimpleNamespace(settings=SimpleNamespace(), reference=fail)
    found, where = find_expectation(bound, (torch.ones(2),))  # pyright: ignore[reportArgumentType]
    assert found is None and "NotImplementedError: sort" in where


def kernel(element: str, body: str = "", precision: str = "tf32", size: int = 4096) -> object:
    from helion_ir.dialects.context import parse_module

    tile = f"!tile.tile<[64, 64], {element}>"
    ref = f"!tile.ref<[{size}, {size}], {element}, strides = [{size}, 1]>"
    return parse_module(f"""
      tile.kernel @k (%x: {ref}) names ["x"] {{
        %a = tile.full <1.0> -> {tile}
        {body.format(tile=tile)}
      }}""")


DOT = """%c = tile.full <0.0> -> !tile.tile<[64, 64], f32>
        %d = tile.dot %a, %a, %c precision "PRECISION" : {tile}, {tile}, !tile.tile<[64, 64], f32> -> !tile.tile<[64, 64], f32>"""


@pytest.mark.parametrize(
    "module, near",
    [
        (kernel("f32", size=16), 1e-3),
        (kernel("f32", size=1 << 22), 16 * 2.0**-23 * 2048),
        (kernel("f32", DOT.replace("PRECISION", "tf32"), size=16), 4 * 2.0**-10 + 16 * 2.0**-23 * 4),
        (kernel("f32", DOT.replace("PRECISION", "ieee"), size=16), 1e-3),
        # Products of 16-bit numbers are exact.
        (kernel("bf16", DOT.replace("PRECISION", "tf32"), size=16), 1e-3),
        (kernel("f32", size=1 << 28), 1e-2),
    ],
)
def test_the_bound_fits_the_kernel(module: object, near: float) -> None:
    from helion_ir.autotuner.accuracy import single_precision_tolerance

    assert single_precision_tolerance(module) == pytest.approx(near)  # pyright: ignore[reportArgumentType]


def test_a_strict_bound_finds_what_a_loose_one_does_not() -> None:
    expected = torch.linspace(1.0, 2.0, 100)
    actual = expected * (1 + 4e-3)
    assert mismatch(actual, expected) is None
    assert mismatch(actual, expected, Tolerance(single=1e-3)) is not None


@pytest.mark.parametrize(
    "target, element, extra",
    # 4096 / 32 instructions, each cutting 14 bits of a sum; 24 bits are f32's own.
    [
        ("h200", "f8E4M3FN", 128 * 2.0**-13),
        ("h200", "bf16", 0.0),
        ("b200", "f8E4M3FN", 0.0),
        ("mi350x", "f8E4M3FN", 0.0),
    ],
)
def test_sums_of_few_bits_are_judged_by_their_length(target: str, element: str, extra: float) -> None:
    from helion_ir.autotuner.accuracy import narrow_product_tolerance
    from helion_ir.targets import get_target

    module = kernel(element, DOT.replace("PRECISION", "tf32"), size=4096)
    assert narrow_product_tolerance(module, get_target(target)) == pytest.approx(extra)  # pyright: ignore[reportArgumentType]


def test_what_few_bits_cost_is_allowed_and_no_more() -> None:
    expected = torch.linspace(100.0, 200.0, 100, dtype=torch.bfloat16)
    off = (expected.float() * (1 + 5e-2)).bfloat16()
    assert mismatch(off, expected) is not None
    assert mismatch(off, expected, Tolerance(product=128 * 2.0**-13)) is None
    assert mismatch(off, expected, Tolerance(product=2.0**-13)) is not None
