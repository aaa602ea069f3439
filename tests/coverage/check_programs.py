"""Runs random programs at the tile level and as templates; as a program, a range of seeds.

python -m tests.coverage.check_programs 0 2000 [groups]: long programs, or groups of short ones
"""

from __future__ import annotations

import collections
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from tests.coverage.kernels import broken_requirements
from tests.coverage.programs import Program, group, program
from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.knob import declarations
from helion_ir.exc import BackendUnsupported
from helion_ir.frontend.trace import trace
from helion_ir.interpreter import run_module
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import lower, prepare
from helion_ir.targets import get_target

STAGES = ("bind-structure", "make-masks", "assign-names")
LAST = STAGES[-1:]
BLOCKS = {"tile_m.block_size": 8, "tile_n.block_size": 16}


def blocks_of(module: ModuleOp) -> dict[str, int]:
    """Blocks of 8 rows and 16 columns, or what is nearest among those the kernel can have."""
    out: dict[str, int] = {}
    for d in declarations(module):
        name = d.sym_name.data
        if name in BLOCKS:
            out[name] = min(d.domain.data.values, key=lambda v: abs(v - BLOCKS[name]))  # pyright: ignore
    return out


def check(made: Program, target: str = "cpu", stages: Sequence[str] = STAGES) -> str:
    """What is wrong after the first of the stages, or ""; "refused: …" where the compiler says that it cannot."""
    try:
        module = trace(made.function(), made.args)
        prepare(module, get_target(target))
        assignment = complete(module, blocks_of(module))
    except BackendUnsupported as error:
        return f"refused: {str(error).splitlines()[0]}"
    wrong: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = made.expected(*[int(assignment.get(name, 1)) for name in BLOCKS])  # pyright: ignore

    def callback(stage: str, at: Any) -> None:
        if stage in stages and not wrong:
            got = run_module(at, [a.clone() for a in made.args], assignment)
            if text := difference(got, wanted, made):
                wrong.append(f"{stage}: {text}")

    try:
        template = lower(module, assignment, callback)
    except BackendUnsupported as error:
        return wrong[0] if wrong else f"refused: {str(error).splitlines()[0]}"
    if broken := broken_requirements(template, assignment):
        return f"refused: {broken[0]}"
    return wrong[0] if wrong else ""


def difference(got: list[torch.Tensor], wanted: list[torch.Tensor], made: Program) -> str:
    """The first element that differs: exact results in any way, others by more than their roundings."""
    for value, a, b in zip(made.outputs, got, wanted):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{value.name} is {a.dtype} {list(a.shape)}, not {b.dtype} {list(b.shape)}"
        if value.exact or not a.is_floating_point():
            fine = (a == b) | ((a != a) & (b != b))
        else:
            fine = torch.isclose(a.double(), b.double(), rtol=made.tolerance, atol=made.tolerance, equal_nan=True)
        if not fine.all():
            at = tuple((~fine).nonzero()[0].tolist())
            return f"{value.name} at {at} is {a[at].item()}, not {b[at].item()}; {int((~fine).sum())} differ"
    return ""


def main() -> None:
    first, last = int(sys.argv[1]), int(sys.argv[2])
    counts: collections.Counter[str] = collections.Counter()
    torch.set_num_threads(1)
    make = group if sys.argv[3:] == ["groups"] else program
    for seed in range(first, last):
        made = make(seed)
        try:
            found = check(made)
        except Exception as error:
            found = f"{type(error).__name__}: {str(error)[:300]}"
        kind = "right" if not found else "refused" if found.startswith("refused") else "wrong"
        counts[kind] += 1
        if found:
            print(f"{seed}: {found}", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
