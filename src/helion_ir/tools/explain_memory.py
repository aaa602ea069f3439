"""`helion-ir explain --memory`: the tiles that are live at each point of a kernel, and what a configuration needs of the device."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.locations import author_location
from helion_ir.passes.base import kernels

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.ir import SSAValue

    from helion_ir.runtime.stages import Stages

BAR, SHORTEST = 40, 10
"""Characters of the longest bar, at most and at least."""
PEAK = " ◀ peak"


@dataclass(frozen=True)
class Moment:
    """A point of the program: bytes by live tile, the largest first."""

    where: str
    op: str
    tiles: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(size for _, size in self.tiles)


def profile(stages: Stages, assignment: Mapping[str, KnobValue]) -> dict[str, list[Moment]]:
    """The moments of each kernel under a configuration, in program order, by the kernel's name."""
    from helion_ir.dialects.tile.control import KernelOp
    from helion_ir.passes.pipeline import lower

    found: dict[str, list[Moment]] = {}

    def seen(name: str, module: ModuleOp) -> None:
        if name == "plan-memory":  # while there are tiles
            for kernel in kernels(module, KernelOp):
                found[kernel.sym_name.data] = _moments(kernel, assignment)

    lower(stages.declared, dict(assignment), seen)
    return found


def _moments(kernel: object, assignment: Mapping[str, KnobValue]) -> list[Moment]:
    from helion_ir.dialects.tile.control import KernelOp
    from helion_ir.index.expr import compiled
    from helion_ir.passes.plan_memory.footprint import bytes_of
    from helion_ir.passes.plan_memory.liveness import points_of

    assert isinstance(kernel, KernelOp)
    names: dict[object, str] = {}
    out: list[Moment] = []
    for point in points_of(kernel):
        tiles: list[tuple[str, int]] = []
        for value in point.live:
            if value not in names:
                names[value] = value.name_hint or _made(value, len(names))
            tiles.append((names[value], int(compiled(bytes_of(value.type))(assignment))))
        tiles.sort(key=lambda t: (-t[1], t[0]))
        out.append(Moment(author_location(point.op.location) or "", point.op.name, tuple(tiles)))
    return out


def _made(value: SSAValue, number: int) -> str:
    """What an unnamed tile is called: by the op that made it and its line."""
    from xdsl.ir import Operation

    if not isinstance(value.owner, Operation):
        return f"carried.{number}"
    line = _line(author_location(value.owner.location) or "").rpartition(":")[2]
    return f"{value.owner.name.removeprefix('tile.')}.{number}" + (f" (line {line})" if line else "")


def show(stages: Stages, assignment: Mapping[str, KnobValue], title: str, picture: Path | None = None) -> None:
    """Print the profile, its peak and what makes it, and the needs beside the device's limits; draw it to a file."""
    out = Console()
    target, features = stages.target, stages.features(dict(assignment))
    for kernel, moments in profile(stages, assignment).items():
        most = max((m.total for m in moments), default=0)
        out.print(f"[bold]{title}[/] {kernel}: {most:,} bytes of tiles live at once", highlight=False)
        rows = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("line", "after", "bytes", ""):
            rows.add_column(column, justify="right" if column == "bytes" else "left", no_wrap=True)
        used = max((len(_line(m.where)) + len(m.op.removeprefix("tile.")) for m in moments), default=0)
        longest = max(SHORTEST, min(BAR, out.width - used - len(f"{most:,}") - len(PEAK) - 8))
        for m in moments:
            bar = "█" * (longest * m.total // most if most else 0)
            rows.add_row(
                _line(m.where), m.op.removeprefix("tile."), f"{m.total:,}", bar + (PEAK if m.total == most else "")
            )
        out.print(rows)
        if moments:
            peak = max(moments, key=lambda m: m.total)
            out.print("at the peak: " + ", ".join(f"{name} {size:,} B" for name, size in peak.tiles), highlight=False)
    needs = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("of a program", "needs", f"{target.name} has"):
        needs.add_column(column, justify="left" if column == "of a program" else "right")
    least, likely = int(features["shared_bytes_least"]), int(features["shared_bytes"])
    needs.add_row("shared memory, at least", f"{least:,}", f"{target.shared_memory:,}")
    needs.add_row("shared memory, likely", f"{likely:,}", f"{target.shared_memory:,}")
    if target.tensor_memory:
        needs.add_row("tensor memory", f"{int(features['tensor_bytes']):,}", f"{target.tensor_memory:,}")
    per_thread = features["registers_per_thread"]
    needs.add_row("registers a thread, for tiles", f"{per_thread:.0f}", str(target.max_registers_per_thread))
    out.print(needs)
    if picture is not None:
        draw(profile(stages, assignment), picture)
        out.print(f"drawn to {picture}", highlight=False)


def draw(profiles: Mapping[str, list[Moment]], file: Path) -> None:
    """Draw the live bytes of each tile over the program, stacked, to an image file of any kind matplotlib writes.

    Raises ModuleNotFoundError, saying what to install, without matplotlib.
    """
    try:
        import matplotlib  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as e:
        raise ModuleNotFoundError("a picture needs matplotlib: pip install 'helion-ir[plot]'") from e
    matplotlib.use("agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    figure, axes = pyplot.subplots(len(profiles), 1, figsize=(10, 4 * len(profiles)), squeeze=False)
    for axis, (kernel, moments) in zip(axes[:, 0], profiles.items()):
        names = list(dict.fromkeys(name for m in moments for name, _ in m.tiles))
        heights = [[dict(m.tiles).get(name, 0) for m in moments] for name in names]
        axis.stackplot(range(len(moments)), heights, labels=names, step="post")
        axis.set_title(kernel)
        axis.set_ylabel("bytes of live tiles")
        ticks = list(range(0, len(moments), max(1, len(moments) // 20)))
        axis.set_xticks(ticks, [_line(moments[i].where) for i in ticks], rotation=60, fontsize=7)
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


def _line(where: str) -> str:
    """`file:line`, without the folder."""
    if not where:
        return ""
    file, line, _ = where.rsplit(":", 2)
    return f"{os.path.basename(file)}:{line}"
