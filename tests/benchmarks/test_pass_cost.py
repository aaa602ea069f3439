"""What `pass_cost` times, on a small example, and what it refuses."""

from __future__ import annotations

from benchmarks import pass_cost


def test_every_pass_is_timed_and_a_dear_one_is_named() -> None:
    row = pass_cost.measure("exp", "h200", count=1, repeats=1, seed=0)
    assert row["structures"] == 2 and row["lower"] > 0
    for name in ("cse", "declare-schedules", "bind-structure", "simplify-index", "assign-names"):
        assert row["worst"][name] >= row["default"][name] > 0
    assert "simplify-index" in pass_cost.tables([row])
    dear = {**row, "worst": {**row["worst"], "simplify-index": 20.5}}
    assert pass_cost.over([dear]) == ["simplify-index takes 20.5 ms on exp; 20 are allowed"]
    assert pass_cost.over([{**dear, "worst": {"simplify-index": 20.0, "cse": 30.0}}]) == []
