"""Generated kernels beside kernels written by hand in Triton, each with the best of the same short list of configurations.

What is compared is code, not search: block sizes, warps and stages are given. Ratios are of one run.

    python -m benchmarks.against_handwritten --out results
"""

import argparse
import fcntl
import functools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples import registry

from benchmarks import pool, report

Row = dict[str, Any]

GEMMS = [((128, 128, 64), 4, 4), ((128, 256, 64), 8, 3), ((128, 128, 64), 8, 3), ((256, 128, 64), 8, 3)]
ATTENTIONS = [((128, 64), 4, 3), ((128, 64), 8, 3), ((128, 128), 8, 2), ((64, 64), 4, 3)]

CASES: dict[str, list[str]] = {
    "matmul": ["4096^3-bf16", "8192x8192x2048-f16"],
    "attention": ["4x32x2048x64-f16", "2x16x4096x128-bf16"],
    "softmax": ["4096x2560-bf16"],
    "layer_norm": ["4096x5120-bf16"],
}


def configurations(name: str) -> Iterator[tuple[str, Row, Callable[..., Any]]]:
    """(label, our configuration, the call by hand) for a kernel's list."""
    from benchmarks.handwritten import attention, matmul, rows

    if name == "matmul":
        for way in ("pointer", "tensor_descriptor"):
            for block, warps, stages in GEMMS:
                ours = {"block_sizes": list(block), "l2_groupings": [8], "indexing": [way] * 3}
                options: Row = {"num_warps": warps, "num_stages": stages}
                by_hand = functools.partial(matmul.matmul, block=block, descriptors=way != "pointer", **options)
                yield f"{way} {block} w{warps} s{stages}", {**ours, **options}, by_hand
    elif name == "attention":
        for way in ("pointer", "tensor_descriptor"):
            for block, warps, stages in ATTENTIONS:
                options = {"num_warps": warps, "num_stages": stages}
                ours = {"block_sizes": [1, *block], "loop_orders": [[1, 0]], "indexing": [way] * 4}
                by_hand = functools.partial(attention.attention, block=block, descriptors=way != "pointer", **options)
                yield f"{way} {block} w{warps} s{stages}", {**ours, **options}, by_hand
    else:
        for warps in (4, 8, 16):
            options = {"num_warps": warps}
            by_hand = functools.partial(getattr(rows, name), **options)
            yield f"w{warps}", {"block_sizes": [1], "num_stages": 1, **options}, by_hand


def compare(task: tuple[str, str, str]) -> Row:
    """Check and time every configuration of one kernel on one input; the task is (example, case, lock file)."""
    from examples.harness import milliseconds

    name, case_name, lock = task
    example = registry.load(name)
    args = example.case(case_name).args("cuda")
    expected = example.expect(args)
    rows: list[Row] = []
    for label, config, by_hand in configurations(name):
        row: Row = {"configuration": label}
        bound = example.kernel.bind(args)
        for who in ("ours", "by hand"):
            try:
                run = functools.partial(bound.compile_config(config) if who == "ours" else by_hand, *args)
                result = run()
                if who == "ours":
                    row["error"] = example.check(result, args, expected)
                with alone(lock):
                    row[who] = milliseconds(run)
            except Exception as error:
                row[f"{who} failed"] = f"{type(error).__name__}: {error}"[:300]
        rows.append(row)
    with alone(lock):
        eager = milliseconds(lambda: example.eager(*args))
    return {"eager": eager, "rows": rows}


@contextmanager
def alone(lock: str) -> Iterator[None]:
    """Only one process at a time uses the device for timing."""
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def best(rows: list[Row], who: str) -> tuple[float | None, str]:
    timed = [(r[who], r["configuration"]) for r in rows if who in r]
    return min(timed) if timed else (None, "")


def main() -> None:
    """Run every case in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=report.RESULTS, metavar="DIR")
    parser.add_argument("--examples", nargs="*", default=list(CASES))
    parser.add_argument("--time-limit", type=float, default=300.0, metavar="SECONDS")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + options.time_limit
    lock = str(Path(tempfile.mkdtemp()) / "device.lock")
    tasks = [(name, case, lock) for name in options.examples for case in CASES[name]]
    table, data = [], []
    for outcome in pool.run(compare, tasks, processes=len(tasks), seconds=options.time_limit, deadline=deadline):
        name, case, _ = outcome.task
        if outcome.status != "ok":
            print(f"{name} {case}: {outcome.status} {outcome.detail}", flush=True)
            continue
        rows = outcome.value["rows"]
        data.append({"example": name, "case": case, **outcome.value})
        print(json.dumps(data[-1]), flush=True)
        ours, how = best(rows, "ours")
        by_hand, hand = best(rows, "by hand")
        ratio = by_hand / ours if ours and by_hand else None
        table.append([name, case, ours, by_hand, outcome.value["eager"], ratio, how, hand])
    header = ["example", "input", "ours ms", "by hand ms", "PyTorch ms", "by hand / ours", "our best", "best by hand"]
    text = report.markdown_table(header, sorted(table, key=str))
    import torch

    note = f"On {torch.cuda.get_device_name()}." if torch.cuda.is_available() else "Without a device."
    report.write(
        "against_handwritten", "Beside kernels written by hand", text,
        {**report.conditions(), "note": note, "rows": data}, options.out,
    )  # fmt: skip
    print(text, flush=True)


if __name__ == "__main__":
    main()
