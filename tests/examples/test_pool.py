"""The worker processes of the benchmarks: one bad task costs itself alone."""

import math
import os
import time

from benchmarks import pool, report


def test_values_and_errors() -> None:
    """Values come back, and an exception is its task's outcome."""
    deadline = time.monotonic() + 60
    outcomes = {o.task: o for o in pool.run(math.sqrt, [4.0, -1.0, 9.0], processes=1, seconds=30, deadline=deadline)}
    assert (outcomes[4.0].status, outcomes[4.0].value) == ("ok", 2.0)
    assert (outcomes[9.0].status, outcomes[9.0].value) == ("ok", 3.0)
    assert outcomes[-1.0].status == "error" and "ValueError" in outcomes[-1.0].detail


def test_a_task_that_hangs_is_stopped() -> None:
    """The task after it runs in a new process."""
    deadline = time.monotonic() + 60
    outcomes = {o.task: o for o in pool.run(time.sleep, [50.0, 0.01], processes=1, seconds=4, deadline=deadline)}
    assert outcomes[50.0].status == "timeout" and outcomes[50.0].seconds < 10
    assert outcomes[0.01].status == "ok"


def test_a_task_that_kills_its_process() -> None:
    """The exit code is told, and the next task runs."""
    deadline = time.monotonic() + 60
    outcomes = list(pool.run(os._exit, [7, 8], processes=1, seconds=30, deadline=deadline))
    assert [(o.task, o.status, o.detail) for o in outcomes] == [
        (7, "crash", "exit code 7"),
        (8, "crash", "exit code 8"),
    ]


def test_the_deadline_ends_everything() -> None:
    """What runs and what waits are both skipped, in time."""
    start = time.monotonic()
    outcomes = list(pool.run(time.sleep, [60.0, 61.0, 62.0], processes=2, seconds=100, deadline=start + 3))
    assert sorted(o.task for o in outcomes) == [60.0, 61.0, 62.0]
    assert {o.status for o in outcomes} == {"skipped"}
    assert time.monotonic() - start < 20


def test_table() -> None:
    """Numbers keep three digits and a missing one is a dash."""
    assert report.markdown_table(["a", "long"], [["x", 0.123456], ["y", None]]) == (
        "| a | long  |\n|---|-------|\n| x | 0.123 |\n| y | –     |\n"
    )


def test_gpu_tables() -> None:
    """Rows of every kind end in the right columns."""
    from benchmarks.gpu_check import check_table, time_table

    checks = [
        {"example": "exp", "index": 0, "status": "ok", "error": 1e-7},
        {"example": "exp", "index": 0, "status": "wrong"},
        {"example": "exp", "index": 1, "status": "ok", "error": 3e-7},
        {"example": "exp", "index": 2, "status": "timeout"},
    ]
    last = check_table(["exp"], checks).splitlines()[-1]
    assert [word.strip() for word in last.strip("|").split("|")] == [
        *("exp", "1/2", "1", "0", "0", "0", "0", "0", "1", "0", "0", "3e-07"),
    ]
    times = [("eager", 2.0), ("config 0", 4.0), ("config 3", 1.0), ("config 5", None)]
    rows = [{"example": "exp", "case": "big", "what": what, "ms": ms} for what, ms in times]
    last = time_table(rows).splitlines()[-1]
    assert [word.strip() for word in last.strip("|").split("|")] == ["exp", "big", "4", "1", "2", "–", "2"]
