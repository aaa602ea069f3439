"""How a kernel's results are judged: shapes and dtypes exactly, numbers by the rounding that their dtype and sums allow."""

import math
from typing import Any

import torch

from examples.rounding import Spread

FLOAT32_EPS = torch.finfo(torch.float32).eps


class WrongResult(AssertionError):
    """A kernel ran and computed something else than its reference."""


def leaves(value: Any) -> list[Any]:
    """The results in a kernel's answer: what is in its tuples and lists, without `None`.

    >>> leaves((1, [2, None], 3))
    [1, 2, 3]
    """
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


def unit(dtype: torch.dtype, terms: int) -> float:
    """The relative error to expect of a result whose products are exact.

    Args:
        dtype: the result's; its rounding counts once.
        terms: how many numbers the longest sum behind it adds up in float32; the error grows with its root.
    """
    return torch.finfo(dtype).eps + 4 * FLOAT32_EPS * math.sqrt(terms)


def compare(what: str, got: Any, want: torch.Tensor, allowed: float, spread: Spread | None = None) -> float:
    """The relative error ‖got − want‖ / ‖want‖ of one result.

    Args:
        what: its name in a message.
        got: what the kernel computed.
        want: what it should be; integers must be equal.
        allowed: the relative error to expect (`unit`). An element may be off by four times that, relative to itself
            and to the root mean square of all of them.
        spread: what the rounding of the operands of products may add to that.

    Raises:
        WrongResult: naming the result and the worst element.
    """
    if not isinstance(got, torch.Tensor):
        raise WrongResult(f"{what}: a tensor is expected, not {type(got).__name__}")
    if got.shape != want.shape or got.dtype != want.dtype:
        raise WrongResult(f"{what}: {tuple(got.shape)} {got.dtype} where {tuple(want.shape)} {want.dtype} is expected")
    if want.numel() == 0:
        return 0.0
    if not want.dtype.is_floating_point:
        if not torch.equal(got.to(want.device), want):
            raise WrongResult(f"{what}: integers differ")
        return 0.0
    got64, want64 = got.to(torch.float64), want.to(device=got.device, dtype=torch.float64)
    rms = want64.square().mean().sqrt()
    difference = (got64 - want64).abs()
    limit = 4 * allowed * (want64.abs() + rms)
    if spread is not None:
        limit, allowed = limit + spread.most.to(limit.device), allowed + spread.norm
    # A NaN compares false, so it is counted among the wrong elements.
    wrong = ~(difference <= limit)
    if wrong.any():
        worst = int(torch.where(wrong, difference.nan_to_num(math.inf), -1.0).argmax())
        place = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), got.shape))
        raise WrongResult(
            f"{what}: {int(wrong.sum())} of {wrong.numel()} elements are off, the worst at {place}: "
            f"{got64.flatten()[worst]:.6g} where {want64.flatten()[worst]:.6g} is expected (unit {allowed:.2g})"
        )
    error = float(difference.norm() / want64.norm())
    if not error <= allowed:
        raise WrongResult(f"{what}: relative error {error:.3g} is over {allowed:.3g}")
    return error
