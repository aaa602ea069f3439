"""Compiles the closed set for real devices, about twenty calls a kernel; prints what does not compile.

python -m tests.coverage.cross [--targets h200,b200,mi350x] [--layouts axis,full] [--dtypes bfloat16,float32] [--size 20]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

from tests.coverage import kernels
from tests.coverage.cases import DTYPES, NAMES, call, inputs
from tests.coverage.runner import LAYOUTS, Refused, lowered

from helion_ir.backend_triton.compile import compile_text
from helion_ir.backend_triton.errors import TritonCompileError
from helion_ir.backend_triton.printer import print_module
from helion_ir.targets import get_target

TARGETS = ("h200", "b200", "mi350x")


def compile_calls(names: Sequence[str], dtype: str, layout: str, target: str) -> str:
    """Compile one kernel that makes all the calls; the error, or "". Raises Refused, or what the frontend says."""
    operands = inputs(DTYPES[dtype], LAYOUTS[layout])
    kernel = kernels.build({n: call(n) for n in names}, operands, LAYOUTS[layout], target)
    template, assignment = lowered(kernel)
    try:
        compile_text(print_module(template, assignment), get_target(target), isolated=True, timeout=300)
    except TritonCompileError as error:
        return str(error)
    return ""


def accepted(names: Sequence[str], dtype: str, layout: str, target: str) -> list[str]:
    """The calls that are lowered."""
    operands = inputs(DTYPES[dtype], LAYOUTS[layout])
    out: list[str] = []
    for name in names:
        try:
            lowered(kernels.build({name: call(name)}, operands, LAYOUTS[layout], target))
        except Exception:  # refused by the frontend or by the backend: not what is asked here
            continue
        out.append(name)
    return out


def failures(names: Sequence[str], dtype: str, layout: str, target: str) -> Iterator[tuple[str, str]]:
    """The calls among these that do not compile, found by halving."""
    if not names:
        return
    try:
        error = compile_calls(names, dtype, layout, target)
    except Refused as refused:
        error = f"refused: {refused}"
    if not error:
        return
    if len(names) == 1:
        yield names[0], error
        return
    half = len(names) // 2
    yield from failures(names[:half], dtype, layout, target)
    yield from failures(names[half:], dtype, layout, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--layouts", default="axis,full")
    parser.add_argument("--dtypes", default="bfloat16,float32")
    parser.add_argument("--size", type=int, default=20)
    parser.add_argument("--names", default="", help="calls, separated by semicolons; all by default")
    options = parser.parse_args()
    chosen = options.names.split(";") if options.names else NAMES
    for target in options.targets.split(","):
        for layout in options.layouts.split(","):
            for dtype in options.dtypes.split(","):
                began, wrong = time.time(), 0
                names = accepted(chosen, dtype, layout, target)
                for i in range(0, len(names), options.size):
                    for name, error in failures(names[i : i + options.size], dtype, layout, target):
                        wrong += 1
                        print(f"{target} {layout} {dtype} {name}: {error[:400]}", flush=True)
                spent = time.time() - began
                print(
                    f"{target} {layout} {dtype}: {len(names)} calls, {wrong} do not compile, {spent:.0f} s", flush=True
                )


if __name__ == "__main__":
    main()
