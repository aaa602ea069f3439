"""Every example compiled for devices that are not here: what fits, what it uses, and which instructions it gets.

Each example's default and some random configurations are compiled for each target, on shapes of the benchmark inputs. A
configuration that needs more shared memory than the target has is "rejected", one that Triton or its assembler turns
down is "failed". A matrix product in a configuration made for matrix units must contain their instructions.
"""

import argparse
import json
import os
import random
import tempfile
import time
import warnings
from collections import Counter
from typing import Any

from examples import registry

from benchmarks import gpu_tasks, pool, report

TARGETS = ("h200", "b200", "mi350x")

MATRIX_INSTRUCTIONS = {"h200": "wgmma.mma_async", "b200": "tcgen05.mma", "mi350x": "v_mfma"}
"""What the assembly of a matrix product must contain on each target."""

MATRIX_CONFIG = {"block_sizes": [128, 128, 64], "num_warps": 4, "num_stages": 3}

Row = dict[str, Any]

Task = tuple[str, str, int, int]
"""Example, target, number of the configuration (0 is the default, -1 is `MATRIX_CONFIG`), seed."""


def compile_one(task: Task) -> Row:
    """Compile one configuration for one target."""
    name, target, index, seed = task
    warnings.filterwarnings("ignore", message=".*make_block_ptr is deprecated")
    example = registry.load(name)
    bound = example.kernel.bind(example.bench[0].blank())
    space = bound.stages_for(target).space
    if index < 0:
        config: Any = MATRIX_CONFIG
    elif index == 0:
        config = space.decode(space.legal_default())
    else:
        config = space.decode(space.sample(random.Random(f"{seed}/{name}/{target}/{index}")))
    row: Row = {"config": dict(config)}
    start = time.perf_counter()
    try:
        compiled = bound.compile_for(target, config)
    except Exception as error:
        kind = gpu_tasks.kind_of(error)
        status = {"triton": "failed"}.get(kind, kind)
        return row | {"status": status, "detail": f"{type(error).__name__}: {error}"[:2000]}
    row["compile_s"] = round(time.perf_counter() - start, 3)
    resources = compiled.resources
    row["shared"], row["registers"], row["spills"] = resources.shared_memory, resources.registers, resources.spilled
    fits = resources.shared_memory <= bound.stages_for(target).target.shared_memory
    row["status"] = "ok" if fits else "rejected"
    if not fits:
        row["detail"] = f"{resources.shared_memory} bytes of shared memory"
    texts = [text for text in compiled.asm.values() if isinstance(text, str)]
    row["matrix_instructions"] = any(MATRIX_INSTRUCTIONS.get(target, "\0") in text for text in texts)
    return row


def table(names: list[str], targets: list[str], rows: list[Row]) -> str:
    """One line an example and target."""
    cells = []
    for name in names:
        for target in targets:
            mine = [row for row in rows if (row["example"], row["target"]) == (name, target) and row["index"] >= 0]
            mine = [row for row in mine if row["status"] != "skipped"]
            counts = Counter(row["status"] for row in mine)
            known = [counts[status] for status in ("ok", "rejected", "failed", "timeout")]
            default = next((row for row in mine if row["index"] == 0), {})
            used = [default.get(key) for key in ("shared", "registers", "spills", "compile_s")]
            cells.append([name, target, *known, counts.total() - sum(known), *used])
    header = [
        "example",
        "target",
        "ok",
        "rejected",
        "failed",
        "timeout",
        "other",
        "shared",
        "registers",
        "spills",
        "seconds",
    ]
    return report.markdown_table(header, cells)


def _reached(options: argparse.Namespace) -> list[Row]:
    """The rows of the committed table that are of these configurations and versions."""
    data = json.loads((report.RESULTS / "cross_compile.json").read_text())
    if data["versions"] != report.versions() or data["seed"] != options.seed:
        raise SystemExit(f"the committed table is of other configurations: {data['versions']}, seed {data['seed']}")
    return [row for row in data["rows"] if row["status"] != "skipped"]


def main() -> None:
    """Compile, print the table and write it to `benchmarks/results/cross_compile.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", nargs="*")
    parser.add_argument("--targets", nargs="*", default=list(TARGETS))
    parser.add_argument("--configs", type=int, default=5, help="random configurations beside the default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--each", type=float, default=30.0, metavar="SECONDS", help="for one configuration")
    parser.add_argument("--time-limit", type=float, default=3600.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="compile only what the committed table did not reach")
    options = parser.parse_args()
    names = options.examples or registry.names()
    tasks: list[Task] = [("matmul", target, -1, 0) for target in options.targets if "matmul" in names]
    tasks += [
        (name, target, index, options.seed)
        for index in range(options.configs + 1)
        for name in names
        for target in options.targets
    ]
    rows: list[Row] = _reached(options) if options.resume else []
    done = {(row["example"], row["target"], row["index"]) for row in rows}
    tasks = [task for task in tasks if task[:3] not in done]
    # Workers inherit it: a cache that is not empty would make the seconds meaningless.
    cache = tempfile.TemporaryDirectory(prefix="helion_ir_cross_compile_")
    os.environ["TRITON_CACHE_DIR"] = cache.name
    deadline = time.monotonic() + options.time_limit
    for outcome in pool.run(compile_one, tasks, processes=options.processes, seconds=options.each, deadline=deadline):
        name, target, index, _ = outcome.task
        row: Row = {"example": name, "target": target, "index": index}
        row |= outcome.value if outcome.status == "ok" else {"status": outcome.status, "detail": outcome.detail}
        rows.append(row)
        if row["status"] not in ("ok", "rejected", "skipped"):
            print(f"{row['status']}: {name} for {target} #{index}: {row['detail'][:300]}", flush=True)
    text = table(names, options.targets, rows)
    print(text)
    data = {**report.conditions(), "configs": options.configs, "seed": options.seed, "rows": rows}
    skipped = sum(row["status"] == "skipped" for row in rows)
    data["note"] = (
        "Bytes of shared memory, registers a thread, spills and seconds are those of the default configuration. "
        f"A timeout is {options.each:.0f} s; {skipped} of {len(rows)} configurations were not reached in time."
    )
    report.write("cross_compile", "Compiling for devices that are not here", text, data)
    missing = [row for row in rows if row["index"] < 0 and not row.get("matrix_instructions")]
    for row in missing:
        print(
            f"no {MATRIX_INSTRUCTIONS[row['target']]} in matmul for {row['target']}: {row.get('detail', row['status'])}"
        )
    if missing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
