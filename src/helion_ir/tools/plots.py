"""Pictures of a tuning run: how the best improved, and what each knob does to the time. Needs the extra `plot`."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import Measurement

COLUMNS = 4
SHOWN_BELOW = 10.0
"""Times over the best by more than this factor are not drawn: they would flatten the rest."""


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def plot_history(history: Sequence[tuple[float, Measurement]], title: str, path: Path) -> None:
    """Every configuration that worked by when it was known, and the best so far. Raises ValueError for none."""
    ok = [(at, m.milliseconds) for at, m in history if m.ok and m.milliseconds is not None]
    if not ok:
        raise ValueError("no configuration worked: there is nothing to draw")
    best = math.inf
    steps: list[tuple[float, float]] = []
    for at, milliseconds in sorted(ok):
        best = min(best, milliseconds)
        steps.append((at, best))
    shown = [(at, ms) for at, ms in ok if ms <= SHOWN_BELOW * best]
    figure = _figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter([at for at, _ in shown], [ms for _, ms in shown], s=10, alpha=0.5, label="a configuration")
    axes.step([at for at, _ in steps], [ms for _, ms in steps], where="post", color="tab:red", label="best so far")
    failed = [at for at, m in history if not m.ok]
    axes.plot(failed, [best * 0.97] * len(failed), "|", color="tab:gray", label=f"failed ({len(failed)})")
    axes.set(xlabel="seconds", ylabel="ms", yscale="log", title=title)
    axes.legend()
    figure.savefig(path, dpi=120)


def plot_knobs(history: Sequence[tuple[float, Measurement]], title: str, path: Path) -> None:
    """For each knob that took several values, the times by value. Raises ValueError where there is none."""
    ok = [m for _, m in history if m.ok and m.milliseconds is not None]
    varied = [n for n in (ok[0].assignment if ok else ()) if len({repr(m.assignment[n]) for m in ok}) > 1]
    if not varied:
        raise ValueError("no knob took several values: there is nothing to draw")
    best = min(m.milliseconds or math.inf for m in ok)
    shown = [m for m in ok if (m.milliseconds or math.inf) <= SHOWN_BELOW * best]
    rows = -(-len(varied) // COLUMNS)
    figure = _figure(figsize=(4 * COLUMNS, 3 * rows), layout="constrained")
    for position, name in enumerate(varied, 1):
        axes = figure.add_subplot(rows, COLUMNS, position)
        values = sorted({m.assignment[name] for m in ok}, key=_order)
        by_value = [[m.milliseconds or 0.0 for m in shown if m.assignment[name] == v] for v in values]
        present = [(v, times) for v, times in zip(values, by_value) if times]
        axes.boxplot([times for _, times in present], showfliers=False)
        axes.plot(range(1, len(present) + 1), [min(times) for _, times in present], "o-", color="tab:red", ms=3)
        axes.set_xticks(range(1, len(present) + 1), [str(v) if v != "" else "–" for v, _ in present], fontsize=7)
        axes.set_title(name, fontsize=8)
        axes.set_yscale("log")
    figure.suptitle(f"{title}: times by value, the best in red (ms)")
    figure.savefig(path, dpi=110)


def _figure(**options: Any) -> Any:
    # Without pyplot, which would look for a display.
    return importlib.import_module("matplotlib.figure").Figure(**options)


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if type(value) is int else (1, str(value))
