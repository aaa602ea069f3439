"""Our tuner beside Helion's, on the same kernels, inputs and machine, with the same time.

Each search is a process of its own; from its log the best configuration after 5, 30, 60 and 120 seconds is read. Then the
winners of both, eager PyTorch and torch.compile(mode="max-autotune") are timed in turns in one process. Every result is a
file in the output folder; what is there is not done again, so that the whole can be spread over several commands:

    PYTHONPATH=src python -m benchmarks.tune_against_helion --kernels matmul softmax --seconds 120 --time-limit 590
    PYTHONPATH=src python -m benchmarks.tune_against_helion --report

Helion comes from where `--helion` says (a folder with the unpacked wheel), or from the environment.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.peer.curve import POINTS

NAMES = ("matmul", "softmax", "attention", "layer_norm", "cross_entropy", "gemm_fp8", "gemm_int4", "jagged_mean")
SITE = Path(__file__).parent / "peer" / "site"
ROOT = Path(__file__).parent.parent


def environment(helion: Path | None, folder: Path, device: str) -> dict[str, str]:
    """That of a search: modules can be found by worker processes too, and PyTorch has the name Helion asks for."""
    paths = [str(SITE), str(ROOT / "src"), str(ROOT), str(folder), *([str(helion)] if helion is not None else [])]
    interpreted = {"TRITON_INTERPRET": "1"} if device == "cpu" else {}
    return {**os.environ, **interpreted, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}


def run(command: list[str], env: dict[str, str], seconds: float, log: Path) -> str:
    """ "ok", or what became of a process: it and all that it started end after `seconds`."""
    with open(log, "w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(max(1.0, seconds))
            return "ok" if code == 0 else f"exit status {code}: {_last_line(log)}"
        except subprocess.TimeoutExpired:
            return f"stopped after {seconds:.0f} s"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.poll()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def search(name: str, side: str, options: argparse.Namespace, left: float) -> str:
    """Run one search; of a Helion search that had to be stopped, the log is what counts."""
    command = ["benchmarks.peer.search", name, side, str(options.seconds), str(options.out), options.device]
    limit = min(options.seconds + options.grace, left)
    status = run(
        command, environment(options.helion, options.out, options.device), limit, options.out / f"{name}.{side}.log"
    )
    result = options.out / f"{name}.{side}.json"
    if status != "ok" and side == "helion" and (options.out / f"{name}.helion.started").exists():
        from benchmarks.peer.search import from_log

        row = from_log(name, options.out)
        if row["tried"]:
            result.write_text(json.dumps({"seconds": limit, "config": None, "status": status, **row}))
    return status


def table(folder: Path) -> tuple[str, dict[str, Any]]:
    """The table of what is in the folder, and the same as data."""
    points = [f"{p:g}" for p in POINTS]
    header = ["kernel", *(f"ours {p} s" for p in points), *(f"Helion {p} s" for p in points)]
    header += ["eager", "torch.compile", "tried: ours", "Helion", "ours at 60 s / Helion at 120 s"]
    cells, data = [], {}
    for name in NAMES:
        files = {k: folder / f"{name}.{k}.json" for k in ("ours", "helion", "times")}
        found = {k: json.loads(p.read_text()) for k, p in files.items() if p.exists()}
        if not found:
            continue
        data[name] = found
        times = found.get("times", {}).get("times", {})
        sides = [times.get(f"{side}@{p}") for side in ("ours", "helion") for p in points]
        ours, theirs = times.get("ours@60"), times.get("helion@120")
        ratio = ours / theirs if ours and theirs else None
        tried = [found.get(side, {}).get("tried") for side in ("ours", "helion")]
        cells.append([name, *sides, times.get("eager"), times.get("torch.compile"), *tried, ratio])
    return report.markdown_table(header, cells), data


def main() -> None:
    """Search and time what is asked for and not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kernels", nargs="*", default=list(NAMES), choices=NAMES)
    parser.add_argument("--sides", nargs="*", default=["ours", "helion"], choices=["ours", "helion"])
    parser.add_argument("--seconds", type=float, default=120.0, help="of one search")
    parser.add_argument(
        "--grace", type=float, default=45.0, help="seconds after which a search is stopped from outside"
    )
    parser.add_argument("--time-limit", type=float, default=590.0, help="seconds for this command")
    parser.add_argument("--helion", type=Path, default=None, help="a folder with the package `helion`")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "tune_against_helion", metavar="DIR")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the commands with small inputs")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--no-times", action="store_true", help="search only")
    parser.add_argument("--report", action="store_true", help="only the table")
    options = parser.parse_args()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.time_limit
    if not options.report:
        sides = [s for s in options.sides if s == "ours" or options.helion or importlib.util.find_spec("helion")]
        if sides != options.sides:
            print("there is no package helion: give --helion FOLDER", flush=True)
        for name in options.kernels:
            _one(name, sides, options, deadline)
    text, data = table(options.out)
    data = {**report.conditions(), "seconds": options.seconds, "kernels": data}
    report.write("tune_against_helion", "Tuning beside Helion", text, data, options.out)
    print(text, flush=True)


def _one(name: str, sides: list[str], options: argparse.Namespace, deadline: float) -> None:
    done = False
    for side in sides:
        left = deadline - time.monotonic()
        if (options.out / f"{name}.{side}.json").exists() and not options.again:
            continue
        if left < options.seconds:
            print(f"{name} {side}: no time left", flush=True)
            continue
        start = time.monotonic()
        status = search(name, side, options, left)
        print(f"{name} {side}: {status} in {time.monotonic() - start:.0f} s", flush=True)
        done = True
    times = options.out / f"{name}.times.json"
    left = deadline - time.monotonic()
    if not options.no_times and (done or not times.exists()) and left > 20:
        command = ["benchmarks.peer.times", name, str(options.out), options.device]
        log = options.out / f"{name}.times.log"
        status = run(command, environment(options.helion, options.out, options.device), min(180.0, left), log)
        print(f"{name} times: {status} {times.read_text()[:2000] if times.exists() else ''}", flush=True)


if __name__ == "__main__":
    main()
