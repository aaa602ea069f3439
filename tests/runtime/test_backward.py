"""helion.experimental.backward: gradients by derived kernels, at the tile level, against PyTorch's in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.experimental import backward


def elementwise(x, y):
    first, second = torch.empty_like(x), torch.empty_like(x)
    for t in hl.tile(x.size()):
        first[t] = torch.sin(x[t]) * y[t] + x[t] / (y[t] + 3)
        second[t] = torch.where(x[t] > 0, F.gelu(x[t]), y[t] * 2)
    return first, second


def rms_norm(x, w, eps: float):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        v = x[t, :]
        out[t, :] = v * torch.rsqrt((v * v).mean(-1, keepdim=True) + eps) * w[:][None, :]
    return out


def bias_of_columns(x, b):
    """The scale on the host differs between the lengths that dimensions are told apart by."""
    scale = 1.0 / x.size(1)
    out = torch.empty_like(x)
    for t, u in hl.tile(x.size()):
        out[t, u] = torch.tanh(x[t, u] + b[None, u]) * scale
    return out


def reductions(x, w):
    out = torch.empty([x.size(0)], dtype=x.dtype, device=x.device)
    for t in hl.tile(x.size(0)):
        row = x[t, :]
        out[t] = torch.softmax(row, -1).amax(-1) + row.amin(1) + F.layer_norm(row, [x.size(1)], w[:]).sum(-1)
    return out


REFERENCES: dict[Any, Any] = {
    elementwise: lambda x, y: (torch.sin(x) * y + x / (y + 3), torch.where(x > 0, F.gelu(x), y * 2)),
    rms_norm: lambda x, w, eps: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w,
    bias_of_columns: lambda x, b: torch.tanh(x + b) / x.size(1),
    reductions: lambda x, w: x.softmax(-1).amax(-1) + x.amin(1) + F.layer_norm(x, [x.size(1)], w).sum(-1),
}


def quiet(function: Any) -> Any:
    return helion.kernel(function, autotune_effort="none", ignore_warnings=[exc.BaseWarning])


@pytest.mark.parametrize(
    ("function", "shapes", "more"),
    [
        (elementwise, [(5, 9), (5, 9)], ()),
        (rms_norm, [(7, 7), (7,)], (1e-5,)),  # tile and axis of one length
        (bias_of_columns, [(9, 9), (9,)], ()),
        (reductions, [(6, 13), (13,)], ()),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_gradients(function: Any, shapes: list[tuple[int, ...]], more: tuple[Any, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    args = [torch.rand(s).add(0.1).to(dtype) * torch.randn(s).sign().to(dtype) for s in shapes]
    forward = quiet(function)
    forward(*args, *more)
    wide = [a.double().requires_grad_() for a in args]
    results = REFERENCES[function](*wide, *more)
    results = results if isinstance(results, tuple) else (results,)
    grads = tuple(torch.randn(r.shape).to(dtype) for r in results)
    torch.autograd.backward(results, [g.double() for g in grads])
    got = backward(forward, grads if len(grads) > 1 else grads[0], *args, *more)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    for mine, a in zip(got, wide, strict=True):
        assert mine.dtype == dtype and a.grad is not None
        torch.testing.assert_close(mine.double(), a.grad, rtol=tolerance, atol=tolerance)


def test_one_input_gives_one_tensor_and_code_on_request() -> None:
    def double(x):
        out = torch.empty_like(x)
        for t in hl.tile(x.size(0)):
            out[t, :] = x[t, :] * 2
        return out

    x, forward = torch.randn(5, 6), quiet(double)
    with pytest.raises(exc.AutodiffKernelNotCalled, match="call double on these inputs before"):
        backward(forward, torch.ones(5, 6), x)
    forward(x)
    grad, source, triton = backward(forward, torch.full((5, 6), 3.0), x, return_code=True)
    assert torch.equal(grad, torch.full((5, 6), 6.0))
    assert "def double_backward(grad_out, x):" in source and "for t0 in hl.tile(x.size(0)):" in source
    assert "def _double_backward(" in triton


def sums_over_tiles(x):  # refused here
    out = torch.empty([x.size(0)])
    for t, u in hl.tile(x.size()):
        out[t] = x[t, u].sum(1)
    return out


def has_two_loops(x):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        total = hl.zeros([t])
        for k in hl.tile(x.size(1)):  # refused here
            total = total + x[t, k].sum(1)
        out[t] = total
    return out


def uses_indices(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * t.index[:, None]  # refused here
    return out


def loads_a_part(x):
    out = torch.empty([x.size(0)])
    for t in hl.tile(x.size(0)):
        out[t] = x[t, 0]  # refused here
    return out


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (sums_over_tiles, "it reduces over a tile; load the whole axis with `:`"),
        (has_two_loops, "it has more than one loop over tiles"),
        (uses_indices, "it uses hl.tile_index"),
        (loads_a_part, "a subscript is neither a tile of the whole extent nor a whole axis"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_what_it_cannot_is_refused(function: Any, text: str) -> None:
    x, forward = torch.randn(4, 4), quiet(function)
    forward(x)
    with pytest.raises(exc.AutodiffNotSupported) as caught:
        backward(forward, torch.ones(4), x)
    assert caught.value.message == f"no gradient of this kernel: {text}"
    assert caught.value.place is not None and "refused here" in caught.value.place.text
