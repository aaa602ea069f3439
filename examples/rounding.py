"""How far results may be off because operands of matrix products are rounded: a chain of products run once more, off by chance.

A tensor core cuts float32 operands to TF32 (11 bits, towards zero), and a kernel rounds what it has computed to its
inputs' dtype before it multiplies again. How much of that is seen in a result depends on what lies between the products:
an exponential makes the error of a score of 2 twice as large, a difference leaves more of it than of the numbers, a
normalization less. So no count of products gives the bound. Monte Carlo arithmetic does (D. S. Parker, 1997): the float64
reference runs again with every operand of every product off by as much as its rounding may make of it, independently, and
what that changes is the size of the error, result by result. Since a number is rarely just above a power of two, where the
relative error is largest, this is 1.3 to 1.7 times the error of the hardware.

An operand is off by one of two errors that have the mean and the variance of uniform ones. Uniform ones are now and then
next to nothing, and where one operand decides about a whole row, as the last position of a state that decays fast, the row
would be expected to have next to no error.

An element is as far off as the numbers behind it are large, which is not to be read off from the element itself. A run
gives one sample of each; its variance is taken to be that of its row times that of its column, as it is in a product.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

_PRODUCTS = {torch.ops.aten.mm.default: (0, 1), torch.ops.aten.bmm.default: (0, 1), torch.ops.aten.addmm.default: (1, 2),
             torch.ops.aten.baddbmm.default: (1, 2), torch.ops.aten.mv.default: (0, 1), torch.ops.aten.dot.default: (0, 1)}  # fmt: skip
_CHANCE = 1e-6
_ENOUGH, _RUNS = 4096, 16
_FARTHER = 8.0
"""Operands are off by this many times their error: a result's own rounding, which is counted elsewhere, is then little of it."""


@dataclass(frozen=True)
class Operands:
    """What a kernel holds the operands of its products in.

    Attributes:
        device: where they are.
        unit: the largest relative error of one.
        exact: what rounds to the numbers that have none.
        towards_zero: whether it is always made smaller; else it may go either way.
    """

    device: torch.device
    unit: float
    exact: Callable[[torch.Tensor], torch.Tensor]
    towards_zero: bool

    def off(self, operand: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Each number that is not exact, off by chance."""
        shape = {"size": operand.shape, "device": operand.device, "dtype": torch.int8}
        sign = torch.randint(0, 2, generator=rng, **shape).to(operand.dtype) * 2 - 1
        error = sign / math.sqrt(3)
        if self.towards_zero:
            error = (error - 1) / 2
        return torch.where(self.exact(operand) == operand, operand, operand * (1 + _FARTHER * self.unit * error))


def cut_to_tf32(x: torch.Tensor) -> torch.Tensor:
    """What a tensor core reads of float32 numbers: their first 11 bits."""
    return (x.float().view(torch.int32) & ~0x1FFF).view(torch.float32).to(x.dtype)


def tf32(device: torch.device) -> Operands:
    """Operands that a kernel leaves as float32."""
    return Operands(device, 2.0**-10, cut_to_tf32, towards_zero=True)


def rounded_to(dtype: torch.dtype, device: torch.device) -> Operands:
    """Operands that a kernel converts to `dtype`, to the nearest."""
    return Operands(device, torch.finfo(dtype).eps / 2, lambda x: x.to(dtype).to(x.dtype), towards_zero=False)


def operands_of(args: Sequence[Any], narrow: bool) -> Operands | None:
    """What the operands of products are rounded to, if anything.

    Args:
        args: of the kernel.
        narrow: whether it converts what it has computed to its first argument's dtype before it multiplies again.
    """
    first = args[0]
    if narrow and first.dtype != torch.float32:
        return rounded_to(first.dtype, first.device)
    if any(isinstance(arg, torch.Tensor) and arg.is_cuda and arg.dtype == torch.float32 for arg in args):
        return tf32(first.device)
    return None


class _OperandsOff(TorchDispatchMode):
    """While open, float64 products read operands that are off."""

    def __init__(self, operands: Operands):
        super().__init__()
        self.operands = operands
        self.rng = torch.Generator(operands.device).manual_seed(0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _PRODUCTS and args[_PRODUCTS[func][0]].dtype == torch.float64:
            args = [self.operands.off(a, self.rng) if i in _PRODUCTS[func] else a for i, a in enumerate(args)]
        return func(*args, **(kwargs or {}))


def off_by(operands: Operands, compute: Callable[[], list[Any]]) -> list[list[Any]]:
    """What `compute` returns where operands are off, for `spread`: each result, several times where it is small."""
    with sdpa_kernel(SDPBackend.MATH), _OperandsOff(operands):
        runs = [compute()]
        elements = max([1, *(r.numel() for r in runs[0] if r is not None)])
        runs += [compute() for _ in range(min(_RUNS, _ENOUGH // elements) - 1)]
    return [list(results) for results in zip(*runs, strict=True)]


@dataclass(frozen=True)
class Spread:
    """How far one result may be off by the rounding of operands.

    Attributes:
        norm: what the error's norm over that of the result does not exceed but by a chance of one in a million. Rows
            are taken to be independent of one another, their elements not.
        deviation: the standard deviation of each element's error.
    """

    norm: float
    deviation: torch.Tensor

    @property
    def most(self) -> torch.Tensor:
        """What no element's error exceeds but by the same chance (a union bound over normal tails)."""
        return math.sqrt(2 * math.log(2 * self.deviation.numel() / _CHANCE)) * self.deviation


def spread(off: list[torch.Tensor], want: torch.Tensor) -> Spread:
    """The spread of a result that is `want` and came out as each of `off` (`off_by`)."""
    want = want.double()
    squares = torch.zeros_like(want)
    for sample in off:
        squares += ((sample.double() - want) / _FARTHER).square() / len(off)
    mean = squares.mean()
    if squares.dim() >= 2:
        rows, columns = squares.mean(-1, keepdim=True), squares.mean(-2, keepdim=True)
        both = squares.mean((-1, -2), keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        # A short row says little about its own size, so that none is taken to be better than all.
        squares = torch.maximum(rows * columns / both, mean)
    else:
        squares = mean.expand_as(squares)
    independent = want.numel() // want.size(-1) if want.dim() >= 2 else want.numel()
    by_chance = 1 + math.sqrt(math.log(1 / _CHANCE) / independent)
    return Spread(by_chance * math.sqrt(float(mean)) / max(float(want.square().mean().sqrt()), 1e-300), squares.sqrt())
