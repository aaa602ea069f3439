"""Worker processes that work, hang, die and do not start."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helion_ir.autotuner.worker_process import WorkerPool, WorkerStartError

JOBS = "tests.autotuner.worker_jobs"


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(JOBS, 2)
    yield pool
    pool.close()


def gone(pid: int) -> bool:
    """Whether a process ends, all of its threads, waited for or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5.0)[0])
    finally:
        os.close(descriptor)


def test_answers_every_request_in_two_processes_that_stay(pool: WorkerPool) -> None:
    replies = dict(pool.run([{"do": "square", "n": n} for n in range(20)], limit=20))
    assert {i: r.value["value"] for i, r in replies.items()} == {n: n * n for n in range(20)}
    assert all(r.outcome == "done" for r in replies.values())
    again = dict(pool.run([{"do": "square", "n": 5}], limit=20))
    assert again[0].value["value"] == 25
    assert pool.started <= 2


def test_a_crash_costs_one_request(pool: WorkerPool) -> None:
    requests = [
        {"do": "square", "n": 2},
        {"do": "segfault"},
        {"do": "exit"},
        *({"do": "square", "n": n} for n in (3, 4, 5)),
    ]
    replies = dict(pool.run(requests, limit=20))
    assert [replies[i].outcome for i in range(6)] == ["done", "crash", "crash", "done", "done", "done"]
    assert replies[1].detail == "SIGSEGV"
    assert replies[2].detail == "exit status 3: out of luck"
    assert [replies[i].value["value"] for i in (0, 3, 4, 5)] == [4, 9, 16, 25]


def test_a_hang_is_killed_with_its_children(pool: WorkerPool, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    dict(pool.run([{"do": "square", "n": 1}], limit=20))
    start = time.monotonic()
    replies = dict(pool.run([{"do": "hang", "pids": str(pids)}, {"do": "square", "n": 6}], limit=2))
    assert replies[0].outcome == "timeout" and replies[0].detail == "stopped after 2 s"
    assert replies[1].value["value"] == 36
    assert time.monotonic() - start < 15
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_an_answer_may_ask_for_replacement(pool: WorkerPool) -> None:
    single = WorkerPool(JOBS, 1)
    try:
        replies = dict(single.run([{"do": "restart"}, {"do": "square", "n": 7}], limit=20))
        assert replies[0].outcome == replies[1].outcome == "done"
        assert replies[0].value["pid"] != replies[1].value["pid"]
        assert gone(replies[0].value["pid"])
    finally:
        single.close()


def test_abandoned_requests_do_not_answer_later(pool: WorkerPool, tmp_path: Path) -> None:
    running = pool.run([{"do": "square", "n": 1}, {"do": "hang", "pids": str(tmp_path / "p")}], limit=60)
    next(running)
    running.close()  # pyright: ignore[reportAttributeAccessIssue]
    replies = dict(pool.run([{"do": "square", "n": 8}], limit=20))
    assert replies[0].value["value"] == 64


def test_deadline(pool: WorkerPool, tmp_path: Path) -> None:
    start = time.monotonic()
    jobs = [{"do": "hang", "pids": str(tmp_path / "p")}]
    assert list(pool.run(jobs, limit=60, deadline=start + 1.0)) == []
    assert time.monotonic() - start < 10


def test_workers_that_never_start_are_an_error() -> None:
    pool = WorkerPool(JOBS, 1, setup={"broken": True})
    with pytest.raises(WorkerStartError, match="worker_jobs does not start: RuntimeError: no such device"):
        list(pool.run([{"do": "square", "n": 1}], limit=20))
    pool.close()


def test_a_worker_killed_while_idle_is_replaced(pool: WorkerPool) -> None:
    first = dict(pool.run([{"do": "square", "n": 1}], limit=20))[0]
    os.kill(first.value["pid"], 9)
    assert gone(first.value["pid"])
    replies = dict(pool.run([{"do": "square", "n": n} for n in (2, 3)], limit=20))
    assert [r.outcome for r in replies.values()] == ["done", "done"]


def test_each_place_has_its_own_environment() -> None:
    pool = WorkerPool(JOBS, 2, places=[{"CUDA_VISIBLE_DEVICES": "5"}, {"CUDA_VISIBLE_DEVICES": "7"}])
    try:
        pool.start()
        replies = dict(pool.run([{"do": "device"} for _ in range(40)], limit=20))
        assert {(r.worker, r.value["device"]) for r in replies.values()} == {(0, "5"), (1, "7")}
        pool.keep_one()
        replies = dict(pool.run([{"do": "device"} for _ in range(3)], limit=20))
        assert {r.value["device"] for r in replies.values()} == {"5"}
    finally:
        pool.close()


def test_a_request_sent_ahead_survives_the_worker(tmp_path: Path) -> None:
    pool = WorkerPool(JOBS, 1, depth=2)
    try:
        jobs = [{"do": "square", "n": 2}, {"do": "segfault"}, {"do": "square", "n": 3}, {"do": "restart"}]
        replies = dict(pool.run([*jobs, {"do": "square", "n": 4}], limit=20))
    finally:
        pool.close()
    assert [replies[i].outcome for i in range(5)] == ["done", "crash", "done", "done", "done"]
    assert [replies[i].value["value"] for i in (0, 2, 4)] == [4, 9, 16]


def test_a_fork_server_that_is_killed_is_replaced() -> None:
    from helion_ir.autotuner.worker_source import fork_server

    first = WorkerPool(JOBS, 1)
    try:
        dict(first.run([{"do": "square", "n": 1}], limit=20))
        server = fork_server()
        assert server is not None
        os.kill(server._process.pid, 9)
        server._process.wait()
        second = WorkerPool(JOBS, 1)
        try:
            assert dict(second.run([{"do": "square", "n": 5}], limit=30))[0].value["value"] == 25
        finally:
            second.close()
        assert fork_server() is not server
    finally:
        first.close()
