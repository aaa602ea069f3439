"""What both searches found, timed in turns in one process: on the device, and as calls that the host has to queue.

On the device a call is timed with the stream held until it is queued, so that what it takes the host does not count
(`python -m benchmarks.call_overhead` measures that). Shorter than its queueing, a call takes as long as that.

`python -m benchmarks.peer.times CASE FOLDER [DEVICE [SECONDS]]`; SECONDS: how long this may take, torch.compile included.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
# torch.compile with max-autotune takes so long that it is left out where less time is left.
COMPILE_SECONDS = 45.0


def time_in_turns(calls: dict[str, Callable[[], Any]], clock: Callable[[Callable[[], Any]], float]) -> dict[str, float]:
    """Median milliseconds of each call; round by round, so that a device that grows warmer treats all alike.

    A call that has several names is timed once.
    """
    seen: dict[int, list[float]] = {id(call): [] for call in calls.values()}
    once = {id(call): call for call in calls.values()}
    for _ in range(ROUNDS):
        for key, call in once.items():
            seen[key].append(clock(call))
    return {name: statistics.median(seen[id(call)]) for name, call in calls.items()}


class Timing:
    """The calls to time, `side@seconds` among them, and why others are missing."""

    def __init__(self, name: str, folder: Path, device: str):
        from benchmarks.peer.cases import CASES, ours

        self.case = CASES[name]
        self.folder = folder
        self.args = self.case.args(device)
        self.example = ours(self.case)
        self.calls: dict[str, Callable[[], Any]] = {"eager": lambda: self.example.eager(*self.args)}
        self.missing: dict[str, str] = {}

    def add_winners(self) -> None:
        """What the searches of both sides found, checked against one reference in float64."""
        import torch

        from benchmarks.peer.cases import theirs

        expected = self.example.reference(*self.args)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for side in ("ours", "helion"):
            path = self.folder / f"{self.case.name}.{side}.json"
            if not path.exists():
                self.missing[side] = "no search"
                continue
            try:
                example = self.example if side == "ours" else theirs(self.case, self.folder)
                self._add(side, json.loads(path.read_text()), example.kernel.bind(self.args), expected)
            except Exception as error:
                self.missing[side] = _reason(error)

    def _add(self, side: str, row: dict[str, Any], bound: Any, expected: Any) -> None:
        found = {f"{side}@{at}": point["config"] for at, point in row["curve"].items() if point is not None}
        if row.get("config"):
            found[f"{side}@end"] = row["config"]
        compiled: dict[str, Callable[[], Any]] = {}
        for label, config in found.items():
            text = json.dumps(config, sort_keys=True)
            try:
                if text not in compiled:
                    run = bound.compile_config(_config(side, config), allow_print=False)
                    self.example.check(run(*self.args), self.args, expected)
                    compiled[text] = lambda run=run: run(*self.args)
                self.calls[label] = compiled[text]
            except Exception as error:
                self.missing[label] = _reason(error)

    def add_compiled(self) -> None:
        """torch.compile of what `eager` does."""
        import torch

        try:
            compiled = torch.compile(self.example.eager, mode="max-autotune-no-cudagraphs")
            compiled(*self.args)
            self.calls["torch.compile"] = lambda: compiled(*self.args)
        except Exception as error:
            self.missing["torch.compile"] = _reason(error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _config(side: str, config: dict[str, Any]) -> Any:
    if side == "ours":
        import helion_ir as helion
    else:
        import helion
    return helion.Config(**config)


def main() -> None:
    """Time and write the result; once more with torch.compile if there is time for it."""
    from examples.harness import milliseconds

    from helion_ir.autotuner.measure import Effort, device_milliseconds

    name, folder, *rest = sys.argv[1:]
    device = rest[0] if rest else "cuda"
    end = time.monotonic() + (float(rest[1]) if len(rest) > 1 else 600.0)

    def host_clock(call: Callable[[], Any]) -> float:
        start = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - start)

    def device_clock(call: Callable[[], Any]) -> float:
        return device_milliseconds(call, lambda: None, Effort())

    timing = Timing(name, Path(folder), device)
    timing.add_winners()

    def write() -> None:
        clocks = {"times": device_clock, "queued": milliseconds} if device == "cuda" else {"times": host_clock}
        found = {kind: time_in_turns(timing.calls, clock) for kind, clock in clocks.items()}
        path = Path(folder) / f"{name}.times.json"
        path.with_suffix(".tmp").write_text(json.dumps({**found, "missing": timing.missing}, indent=1))
        path.with_suffix(".tmp").rename(path)

    write()
    if device == "cuda" and end - time.monotonic() > COMPILE_SECONDS:
        timing.add_compiled()
        write()


if __name__ == "__main__":
    main()
