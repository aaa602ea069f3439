"""Kernels inside of torch.compile: one operation, with what it writes and returns."""

from __future__ import annotations

from typing import Any

import torch

import helion_ir as helion
import helion_ir.language as hl

GRAPHS: list[torch.fx.GraphModule] = []


def scaled(x, s: float, mode: str = "mul"):
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t, :] = x[t, :] * s if mode == "mul" else x[t, :] + s
    return out


def adds_in_place(x, y):
    z = x.view(-1)
    w = y.view(-1)
    for t in hl.tile(z.size(0)):
        z[t] = z[t] + w[t]
    return x, {"sum": torch.empty_like(y).fill_(2.0), "n": 3}


scale, add_to = helion.kernel(scaled), helion.kernel(adds_in_place)


def program(x: torch.Tensor) -> Any:
    y = scale(x + 1, 2.0)
    z = scale(y, s=3.0, mode="add")
    same, rest = add_to(z, x)
    return same * 2, z, rest["sum"] + rest["n"]


def backend(graph: torch.fx.GraphModule, example: Any) -> Any:
    from functorch.compile import make_boxed_func
    from torch._functorch.aot_autograd import aot_module_simplified

    def inner(lowered: torch.fx.GraphModule, _: Any) -> Any:
        GRAPHS.append(lowered)
        return make_boxed_func(lowered.forward)

    return aot_module_simplified(graph, example, fw_compiler=inner)


def test_a_kernel_is_one_operation() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    expected = program(x)
    assert torch.equal(expected[1], (x + 1) * 2 + 3 + x) and torch.equal(expected[0], expected[1] * 2)
    compiled = torch.compile(program, backend=backend, fullgraph=True)
    for given in (x, x * 5, x):
        for a, b in zip(compiled(given), program(given), strict=True):
            assert torch.equal(a, b)
    (graph,) = GRAPHS
    called = [str(n.target) for n in graph.graph.nodes if n.op == "call_function"]
    ours = [c for c in called if "helion_ir" in c or "functionalized" in c]
    assert len(ours) == 3 and "helion_ir.scaled_0.default" in called
    operators = [getattr(torch.ops.helion_ir, n) for n in ("scaled_0", "adds_in_place_2")]
    schemas = [str(op.default._schema) for op in operators]
    assert schemas[0] == "helion_ir::scaled_0(Tensor t0) -> Tensor"
    assert schemas[1] == "helion_ir::adds_in_place_2(Tensor(a0!) t0, Tensor t1) -> Tensor"
