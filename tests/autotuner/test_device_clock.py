"""The device's clock, on a simulated device: calls are queued, and time passes when they run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from helion_ir.autotuner.measure import Effort, device_milliseconds, graph_milliseconds, measure_in_graph
from helion_ir.autotuner.printed_module import load_object


class Device:
    """A stream whose operations take known times; an event notes when it is reached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now = 0.0
        self.held = 0
        self.pending = 0
        device = self

        class Event:
            def __init__(self, enable_timing: bool):
                assert enable_timing
                self.time = 0.0

            def record(self) -> None:
                self.time = device.now

            def elapsed_time(self, other: Event) -> float:
                assert device.pending == 0, "read before the device was waited for"
                return other.time - self.time

        def sleep(cycles: int) -> None:
            assert 0 < cycles <= 0.03 * 1e9
            self.held += 1

        def synchronize() -> None:
            self.pending = 0

        properties = SimpleNamespace(L2_cache_size=1 << 10, clock_rate=1_000_000)
        empty = torch.empty
        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "_sleep", sleep)
        monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
        monkeypatch.setattr(torch, "empty", lambda n, **kw: empty(8, dtype=kw["dtype"]))

    def kernel(self, times: list[float]) -> Any:
        calls: list[float] = []

        def run() -> None:
            self.pending += 1
            milliseconds = times[len(calls) % len(times)]
            calls.append(milliseconds)
            self.now += milliseconds

        return run, calls


def test_median_of_many_without_what_surrounds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch)
    run, calls = device.kernel([0.25, 0.25, 0.25, 0.25, 7.0])

    def restore() -> None:
        device.now += 100.0

    assert device_milliseconds(run, restore, Effort(milliseconds=50.0)) == pytest.approx(0.25)
    assert len(calls) > 50 and device.held == 2


def test_hopeless_ones_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch)
    run, calls = device.kernel([100.0])
    assert device_milliseconds(run, lambda: None, Effort(best=0.1)) == pytest.approx(100.0)
    assert len(calls) == 1
    run, calls = device.kernel([0.4])
    assert device_milliseconds(run, lambda: None, Effort(best=0.1)) == pytest.approx(0.4)
    assert len(calls) == 4
    run, calls = device.kernel([0.2])
    device_milliseconds(run, lambda: None, Effort(best=0.1))
    assert len(calls) > 50


def test_long_calls_are_not_repeated_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch)
    run, calls = device.kernel([900.0])
    assert device_milliseconds(run, lambda: None, Effort()) == pytest.approx(900.0)
    assert len(calls) == 4


def test_a_graph_is_captured_once_and_its_replays_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(monkeypatch)
    launch, launches = device.kernel([0.5])
    replay, replays = device.kernel([0.25])
    captured: list[str] = []

    @contextlib.contextmanager
    def capture(graph: Any):
        captured.append("begin")
        yield
        captured.append("end")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=replay))
    monkeypatch.setattr(torch.cuda, "graph", capture)
    assert graph_milliseconds(launch, lambda: None, Effort()) == pytest.approx(0.25)
    assert captured == ["begin", "end"] and len(launches) == 1 and len(replays) > 50


def test_the_setting_chooses_the_clock_of_graphs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from helion_ir.autotuner import local

    seen: list[str | None] = []
    monkeypatch.setattr(local, "IsolatedBenchmark", lambda *args, measure, **rest: seen.append(measure))
    monkeypatch.setattr(local, "devices_of", lambda inputs: [])
    for chosen in (False, True):
        settings = SimpleNamespace(autotune_benchmark_subprocess=True, autotune_benchmark_cudagraph=chosen)
        local._benchmark(SimpleNamespace(settings=settings), None, tmp_path, {}, None, None)  # pyright: ignore
    assert seen == [None, "helion_ir.autotuner.measure:measure_in_graph"]
    assert load_object(seen[1] or "") is measure_in_graph
