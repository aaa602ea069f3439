"""What a call costs on the host: microseconds a call of small kernels, whose device time hides behind it.

    PYTHONPATH=src:. python -m benchmarks.call_overhead

Three ways in, each a layer less, and the last again with Triton's own launch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import report

CALLS, ROUNDS = 200, 15

EXAMPLES = ("vector_add", "softmax", "matmul")


def microseconds(call: Callable[[], Any]) -> float:
    """Of one call, the least of several rounds: others on the machine only add. The device is waited for between rounds."""
    import torch

    times = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        times.append((time.perf_counter() - start) / CALLS)
    return 1e6 * min(times)


def ways(name: str) -> dict[str, Callable[[], Any]]:
    """The calls of an example on its first small case."""
    from examples import registry

    from helion_ir.backend_triton.direct_launch import DirectLauncher

    example = registry.load(name)
    args = example.cases[0].args("cuda")
    kernel = example.kernel
    bound = kernel.bind(args)
    bound.set_config(bound.config_spec.default_config())
    run = bound.compile_config(allow_print=False)
    launcher = run.__kwdefaults__["_launcher"]  # pyright: ignore[reportFunctionMemberAccess]
    assert isinstance(launcher, DirectLauncher)
    own = launcher._launcher
    example.check(kernel(*args), args)
    example.check(kernel(*args), args)
    return {
        "kernel(*args)": lambda: kernel(*args),
        "bound(*args)": lambda: bound(*args),
        "compiled function": lambda: run(*args),
        "with Triton's launch": lambda: run(*args, _launcher=own),
        "eager PyTorch": lambda: example.eager(*args),
    }


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=report.RESULTS, metavar="DIR")
    options = parser.parse_args()
    import torch

    rows = []
    for name in EXAMPLES:
        calls = ways(name)
        found = {way: statistics.median([microseconds(call) for _ in range(3)]) for way, call in calls.items()}
        rows.append({"example": name, **found})
        print(rows[-1], flush=True)
    header = list(rows[0])
    text = report.markdown_table(header, [[row[key] for key in header] for row in rows])
    data = {**report.conditions(), "device": torch.cuda.get_device_name(), "rows": rows}
    data["note"] = f"Microseconds a call on the host, {data['device']}."
    report.write("call_overhead", "What a call costs on the host", text, data, options.out)
    print(text)


if __name__ == "__main__":
    main()
