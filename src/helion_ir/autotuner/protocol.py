"""What the parts of the tuner hand to each other: candidates, measurements, and the seams between the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import random

    from helion_ir.autotuner.config import Config
    from helion_ir.dialects.knob import KnobValue

    Assignment = Mapping[str, KnobValue]

Stage = Literal["rejected", "compile", "run", "wrong", "timeout", "crash", "ok"]
"""Where a configuration got to. All but "ok" mean that it cannot be used, and `Measurement.reason` says why."""

AssignmentKey = tuple[tuple[str, str, Any], ...]


def assignment_key(assignment: Assignment) -> AssignmentKey:
    """A hashable stand-in for an assignment, which tells True from 1.

    >>> assignment_key({"b": 1, "a": True}) == assignment_key({"a": 1, "b": 1})
    False
    """
    return tuple(sorted((k, type(v).__name__, v) for k, v in assignment.items()))


@dataclass(frozen=True)
class Candidate:
    """A configuration that somebody wants measured."""

    assignment: Assignment

    @property
    def key(self) -> AssignmentKey:
        return assignment_key(self.assignment)


@dataclass(frozen=True)
class Measurement:
    """One row of a tuning run: a configuration and what became of it."""

    assignment: Assignment
    milliseconds: float | None = None
    """Median device time of one call; None unless `stage` is "ok"."""
    stage: Stage = "ok"
    reason: str = ""
    seconds: float = 0.0
    """Wall-clock time it cost to find out."""
    spread: float = 0.0
    """How far, in milliseconds, repeated measurements of it lie apart, where there were several."""
    resources: Mapping[str, int] = field(default_factory=dict)
    """What the compiled kernel needs of the device: shared_memory and spilled in bytes, registers a thread."""

    @property
    def ok(self) -> bool:
        return self.stage == "ok" and self.milliseconds is not None

    @property
    def key(self) -> AssignmentKey:
        return assignment_key(self.assignment)


class Search(Protocol):
    """Decides what to measure next. It never measures, prints or stores anything."""

    def ask(self, n: int) -> list[Candidate]:
        """Up to `n` candidates never asked for before.

        An empty list means that nothing can be said before more results are told; where all have been told, that the
        search is over. How many are asked for at a time, and how many are under way, is the caller's to choose.
        """
        ...

    def tell(self, measurements: Sequence[Measurement]) -> None:
        """What became of candidates, in any order, possibly in several calls."""
        ...


Source = Callable[[int], "list[Candidate] | None"]
"""Gives up to `n` candidates: an empty list where there is none before more rows are out, None where there is no more."""


class Executor(Protocol):
    """Turns candidates into measurements."""

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        """Ask `source` for candidates whenever there is a place for some, and give rows as they come.

        Past `deadline` (of `time.monotonic`) what is under way gets no row.
        """
        ...

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        """Rows from longer, interleaved measurements, to tell close candidates apart."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    """Remembers results between processes."""

    def best(self, key: StoreKey) -> Measurement | None: ...

    def rows(self, key: StoreKey) -> list[Measurement]: ...

    def add(self, key: StoreKey, measurements: Iterable[Measurement]) -> None: ...

    def set_best(self, key: StoreKey, best: Measurement) -> None: ...

    def neighbours(self, key: StoreKey, most: int) -> list[Measurement]:
        """The best configurations of the same kernel for other shapes, or by other versions, latest first."""
        ...

    def why_missing(self, key: StoreKey) -> str:
        """In what the nearest stored result differs from a key; empty where there is none of the kernel."""
        ...


@dataclass(frozen=True)
class StoreKey:
    """What must be equal for one kernel's results to be another's. All but `specialization` are short."""

    kernel: str
    """Its name, by which results for other shapes are found."""
    program: str
    """Digest of its IR without locations, or of its source where there is no IR."""
    specialization: str
    """What the arguments were specialized on."""
    target: str
    version: str
    """Of helion-ir, Triton and PyTorch, as in `helion-ir 0.1.0 triton 3.7.1 torch 2.13.0`."""
    space: str
    """Digest of the knobs with their domains and defaults."""


class Space(Protocol):
    """The part of `ConfigSpace` that a search needs."""

    def default(self) -> dict[str, KnobValue]: ...
    def legal_default(self) -> dict[str, KnobValue]: ...
    def sample(self, rng: random.Random) -> dict[str, KnobValue]: ...
    def project(self, assignment: Assignment) -> dict[str, KnobValue]: ...
    def repaired(self, assignment: Assignment, rng: random.Random) -> dict[str, KnobValue]: ...
    def neighbours(
        self, assignment: Assignment, rng: random.Random | None = None
    ) -> Iterator[dict[str, KnobValue]]: ...
    def is_legal(self, assignment: Assignment) -> str | None: ...


class TunableSpace(Space, Protocol):
    """A search space that also knows the author's form of a configuration."""

    def __iter__(self) -> Iterator[Any]: ...
    def encode(self, config: Config | Mapping[str, object]) -> dict[str, KnobValue]: ...
    def decode(self, assignment: Assignment) -> Config: ...


class Printed(Protocol):
    """Printed source; `text` is a standalone Python module."""

    @property
    def text(self) -> str: ...


class KernelLike(Protocol):
    @property
    def name(self) -> str: ...

    def kernel_source(self) -> str: ...


class TunableKernel(Protocol):
    """The part of a bound kernel that tuning needs."""

    @property
    def config_space(self) -> TunableSpace: ...
    @property
    def settings(self) -> Any: ...
    @property
    def kernel(self) -> KernelLike: ...
    @property
    def function_name(self) -> str:
        """The host function in the printed module."""
        ...

    @property
    def target(self) -> Any: ...

    def printed(self, assignment: Any, /) -> Printed:
        """The module of one configuration. Raises when it cannot be lowered."""
        ...

    def cache_key(self) -> str: ...

    def reference(self, args: Any, /) -> Any:
        """What the kernel returns, found without compiling it; may write to `args`."""
        ...


Notify = Callable[[str, int, int], None]
"""`(phase, done, total)`, called often; cheap."""
