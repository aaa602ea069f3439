"""stream-k: programs share the blocks that whole waves leave over, in two launches and by atomics, of any number of blocks."""

from __future__ import annotations

import functools

import pytest
import torch
from benchmarks.algorithm_kernels import matmul_bias_relu, matmul_f32
from tests.passes.structures import legal, lowered, run_every_stage
from tests.passes.test_split_k import (
    column_sums,
    horner,
    into_argument,
    names,
    near,
    norms_and_product,
    running_maximum,
)

import helion_ir as helion
import helion_ir.language as hl
from helion_ir.dialects.knob import ruled_out
from helion_ir.dialects.tile.control import ForOp, KernelOp, ParallelOp
from helion_ir.index.expr import compiled, symbol
from helion_ir.passes.stream_k.site import Shares

BLOCKS = {"rows.block_size": 16, "columns.block_size": 16, "inner.block_size": 16}


@helion.kernel()
def totals(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A product, and the sum of each of its blocks at the block's number: what stands beside the loop is about blocks."""
    m, k = x.size()
    n = y.size(1)
    out = torch.empty([m, n], dtype=torch.float32, device=x.device)
    sums = torch.zeros([m, n], dtype=torch.float32, device=x.device)
    for rows, columns in hl.tile([m, n]):
        total = hl.zeros([rows, columns], dtype=torch.float32)
        for inner in hl.tile(k):
            total = torch.addmm(total, x[rows, inner], y[inner, columns])
        out[rows, columns] = total
        sums[rows.id, columns.id] = total.sum(-1).sum(-1)
    return out, sums


@pytest.mark.parametrize(
    ("blocks", "workers", "iterations"), [(7, 3, 5), (33, 8, 1), (5, 132, 64), (4, 4, 9), (0, 3, 2), (9, 6, 0)]
)
def test_shares_divide_every_iteration_once(blocks: int, workers: int, iterations: int) -> None:
    """Each iteration of each shared block has one worker, which has two blocks at most; both sides agree on who has what."""
    w, t = symbol("w"), symbol("t")
    shares = Shares(*map(symbol, ("W", "T", "I")))
    at = {"W": workers, "T": blocks, "I": iterations}

    def value(e, **more: int) -> int:
        return int(compiled(e)({**at, **more}))

    shared = value(shares.shared)
    assert value(shares.whole) + shared == blocks and shared < workers
    places, done, sizes = set(), [], []
    for worker in range(workers):
        first, last = (value(e, w=worker) for e in shares.blocks_of(w))
        assert last - first <= 2 and (shared > 0 or first == last)
        size = 0
        for block in range(first, last):
            places.add((worker + block, worker, block))
            low, high = (value(shares.iteration(e), w=worker, t=block) for e in (shares.begin(w, t), shares.end(w, t)))
            done += [(block, i) for i in range(low, high)]
            size += high - low
            begin, end = (value(e, t=block) for e in shares.workers_of(t))
            assert begin <= worker < end
        sizes.append(size)
    assert done == [(b, i) for b in range(shared) for i in range(iterations)]
    assert max(sizes) - min(sizes) <= 2
    assert len({slot for slot, *_ in places}) == len(places) and all(slot < 2 * workers for slot, *_ in places)
    for block in range(shared):
        begin, end = (value(e, t=block) for e in shares.workers_of(t))
        assert {k for _, k, b in places if b == block} == set(range(begin, end))


@pytest.mark.parametrize(
    ("dynamic", "m", "n", "k", "more"),
    [
        (
            False,
            49,
            17,
            33,
            {"rows_columns.stream_k_parts": 2},
        ),  # 8 blocks on 3 compute units: two waves and two blocks
        (
            False,
            33,
            17,
            40,
            {"rows_columns.stream_k_programs": 4, "rows_columns.l2_grouping": 2, "loop.inner.peel": True},
        ),
        (
            True,
            49,
            17,
            33,
            {"pid_type": "persistent_interleaved", "epilogue_subtile": 2, "rows_columns.loop_order": (1, 0)},
        ),
    ],
)
def test_two_phases(dynamic: bool, m: int, n: int, k: int, more: dict) -> None:
    x, y, bias = torch.randn(m, k), torch.randn(k, n), torch.randn(n)
    want = torch.relu(x.double() @ y.double() + bias.double())
    kernel = helion.kernel(static_shapes=False)(matmul_bias_relu.fn) if dynamic else matmul_bias_relu
    stages = kernel.bind((x, y, bias)).lowering
    assignment = legal(stages, {"rows_columns.stream_k": "two_phase", **BLOCKS, **more})
    run_every_stage(stages, assignment, (x, y, bias), near(want, terms=k), names(matmul_bias_relu), ["stream-k"])


def test_sizes_that_only_a_call_says() -> None:
    """One row, no rows, nothing to add up and a whole wave of it: the same kernel."""
    kernel = helion.kernel(static_shapes=False)(matmul_f32.fn)
    for m, n, k in ((1, 20, 19), (0, 16, 16), (48, 16, 0)):
        x, y = torch.randn(m, k), torch.randn(k, n)
        stages = kernel.bind((x, y)).lowering
        assignment = legal(stages, {"rows_columns.stream_k": "atomic" if m == 0 else "two_phase", **BLOCKS})
        want = (x.double() @ y.double() * 0.5).float()
        check = functools.partial(torch.testing.assert_close, expected=want)
        run_every_stage(stages, assignment, (x, y), check, names(matmul_f32), ["stream-k"])


def test_atomics() -> None:
    x, y = torch.randn(33, 35), torch.randn(35, 20)
    stages = matmul_f32.bind((x, y)).lowering
    assignment = legal(stages, {"rows_columns.stream_k": "atomic", **BLOCKS})
    check = near(x.double() @ y.double() * 0.5, terms=35)
    run_every_stage(stages, assignment, (x, y), check, names(matmul_f32), ["stream-k"])
    (kernel,) = [op for op in lowered(stages, assignment, "stream-k").walk() if isinstance(op, KernelOp)]
    roots = [op.label.data for op in kernel.body.block.ops if isinstance(op, ParallelOp)]
    assert roots == ["rows_columns", "rows_columns.shared"]


def test_what_is_carried_has_buffers_of_its_own() -> None:
    x, y = torch.randn(2, 17, 40), torch.randn(2, 40, 16)
    norms = (x.double() ** 2).sum(-1)
    want = (x.double() @ y.double()) / (norms[:, :, None] + 1)
    stages = norms_and_product.bind((x, y)).lowering
    assignment = legal(stages, {"b_rows.stream_k": "two_phase", "inner.block_size": 16})
    check = near(want, norms.sqrt(), terms=40)
    run_every_stage(stages, assignment, (x, y), check, names(norms_and_product), ["stream-k"])
    kernels = [op for op in lowered(stages, assignment, "stream-k").walk() if isinstance(op, KernelOp)]
    assert [[n.data for n in k.arg_names] for k in kernels] == [
        ["x", "y", "out", "norms", "_squares_parts", "_total_parts"],
        ["out", "norms", "_squares_parts", "_total_parts"],
    ]
    assert [[op.label.data for op in k.walk() if isinstance(op, ForOp)] for k in kernels] == [
        ["inner", "b_rows.blocks", "inner"],
        ["b_rows.shares"],
    ]


def test_what_is_about_blocks_is_computed_in_blocks() -> None:
    """Neither split-k nor stream-k finish such kernels in blocks of another size."""
    x, y = torch.randn(40, 33), torch.randn(33, 40)
    product = x.double() @ y.double()
    sums = torch.zeros(40, 40, dtype=torch.float64)
    padded = torch.nn.functional.pad(product, (0, 8, 0, 8)).reshape(3, 16, 3, 16)
    sums[:3, :3] = padded.sum(3).sum(1)
    stages = totals.bind((x, y)).lowering
    assert not [k for k in stages.space.knobs if "parts" in k or "sum_block" in k]
    for forced in ({"rows_columns.stream_k": "two_phase"}, {"rows_columns.split_k": 2}):
        assignment = legal(stages, {**forced, **BLOCKS})
        run_every_stage(stages, assignment, (x, y), near(product, sums, terms=512), names(totals), ["stream-k"])


def reasons(kernel, *args) -> set[str]:
    declared = kernel.bind(args).lowering.declared
    return {r.reason.data for r in ruled_out(declared) if r.knob_name.data.endswith(".stream_k")}


def test_where_it_would_be_wrong_there_is_no_choice() -> None:
    x = torch.empty(64, 32)
    assert reasons(column_sums, x) == set() == reasons(into_argument, x, torch.empty(32))
    assert reasons(running_maximum, x) == {"the loop carries what does not start as zeros in float32 or float64"}
    assert reasons(horner, x) == {"the loop does not just add to what it carries"}
    (reason,) = reasons(column_sums, torch.empty(64, 1 << 20))
    assert reason.startswith("there are 256 blocks at the largest sizes")
    long = torch.empty(1).expand(1 << 32, 8)
    assert reasons(column_sums, long) == {"32 bits may not count the indices of the loops"}
    assert reasons(column_sums, torch.empty(1, 32)) == {"the loop has one iteration at most"}
