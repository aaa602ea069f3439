"""Atomics: every kind on every dtype that Triton has, what they return, orders, and masked compare-and-swap."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.language.harness import Case, check_stages, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc


def of_integers(
    x: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor,
    d: torch.Tensor,
    e: torch.Tensor,
    f: torch.Tensor,
) -> torch.Tensor:
    out = torch.full([6, x.size(0)], 77, dtype=x.dtype, device=x.device)
    for t in hl.tile(x.size(0)):
        v = x[t]
        out[0, t] = hl.atomic_max(a, [t], v, sem="acquire")
        out[1, t] = hl.atomic_min(b, [t], v, sem="release")
        out[2, t] = hl.atomic_and(c, [t], v, sem="acq_rel")
        out[3, t] = hl.atomic_or(d, [t], v)
        out[4, t] = hl.atomic_xor(e, [t], v)
        out[5, t] = hl.atomic_xchg(f, [t], v)
    return out


def of_floats(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    out = torch.full([3, x.size(0)], 77, dtype=x.dtype, device=x.device)
    for t in hl.tile(x.size(0)):
        v = x[t]
        out[0, t] = hl.atomic_max(a, [t], v)
        out[1, t] = hl.atomic_min(b, [t], v)
        out[2, t] = hl.atomic_add(d, [t], v)
    return out


def exchanged(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = hl.atomic_xchg(a, [t], x[t])
    return out


def added(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = hl.atomic_add(a, [t], x[t])
    return out


def swapped(x: torch.Tensor, expected: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, 77)
    for t in hl.tile(x.size(0)):
        out[t] = hl.atomic_cas(a, [t], expected[t], x[t])
    return out


def swapped_from_zero(a: torch.Tensor, n: int) -> torch.Tensor:
    out = torch.full([n], 77, dtype=a.dtype, device=a.device)
    for t in hl.tile(n):
        # what inactive lanes expect is what the first element holds
        out[t] = hl.atomic_cas(a, [t.index + 1], 0, 5)
    return out


def counted(at: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    old = torch.empty_like(at)
    for t in hl.tile(at.size(0)):
        old[t] = hl.atomic_add(counts, [at[t]], 1)
    return old


def expected_integers(x: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> torch.Tensor:
    old = torch.stack([t.clone() for t in (a, b, c, d, e, f)])
    a.copy_(torch.maximum(a, x))
    b.copy_(torch.minimum(b, x))
    c &= x
    d |= x
    e ^= x
    f.copy_(x)
    return old


def expected_floats(x: Any, a: Any, b: Any, d: Any) -> torch.Tensor:
    old = torch.stack([t.clone() for t in (a, b, d)])
    a.copy_(torch.maximum(a, x))
    b.copy_(torch.minimum(b, x))
    d += x
    return old


def expected_exchanged(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    old = a.clone()
    a.copy_(x)
    return old


def expected_added(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    old = a.clone()
    a += x
    return old


def expected_swapped(x: torch.Tensor, expected: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    old = a.clone()
    a.copy_(torch.where(a == expected, x, a))
    return old


def expected_from_zero(a: torch.Tensor, n: int) -> torch.Tensor:
    old = a[1:].clone()
    a[1:] = torch.where(a[1:] == 0, 5, a[1:])
    return old


def expected_counts(at: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    old = torch.stack([counts[i] + (at[:n] == i).sum() for n, i in enumerate(at)]).int()
    counts += torch.bincount(at, minlength=len(counts))
    return old


def values(dtype: torch.dtype, count: int, n: int = 11) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(9)
    return tuple(torch.randint(1, 100, [n], generator=generator).to(dtype) for _ in range(count))


def for_cas(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, a = values(dtype, 2)
    expected = torch.where(torch.arange(11) % 3 == 0, a, a + 1)
    return x, expected, a


BLOCKS = ({"block_sizes": [4]}, {"block_sizes": [16]})
CASES: dict[str, Case] = {}
for _dtype in (torch.int32, torch.int64, torch.uint32, torch.uint64):
    _name = str(_dtype).removeprefix("torch.")
    if _dtype.is_signed:  # eager PyTorch has few operations on the others
        CASES[f"bits {_name}"] = Case(of_integers, lambda d=_dtype: values(d, 7), expected_integers, BLOCKS)
        CASES[f"add {_name}"] = Case(added, lambda d=_dtype: values(d, 2), expected_added, BLOCKS)
CASES["floats float32"] = Case(of_floats, lambda: values(torch.float32, 4), expected_floats, BLOCKS)
CASES["floats float64"] = Case(
    of_floats, lambda: values(torch.float64, 4), expected_floats, BLOCKS[:1], in_triton=False
)
for _dtype in (torch.float16, torch.bfloat16, torch.float64):
    _name = str(_dtype).removeprefix("torch.")
    CASES[f"add {_name}"] = Case(
        added, lambda d=_dtype: values(d, 2), expected_added, BLOCKS[:1], in_triton=_dtype != torch.bfloat16
    )
for _dtype in (torch.int32, torch.int64, torch.float32):
    _name = str(_dtype).removeprefix("torch.")
    CASES[f"cas {_name}"] = Case(swapped, lambda d=_dtype: for_cas(d), expected_swapped, BLOCKS)
CASES["exchange float32"] = Case(
    exchanged, lambda: values(torch.float32, 2), expected_exchanged, BLOCKS[:1], in_triton=False
)
CASES["cas of the first element"] = Case(
    swapped_from_zero, lambda: (torch.tensor([0, 0, 3, 0, 7, 0], dtype=torch.int32), 5), expected_from_zero, BLOCKS
)
CASES["meeting"] = Case(
    counted, lambda: (torch.tensor([3, 1, 3, 3, 0, 1, 3, 2, 3, 1, 0], dtype=torch.int32), torch.arange(5, dtype=torch.int32)),
    expected_counts, BLOCKS,
)  # fmt: skip


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.in_triton])
def test_at_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
def test_compiled(target: str) -> None:
    for name in (
        "bits int64",
        "floats float32",
        "floats float64",
        "exchange float32",
        "add bfloat16",
        "cas of the first element",
        "meeting",
    ):
        assert compiled(CASES[name], target).asm, name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("add bfloat16", "adds the bits"),
        ("exchange float32", "integers only"),
        ("floats float64", "its bits as a number"),
    ],
)
def test_what_runs_as_tiles_and_is_refused_for_tritons_interpreter(name: str, why: str) -> None:
    case = CASES[name]
    case.check(helion.kernel(case.kernel), "called")
    with pytest.raises(exc.BackendUnsupported, match=why):
        case.bound({}).stages(BLOCKS[0])


@pytest.mark.parametrize(
    ("kernel", "arguments", "message"),
    [
        (added, values(torch.int16, 2), "int16.*32 bits"),
        (of_floats, values(torch.float16, 4), "float16: Triton adds"),
        (swapped, for_cas(torch.int8), "int8.*16 bits"),
    ],
)
def test_what_triton_has_not(kernel: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(exc.BackendUnsupported, match=message):
        helion.kernel(kernel).bind(arguments).compile_for("h200", BLOCKS[0])


def of_a_tile(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        y = x[t]
        hl.atomic_add(y, [t], 1.0)
        out[t] = y
    return out


def of_no_order(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        hl.atomic_add(out, [t], 1.0, sem="seq_cst")
    return out


def bits_of_floats(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        hl.atomic_xor(out, [t], 1)
    return out


@pytest.mark.parametrize(
    ("kernel", "error"),
    [(of_a_tile, exc.AtomicOnDeviceTensor), (of_no_order, exc.InvalidAPIUsage), (bits_of_floats, exc.InvalidAPIUsage)],
)
def test_misuse(kernel: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        helion.kernel(kernel).bind((torch.ones(11),))
