"""What the author's settings do to candidates: seeds, forced fields, and a filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.protocol import Candidate, Measurement, assignment_key

if TYPE_CHECKING:
    import random

    from helion_ir.autotuner.protocol import Assignment, TunableSpace
    from helion_ir.dialects.knob import KnobValue


class ForcedSpace:
    """A space in which some fields of the configuration have one value only (`autotune_config_overrides`).

    Forcing is done in the author's form, so that positional lists work; assignments that cannot be forced are skipped.
    """

    def __init__(self, space: TunableSpace, overrides: Mapping[str, Any]):
        self._space = space
        self._overrides = dict(overrides)

    def forced(self, assignment: Assignment) -> dict[str, KnobValue]:
        return self._space.encode({**self._space.decode(assignment), **self._overrides})

    def __iter__(self) -> Iterator[Any]:
        return iter(self._space)

    def default(self) -> dict[str, KnobValue]:
        return self.forced(self._space.default())

    def legal_default(self) -> dict[str, KnobValue]:
        return self.forced(self._space.legal_default())

    def sample(self, rng: random.Random) -> dict[str, KnobValue]:
        return self.forced(self._space.sample(rng))

    def project(self, assignment: Assignment) -> dict[str, KnobValue]:
        return self._space.project(assignment)

    def repaired(self, assignment: Assignment, rng: random.Random) -> dict[str, KnobValue]:
        return self.forced(self._space.repaired(assignment, rng))

    def neighbours(self, assignment: Assignment, rng: random.Random | None = None) -> Iterator[dict[str, KnobValue]]:
        return map(self.forced, self._space.neighbours(assignment, rng))

    def is_legal(self, assignment: Assignment) -> str | None:
        return self._space.is_legal(assignment)

    def encode(self, config: Any) -> dict[str, KnobValue]:
        return self._space.encode(config)

    def decode(self, assignment: Assignment) -> Any:
        return self._space.decode(assignment)


def searched_space(space: TunableSpace, settings: Any) -> TunableSpace:
    """The space with the settings' overrides. Raises `exc.InvalidConfig` for overrides that fit no configuration."""
    overrides = dict(getattr(settings, "autotune_config_overrides", None) or {})
    return ForcedSpace(space, overrides) if overrides else space


def seed_assignments(space: TunableSpace, settings: Any) -> list[dict[str, KnobValue]]:
    """`autotune_seed_configs`, one or several. Raises `exc.InvalidConfig` for one that does not fit the kernel."""
    seeds = getattr(settings, "autotune_seed_configs", None)
    if seeds is None:
        return []
    return [space.encode(c) for c in ([seeds] if isinstance(seeds, Mapping) else list(seeds))]


def fitted(space: TunableSpace, found: Sequence[Measurement]) -> list[dict[str, KnobValue]]:
    """Configurations of other spaces of the same kernel, as far as they are legal in this one; each once.

    Knobs that the other does not have, or whose value is in no domain here, are at their default.
    """
    default = space.default()
    domains = {k.name: k.domain for k in space}
    out: dict[Any, dict[str, KnobValue]] = {}
    for row in found:
        given = {n: v for n, v in row.assignment.items() if n in domains and v in domains[n]}
        assignment = space.project({**default, **given})
        if space.is_legal(assignment) is None:
            out.setdefault(assignment_key(assignment), assignment)
    return list(out.values())


def filtered(
    candidates: Sequence[Candidate], space: TunableSpace, settings: Any
) -> tuple[list[Candidate], list[Measurement]]:
    """What the settings let through, and a row for each candidate that they do not.

    `autotune_config_filter(config) -> config or None` may put another configuration in a candidate's place;
    `autotune_force_persistent` keeps persistent kernels only.
    """
    keep = getattr(settings, "autotune_config_filter", None)
    persistent = bool(getattr(settings, "autotune_force_persistent", False))
    passed: list[Candidate] = []
    rejected: list[Measurement] = []
    for candidate in candidates:
        assignment = candidate.assignment
        if persistent and not str(assignment.get("pid_type", "persistent")).startswith("persistent"):
            rejected.append(Measurement(assignment, None, "rejected", "autotune_force_persistent"))
            continue
        if keep is None:
            passed.append(candidate)
        elif (config := keep(space.decode(assignment))) is not None:
            passed.append(Candidate(space.project(space.encode(config))))
        else:
            rejected.append(Measurement(assignment, None, "rejected", "autotune_config_filter"))
    return passed, rejected
