"""Run under TRITON_INTERPRET=1: the generated Triton of every algorithm that a pass offers, on sizes with partial tiles."""

from __future__ import annotations

import torch
from benchmarks.algorithm_kernels import causal_attention, matmul_bias_relu, matmul_f32
from examples.harness import poisoned
from examples.softmax import softmax

CAUSAL = torch.nn.functional.scaled_dot_product_attention


def cases():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 50, 16) for _ in range(3))
    want = CAUSAL(q.double(), k.double(), v.double(), is_causal=True)
    for exp2 in ("fold", "fma"):
        yield causal_attention, (q, k, v), want, {"loop.columns.peel": True, "exp2": exp2, "columns.block_size": 16}
    x, y, bias = torch.randn(33, 70), torch.randn(70, 80), torch.randn(80)
    want = torch.relu(x.double() @ y.double() + bias.double())
    split = {"rows_columns.split_k": 2, "inner.block_size": 16, "loop.inner.peel": True}
    yield matmul_bias_relu, (x, y, bias), want, split
    yield matmul_bias_relu, (x, y, bias), want, {**split, "loop.inner.swap_dot_operands": True}
    yield matmul_bias_relu, (x, y, bias), want, {"epilogue_subtile": 4, "columns.block_size": 64}
    yield matmul_f32, (x, y), x.double() @ y.double() / 2, {**split, "rows_columns.split_k_mode": "atomic"}
    rows = torch.randn(5, 100) * 3
    online = {"reduction.n": 32, "reduction.n.online": True, "rows.block_size": 2}
    yield softmax, (rows,), torch.softmax(rows.double(), 1), online


def main() -> None:
    for kernel, args, want, forced in cases():
        bound = kernel.bind(args)
        space = bound.config_space
        assignment = space.project({**space.legal_default(), **forced})
        assert space.is_legal(assignment) is None, (forced, space.is_legal(assignment))
        assert all(assignment[k] == v for k, v in forced.items()), forced
        with poisoned():
            got = bound.compile_config(space.decode(assignment))(*args)
        print("checking", kernel.fn.__name__, forced)
        torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-4)
        print("checked")


main()
