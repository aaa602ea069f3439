"""A kernel and its backward as one differentiable function, and how its gradients are judged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from examples.compare import WrongResult, compare, leaves, unit
from examples.inputs import Args, Case, Inputs
from examples.rounding import off_by, operands_of, spread


@dataclass(frozen=True)
class Autograd:
    """A `torch.autograd.Function` made of kernels.

    Attributes:
        function: what a model calls; returns a tensor or a tuple of tensors.
        reference: the same function in PyTorch's own differentiable operators. It is run in float64.
        cases: arguments of both. A floating-point tensor among them gets a gradient if it does in `reference`.
        terms: how many numbers the longest sum behind one element of a gradient adds up.
        products: whether matrix units multiply.
        roundings: how many times a number of the inputs' dtype is rounded on the way to a gradient.
    """

    function: Callable[..., Any]
    reference: Callable[..., Any]
    cases: tuple[Case, ...]
    terms: Callable[..., int] = field(default=lambda *args: 1)
    products: bool = False
    roundings: int = 1

    def check(self, name: str, args: Args) -> float:
        """Compare results and gradients with those of the reference, for random gradients of the results.

        Returns:
            The largest relative error.

        Raises:
            WrongResult: naming the gradient and the worst element.
        """
        inputs, results = _differentiable(self.function, args, torch.dtype)
        device = results[0].device
        rng = Inputs(device, seed=1)
        upstream = [rng.normal(*result.shape, dtype=result.dtype) for result in results]
        gradients = torch.autograd.grad(results, inputs, upstream, allow_unused=True)
        expected = self._expected(args, upstream)
        operands = operands_of(args, narrow=False) if self.products else None
        off = expected if operands is None else off_by(operands, lambda: self._expected(args, upstream))
        names = [f"result {i}" for i in range(len(results))] + [f"gradient {i}" for i in range(len(gradients))]
        errors = []
        for what, got, want, moved in zip(names, [*results, *gradients], expected, off, strict=True):
            if want is None and got is None:
                continue
            if want is None or got is None:
                raise WrongResult(f"{name}, {what}: {'none' if want is None else 'one'} is expected")
            allowed = self.roundings * unit(got.dtype, self.terms(*args))
            spreads = None if operands is None else spread(moved, want)
            errors.append(compare(f"{name}, {what}", got.detach(), want.to(got.dtype), allowed, spreads))
        return max(errors)

    def _expected(self, args: Args, upstream: list[torch.Tensor]) -> list[Any]:
        """The reference's results and gradients, in float64."""
        inputs, results = _differentiable(self.reference, args, torch.float64)
        gradients = torch.autograd.grad(results, inputs, [grad.double() for grad in upstream], allow_unused=True)
        return [None if t is None else t.detach() for t in (*results, *gradients)]


def _differentiable(
    function: Callable[..., Any], args: Args, dtype: Any
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The arguments that get gradients, fresh leaves, and the results of calling `function` with them."""
    inputs, made = [], []
    for arg in args:
        if isinstance(arg, torch.Tensor) and arg.dtype.is_floating_point:
            arg = arg.detach().to(dtype if dtype is torch.float64 else arg.dtype).clone().requires_grad_()
            inputs.append(arg)
        made.append(arg)
    return inputs, leaves(function(*made))
