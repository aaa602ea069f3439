"""What each rule of the compiler is worth on a GPU: time with the rule left out of the pipeline, and with it.

Every case runs in a process of its own with a time limit, on a configuration legal for both; results are written as they come.
"""

import argparse
import json
import statistics
import time
from typing import Any

from benchmarks import pool, report

RULES = ("forward-memory", "simplify-index", "cse", "fold-exp2", "peel-masks", "hoist-descriptors", "relax-precision")
KERNELS = ("matmul", "attention", "layer_norm", "softmax_two_reductions")

Task = tuple[str, str]
"""Kernel, and the rule left out; "" for none."""


def timed(task: Task) -> dict[str, Any]:
    """Milliseconds of a kernel's first benchmark input without a rule, the median of three runs of the timer."""
    import torch
    from examples import registry
    from triton.testing import do_bench

    from helion_ir.passes import pipeline

    name, rule = task
    pipeline.FRONT = tuple(p for p in pipeline.FRONT if p.name != rule)
    pipeline.LOWER = tuple(p for p in pipeline.LOWER if p.name != rule)
    example = registry.load(name)
    args = example.bench[0].args("cuda")
    bound = example.kernel.bind(args)
    config = bound.config_space.decode(bound.config_space.legal_default())
    run = bound.compile_config(config)
    run(*args)
    torch.cuda.synchronize()
    times = [do_bench(lambda: run(*args), warmup=50, rep=200) for _ in range(3)]
    return {"ms": statistics.median(times), "device": torch.cuda.get_device_name(), "config": dict(config)}


def table(rows: list[dict[str, Any]]) -> str:
    """A line a rule: how much longer each kernel takes without it."""
    found = {(r["kernel"], r["rule"]): r.get("ms") for r in rows}
    cells: list[list[report.Cell]] = []
    for rule in RULES:
        line: list[report.Cell] = [rule]
        for kernel in KERNELS:
            with_it, without = found.get((kernel, "")), found.get((kernel, rule))
            line.append(f"{without / with_it:.3f}" if with_it and without else None)
        cells.append(line)
    return report.markdown_table(["time without / with", *KERNELS], cells)


def main() -> None:
    """Measure, print the table and write it to `benchmarks/results/rules.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--each", type=float, default=60.0, metavar="SECONDS", help="for one case")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    options = parser.parse_args()
    tasks: list[Task] = [(kernel, rule) for kernel in KERNELS for rule in ("", *RULES)]
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + options.time_limit
    for task in tasks:
        # One process a case: the pipeline it changes is that of its process.
        for outcome in pool.run(timed, [task], processes=1, seconds=options.each, deadline=deadline):
            row = {"kernel": task[0], "rule": task[1], "status": outcome.status}
            row |= outcome.value if outcome.status == "ok" else {"detail": outcome.detail[:300]}
            rows.append(row)
            print(json.dumps(row), flush=True)
            report.write("rules", "What each rule is worth", table(rows), {**report.conditions(), "rows": rows})
    print(table(rows))


if __name__ == "__main__":
    main()
