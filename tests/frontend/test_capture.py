"""Single calls: result types, refusals, in-place rules, locations, and what is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.frontend.oracle import Captured
from xdsl.dialects.builtin import FileLineColLoc
from xdsl.ir import Block

from helion_ir import exc
from helion_ir.dialects.tile.compute import DotOp, ReduceOp
from helion_ir.frontend.sizes import DependsOnBlockSize
from helion_ir.frontend.tile_tensor import TileTensor
from helion_ir.index.text import expr_text


class Tiles(SimpleNamespace):
    """Tiles to call PyTorch on, by letter."""


def _tiles(captured: Captured) -> Tiles:
    bm, bn, bk = captured.bm, captured.bn, captured.bk
    f32, bf16 = torch.float32, torch.bfloat16
    shapes = {
        "x": ((bm, bn), f32), "y": ((bm, 1), f32), "z": ((bm,), f32), "w": ((bn,), f32), "h": ((bm, bn), bf16),
        "i": ((bm, bn), torch.int32), "b": ((bm, bn), torch.bool), "r": ((bm, 1000), f32), "idx": ((bm,), torch.int32),
        "a": ((bm, bk), f32), "k": ((bk, bn), f32), "ah": ((bm, bk), bf16), "kh": ((bk, bn), bf16),
        "t": ((bn, bm), f32), "i8": ((bm, bk), torch.int8), "j8": ((bk, bn), torch.int8), "f16": ((bm, bn), torch.float16),
        "a3": ((4, bm, bk), bf16), "k3": ((4, bk, bn), bf16), "u8": ((bm, bn), torch.uint8),
    }  # fmt: skip
    tiles = captured.inputs(*shapes.values())
    return Tiles(**dict(zip(shapes, tiles)), bm=bm, bn=bn, bk=bk)


TYPES: dict[str, tuple[Callable[[Tiles], Any], str]] = {
    "size-1 broadcasts": (lambda e: e.x + e.y, "[m, n] float32"),
    "vector broadcasts right": (lambda e: e.x * e.w, "[m, n] float32"),
    "v[:, None]": (lambda e: e.z[:, None] + e.w[None, :], "[m, n] float32"),
    "v[..., None]": (lambda e: e.z[..., None], "[m, 1] float32"),
    "reshape(bm*bn)": (lambda e: e.x.reshape(e.bm * e.bn), "[m * n] float32"),
    "reshape(-1)": (lambda e: e.x.reshape(-1), "[m * n] float32"),
    "reshape(bm, bn//2, 2)": (lambda e: e.x.reshape(e.bm, e.bn // 2, 2), "[m, n floordiv 2, 2] float32"),
    "back from halves": (
        lambda e: e.x.reshape(e.bm, e.bn // 2, 2).sum(-1).repeat_interleave(2, 1) + e.x, "[m, n] float32"),
    "view(bm*2, -1)": (lambda e: e.x.view(e.bm * 2, -1), "[m * 2, n floordiv 2] float32"),
    "flatten": (lambda e: e.x.flatten(), "[m * n] float32"),
    "unflatten": (lambda e: e.x.unflatten(1, (2, -1)), "[m, 2, n floordiv 2] float32"),
    "stack": (lambda e: torch.stack([e.x, e.x], -1), "[m, n, 2] float32"),
    "cat": (lambda e: torch.cat([e.x, e.h], 1), "[m, n * 2] float32"),
    "expand to tiles": (lambda e: e.y.expand(e.bm, e.bn), "[m, n] float32"),
    "expand(-1, bn)": (lambda e: e.y.expand(-1, e.bn), "[m, n] float32"),
    ".T": (lambda e: e.x.T, "[n, m] float32"),
    "mT": (lambda e: e.x.mT, "[n, m] float32"),
    "sum keepdim": (lambda e: e.x.sum(-1, keepdim=True), "[m, 1] float32"),
    "sum()": (lambda e: e.z.sum(), "[] float32"),
    "int sum": (lambda e: e.i.sum(1), "[m] int64"),
    "bool sum": (lambda e: e.b.sum(1), "[m] int64"),
    "mean bf16": (lambda e: e.h.mean(-1), "[m] bfloat16"),
    "mean dtype": (lambda e: e.i.mean(-1, dtype=torch.float32), "[m] float32"),
    "softmax bf16": (lambda e: torch.softmax(e.h, -1), "[m, n] bfloat16"),
    "softmax dtype": (lambda e: torch.softmax(e.h, -1, dtype=torch.float32), "[m, n] float32"),
    "logsumexp": (lambda e: torch.logsumexp(e.x, -1), "[m] float32"),
    "var_mean": (lambda e: torch.var_mean(e.x, -1, keepdim=True, correction=0)[0], "[m, 1] float32"),
    "layer_norm over an axis": (lambda e: F.layer_norm(e.r, [1000]), "[m, 1000] float32"),
    "rms_norm": (lambda e: F.rms_norm(e.r, [1000]), "[m, 1000] float32"),
    "normalize": (lambda e: F.normalize(e.x, dim=-1), "[m, n] float32"),
    "bf16 * 2.5": (lambda e: e.h * 2.5, "[m, n] bfloat16"),
    "f16 + bf16": (lambda e: e.f16 + e.h, "[m, n] float32"),
    "i32 + 1.5": (lambda e: e.i + 1.5, "[m, n] float32"),
    "i32 * bf16": (lambda e: e.i * e.h, "[m, n] bfloat16"),
    "i32 / i32": (lambda e: e.i / e.i, "[m, n] float32"),
    "i32 // 2": (lambda e: e.i // 2, "[m, n] int32"),
    "u8 + 1": (lambda e: e.u8 + 1, "[m, n] uint8"),
    "bool * 2": (lambda e: e.b * 2, "[m, n] int64"),
    "x > 0": (lambda e: e.x > 0, "[m, n] bool"),
    "~b & (x > 0)": (lambda e: ~e.b & (e.x > 0), "[m, n] bool"),
    "where two scalars": (lambda e: torch.where(e.b, 1.0, 0.0), "[m, n] float32"),
    "mul_ keeps bf16": (lambda e: e.h.mul_(e.x), "[m, n] bfloat16"),
    "fill_": (lambda e: e.z.fill_(3), "[m] float32"),
    "mm bf16": (lambda e: e.ah @ e.kh, "[m, n] bfloat16"),
    "mm int8": (lambda e: e.i8 @ e.j8, "[m, n] int32"),
    "mm mixed": (lambda e: e.ah @ e.k, "[m, n] float32"),
    "addmm f32 += bf16": (lambda e: torch.addmm(e.x, e.ah, e.kh), "[m, n] float32"),
    "addmm bf16": (lambda e: torch.addmm(e.h, e.ah, e.kh), "[m, n] bfloat16"),
    "addmm beta": (lambda e: torch.addmm(e.h, e.ah, e.kh, beta=2, alpha=0.5), "[m, n] bfloat16"),
    "baddbmm": (lambda e: torch.baddbmm(e.x[None], e.a[None], e.k[None]), "[1, m, n] float32"),
    "3d @ 3d": (lambda e: e.a3 @ e.k3, "[4, m, n] bfloat16"),
    "3d @ 2d": (lambda e: e.a3 @ e.kh, "[4, m, n] bfloat16"),
    "2d @ 3d": (lambda e: e.ah @ e.k3, "[4, m, n] bfloat16"),
    "matrix @ vector": (lambda e: e.x @ e.w, "[m] float32"),
    "vector @ vector": (lambda e: e.w @ e.w, "[] float32"),
    "linear": (lambda e: F.linear(e.a, e.k.T, e.w), "[m, n] float32"),
    "einsum": (lambda e: torch.einsum("ij,jk->ik", e.a, e.k), "[m, n] float32"),
    "argmax": (lambda e: e.x.argmax(-1), "[m] int64"),
    "argmax of all": (lambda e: e.x.argmax(), "[] int64"),
    "max(dim)": (lambda e: e.x.max(-1).indices, "[m] int64"),
    "any": (lambda e: e.b.any(-1), "[m] bool"),
    "index arithmetic": (lambda e: (e.idx[:, None] + 1) // 2 % 3 >= 5, "[m, 1] bool"),
    "x * bm": (lambda e: e.i * e.bm, "[m, n] int32"),
    "x / x.size(1)": (lambda e: e.x / e.x.size(1), "[m, n] float32"),
    "zeros_like": (lambda e: torch.zeros_like(e.h), "[m, n] bfloat16"),
    "full of ints": (lambda e: torch.full([e.bm], 1), "[m] int64"),
    "arange(bm)": (lambda e: torch.arange(e.bm), "[m] int64"),
    "arange of floats": (lambda e: torch.arange(0.5, 3.0, 0.5), "[5] float32"),
    "torch.tensor(3.0)": (lambda e: e.h * torch.tensor(3.0), "[m, n] bfloat16"),
    "split half": (lambda e: torch.chunk(e.x, 2, 1)[0], "[m, n floordiv 2] float32"),
    "slice of an axis": (lambda e: e.r[:, 10:20:3], "[m, 4] float32"),
    "slice from the end": (lambda e: e.r[:, -3:], "[m, 3] float32"),
    "roll of an axis": (lambda e: e.r.roll(3, 1), "[m, 1000] float32"),
    "if v.size(0) >= 1": (lambda e: e.x if e.x.size(0) >= 1 else e.y, "[m, n] float32"),
}  # fmt: skip

REFUSED: dict[str, tuple[Callable[[Tiles], Any], type[Exception], str]] = {
    "blocks do not unify": (lambda e: e.x + e.t, exc.ShapeMismatch, "do not broadcast: dimension -2"),
    "missing keepdim": (lambda e: e.x - e.x.sum(1), exc.ShapeMismatch, "do not broadcast"),
    "tile and axis": (lambda e: e.x + e.r, exc.ShapeMismatch, "1000"),
    "reshape to another block": (lambda e: e.x.reshape(e.bn, e.bn), exc.ShapeMismatch, "cannot be viewed"),
    "wrong K": (lambda e: e.a @ e.x, exc.ShapeMismatch, "cannot be multiplied"),
    "batch": (lambda e: torch.bmm(e.a3, e.k[None]), exc.DotBatchDimensionMismatch, "batch"),
    "if v.size(0) > 16": (lambda e: e.x if e.x.size(0) > 16 else e.y, DependsOnBlockSize, "depends on a block size"),
    "nonzero": (lambda e: e.x.nonzero(), exc.DataDependentOutputShapeNotSupported, "depends on data"),
    "item": (lambda e: float(e.z.sum()), exc.DataDependentOutputShapeNotSupported, "not known"),
    "random": (lambda e: torch.rand([e.bm]), exc.BackendUnsupported, "hl.rand"),
    "empty": (lambda e: torch.empty([e.bm]), exc.BackendUnsupported, "hl.zeros"),
    "bad dimension": (lambda e: e.x.sum(2), exc.InvalidReductionDim, "dimension 2"),
    "host tensor": (lambda e: e.x + torch.tensor([1.0, 2.0]), exc.HostTensorDirectUsage, "subscript"),
    "in place on a view": (lambda e: e.x[:, None].add_(1), exc.NotAllowedOnDevice, "view"),
    "in place, wrong shape": (lambda e: e.y.add_(e.x), exc.ShapeMismatch, "changed in place"),
    "in place, wrong kind": (lambda e: e.i.add_(0.5), exc.TypeInferenceError, "int32"),
    "unsplittable": (lambda e: e.x.unbind(0), exc.UnsupportedSplitConfiguration, "block size"),
    "negative step": (lambda e: e.x.unfold(1, 2, 1), exc.BackendUnsupported, "aten.unfold"),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_type(name: str) -> None:
    call, expected = TYPES[name]
    captured = Captured()
    tiles = _tiles(captured)
    with captured.capture:
        out = call(tiles)
    dims = [expr_text(captured.sizes.expr(d)) for d in out.dims]
    short = f"[{', '.join(dims)}]".replace("@tile_m.block_size", "m").replace("@tile_n.block_size", "n")
    assert f"{short} {str(out.dtype).removeprefix('torch.')}" == expected
    assert out.value.type == captured.capture.type_of(out.dims, out.dtype)
    for op in captured.ops:
        op.verify()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    captured = Captured()
    tiles = _tiles(captured)
    with captured.capture, pytest.raises(error, match=message):
        call(tiles)


def test_narrow_operands_stay_narrow_in_a_dot() -> None:
    captured = Captured()
    e = _tiles(captured)
    with captured.capture:
        captured.capture.dot_precision = "ieee"
        torch.addmm(e.x, e.ah, e.kh)
    (dot,) = captured.ops
    assert isinstance(dot, DotOp)
    assert (dot.lhs, dot.rhs, dot.acc) == (e.ah.value, e.kh.value, e.x.value)
    assert dot.precision.data == "ieee"


def test_narrow_floats_are_reduced_in_f32_and_integers_in_i64() -> None:
    captured = Captured()
    e = _tiles(captured)
    with captured.capture:
        e.h.sum(-1), e.i.sum(-1), e.b.any(-1), e.h.amax(0)
    reduces = [op for op in captured.ops if isinstance(op, ReduceOp)]
    assert [(r.kind.data, r.axes.data, str(r.operand.type.element_type)) for r in reduces] == [  # pyright: ignore
        ("sum", (1,), "f32"), ("sum", (1,), "i64"), ("any", (1,), "i1"), ("max", (0,), "f32")]  # fmt: skip


def test_operations_in_place_change_the_object() -> None:
    captured = Captured()
    e = _tiles(captured)
    with captured.capture:
        before, view = e.z.value, e.z[:, None]
        same = e.z.add_(2)
        assert same is e.z and e.z.value is not before
        with pytest.raises(exc.NotAllowedOnDevice, match="view of a tile that was changed"):
            view + 1
        fresh = e.z[:, None] + 1
        assert isinstance(fresh, TileTensor)
        clone = e.w.clone()
        e.w.mul_(2)
        clone + 1  # a clone is no view


def test_a_tile_from_outside_of_a_region_cannot_change_in_place() -> None:
    captured = Captured()
    e = _tiles(captured)
    with captured.capture as cap:
        outer, cap.block = cap.block, Block()
        with pytest.raises(exc.NotAllowedOnDevice, match="outside of the loop or branch"):
            e.z.add_(1)
        made = e.z + 1
        made.add_(1)
        assert len(list(cap.block.ops)) == 4
        cap.block = outer


def test_numbers_made_from_sizes_are_exact() -> None:
    captured = Captured()
    bm, bn = captured.bm, captured.bn
    (x,) = captured.inputs(((bm, bn), torch.float32))
    with captured.capture:
        out = [x * (bn**-0.5), x / (bn - 3), x * (bm / bn), x + bm // 4, x.var(1), torch.full([bm], bn), x * bm]
    value = torch.rand(8, 16) + 1
    got = captured.run(out, [value])
    want = [value * 16**-0.5, value / 13, value * 0.5, value + 2, value.var(1), torch.full([8], 16), value * 8]
    for g, w in zip(got, want):
        assert g.dtype == w.dtype
        torch.testing.assert_close(g, w, rtol=1e-6, atol=1e-6)


def test_scalars() -> None:
    captured = Captured()
    cap = captured.capture
    with cap:
        values = [cap.scalar(3), cap.scalar(captured.bm * captured.bn), cap.scalar(1 << 40)]
    assert [str(v.owner) for v in values] == [
        "%0 = index.apply <3>() : () -> !tile.tile<[], i32>",
        "%0 = index.apply <@tile_m.block_size * @tile_n.block_size>() : () -> !tile.tile<[], i64>",
        "%0 = index.apply <1099511627776>() : () -> !tile.tile<[], i64>",
    ]


def test_dims_of_gives_back_the_sizes() -> None:
    captured = Captured()
    cap = captured.capture
    (x,) = captured.inputs(((captured.bm, 4), torch.float32))
    with cap:
        half = x.reshape(captured.bm // 2, 8)
        again = cap.tile(half.value, cap.dims_of(half.value.type.dims), torch.float32)  # pyright: ignore
        half + again
        again.reshape(captured.bm, 4) + x


def test_locations_are_those_of_the_authors_expressions() -> None:
    captured = Captured(lambda code: code.co_filename == __file__)
    e = _tiles(captured)

    def helper(v: torch.Tensor) -> torch.Tensor:
        return torch.softmax(v, -1)

    with captured.capture as cap:
        line = sys._getframe().f_lineno + 1
        e.x.abs() + [helper(e.x) for _ in range(1)][0]
    where = [op.location for op in captured.ops]
    assert all(isinstance(w, FileLineColLoc) and w.filename.data == __file__ for w in where)
    places = [(w.line.data - line, w.column.data) for w in where]  # pyright: ignore
    assert places[0] == (0, 9)
    assert set(places[1:-1]) == {(-4, 16)}
    assert places[-1] == (0, 9)
    other = Captured()
    with other.capture as cap:
        cap.statement = where[0]
        torch.zeros([2])
    assert other.ops[0].location == where[0]


def test_autocast_and_gradients_do_not_matter() -> None:
    captured = Captured()
    e = _tiles(captured)
    with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16), captured.capture:
        assert (e.a @ e.k).dtype == torch.float32


def test_values_of_products_scans_and_selections() -> None:
    captured = Captured()
    bm, bn = captured.bm, captured.bn
    x, i8, j8 = captured.inputs(((bm, bn), torch.float32), ((bm, bn), torch.int8), ((bn, bm), torch.int8))
    with captured.capture:
        out = [
            i8 @ j8, torch.addmm(x @ x.T, x, x.T, beta=2, alpha=0.5), x.cummin(1).indices,
            (x[None] @ x.T).squeeze(0), x.max(0).indices, x[:, 0], x[:, -1], x.flip(0),
            x.T[1:9:2], x.any(0), (x > 0).all(), x.argmin(), torch.sort(x, 0, descending=True)[1],
        ]  # fmt: skip
    torch.manual_seed(0)
    rx, ri, rj = (
        torch.randn(8, 16),
        torch.randint(-90, 90, (8, 16), dtype=torch.int8),
        torch.randint(-90, 90, (16, 8), dtype=torch.int8),
    )
    want = [
        ri.int() @ rj.int(), torch.addmm(rx @ rx.T, rx, rx.T, beta=2, alpha=0.5), rx.cummin(1).indices,
        rx @ rx.T, rx.max(0).indices, rx[:, 0], rx[:, -1], rx.flip(0),
        rx.T[1:9:2], rx.any(0), (rx > 0).all(), rx.argmin(), torch.sort(rx, 0, descending=True)[1],
    ]  # fmt: skip
    for g, w in zip(captured.run(out, [rx, ri, rj]), want, strict=True):
        assert g.dtype == w.dtype
        torch.testing.assert_close(g, w, rtol=1e-5, atol=1e-5)


_DYNAMO = """
import sys, torch, torch.nn.functional as F
from helion_ir.frontend.capture import Capture
from helion_ir.frontend.sizes import BlockSizes
from helion_ir.index.expr import knob
sizes = BlockSizes()
n = sizes.symbol(knob("tile_n.block_size"))
with Capture(sizes, "cpu", lambda code: True):
    x = torch.zeros([n, 64], dtype=torch.bfloat16)
    F.gelu(F.layer_norm(x, [64])) @ torch.softmax(x, -1).T
    torch.logaddexp(x, x), F.softplus(x), x.std(-1), torch.special.i1(x), torch.tril(x), x % 3
assert "torch._dynamo" not in sys.modules, "dynamo was imported"
"""


def test_a_bind_does_not_import_dynamo() -> None:
    done = subprocess.run([sys.executable, "-c", _DYNAMO], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
