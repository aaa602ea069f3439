"""A kernel and its backward as one differentiable function, and how its gradients are judged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from examples.compare import WrongResult, compare, leaves, unit
from examples.inputs import Args, Case, Inputs


@dataclass(frozen=True)
class Autograd:
    """A `torch.autograd.Function` made of kernels.

    Attributes:
        function: what a model calls; returns a tensor or a tuple of tensors.
        reference: the same function in PyTorch's own differentiable operators. It is run in float64.
        cases: arguments of both. A floating-point tensor among them gets a gradient if it does in `reference`.
        terms: how many numbers the longest sum behind one element of a gradient adds up.
        products: how many matrix products follow one another.
        roundings: how many times a number of the inputs' dtype is rounded on the way to a gradient.
    """

    function: Callable[..., Any]
    reference: Callable[..., Any]
    cases: tuple[Case, ...]
    terms: Callable[..., int] = field(default=lambda *args: 1)
    products: int = 0
    roundings: int = 1

    def check(self, name: str, args: Args) -> float:
        """Compare results and gradients with those of the reference, for random gradients of the results.

        Returns:
            The largest relative error.

        Raises:
            WrongResult: naming the gradient and the worst element.
        """
        inputs, results = _differentiable(self.function, args, torch.dtype)
        inputs64, results64 = _differentiable(self.reference, args, torch.float64)
        device = results[0].device
        rng = Inputs(device, seed=1)
        upstream = [rng.normal(*result.shape, dtype=result.dtype) for result in results]
        gradients = torch.autograd.grad(results, inputs, upstream, allow_unused=True)
        upstream64 = [grad.double() for grad in upstream]
        gradients64 = torch.autograd.grad(results64, inputs64, upstream64, allow_unused=True)
        errors = []
        pairs = [
            *((f"result {i}", *pair) for i, pair in enumerate(zip(results, results64, strict=True))),
            *((f"gradient {i}", *pair) for i, pair in enumerate(zip(gradients, gradients64, strict=True))),
        ]
        for what, got, want in pairs:
            if want is None and got is None:
                continue
            if want is None or got is None:
                raise WrongResult(f"{name}, {what}: {'none' if want is None else 'one'} is expected")
            allowed = self.roundings * unit(got.dtype, self.terms(*args), self.products if got.is_cuda else 0)
            errors.append(compare(f"{name}, {what}", got.detach(), want.detach().to(got.dtype), allowed))
        return max(errors)


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
