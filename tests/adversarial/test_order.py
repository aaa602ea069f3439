"""Accesses of one program to one memory: in the order written, whatever configuration is chosen."""

from __future__ import annotations

import re

import pytest
import torch
from tests.adversarial.cases import CASES

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.frontend.root_order import overlap

WAITS = {
    "store then load": {True: 1, False: 1},  # forwarded: stored and stored again
    "through a view": {True: 3, False: 3},
    "arguments that are one": {True: 2, False: 2},
    "changed in a loop": {True: 2, False: 2},
    "masked": {True: 1, False: 1},
    "added by other lanes": {True: 2, False: 2},
    "added to what other lanes stored": {True: 1, False: 1},  # before the loop, whose additions have no order
    "added up in turn": {True: 2, False: 2},
    "handed to the last program": {True: 2, False: 3},  # dynamic: rows of `out` may overlap
}
"""How often the threads of a program wait for each other, with static shapes and without."""


WITHOUT_DESCRIPTORS = {
    "store then load": {"store.out", "store.out.1"},
    "through a view": {"store.out", "store.flat", "load.out", "store.out.1"},
    "arguments that are one": {"store.x", "store.out"},
    "changed in a loop": {"load.x", "load.y", "store.x"},
    "masked": {"store.out"},
    "added by other lanes": {"store.out"},
    "added to what other lanes stored": {"store.out", "atomic.out"},
    "added up in turn": {"atomic.total"},
    "handed to the last program": {"store.parts", "load.parts", "store.out"},
}
"""Accesses that others of the program come after, or that come after others, with static shapes."""
NOTHING_READ = {"store then load", "arguments that are one", "added to what other lanes stored"}
"""Where nothing is loaded that was written before: a pipelined loop may load as early as it likes."""


@pytest.mark.parametrize("name", WAITS)
@pytest.mark.parametrize("static", [True, False])
def test_no_configuration_leaves_the_order_to_the_hardware(name: str, static: bool) -> None:
    kernel, make, _ = CASES[name]
    bound = helion.kernel(static_shapes=static)(kernel.fn).bind(make())
    explained = str(bound.stages_for("h200").space.explain())
    assert ("a pipelined loop reads before it stores" in explained) == (name not in NOTHING_READ)
    if static:
        line = r'no @(\S+)\.indexing = "tensor_descriptor" \(avoid-faults.*the copy engine.s accesses are not ordered'
        assert set(re.findall(line, explained)) == WITHOUT_DESCRIPTORS[name]
    code = bound.to_triton_code(bound.config_spec.default_config())
    assert code.count("tl.debug_barrier()") == WAITS[name][static], code


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


def test_only_what_has_to_wait_does() -> None:
    @helion.kernel()
    def counted(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Additions in any order, one thread's elements, rows of their own: nothing waits for them.

        What is loaded waits, once, before its loop, and so does what is stored over it.
        """
        sums = torch.zeros([x.size(1)], dtype=x.dtype, device=x.device)
        count = torch.zeros([2], dtype=torch.int32, device=x.device)
        rows = torch.empty_like(x)
        for n in hl.tile(x.size(1), block_size=x.size(1)):
            for m in hl.tile(x.size(0), block_size=1):
                hl.atomic_add(sums, [n], x[m.begin, n])
                hl.atomic_add(sums, [n], x[m.begin, n] * 2.0)
                hl.atomic_add(count, [0], 1)
                hl.atomic_max(count, [1], m.begin)
                rows[m.begin, n] = x[m.begin, n]
            for m in hl.tile(x.size(0), block_size=1):
                rows[m.begin, n] = rows[m.begin, n] + sums[n]
        return sums, count, rows

    x = torch.arange(1.0, 97.0).reshape(6, 16)
    sums, count, rows = counted(x)
    torch.testing.assert_close(sums, 3 * x.sum(0))
    torch.testing.assert_close(rows, x + sums)
    assert count.tolist() == [6, 5]
    code = counted.bind((x,)).to_triton_code(counted.bind((x,)).config_spec.default_config())
    before, inside = code[: code.rindex("for m_")], code[code.rindex("for m_") :]
    assert before.count("tl.debug_barrier()") == inside.count("tl.debug_barrier()") == 1, code
    assert before.rindex("tl.debug_barrier()") > before.rindex("tl.store(")
    assert inside.index("tl.debug_barrier()") > inside.rindex("tl.load(")


def two_loops(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(y)
    for t in hl.tile(x.size(0)):
        x[t] = x[t] + 1
    for s in hl.tile(y.size(0)):
        out[s] = y[s] * 2
    return out


def read_then_updated(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = x[t] + y[t]
    for s in hl.tile(x.size(0)):
        x[s] = x[s] + 1
    return out


def updated_through_a_view(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    flat = x.view(-1)
    assert x.size(0) == y.size(0)  # with dynamic sizes other tensors stand for x and flat from here on
    for t in hl.tile(x.size(0)):
        x[t] = x[t] + y[t]
    for s in hl.tile(flat.size(0)):
        flat[s] = flat[s] * 2
    return x


@pytest.mark.parametrize("static", [True, False])
def test_loops_that_use_one_memory_are_in_order(static: bool) -> None:
    """A barrier stands between top-level loops where the second uses what the first does and one of them writes it."""
    memory = torch.arange(1.0, 97.0)
    x, y = memory[:64], torch.ones(64)
    kernel = helion.kernel(static_shapes=static, autotune_effort="none")(two_loops)
    apart, overlapping, one = kernel.bind((x, y)), kernel.bind((x, memory[32:])), kernel.bind((x, x))
    adjacent = kernel.bind((memory[:32], memory[32:64])), kernel.bind((memory[:32], torch.ones(32)))
    assert adjacent[0] is adjacent[1]
    assert [b.canonical_text().count("tile.barrier") for b in (apart, overlapping, one)] == [0, 1, 1]
    assert kernel.bind((x, memory[32:])) is overlapping and kernel.bind((torch.ones(64), y)) is apart
    for function in (read_then_updated, updated_through_a_view):
        bound = helion.kernel(static_shapes=static)(function).bind((x, y))
        assert bound.canonical_text().count("tile.barrier") == 1, function
        assert "overlap" not in str(bound.guard_texts), function


def test_views_that_interleave_overlap() -> None:
    memory = torch.ones(4, 6)
    assert overlap(memory[:, :3], memory[:, 3:]) and overlap(memory, memory[3, 5:])
    assert not overlap(memory[:2], memory[2:]) and not overlap(memory[:0], memory)
