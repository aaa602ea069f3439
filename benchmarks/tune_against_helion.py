"""Our tuner beside Helion's, on the same kernels, inputs and machine, with the same time.

Each search is a process of its own; from its log the best configuration after 5, 30, 60 and 120 seconds is read. Then the
winners of both and eager PyTorch are timed in turns in one process. On several GPUs each has its own kernels and its own
part of the processors. Every result is a file in the output folder, and the table is written after each, so that
nothing is lost with a command that ends early; what is there is not done again, and folders are merged:

    PYTHONPATH=src python -m benchmarks.tune_against_helion --gpus 2 --kernels matmul attention softmax layer_norm
    PYTHONPATH=src python -m benchmarks.tune_against_helion --report --merge FOLDER FOLDER --out benchmarks/results

Helion comes from where `--helion` says (a wheel, or a folder with an unpacked one), or from the environment.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.peer.curve import POINTS
from benchmarks.peer.lanes import LEAST, Lane, clock, lanes, run_lanes, steps
from benchmarks.peer.package import prepared

NAMES = ("matmul", "attention", "softmax", "layer_norm", "cross_entropy", "gemm_fp8", "gemm_int4", "jagged_mean")
PEER = Path(__file__).parent / "peer"
SITE = PEER / "site"
ROOT = PEER.parent.parent
TITLE = "tune_against_helion"
# What this command itself takes at the end.
RESERVE = 5.0


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


class Command:
    """One run of this command: its options, and the folder that everything goes to."""

    def __init__(self, options: argparse.Namespace, helion: Path | None, caches: Path):
        self.options = options
        self.helion = helion
        self.caches = caches
        self._writing = threading.Lock()

    def lane(self, lane: Lane) -> None:
        """All kernels of a lane, as far as time goes."""
        for step in steps(lane, self.options.seconds, lambda kernel: missing(kernel, self.options), self.options.left):
            if isinstance(step, str):
                print(step, flush=True)
                continue
            start = time.monotonic()
            status = self._one(step.kernel, step.what, step.limit, lane)
            print(f"{step.kernel} {step.what}: {status} in {time.monotonic() - start:.0f} s", flush=True)
            self.write_table()

    def _one(self, kernel: str, what: str, limit: float, lane: Lane) -> str:
        """Run one process. Of a search of Helion's that had to be stopped, the log is what counts."""
        out, device = self.options.out, self.options.device
        if what == "times":
            command = ["benchmarks.peer.times", kernel, str(out), device, str(limit)]
        else:
            command = ["benchmarks.peer.search", kernel, what, str(self.options.seconds), str(out), device]
        # What has been compiled while searching need not be compiled again to be timed.
        own = {**lane.environment(), "TRITON_CACHE_DIR": str(self.caches / kernel), "HELION_KEEP_CACHE": "1"}
        status = run(command, {**environment(self.helion, out, device), **own}, limit, out / f"{kernel}.{what}.log")
        if status != "ok" and what == "helion" and (out / f"{kernel}.helion.started").exists():
            from benchmarks.peer.search import from_log

            row = from_log(kernel, out)
            if row["tried"]:
                (out / f"{kernel}.helion.json").write_text(
                    json.dumps({"seconds": limit, "config": None, "status": status, **row})
                )
        return status

    def write_table(self) -> str:
        """Write the table of what there is by now."""
        with self._writing:
            text, data = table(self.options.out)
            data = {**report.conditions(), "seconds": self.options.seconds, "kernels": data}
            report.write(TITLE, "Tuning beside Helion", text, data, self.options.out)
            return text


def merge(folders: Iterable[Path], out: Path) -> None:
    """Copy the results of other folders that this one lacks, logs excluded."""
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            if path.stem != TITLE and not path.name.endswith(".trace.json") and not (out / path.name).exists():
                shutil.copy(path, out / path.name)


def missing(kernel: str, options: argparse.Namespace) -> list[str]:
    """What is to be done for a kernel; what was found anew is timed anew."""
    sides = [s for s in options.sides if options.again or not (options.out / f"{kernel}.{s}.json").exists()]
    timed = not options.no_times and (sides or not (options.out / f"{kernel}.times.json").exists())
    return [*sides, *(["times"] if timed else [])]


def plan(work: Iterable[Lane], options: argparse.Namespace, left: float) -> str:
    """What would be done, a line a lane."""

    def seconds(lane: Lane) -> float:
        todo = [what for kernel in lane.kernels for what in missing(kernel, options)]
        return sum(LEAST[what] + (0.0 if what == "times" else options.seconds) for what in todo)

    return "\n".join(
        f"GPU {lane.gpu}, {len(lane.processors)} processors: {' '.join(lane.kernels)}; "
        f"{seconds(lane):.0f} of {left:.0f} s are needed"
        for lane in work
    )


def main() -> None:
    """Search and time what is asked for and not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kernels", nargs="*", default=list(NAMES), choices=NAMES)
    parser.add_argument("--sides", nargs="*", default=["ours", "helion"], choices=["ours", "helion"])
    parser.add_argument("--seconds", type=float, default=120.0, help="of one search")
    parser.add_argument("--time-limit", type=float, default=590.0, help="seconds for this command, all included")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs to use at once, a kernel on each")
    parser.add_argument(
        "--processors", type=int, default=None, help="for one GPU at most; otherwise equal parts of all"
    )
    parser.add_argument("--helion", type=Path, default=None, help="a wheel, or a folder with the package `helion`")
    parser.add_argument("--out", type=Path, default=report.RESULTS / TITLE, metavar="DIR")
    parser.add_argument("--merge", type=Path, nargs="*", default=[], metavar="DIR", help="take over results from there")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the commands with small inputs")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--no-times", action="store_true", help="search only")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--report", action="store_true", help="only the table")
    options = parser.parse_args()
    options.left = clock(options.time_limit - RESERVE)
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    merge(options.merge, options.out)
    with tempfile.TemporaryDirectory(prefix="helion_peer_") as folder:
        if not options.report:
            _work(options, Path(folder))
        print(Command(options, None, Path(folder)).write_table(), flush=True)


def _work(options: argparse.Namespace, folder: Path) -> None:
    kernels = [k for k in options.kernels if missing(k, options)]
    work = lanes(kernels, options.gpus, sorted(os.sched_getaffinity(0)), options.processors)
    print(plan(work, options, options.left()), flush=True)
    if options.dry_run:
        return
    helion = None
    if "helion" in options.sides:
        if options.helion is not None:
            helion = prepared(options.helion, folder / "package")
        elif importlib.util.find_spec("helion") is None:
            print("there is no package helion: give --helion WHEEL", flush=True)
            options.sides = [s for s in options.sides if s != "helion"]
    command = Command(options, helion, folder / "triton")
    run_lanes(work, command.lane)


if __name__ == "__main__":
    main()
