"""What a configuration's results are held against, and how near they must come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from helion_ir.autotuner.tensors import cloned, leaves, same

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import TunableKernel
    from helion_ir.autotuner.reference_program import ReferenceProgram

# How far two right results may lie apart: one rounding of the type in either, and for 32 bits what a matrix
# product in reduced precision leaves, over a result of about the size of its root mean square.
TOLERANCES: dict[torch.dtype, float] = {
    torch.float64: 1e-6,
    torch.float32: 1e-2,
    torch.float16: 1e-2,
    torch.bfloat16: 2e-2,
    torch.float8_e4m3fn: 0.125,
    torch.float8_e5m2: 0.25,
    torch.complex64: 1e-2,
    torch.complex128: 1e-6,
}

SINGLE = (torch.float32, torch.complex64)

# Past this many elements on the CPU the interpreter does not run in the process of the caller, who would wait for it.
INTERPRETED_ELEMENTS = 1 << 18
INTERPRETED_SECONDS = 30.0
"""The interpreter is stopped after so long."""


@dataclass(frozen=True)
class Tolerance:
    """`|actual - expected| <= atol + rtol * |expected|`; None: by type, `atol` scaled by the result's own size."""

    atol: float | None = None
    rtol: float | None = None
    single: float = 1e-2
    """What "by type" is for 32 bits; see `accuracy.single_precision_tolerance`."""
    product: float = 0.0
    """What is added to "by type" for products; see `accuracy.narrow_product_tolerance`."""


BY_TYPE = Tolerance()


@dataclass(frozen=True)
class Expectation:
    """Right results for one tuple of arguments."""

    outputs: Any
    """What the function returns."""
    changed: Mapping[int, torch.Tensor] = field(default_factory=dict)
    """Final values of the argument tensors that it writes to, by position among the tensors."""

    def save(self, path: str) -> None:
        torch.save({"outputs": self.outputs, "changed": dict(self.changed)}, path)

    @classmethod
    def load(cls, path: str, device: str | None = None) -> Expectation:
        """An expectation that this tuning run saved itself, on the device it was on or on another."""
        return cls(**torch.load(path, weights_only=False, map_location=device))


def observe(function: Callable[..., Any], args: Any) -> Expectation:
    """What `function` returns and writes, on a copy of `args`; random numbers start from one seed."""
    copies = cloned(tuple(args))
    with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_initialized() else []):
        torch.manual_seed(0)
        outputs = function(*copies)
    after = leaves(copies)
    changed = {i: new for i, (old, new) in enumerate(zip(leaves(tuple(args)), after)) if not same(old, new)}
    return Expectation(outputs, changed)


def find_expectation(
    bound: TunableKernel, args: Any, program: ReferenceProgram | None = None, limit: float = INTERPRETED_SECONDS
) -> tuple[Expectation | None, str]:
    """The reference for `args`, as far as this process finds it, and where it comes from: "" where others are to find it.

    The author's `autotune_baseline_fn` if there is one, else what the interpreter gives on the arguments' GPU within
    `limit` seconds. On the CPU it runs here for small arguments alone, and not where another process is to run `program`.
    """
    baseline = getattr(bound.settings, "autotune_baseline_fn", None)
    if baseline is not None:
        return observe(baseline, args), "autotune_baseline_fn"
    from helion_ir.interpreter import at_most

    tensors = leaves(tuple(args))
    on_gpu = any(t.is_cuda for t in tensors)
    if not on_gpu and (program is not None or sum(t.numel() for t in tensors) > INTERPRETED_ELEMENTS):
        return None, ""
    try:
        with at_most(limit):
            return observe(lambda *a: bound.reference(a), args), "the interpreter"
    except Exception as e:
        return None, f"the default configuration (the interpreter failed: {type(e).__name__}: {e})"
    finally:
        if on_gpu:
            # The process that measures needs the memory.
            torch.cuda.empty_cache()


def mismatch(actual: Any, expected: Any, tolerance: Tolerance = BY_TYPE, where: str = "output") -> str | None:
    """None when two trees of results agree, else what differs, in one line.

    >>> mismatch(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]))
    'output: 1 of 2 elements differ, most at (1,): 2.0 instead of 3.0'
    """
    if isinstance(expected, torch.Tensor):
        if not isinstance(actual, torch.Tensor):
            return f"{where}: a {type(actual).__name__} instead of a tensor"
        return _tensor_mismatch(actual, expected, tolerance, where)
    if isinstance(expected, (tuple, list)):
        if not isinstance(actual, (tuple, list)) or len(actual) != len(expected):
            return f"{where}: {_kind(actual)} instead of {_kind(expected)}"
        pairs = ((f"{where} {i}", a, e) for i, (a, e) in enumerate(zip(actual, expected)))
    elif isinstance(expected, dict):
        if not isinstance(actual, dict) or actual.keys() != expected.keys():
            return f"{where}: {_kind(actual)} instead of {_kind(expected)}"
        pairs = ((f"{where} {k!r}", actual[k], e) for k, e in expected.items())
    else:
        return None if actual == expected else f"{where}: {actual!r} instead of {expected!r}"
    return next((found for w, a, e in pairs if (found := mismatch(a, e, tolerance, w)) is not None), None)


def _kind(value: Any) -> str:
    size = f" of {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    return f"{type(value).__name__}{size}"


def _tensor_mismatch(actual: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance, where: str) -> str | None:
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return f"{where}: {_shape(actual)} instead of {_shape(expected)}"
    if expected.numel() == 0:
        return None
    expected = expected.to(actual.device)
    bad = _bad_elements(actual, expected, tolerance)
    count = int(bad.sum())
    if count == 0:
        return None
    distance = torch.where(bad, (_wide(actual) - _wide(expected)).abs().nan_to_num(nan=float("inf")), -1.0)
    worst = int(distance.flatten().argmax())
    at: list[int] = []
    for size in reversed(expected.shape):
        at.insert(0, worst % size)
        worst //= size
    place = tuple(at)
    return (
        f"{where}: {count} of {expected.numel()} elements differ, most at {place}: "
        f"{actual[place].item()!r} instead of {expected[place].item()!r}"
    )


def _bad_elements(actual: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    if expected.dtype not in TOLERANCES:
        return actual != expected
    near = (tolerance.single if expected.dtype in SINGLE else TOLERANCES[expected.dtype]) + tolerance.product
    a, e = _wide(actual), _wide(expected)
    rtol = near if tolerance.rtol is None else tolerance.rtol
    if tolerance.atol is None:
        finite = e[torch.isfinite(e)].abs()
        atol = near * float(finite.square().mean().sqrt()) if finite.numel() else near
    else:
        atol = tolerance.atol
    close = (a - e).abs() <= atol + rtol * e.abs()
    # inf - inf is NaN, and inf <= inf would let a finite value pass for an infinite one.
    return ~torch.where(torch.isfinite(e), close, (a == e) | (torch.isnan(a) & torch.isnan(e)))


def _wide(t: torch.Tensor) -> torch.Tensor:
    if t.is_complex() or t.dtype == torch.float64:
        return t
    return t.float() if t.is_floating_point() else t.to(torch.float64)


def _shape(t: torch.Tensor) -> str:
    return f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}"
