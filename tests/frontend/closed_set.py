"""The calls that the frontend is held to: PyTorch's pointwise, shape, reduction, scan, product and creation functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F

UNARY = """abs acos acosh asin asinh atan atanh ceil cos cosh erf erfc erfinv exp exp2 expm1 floor frac lgamma digamma log
 log10 log1p log2 logit neg positive reciprocal relu round rsqrt sigmoid sign sgn signbit sin sinh sqrt square tan tanh
 trunc isnan isinf isfinite nan_to_num i0 deg2rad rad2deg clone contiguous detach zeros_like ones_like rand_like
 randn_like float half bfloat16 int long bool double logical_not sinc special.i1""".split()
ACTIVATIONS = """relu6 leaky_relu gelu silu hardtanh hardswish hardsigmoid tanhshrink softsign softplus elu selu celu mish
 logsigmoid softmin log_softmax softmax normalize glu""".split()
BINARY = """add sub mul div true_divide floor_divide remainder fmod maximum minimum fmax fmin pow atan2 logaddexp hypot
 copysign nextafter heaviside ldexp xlogy float_power eq ne lt le gt ge logical_and logical_or logical_xor isclose rsub
 clamp_min clamp_max""".split()
INT = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift gcd floor_divide remainder".split()
REDUCE = """sum mean amax amin prod argmax argmin count_nonzero logsumexp any all var std var_mean std_mean nansum median
 aminmax norm softmax max min""".split()
Call = tuple[str, Callable[[], Any]]


def calls(e: dict[str, torch.Tensor]) -> Iterator[Call]:
    """Every call, as (name, function), on floats x and y, int32 i and j, and bools b of shape [bm, bn]."""
    x, y, i, j, b = e["x"], e["y"], e["i"], e["j"], e["b"]
    bm, bn = x.shape
    m = torch
    for n in UNARY:
        yield (
            n,
            lambda n=n: (
                getattr(x, n)() if hasattr(x, n) else m.special.i1(x) if n == "special.i1" else getattr(m, n)(x)
            ),
        )
    for n in ACTIVATIONS:
        dim = {"dim": -1} if "soft" in n and n not in ("softsign", "softplus") else {}
        yield "F." + n, lambda n=n, dim=dim: getattr(F, n)(x, **dim)
    for n in BINARY:
        yield n, lambda n=n: getattr(m, n)(x, 0.5 if "clamp" in n else y)
    for n in INT:
        yield n + " int", lambda n=n: getattr(m, n)(i, j)
    for n in REDUCE:
        keep = {} if n in ("count_nonzero", "softmax") else {"keepdim": True}
        yield n + "(dim)", lambda n=n: getattr(m, n)(x, dim=-1)
        yield n + "(dim, keepdim)", lambda n=n, keep=keep: getattr(m, n)(x, dim=-1, **keep)
    yield from {
        "add alpha": lambda: m.add(x, y, alpha=2),
        "div floor": lambda: m.div(x, y, rounding_mode="floor"),
        "div trunc": lambda: m.div(x, y, rounding_mode="trunc"),
        "pow 2": lambda: x**2,
        "pow 3": lambda: x**3,
        "pow .5": lambda: x**0.5,
        "pow -1": lambda: x**-1.0,
        "2**x": lambda: 2.0**x,
        "i/i": lambda: i / j,
        "i//3": lambda: i // 3,
        "i%3": lambda: i % 3,
        "clamp": lambda: x.clamp(0, 1),
        "clamp tensor": lambda: x.clamp(y, y + 1),
        "where": lambda: m.where(b, x, y),
        "where scalar": lambda: m.where(b, x, 0.0),
        "masked_fill": lambda: x.masked_fill(b, -1.0),
        "lerp": lambda: m.lerp(x, y, 0.5),
        "lerp tensor": lambda: m.lerp(x, y, y),
        "addcmul": lambda: m.addcmul(x, y, y),
        "addcdiv": lambda: m.addcdiv(x, y, y),
        "dropout eval": lambda: F.dropout(x, training=False),
        "rms_norm": lambda: F.rms_norm(x, [bn]),
        "layer_norm": lambda: F.layer_norm(x, [bn]),
        "gelu tanh": lambda: F.gelu(x, approximate="tanh"),
        "mse_loss": lambda: F.mse_loss(x, y),
        "sum all": lambda: x.sum(),
        "sum 2": lambda: x.sum((0, 1)),
        "amax all": lambda: x.amax(),
        "max all": lambda: x.max(),
        "any all": lambda: b.any(),
        "norm all": lambda: m.linalg.vector_norm(x, dim=-1),
        "cumsum": lambda: x.cumsum(1),
        "cumprod": lambda: x.cumprod(1),
        "cummax": lambda: x.cummax(1),
        "logcumsumexp": lambda: x.logcumsumexp(1),
        "sort": lambda: m.sort(x, -1),
        "argsort": lambda: m.argsort(x, -1),
        "topk": lambda: m.topk(x, 4),
        "view dtype": lambda: x.view(m.int32 if x.dtype == m.float32 else m.int16),
        "reshape": lambda: x.reshape(bm * bn),
        "permute": lambda: x.permute(1, 0),
        "movedim": lambda: x.movedim(0, 1),
        "swapaxes": lambda: x.swapaxes(0, 1),
        "mT": lambda: x.mT,
        "unsqueeze": lambda: x.unsqueeze(0),
        "squeeze": lambda: x[None].squeeze(0),
        "expand": lambda: x[None].expand(3, -1, -1),
        "broadcast_to": lambda: m.broadcast_to(x, (2, bm, bn)),
        "stack": lambda: m.stack([x, y], -1),
        "cat": lambda: m.cat([x, y], 1),
        "chunk": lambda: m.chunk(x, 2, 1),
        "unbind": lambda: m.stack([x, y], -1).unbind(-1),
        "split": lambda: m.split(x, bn // 2, 1),
        "repeat_interleave": lambda: x.repeat_interleave(2, 1),
        "repeat": lambda: x.repeat(1, 2),
        "flip": lambda: x.flip(1),
        "roll": lambda: x.roll(1, 1),
        "diff": lambda: x.diff(dim=1),
        "narrow": lambda: x.narrow(1, 0, bn // 2),
        "select": lambda: x.select(1, 0),
        "tril": lambda: m.tril(x),
        "triu": lambda: m.triu(x, 1),
        "gather": lambda: m.gather(x, 1, i.long()),
        "take_along_dim": lambda: m.take_along_dim(x, i.long(), 1),
        "index_select": lambda: x.index_select(1, m.arange(bn)),
        "one_hot": lambda: F.one_hot(i.long(), 8),
        "pad": lambda: F.pad(x, (0, 1)),
        "full": lambda: m.full([bm, 4], 2.0),
        "zeros": lambda: m.zeros([bm, bn]),
        "new_zeros": lambda: x.new_zeros([bm]),
        "full_like": lambda: m.full_like(x, 3),
        "arange": lambda: m.arange(bm),
        "arange 3": lambda: m.arange(0, 16, 2),
        "linspace": lambda: m.linspace(0, 1, 16),
        "eye": lambda: m.eye(16),
        "rand": lambda: m.rand([bm]),
        "mm": lambda: x @ y.T,
        "addmm": lambda: m.addmm(x[:, None, :].sum(1) @ y.T, x, y.T),
        "bmm": lambda: m.bmm(x[None], y.T[None]),
        "baddbmm": lambda: m.baddbmm((x @ y.T)[None], x[None], y.T[None]),
        "linear": lambda: F.linear(x, y),
        "einsum": lambda: m.einsum("ij,kj->ik", x, y),
        "outer": lambda: m.outer(x.sum(1), y.sum(0)),
        "einsum dot": lambda: m.einsum("ij,ij->i", x, y),
        "sdpa": lambda: F.scaled_dot_product_attention(x[None], y[None], y[None]),
        "cross_entropy": lambda: F.cross_entropy(x, i.long().amax(1)),
        "cdist": lambda: m.cdist(x, y),
        "bucketize": lambda: m.bucketize(x, m.arange(8.0)),
        "x.add_": lambda: (+x).clone().add_(1),
        "x.copy_": lambda: x.clone().copy_(y),
        "x.clamp_": lambda: x.clone().clamp_(0, 1),
        "x.mul_": lambda: x.clone().mul_(y),
        "x.zero_": lambda: x.clone().zero_(),
        "x.fill_": lambda: x.clone().fill_(1),
        "x.masked_fill_": lambda: x.clone().masked_fill_(b, 0.0),
        "x.relu_": lambda: x.clone().relu_(),
        "x.exp_": lambda: x.clone().exp_(),
    }.items()
