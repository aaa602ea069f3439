"""What an example is, how its results are judged, and the command line each example file has."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from examples.compare import WrongResult, compare, leaves, unit
from examples.gradients import Autograd
from examples.inputs import Args, Case, Inputs
from examples.rounding import Spread, off_by, operands_of, spread

__all__ = ["Args", "Autograd", "Case", "Example", "Inputs", "WrongResult", "main", "milliseconds", "poisoned"]


@dataclass(frozen=True)
class Expected:
    """The reference's results, and how far each may be off by the rounding of operands."""

    results: list[Any]
    spreads: list[Spread | None]


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
        products: whether matrix units multiply what `reference` does; on a GPU they multiply float32 in TF32.
        narrow: a dtype narrower than the results' that the kernel rounds to on the way, by its nature; "inputs" is
            that of its first argument, for operands of a product that are made of products.
        autograd: the kernel inside a `torch.autograd.Function`, where it has a backward.
    """

    name: str
    kernel: Any
    reference: Callable[..., Any]
    eager: Callable[..., Any]
    cases: tuple[Case, ...]
    bench: tuple[Case, ...]
    terms: Callable[..., int] = field(default=lambda *args: 1)
    products: bool = False
    narrow: torch.dtype | Literal["inputs"] | None = None
    autograd: Autograd | None = None

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
        """The relative error to expect of a result of `dtype` whose products are exact: of its rounding and its sums."""
        expected = unit(dtype, self.terms(*args))
        return expected + torch.finfo(self.narrow).eps if isinstance(self.narrow, torch.dtype) else expected

    def expect(self, args: Args, answer: Any = None) -> Expected:
        """What a kernel should return for `args`, given the reference's answer if it is at hand."""
        results = leaves(self.reference(*args) if answer is None else answer)
        operands = operands_of(args, narrow=self.narrow == "inputs") if self.products else None
        if operands is None:
            return Expected(results, [None] * len(results))
        off = off_by(operands, lambda: leaves(self.reference(*args)))
        return Expected(results, [spread(*pair) if pair[1].is_floating_point() else None for pair in zip(off, results)])

    def check(self, actual: Any, args: Args, expected: Any = None) -> float:
        """Compare what a kernel returned with the reference.

        Args:
            actual: what the kernel returned for `args`.
            args: its arguments, as they were before the call.
            expected: what `expect` returned, or the reference's answer, if at hand.

        Returns:
            The largest relative error of a result, as ‖actual − expected‖ / ‖expected‖.

        Raises:
            WrongResult: naming the result and the worst element.
        """
        if not isinstance(expected, Expected):
            expected = self.expect(args, expected)
        actual_list = leaves(actual)
        if len(actual_list) != len(expected.results):
            raise WrongResult(f"{self.name}: {len(actual_list)} results where {len(expected.results)} are expected")
        errors = [0.0]
        for position, (got, want, off) in enumerate(zip(actual_list, expected.results, expected.spreads)):
            allowed = self.unit(want.dtype, args) if want.dtype.is_floating_point else 0.0
            errors.append(compare(f"{self.name}, result {position}", got, want, allowed, off))
        return max(errors)


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """While open, PyTorch fills what `torch.empty` and its kin return with NaN (integers: the largest value).

    A kernel allocates its outputs itself, so this is how an element that it never wrote comes to light.
    """
    # Not use_deterministic_algorithms, which imports half a compiler.
    mode = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = True  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # pyright: ignore[reportAttributeAccessIssue]


def run_in_triton_interpreter(example: Example, args: Args) -> Any:
    """Run the generated program of the default configuration on CPU tensors.

    Needs `TRITON_INTERPRET=1` in the environment from the start of the process: Triton reads it when imported.
    """
    bound = example.kernel.bind(args)
    bound.set_config(bound.config_spec.default_config())
    return bound(*args)


def milliseconds(call: Callable[[], Any]) -> float:
    """Median device time of `call`, which has been called before, in milliseconds: not what its launches cost the host."""
    from helion_ir.autotuner.measure import Effort, device_milliseconds

    return device_milliseconds(call, lambda: None, Effort())


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
        if example.autograd is not None:
            for case in example.autograd.cases:
                error = example.autograd.check(example.name, case.args("cuda" if gpu else "cpu"))
                print(f"{example.name:24} {case.name:16} gradients ok, relative error {error:.2g}", flush=True)
        if gpu and not options.check_only:
            for case in example.bench:
                times = time_on_gpu(example, case)
                columns = "  ".join(f"{name} {value:.4f} ms" for name, value in times.items())
                print(f"{example.name:24} {case.name:16} {columns}", flush=True)
