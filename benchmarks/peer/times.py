"""What both searches found, timed in turns in one process: `python -m benchmarks.peer.times CASE FOLDER [DEVICE]`."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5


def time_in_turns(calls: dict[str, Callable[[], Any]], clock: Callable[[Callable[[], Any]], float]) -> dict[str, float]:
    """Median milliseconds of each call; round by round, so that a device that grows warmer treats all alike."""
    seen: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            seen[name].append(clock(call))
    return {name: statistics.median(times) for name, times in seen.items()}


def calls_of(name: str, folder: Path, device: str, torch_compile: bool = True) -> tuple[dict[str, Any], dict[str, str]]:
    """The calls to time, `side@seconds` among them, and why others are missing."""
    import torch

    from benchmarks.peer.cases import CASES, ours, theirs

    case = CASES[name]
    args = case.args(device)
    example = ours(case)
    calls: dict[str, Any] = {"eager": lambda: example.eager(*args)}
    missing: dict[str, str] = {}
    for side in ("ours", "helion"):
        path = folder / f"{name}.{side}.json"
        if not path.exists():
            missing[side] = "no search"
            continue
        try:
            kernel = (example if side == "ours" else theirs(case, folder)).kernel
            _add(calls, missing, side, json.loads(path.read_text()), kernel, args, example)
        except Exception as error:
            missing[side] = f"{type(error).__name__}: {error}"[:300]
    if torch_compile and device == "cuda":
        try:
            compiled = torch.compile(example.eager, mode="max-autotune-no-cudagraphs")
            compiled(*args)
            calls["torch.compile"] = lambda: compiled(*args)
        except Exception as error:
            missing["torch.compile"] = f"{type(error).__name__}: {error}"[:300]
    return calls, missing


def _add(
    calls: dict[str, Any], missing: dict[str, str], side: str, row: dict[str, Any], kernel: Any, args: Any, example: Any
) -> None:
    bound = kernel.bind(args)
    found = {f"{side}@{at}": point["config"] for at, point in row["curve"].items() if point is not None}
    if row.get("config"):
        found[f"{side}@end"] = row["config"]
    compiled: dict[str, Any] = {}
    for label, config in found.items():
        text = json.dumps(config, sort_keys=True)
        try:
            if text not in compiled:
                run = bound.compile_config(_config(side, config), allow_print=False)
                example.check(run(*args), args)
                compiled[text] = lambda run=run: run(*args)
            calls[label] = compiled[text]
        except Exception as error:
            missing[label] = f"{type(error).__name__}: {error}"[:300]


def _config(side: str, config: dict[str, Any]) -> Any:
    if side == "ours":
        import helion_ir as helion
    else:
        import helion
    return helion.Config(**config)


def main() -> None:
    """Time and write the result."""
    from examples.harness import milliseconds

    name, folder, *rest = sys.argv[1:]
    device = rest[0] if rest else "cuda"

    def host_clock(call: Callable[[], Any]) -> float:
        start = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - start)

    calls, missing = calls_of(name, Path(folder), device)
    times = time_in_turns(calls, milliseconds if device == "cuda" else host_clock)
    path = Path(folder) / f"{name}.times.json"
    path.write_text(json.dumps({"times": times, "missing": missing}, indent=1))


if __name__ == "__main__":
    main()
