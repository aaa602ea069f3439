"""`make demo`: two kernels through every level, checked on this machine and compiled for machines it need not have."""

from __future__ import annotations

import sys
import time

from examples import attention, matmul
from examples.harness import Example, poisoned
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

TARGETS = ("h200", "b200", "mi350x")
SHOWN = 24
"""Lines of IR shown a stage; `helion-ir dump` and `bound.ir(stage)` show all of it."""

console = Console(width=160, highlight=False)


def check(example: Example) -> None:
    """Run the example's cases on this machine and compare them with PyTorch in higher precision."""
    for case in example.cases:
        args = case.args()
        expected = example.reference(*args)
        began = time.perf_counter()
        with poisoned():
            result = example.kernel(*args)
        took = time.perf_counter() - began
        error = example.check(result, args, expected)
        console.print(f"  [green]right[/] {example.name} {case.name}: relative error {error:.1e}, {took:.2f} s")


def show_stages(example: Example) -> None:
    """The IR after every pass, shortened, and the Triton it ends in."""
    bound = example.kernel.bind(example.cases[-1].args())
    config = bound.config_spec.default_config()
    for number, (name, text) in enumerate(bound.stages(config)):
        lines = text.splitlines()
        kernel = next((i for i, line in enumerate(lines) if ".kernel @" in line), 0)
        console.rule(f"{number:02d} {name}: {len(lines)} lines", style="dim")
        for line in lines[kernel : kernel + SHOWN]:
            console.print(escape(line[:158]), soft_wrap=False, no_wrap=True, overflow="ellipsis")
    console.rule("Triton, default configuration")
    console.print(Syntax(bound.to_triton_code(config), "python", background_color="default", word_wrap=False))


def compile_everywhere(example: Example) -> Table:
    """Machine code for each target, and what it needs of the device."""
    table = Table(title=f"{example.name}, default configuration, compiled without a device")
    for column in (
        "target",
        "machine code",
        "bytes",
        "shared memory",
        "registers a thread",
        "spilled bytes",
        "tensor memory",
        "seconds",
    ):
        table.add_column(column, justify="left" if column in ("target", "machine code") else "right")
    bound = example.kernel.bind(example.cases[-1].args())
    for target in TARGETS:
        began = time.perf_counter()
        compiled = bound.compile_for(target)
        binary = "cubin" if "cubin" in compiled.asm else "hsaco"
        r = compiled.resources
        table.add_row(
            target, binary, str(len(compiled.asm[binary])), str(r.shared_memory), str(r.registers), str(r.spilled),
            str(r.tensor_memory), f"{time.perf_counter() - began:.1f}",
        )  # fmt: skip
    return table


def main() -> int:
    for module in (matmul, attention):
        (example,) = module.EXAMPLES
        console.rule(f"[bold]{example.name}")
        check(example)
        show_stages(example)
        console.print(compile_everywhere(example))
    return 0


if __name__ == "__main__":
    sys.exit(main())
