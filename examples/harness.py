"""What an example is, how its results are judged, and the command line each example file has."""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

Args = tuple[Any, ...]

FLOAT32_EPS = torch.finfo(torch.float32).eps
TF32_EPS = 2.0**-10
"""Spacing of TF32 at 1, the type in which a GPU multiplies float32 matrices unless told otherwise."""


class Inputs:
    """Random inputs of one case, made on the device: the same numbers for the same seed on the same device.

    >>> Inputs("cpu").normal(2, 3, dtype=torch.bfloat16).shape
    torch.Size([2, 3])
    """

    def __init__(self, device: str | torch.device, seed: int = 0) -> None:
        self.device = torch.device(device)
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
        """Normally distributed values: no zeros, so an element that was never written shows."""
        values = torch.randn(shape, generator=self._generator, dtype=torch.float32, device=self.device)
        return (values * scale if scale != 1.0 else values).to(dtype)

    def integers(self, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        """Integers from 0 to `high - 1`."""
        return torch.randint(high, shape, generator=self._generator, device=self.device).to(dtype)

    def offsets(self, lengths: Sequence[int]) -> torch.Tensor:
        """Where each of the sequences of the given lengths begins in their concatenation, and the total (int32)."""
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        return torch.tensor(starts, dtype=torch.int32, device=self.device)


class Shapes(Inputs):
    """Inputs of the right shapes with nothing written into them: for compiling, where the values play no part."""

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
        """A tensor whose memory is reserved and, on the CPU, never touched."""
        return torch.empty(shape, dtype=dtype, device=self.device)


class WrongResult(AssertionError):
    """A kernel ran and computed something else than its reference."""


@dataclass(frozen=True)
class Case:
    """One set of arguments of a kernel, by name."""

    name: str
    build: Callable[[Inputs], Args]

    def args(self, device: str | torch.device = "cpu", seed: int = 0) -> Args:
        """The arguments, made afresh on `device`."""
        return self.build(Inputs(device, seed))

    def blank(self) -> Args:
        """CPU arguments to compile for, their contents undefined."""
        return self.build(Shapes("cpu"))


@dataclass(frozen=True)
class Example:
    """A kernel, what it should compute, and the inputs it is tried and timed on.

    Attributes:
        kernel: the decorated function.
        reference: takes the kernel's arguments; computes in float64 and returns the same structure of
            tensors, in the shapes and dtypes the kernel promises.
        eager: the same function as people write it in PyTorch, in the inputs' own dtypes: what a
            timing is compared with, and what `torch.compile` is given.
        cases: small inputs, with edges and primes; each runs in an interpreter in about a second.
        bench: inputs of realistic size.
        terms: how many numbers the longest sum behind one result adds up; the tolerance grows with its root.
        products: how many matrix products follow one another; on a GPU each multiplies float32 in TF32.
    """

    name: str
    kernel: Any
    reference: Callable[..., Any]
    eager: Callable[..., Any]
    cases: tuple[Case, ...]
    bench: tuple[Case, ...]
    terms: Callable[..., int] = field(default=lambda *args: 1)
    products: int = 0

    def case(self, name: str) -> Case:
        """The case or benchmark input of that name; raises `KeyError`."""
        for case in (*self.cases, *self.bench):
            if case.name == name:
                return case
        raise KeyError(f"example {self.name!r} has no case {name!r}")

    def suits_triton_interpreter(self, case: Case) -> bool:
        """Whether Triton's interpreter can run a case: it multiplies bfloat16 matrices as the integers of their bits."""
        bf16 = any(isinstance(arg, torch.Tensor) and arg.dtype == torch.bfloat16 for arg in case.blank())
        return not (self.products and bf16)

    def unit(self, dtype: torch.dtype, args: Args) -> float:
        """The relative error to expect of a result of `dtype`: its rounding, and that of the sums behind it."""
        on_gpu = any(isinstance(arg, torch.Tensor) and arg.is_cuda for arg in args)
        rounding = torch.finfo(dtype).eps
        if on_gpu and dtype == torch.float32:
            rounding = max(rounding, self.products * TF32_EPS)
        return rounding + 4 * FLOAT32_EPS * math.sqrt(self.terms(*args))

    def check(self, actual: Any, args: Args, expected: Any = None) -> float:
        """Compare what a kernel returned with the reference.

        Args:
            actual: what the kernel returned for `args`.
            args: its arguments, as they were before the call.
            expected: the reference's answer, if it is at hand.

        Returns:
            The largest relative error of a result, as ‖actual − expected‖ / ‖expected‖.

        Raises:
            WrongResult: naming the result and the worst element.
        """
        if expected is None:
            expected = self.reference(*args)
        actual_list, expected_list = _results(actual), _results(expected)
        if len(actual_list) != len(expected_list):
            raise WrongResult(f"{self.name}: {len(actual_list)} results where {len(expected_list)} are expected")
        errors = [0.0]
        for position, (got, want) in enumerate(zip(actual_list, expected_list)):
            errors.append(self._check_one(f"{self.name}, result {position}", got, want, args))
        return max(errors)

    def _check_one(self, what: str, got: Any, want: torch.Tensor, args: Args) -> float:
        if not isinstance(got, torch.Tensor):
            raise WrongResult(f"{what}: a tensor is expected, not {type(got).__name__}")
        if got.shape != want.shape or got.dtype != want.dtype:
            raise WrongResult(
                f"{what}: {tuple(got.shape)} {got.dtype} where {tuple(want.shape)} {want.dtype} is expected"
            )
        if want.numel() == 0:
            return 0.0
        if not want.dtype.is_floating_point:
            if not torch.equal(got.to(want.device), want):
                raise WrongResult(f"{what}: integers differ")
            return 0.0
        unit = self.unit(want.dtype, args)
        got64, want64 = got.to(torch.float64), want.to(device=got.device, dtype=torch.float64)
        rms = want64.square().mean().sqrt()
        difference = (got64 - want64).abs()
        # A NaN compares false, so it is counted among the wrong elements.
        wrong = ~(difference <= 4 * unit * (want64.abs() + rms))
        if wrong.any():
            worst = int(torch.where(wrong, difference.nan_to_num(math.inf), -1.0).argmax())
            place = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), got.shape))
            raise WrongResult(
                f"{what}: {int(wrong.sum())} of {wrong.numel()} elements are off, the worst at {place}: "
                f"{got64.flatten()[worst]:.6g} where {want64.flatten()[worst]:.6g} is expected (unit {unit:.2g})"
            )
        error = float(difference.norm() / want64.norm())
        if not error <= unit:
            raise WrongResult(f"{what}: relative error {error:.3g} is over {unit:.3g}")
        return error


def _results(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in _results(item)]
    return [] if value is None else [value]


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """While open, PyTorch fills what `torch.empty` and its kin return with NaN (integers: the largest value).

    A kernel allocates its outputs itself, so this is how an element that it never wrote comes to light.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # pyright: ignore[reportAttributeAccessIssue]
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = before[2]  # pyright: ignore[reportAttributeAccessIssue]


def run_in_triton_interpreter(example: Example, args: Args) -> Any:
    """Run the generated program of the default configuration on CPU tensors.

    Needs `TRITON_INTERPRET=1` in the environment from the start of the process: Triton reads it when imported.
    """
    bound = example.kernel.bind(args)
    bound.set_config(bound.config_spec.default_config())
    return bound(*args)


def milliseconds(call: Callable[[], Any]) -> float:
    """Median device time of `call` in milliseconds, the L2 cache flushed between repeats."""
    from triton.testing import do_bench

    return float(do_bench(call, warmup=25, rep=100, return_mode="median"))  # pyright: ignore[reportArgumentType]


def time_on_gpu(example: Example, case: Case) -> dict[str, float]:
    """Milliseconds of the kernel (as configured or tuned), of eager PyTorch and of `torch.compile`."""
    args = case.args("cuda")
    compiled = torch.compile(example.eager)
    calls = {
        "helion_ir": lambda: example.kernel(*args),
        "eager": lambda: example.eager(*args),
        "torch.compile": lambda: compiled(*args),
    }
    example.check(example.kernel(*args), args)
    return {name: milliseconds(call) for name, call in calls.items()}


def main(*examples: Example) -> None:
    """Check each example on its cases and, where there is a GPU, time it against PyTorch.

    Without a GPU kernels run in the interpreter of the tile dialect, which needs neither tuning nor Triton.
    """
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").split("\n")[0])
    parser.add_argument("--check-only", action="store_true", help="do not time anything")
    parser.add_argument("--cpu", action="store_true", help="run in the interpreter even if there is a GPU")
    options = parser.parse_args()
    gpu = torch.cuda.is_available() and not options.cpu
    for example in examples:
        for case in example.cases:
            args = case.args("cuda" if gpu else "cpu")
            expected = example.reference(*args)
            with poisoned():
                result = example.kernel(*args)
            error = example.check(result, args, expected)
            print(f"{example.name:24} {case.name:16} ok, relative error {error:.2g}", flush=True)
        if gpu and not options.check_only:
            for case in example.bench:
                times = time_on_gpu(example, case)
                columns = "  ".join(f"{name} {value:.4f} ms" for name, value in times.items())
                print(f"{example.name:24} {case.name:16} {columns}", flush=True)
