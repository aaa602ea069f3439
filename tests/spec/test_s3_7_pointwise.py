"""Section 3.7: elementwise operations and dtypes; the families are in tests/coverage."""

from __future__ import annotations

import pytest
import torch
from tests.spec.spec import Item, Refusal, Section, check_refusal, check_stages, numbers, whole

import helion_ir.language as hl
from helion_ir import exc

SECTION = Section("3.7 Element-wise and dtype rules")
item, refuses = SECTION.item, SECTION.refuses


def kinds(n: int) -> tuple[torch.Tensor, ...]:
    return (
        whole(n),
        whole(n).to(torch.uint8),
        numbers(n).half(),
        numbers(n).bfloat16(),
        whole(n, low=0, high=2).bool(),
    )


def promoted(i, u, h, b, q):
    return (i + 1.5, b * 2.5, h + b, i * h, i / 3, i // 3, -i % 3, u + 250, q * 2, i > 2, -i // 3, u * h, i + q)


@item("promotion of tensors with tensors and numbers", kinds, promoted)
def promotions(i, u, h, b, q):
    n = i.size(0)
    f32, i32 = torch.float32, torch.int32
    dtypes = (
        f32,
        torch.bfloat16,
        f32,
        torch.float16,
        f32,
        i32,
        i32,
        torch.uint8,
        torch.int64,
        torch.bool,
        i32,
        torch.float16,
        i32,
    )
    outs = [torch.empty([n], dtype=d) for d in dtypes]
    for t in hl.tile(n):
        values = promoted(i[t], u[t], h[t], b[t], q[t])
        for v, o in zip(values, outs):
            o[t] = v if v.dtype == o.dtype else -77
    return tuple(outs)


@item(
    "floor division and remainder have Python's signs",
    lambda n: (whole(n), whole(n)),
    lambda a, b: (
        a // -b,
        -a % b,
        torch.div(-a, b, rounding_mode="trunc"),
        torch.fmod(-a, b),
        torch.div(-a, b, rounding_mode="floor"),
    ),
)
def divisions(a, b):
    outs = [torch.empty([a.size(0)], dtype=torch.int32) for _ in range(5)]
    for t in hl.tile(a.size(0)):
        x, y = a[t], b[t]
        outs[0][t], outs[1][t] = x // -y, -x % y
        outs[2][t], outs[3][t] = torch.div(-x, y, rounding_mode="trunc"), torch.fmod(-x, y)
        outs[4][t] = torch.div(-x, y, rounding_mode="floor")
    return tuple(outs)


@item(
    "16-bit results are rounded at every operation",
    lambda n: (torch.randn(n).half(), torch.randn(n).half()),
    lambda a, b: (a * b + b, a * b - b),
)
def rounding(a, b):
    c, d = torch.empty_like(a), torch.empty_like(a)
    for t in hl.tile(a.size(0)):
        x, y = a[t], b[t]
        c[t], d[t] = x * y + y, x * y - y
    return c, d


@item(
    "casts: to, float, half, bfloat16, int, long, bool, double, type, type_as, view(dtype)",
    lambda n: (numbers(n),),
    lambda x: (
        x.half().float() + x.bfloat16().float(),
        x.int() + x.long(),
        x.bool(),
        x.double() + x.to(torch.float64),
        x.view(torch.int32),
        x.type(torch.float16),
        x.type_as(x.half()),
        x.to(torch.int8),
    ),
)
def casts(x):
    n = x.size(0)
    dtypes = (
        torch.float32,
        torch.int64,
        torch.bool,
        torch.float64,
        torch.int32,
        torch.float16,
        torch.float16,
        torch.int8,
    )
    outs = [torch.empty([n], dtype=d) for d in dtypes]
    for t in hl.tile(n):
        v = x[t]
        outs[0][t] = v.half().float() + v.bfloat16().float()
        outs[1][t] = v.int() + v.long()
        outs[2][t] = v.bool()
        outs[3][t] = v.double() + v.to(torch.float64)
        outs[4][t] = v.view(torch.int32)
        outs[5][t] = v.type(torch.float16)
        outs[6][t] = v.type_as(outs[5][t])
        outs[7][t] = v.to(torch.int8)
    return tuple(outs)


@item(
    "float8: loads, casts, stores",
    lambda n: (numbers(n).to(torch.float8_e4m3fn), numbers(n).to(torch.float8_e5m2)),
    lambda a, b: (
        a.float() + b.float(),
        (a.float() * 1.1).to(torch.float8_e4m3fn).float(),
        (a.float() * 1.1).to(torch.float8_e5m2).float(),
    ),
    triton="float8 casts round otherwise in Triton's interpreter",
)
def float8(a, b):
    n = a.size(0)
    c = torch.empty([n])
    d, e = torch.empty([n], dtype=torch.float8_e4m3fn), torch.empty([n], dtype=torch.float8_e5m2)
    for t in hl.tile(n):
        x = a[t].to(torch.float32)
        c[t] = x + b[t].to(torch.float32)
        d[t] = (x * 1.1).to(torch.float8_e4m3fn)
        e[t] = (x * 1.1).to(torch.float8_e5m2)
    return c, d.float(), e.float()


@item("torch.tensor and scalar_tensor constants", lambda n: (numbers(n),), lambda x: x * 3 + 2)
def constants(x):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t] * torch.tensor(3.0) + torch.scalar_tensor(2.0)
    return out


@item(
    "where with scalars in one branch or both",
    lambda n: (numbers(n),),
    lambda x: (
        torch.where(x > 0, x, 0.0),
        torch.where(x > 0, 1.0, x),
        torch.where(x > 0, 1.0, 2.0),
        torch.where(x > 0, 1, 2),
    ),
)
def wheres(x):
    n = x.size(0)
    a, b, c = torch.empty([n]), torch.empty([n]), torch.empty([n])
    d = torch.empty([n], dtype=torch.int64)
    for t in hl.tile(n):
        v = x[t]
        a[t], b[t], c[t] = torch.where(v > 0, v, 0.0), torch.where(v > 0, 1.0, v), torch.where(v > 0, 1.0, 2.0)
        i = torch.where(v > 0, 1, 2)
        d[t] = i if i.dtype == torch.int64 else -1
    return a, b, c, d


@item(
    "pow of tensors, sizes and numbers",
    lambda n: (numbers(n).abs(), whole(n, high=4)),
    lambda x, i: (x**i, x**2, 2.0**x, x**0.5, i**2, 2**i, torch.pow(x, x)),
    tolerance=1e-5,
)
def powers(x, i):
    n = x.size(0)
    a, b, c, d, g = [torch.empty([n]) for _ in range(5)]
    e, f = torch.empty([n], dtype=torch.int32), torch.empty([n], dtype=torch.int32)
    for t in hl.tile(n):
        v, k = x[t], i[t]
        a[t], b[t], c[t], d[t] = v**k, v**2, 2.0**v, v**0.5
        e[t], f[t], g[t] = k**2, 2**k, torch.pow(v, v)
    return a, b, c, d, e, f, g


@item(
    "PyTorch functions that the specification lists as missing: digamma, gcd, F.layer_norm, F.mse_loss, torch.equal",
    lambda n: (numbers(n, 6).abs(), whole(n, 6)),
    lambda x, i: (torch.digamma(x), torch.gcd(i, i + 2), torch.nn.functional.layer_norm(x, [6])),
    tolerance=1e-4,
)
def beyond(x, i):
    a, b, c = torch.empty_like(x), torch.empty_like(i), torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        a[t, :] = torch.digamma(x[t, :])
        b[t, :] = torch.gcd(i[t, :], i[t, :] + 2)
        c[t, :] = torch.nn.functional.layer_norm(x[t, :], [6])
    return a, b, c


@refuses(
    "an operator without lowering",
    exc.BackendUnsupported,
    "aten.linalg_det is not supported on tiles (it needs aten._linalg_det)",
)
def unsupported(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.linalg.det(x[t, :])  # here


@refuses(
    "complex numbers",
    exc.BackendUnsupported,
    "torch.complex is not supported on tiles, which have no complex dtypes; compute with real and imaginary parts",
)
def complex_numbers(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = torch.complex(x[t, :], x[t, :]).abs()  # here


@refuses(
    "another device",
    exc.NotAllowedOnDevice,
    "a value of the kernel cannot move to meta; store it, and move the result on the host",
)
def another_device(x):
    for t in hl.tile(x.size(0)):
        x[t, :] = x[t, :].to("meta")  # here


@pytest.mark.parametrize("it", SECTION.items, ids=lambda i: i.kernel.__name__)
def test_item(it: Item) -> None:
    assert not (wrong := check_stages(it)), wrong


@pytest.mark.parametrize("it", SECTION.refusals, ids=lambda i: i.kernel.__name__)
def test_refusal(it: Refusal) -> None:
    check_refusal(it)
