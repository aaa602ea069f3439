"""`helion-ir explain`: a kernel's configuration space as tables."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table

from helion_ir.autotuner.explanation import Explanation
from helion_ir.dialects.knob import value_text


def show(explanation: Explanation, title: str, console: Console | None = None) -> None:
    """Print knobs, what was ruled out and what every configuration must hold to, with reasons and the author's lines."""
    out = Console() if console is None else console
    out.print(f"[bold]{title}[/]: {explanation.declared:,} configurations, legal: {explanation.size}", highlight=False)
    knobs = _table("knob", "values", "default", "used when", "field of Config", "what it decides", "line")
    for k in explanation.knobs:
        knobs.add_row(f"@{k.name}", k.domain, k.default, k.when, k.field, k.doc, _line(k.where))
    out.print(knobs)
    if explanation.removed:
        removed = _table("not", "values", "because", "says", "line")
        for r in explanation.removed:
            removed.add_row(f"@{r.knob}", ", ".join(map(value_text, r.values)), r.reason, r.owner, _line(r.where))
        out.print(removed)
    if explanation.rules:
        rules = _table("must hold", "because", "says", "line")
        for rule in explanation.rules:
            rules.add_row(rule.condition, rule.reason, rule.owner, _line(rule.where))
        out.print(rules)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _line(where: str) -> str:
    """`file:line`, without the folder."""
    if not where:
        return ""
    file, line, _ = where.rsplit(":", 2)
    return f"{os.path.basename(file)}:{line}"
