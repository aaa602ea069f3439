"""Goes through the phases of ahead-of-time tuning: `python -m helion_ir.autotuner.aot_runner -- python train.py`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from helion_ir.autotuner.heuristic import COLLECTED, MEASURED, Row, data_folder, file_name, heuristic_text, read_rows
from helion_ir.autotuner.portfolio import GOALS

BACKENDS = ("nearest_neighbor", "decision_tree")
PHASES = ("collect", "measure", "build", "evaluate")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("aot_runner", description=__doc__)
    p.add_argument("--phase", choices=(*PHASES, "all"), default="all")
    p.add_argument("--output-dir", help="where files go; beside the kernels' own by default")
    p.add_argument("--threshold", type=float, default=1.1, help="a factor over the best of a shape that may be lost")
    p.add_argument("--max-configs", type=int, default=10, help="configurations of a kernel at most")
    p.add_argument("--single-config", action="store_true", help="one configuration a kernel")
    p.add_argument("--goal", choices=tuple(GOALS), default="max_slowdown", help="what is kept small over all shapes")
    p.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0], help="how shapes are told apart")
    p.add_argument("--kernel", action="append", help="this kernel alone; may be given several times")
    p.add_argument("command", nargs="*", help="after --, what calls the kernels")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the phases; the command's exit code if one fails, 2 where there is nothing to build from."""
    options = parser().parse_args(arguments)
    phases = PHASES if options.phase == "all" else (options.phase,)
    for phase in phases:
        if phase == "build":
            if code := write_files(options):
                return code
            continue
        if not options.command:
            print(f"phase {phase} needs a command after --", file=sys.stderr)
            return 2
        environment = {**os.environ, "HELION_AOT_MODE": phase}
        if options.output_dir:
            environment["HELION_HEURISTIC_DIR"] = options.output_dir
        if code := subprocess.run(options.command, env=environment, check=False).returncode:
            return code
    return 0


def write_files(options: argparse.Namespace) -> int:
    """Write a file for each source file and device; 2 where nothing was collected."""
    rows = [
        r for r in [*read_rows(COLLECTED), *read_rows(MEASURED)] if not options.kernel or r["kernel"] in options.kernel
    ]
    if not rows:
        print(f"nothing was collected in {data_folder()}", file=sys.stderr)
        return 2
    if options.backend == "decision_tree" and importlib.util.find_spec("sklearn") is None:
        print("--backend decision_tree needs scikit-learn: pip install 'helion-ir[tune]'", file=sys.stderr)
        return 2
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["source"], *row["device"]), []).append(row)
    for (source, device, arch), own in groups.items():
        folder = Path(options.output_dir or Path(source).parent)
        folder.mkdir(parents=True, exist_ok=True)
        most = 1 if options.single_config else options.max_configs
        path = folder / file_name(source, device, arch)
        path.write_text(heuristic_text(own, most, options.threshold, options.goal, options.backend))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
