"""Inputs of the closed set's calls, what eager PyTorch says of them, and how results are judged."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from tests.coverage.kernels import Call, Inputs, Kernel, Layout
from tests.frontend.closed_set import BINARY, INT, UNARY, calls

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, float("inf"), float("-inf"), float("nan"), 3e38, -3e38, 88.5, -88.5,
    1e-8, 8388609.0, -7.25, 100.0, 3.0,
]  # fmt: skip
"""Where functions have their edges: 21 numbers, a column each; the first 13 are also the rows of a second operand."""
SPECIAL_INTS = [0, 1, -1, 7, -7, 2**31 - 1, -(2**31) + 1, 31, 32, 33, 64, -32, 1000, 3, -3, 2, -2, 5, 16, 255, -256]

_EXAMPLE = {"x": torch.ones(8, 16), "y": torch.ones(8, 16)} | dict.fromkeys("ijb", torch.ones(8, 16, dtype=torch.int32))
NAMES = [name for name, _ in calls(_EXAMPLE)]
EDGED = (
    [n for n in NAMES if n in {*UNARY, *BINARY, *[f"{i} int" for i in INT]}]
    + """
div floor;div trunc;pow 2;pow 3;pow .5;pow -1;2**x;clamp;clamp tensor;where;masked_fill;sort;argsort;topk;amax(dim)
;amin(dim);argmax(dim);argmin(dim);max(dim);min(dim);aminmax(dim);cummax;flip;cat""".replace("\n", "").split(";")
)
"""Calls that are also made on special numbers."""


def call(name: str) -> Call:
    """The call of the closed set of this name, on a mapping of operands."""
    return lambda e: dict(calls(dict(e)))[name]()


STABLE: dict[str, Call] = {
    "sort": lambda e: torch.sort(e["x"], stable=True, dim=-1),
    "argsort": lambda e: torch.sort(e["x"], stable=True, dim=-1).indices,
    "topk": lambda e: tuple(t[..., :4] for t in torch.sort(e["x"], stable=True, dim=-1, descending=True)),
}
"""What calls that may put equal elements in any order are compared with: our sorts are stable."""
UNSIGNED_ZERO = {
    "relu",
    "fmax",
    "fmin",
    "clamp tensor",
    "clamp",
    "sort",
    "topk",
    "max(dim)",
    "min(dim)",
    "aminmax(dim)",
}
"""Calls of which PyTorch leaves open, or does not keep the same everywhere, which zero they give."""
LOOSE = {
    "i0": "at infinity, where it is infinite, PyTorch gives NaN",
    "special.i1": "at infinity, where it is infinite, PyTorch gives NaN",
}
"""Calls that are not compared on special numbers, and why."""


def inputs(dtype: torch.dtype, layout: Layout, special: bool = False) -> dict[str, torch.Tensor]:
    """Operands of a layout: none is zero, or every special number with every other."""
    shape = (layout.rows, layout.columns)
    torch.manual_seed(0)
    out = {
        "x": (torch.rand(shape) * 0.8 + 0.1).to(dtype),
        "y": (torch.rand(shape) + 0.2).to(dtype),
        # Also indices and classes: below the 5 columns of a last partial tile.
        "i": torch.randint(1, 5, shape, dtype=torch.int32),
        "j": torch.randint(1, 7, shape, dtype=torch.int32),
        "b": torch.rand(shape) > 0.5,
    }
    if special:
        out["x"] = torch.tensor(SPECIAL).to(dtype).repeat(-(-shape[1] // 21))[: shape[1]].expand(shape).contiguous()
        rows = torch.tensor(SPECIAL)[[(5 * r) % 21 for r in range(shape[0])]].to(dtype)
        out["y"] = rows[:, None].expand(shape).contiguous()
        ints = torch.tensor(SPECIAL_INTS, dtype=torch.int32)
        out["i"] = ints.repeat(-(-shape[1] // 21))[: shape[1]].expand(shape).contiguous()
        divisors = ints[[(5 * r + 1) % 20 + 1 for r in range(shape[0])]]
        out["j"] = divisors[:, None].expand(shape).contiguous()
    return out


def references(kernel: Kernel, name: str, operands: Inputs) -> list[list[torch.Tensor]]:
    """What eager PyTorch gives, in the operands' dtype and in f64; the one it cannot do is left out."""
    wide = {k: v.double() if v.is_floating_point() else v for k, v in operands.items()}
    out: list[list[torch.Tensor]] = []
    outputs = [kernel.outputs[i] for i in kernel.of(name)]
    for real in (operands, wide):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                out.append(kernel.expected(STABLE.get(name, call(name)), real, outputs))
            except (RuntimeError, IndexError, TypeError, AttributeError, ZeroDivisionError):
                if real is operands:
                    raise
    return out


def tolerances(dtype: torch.dtype) -> tuple[float, float]:
    """Relative and absolute, of a result computed from operands of this dtype by a few roundings."""
    return (1.6e-2, 1e-2) if dtype == torch.bfloat16 else (2e-5, 1e-5)


def difference(
    got: Sequence[torch.Tensor],
    wanted: Sequence[Sequence[torch.Tensor]],
    dtype: torch.dtype,
    special: bool = False,
) -> str:
    """Which element is unlike every reference, or "". Of special numbers the signs of zeros count too."""
    rtol, atol = tolerances(dtype)
    for number, tensor in enumerate(got):
        fine = torch.zeros(tensor.shape, dtype=torch.bool)
        for reference in wanted:
            fine |= _close(
                tensor, reference[number], rtol, 0.0 if special and dtype == torch.float32 else atol, special
            )
        if not fine.all():
            at = tuple((~fine).nonzero()[0].tolist())
            values: list[Any] = [r[number][at].item() for r in wanted]
            return f"result {number} at {at} is {tensor[at].item()}, not {values}; {int((~fine).sum())} differ"
    return ""


def _close(a: torch.Tensor, b: torch.Tensor, rtol: float, atol: float, signs: bool) -> torch.Tensor:
    if not a.is_floating_point():
        return a == b
    x, y = a.double(), b.double()
    near = torch.isclose(x, y, rtol=rtol, atol=atol + 1e-37, equal_nan=True)
    if signs:
        near &= (x != 0) | (y != 0) | (torch.signbit(x) == torch.signbit(y))
    return near
