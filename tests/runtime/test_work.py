"""The unit of work in plain data, done in a pool of threads and on a local Dask cluster, with the same result."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import registry

from helion_ir.autotuner import tune
from helion_ir.autotuner.pool_executor import PoolExecutor
from helion_ir.autotuner.protocol import Candidate, Measurement
from helion_ir.autotuner.search import FiniteSearch
from helion_ir.autotuner.store import MemoryStore, assignment_from_json
from helion_ir.runtime.work import CarriedKernel, TensorLike, Work, pool_executor
from helion_ir.targets import get_target


def softmax() -> tuple[Any, tuple[Any, ...]]:
    example = registry.load("softmax")
    args = example.case("pow2").args("cpu")
    return example.kernel.bind(args), args


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.int8, torch.bool])
def test_tensors_are_described_and_made_again(dtype: torch.dtype) -> None:
    base = (torch.randn(6, 10, generator=torch.Generator().manual_seed(1)) * 20).to(dtype)
    for tensor in (base, base.t(), base[::2, 1:], base[:0], base[0, 0]):
        carried = pickle.loads(pickle.dumps(TensorLike.of(tensor)))
        made = carried.make("cpu", torch.Generator().manual_seed(0))
        assert (made.shape, made.stride(), made.dtype) == (tensor.shape, tensor.stride(), tensor.dtype)
        if not dtype.is_floating_point:
            assert torch.equal(made, tensor)
        elif made.numel() > 1:
            assert 0.3 < float(made.float().std() / tensor.float().std()) < 3.0


def test_a_carried_kernel_prints_the_same() -> None:
    bound, args = softmax()
    target = get_target("b200")
    work = Work.of(bound, args, target)
    assert not any(isinstance(a, torch.Tensor) for a in work.args)
    kernel = CarriedKernel(pickle.loads(pickle.dumps(work)))
    stages = bound.stages_for(target)
    rng = random.Random(0)
    for _ in range(5):
        assignment = stages.space.sample(rng)
        assert kernel.printed(assignment).text == stages.printed(assignment).text
    assert torch.allclose(kernel.reference(args), torch.softmax(args[0], dim=1))


def given(bound: Any) -> list[dict[str, Any]]:
    space = bound.stages_for("h200").space
    base = space.legal_default()
    return [space.project({**base, "num_warps": w, "rows.block_size": r}) for w, r in ((2, 1), (4, 4), (4, 1))]


def tuned_in(pool: Executor, bound: Any, args: Any) -> tuple[Any, list[Measurement]]:
    from helion_ir.autotuner.keys import store_key
    from helion_ir.autotuner.offline import OfflineKernel

    store, kernel = MemoryStore(), OfflineKernel(bound, "h200")
    executor = pool_executor(pool, bound, args, get_target("h200"), size=4)
    best = tune(kernel, args, executor=executor, search=FiniteSearch(given(bound)), store=store)
    return best, store.rows(store_key(kernel))


def by_key(rows: list[Measurement]) -> dict[Any, Any]:
    return {r.key: (r.milliseconds, r.stage, dict(r.resources)) for r in rows}


def test_a_cluster_gives_what_one_process_gives_and_survives_a_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is an extra")
    bound, args = softmax()
    with ThreadPoolExecutor(1) as one:
        alone, rows = tuned_in(one, bound, args)
    assert [r.stage for r in rows] == ["ok"] * 3 and all(r.resources["registers"] > 8 for r in rows)
    dask = pytest.importorskip("dask")
    dask.config.set({"distributed.nanny.pre-spawn-environ": {}, "distributed.comm.timeouts.connect": "60s"})
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    )
    with cluster, distributed.Client(cluster) as client:
        # One worker's process dies at its first configuration; its nanny starts another.
        victim = tmp_path / "victim"
        victim.write_text("")
        kernel_pool = client.get_executor(retries=2)
        executor = PoolExecutor(
            kernel_pool, Dying(Work.of(bound, args, get_target("h200")), str(victim)), do_or_die, size=4
        )
        found = list(executor.submit([Candidate(a) for a in given(bound)]))
    assert not victim.exists()
    assert by_key(found) == by_key(rows)
    # Estimates may tie; which of equals is first is the arrival's.
    fastest = min(r.milliseconds for r in found if r.milliseconds)
    decode = bound.stages_for("h200").space.decode
    assert alone in [decode(r.assignment) for r in found if r.milliseconds == fastest]


class Dying:
    """Work, and a file whose presence kills whoever comes first."""

    measured = False

    def __init__(self, work: Work, victim: str):
        self.work, self.victim = work, victim


def do_or_die(dying: Dying, assignment: str, milliseconds: float | None) -> dict[str, Any]:
    import os

    from helion_ir.runtime.work import do

    try:
        os.unlink(dying.victim)
    except FileNotFoundError:
        return do(dying.work, assignment, milliseconds)
    os._exit(9)


class FlakyPool(Executor):
    """Loses every worker the first `losses` times."""

    def __init__(self, losses: int):
        self.losses = losses
        self.calls = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        future: Future[Any] = Future()
        if self.calls <= self.losses:
            future.set_exception(ConnectionError("gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_lost_worker_loses_no_result() -> None:
    def run(work: Any, assignment: str, milliseconds: float | None) -> dict[str, Any]:
        return {"assignment": assignment, "milliseconds": float(assignment_from_json(assignment)["n"])}  # pyright: ignore

    work = Dying(None, "")  # pyright: ignore[reportArgumentType]
    wanted = [Candidate({"n": n}) for n in range(1, 6)]
    rows = list(PoolExecutor(FlakyPool(3), work, run, size=3).submit(wanted))
    assert sorted(r.milliseconds or 0 for r in rows) == [1, 2, 3, 4, 5]
    lost = list(PoolExecutor(FlakyPool(100), work, run, size=3, tries=2).submit(wanted[:2]))
    assert [(r.stage, r.reason) for r in lost] == [("crash", "the worker was lost: ConnectionError: gone")] * 2
