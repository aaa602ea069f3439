"""Accesses of one program to one memory: in the order written, whatever configuration is chosen."""

from __future__ import annotations

import pytest
import torch
from tests.adversarial.cases import CASES

import helion_ir as helion
import helion_ir.language as hl

TOUCHED_AGAIN = ["store then load", "through a view", "arguments that are one", "changed in a loop", "masked"]


@pytest.mark.parametrize("name", TOUCHED_AGAIN)
@pytest.mark.parametrize("static", [True, False])
def test_no_configuration_leaves_the_order_to_the_hardware(name: str, static: bool) -> None:
    kernel, make, _ = CASES[name]
    bound = helion.kernel(static_shapes=static)(kernel.fn).bind(make())
    space = bound.stages_for("h200").space
    explained = str(space.explain())
    code = bound.to_triton_code(bound.config_spec.default_config())
    last = code.rindex("tl.store")
    if (name, static) in {("store then load", True), ("arguments that are one", True)}:
        # Forwarded: nothing that was stored is loaded.
        assert "copy engine" not in explained and "pipelined loop" not in explained
        return
    assert "the copy engine's accesses are not ordered" in explained
    assert "a pipelined loop reads before it stores" in explained
    # Threads of a program wait for each other where one may load, or overwrite, what another touched.
    assert "tl.debug_barrier()" in code[:last]


def test_what_nobody_else_touches_waits_for_nothing() -> None:
    from examples import registry

    for name in ("matmul", "softmax", "attention"):
        example = registry.load(name)
        bound = example.kernel.bind(example.cases[0].args("cpu"))
        assert "debug_barrier" not in bound.to_triton_code(bound.config_spec.default_config())
        assert "copy engine" not in str(bound.stages_for("h200").space.explain())


def test_iterations_of_a_while_loop_wait_for_each_other() -> None:
    @helion.kernel()
    def halved(x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        out = x.clone()
        for m in hl.tile(x.size(0)):
            left = n[m].amax()
            while left > 0:
                hl.store(out, [m], out[m] * 0.5)
                left = left - 1
        return out

    x, n = torch.arange(1.0, 38.0), torch.full((37,), 3, dtype=torch.int32)
    torch.testing.assert_close(halved(x, n), x / 8)
    bound = halved.bind((x, n))
    assert "the copy engine's accesses are not ordered" in str(bound.stages_for("h200").space.explain())
    code = bound.to_triton_code(bound.config_spec.default_config())
    loop = code[code.index("while ") :]
    # Before the load, which reads what an iteration before has stored, and before the store over what was loaded.
    assert loop.count("tl.debug_barrier()") == 2
