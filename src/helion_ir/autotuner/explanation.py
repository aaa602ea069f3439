"""What a configuration space has, lacks, and why: rows to read, and text to print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helion_ir.autotuner.count import Bounds
from helion_ir.dialects.knob import KnobValue, declarations, ruled_out, value_text

if TYPE_CHECKING:
    from helion_ir.autotuner.space import ConfigSpace, Requirement


@dataclass(frozen=True)
class KnobRow:
    """A knob that the kernel has on this target."""

    name: str
    domain: str
    default: str
    field: str
    """The list of `Config` that holds it, or its own name."""
    owner: str
    doc: str
    when: str
    """The condition under which it is used, over other knobs; empty for always."""
    where: str
    """The author's line that it is about, as `file:line:col`, where one is known."""


@dataclass(frozen=True)
class Removed:
    """Values that a knob does not have; all it could have beside the default where there is no such knob."""

    knob: str
    values: tuple[KnobValue, ...]
    reason: str
    owner: str
    where: str


@dataclass(frozen=True)
class Rule:
    """What every configuration must hold to."""

    condition: str
    reason: str
    owner: str
    where: str
    knobs: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """A configuration space in rows; `str` gives all of them, one a line."""

    knobs: tuple[KnobRow, ...]
    removed: tuple[Removed, ...]
    rules: tuple[Rule, ...]
    """Those of the default's structure."""
    size: Bounds
    """Legal configurations."""
    declared: int
    """Configurations before any requirement."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{len(self.knobs)} knobs, {self.declared:,} configurations, of which legal: {self.size}"
        for k in self.knobs:
            when = f" when {k.when}" if k.when else ""
            yield f"@{k.name} : {k.domain} = {k.default}{when} ({k.owner}{_at(k.where)}): {k.doc}"
        for r in self.removed:
            values = ", ".join(map(value_text, r.values))
            yield f"no @{r.knob} = {values} ({r.owner}{_at(r.where)}): {r.reason}"
        for rule in self.rules:
            yield f"only if {rule.condition} ({rule.owner}{_at(rule.where)}): {rule.reason}"


def _at(where: str) -> str:
    return f", {where}" if where else ""


def explain(space: ConfigSpace) -> Explanation:
    """See `ConfigSpace.explain`."""
    from helion_ir.dialects.locations import author_location
    from helion_ir.index.text import expr_text

    if space.module is None:
        raise ValueError("this space was not read off a module, so that nothing says why it is as it is")
    knobs = [
        KnobRow(
            d.sym_name.data, str(d.domain.data), value_text(d.default.data),
            d.field.data if d.field is not None else d.sym_name.data, d.owner.data, d.doc.data,
            expr_text(d.when.data) if d.when is not None else "", author_location(d.location) or "",
        )
        for d in declarations(space.module)
    ]  # fmt: skip
    removed = [
        Removed(
            r.knob_name.data, tuple([v.data for v in r.values]), r.reason.data, r.owner.data,
            author_location(r.location) or "",
        )
        for r in ruled_out(space.module)
    ]  # fmt: skip
    rules = [_rule(r) for r in space.requirements_of(space.legal_default())]
    return Explanation(tuple(knobs), tuple(removed), tuple(rules), space.legal_size(), space.size())


def _rule(r: Requirement) -> Rule:
    from helion_ir.index.text import expr_text

    return Rule("" if r.condition is None else expr_text(r.condition), r.reason, r.owner, r.where, r.reads)
