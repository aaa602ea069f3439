"""The search space of a kernel, read off the `knob` operations of its declared module."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helion_ir.dialects.knob import Domain, KnobValue, declarations, requirements

if TYPE_CHECKING:
    from sympy import Expr
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.autotuner.config import Config
    from helion_ir.autotuner.count import Bounds
    from helion_ir.autotuner.encoding import Spelling
    from helion_ir.autotuner.explanation import Explanation
    from helion_ir.index.expr import Evaluator

Assignment = dict[str, KnobValue]
"""Knob name, without `@`, to value; complete for a space, permutations as tuples."""

SAMPLE_ATTEMPTS = 64
"""Independent draws before a draw that breaks a requirement is repaired instead."""
REPAIR_STEPS = 4096


@dataclass(frozen=True)
class Knob:
    """One decision: what `knob.declare` says, with its condition compiled."""

    name: str
    domain: Domain
    default: KnobValue
    owner: str
    doc: str
    field: str | None = None
    """The list of `Config` that holds it; None where the field is the knob's own name."""
    when: Evaluator | None = None
    """The condition, over other knobs, under which it means anything; None: always."""
    reads: frozenset[str] = frozenset()
    """The knobs that `when` reads."""

    @property
    def values(self) -> tuple[KnobValue, ...]:
        return self.domain.values


@dataclass(frozen=True)
class Requirement:
    """What rules a configuration out, and why."""

    holds: Evaluator
    reason: str
    owner: str
    reads: tuple[str, ...]
    condition: Expr | None = None
    """What `holds` was compiled from."""
    where: str = ""
    """The author's line that it is about, as `file:line:col`."""


def rules_of(module: ModuleOp, known: Collection[Expr | None] = ()) -> tuple[Requirement, ...]:
    """What the `knob.require`s of a module say, apart from conditions that are known."""
    from helion_ir.dialects.locations import author_location
    from helion_ir.index.expr import compiled, knobs_of

    return tuple(
        [
            Requirement(
                compiled(op.condition.data),
                op.reason.data,
                op.owner.data,
                tuple(sorted(knobs_of(op.condition.data))),
                op.condition.data,
                author_location(op.location) or "",
            )
            for op in requirements(module)
            if op.condition.data not in known
        ]
    )


class ConfigSpace:
    """The knobs of a module, the conditions they are used under, and what rules combinations out.

    An assignment gives every knob a value. A knob that is not active (its `when` is false) is held at its default,
    so that no two assignments mean the same.

    >>> from helion_ir.dialects.context import parse_module
    >>> space = ConfigSpace.of(parse_module('''
    ...   knob.declare @bm : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
    ...   knob.declare @num_warps : pow2 1 to 8 = 4 by "triton" doc "warps"'''))
    >>> space.size(), space.default()
    (12, {'bm': 32, 'num_warps': 4})
    """

    def __init__(
        self,
        knobs: Sequence[Knob],
        requires: Sequence[Requirement] = (),
        further: Callable[[Assignment, bool], Sequence[Requirement]] | None = None,
        *,
        module: ModuleOp | None = None,
        structural: frozenset[str] = frozenset(),
    ):
        self.knobs: dict[str, Knob] = {k.name: k for k in knobs}
        self.requires = tuple(requires)
        self._further = further
        """Requirements that depend on the assignment: those of the structure it has, or if the second argument is true
        those that hold for every assignment which has the same structural knobs."""
        self.module = module
        """The declared module that this was read off, to explain it."""
        self.structural = structural
        """The knobs that decide the structure."""
        self._order = self._by_condition()
        self._conditional = [k for k in self._order if k.when is not None]

    @classmethod
    def of(cls, module: ModuleOp) -> ConfigSpace:
        """The space of a declared module."""
        # sympy is loaded with the first kernel that is bound, not with the first that is decorated.
        from helion_ir.index.expr import compiled, knobs_of

        knobs = [
            Knob(
                op.sym_name.data,
                op.domain.data,
                op.default.data,
                op.owner.data,
                op.doc.data,
                op.field.data if op.field is not None else None,
                compiled(op.when.data) if op.when is not None else None,
                knobs_of(op.when.data) if op.when is not None else frozenset(),
            )
            for op in declarations(module)
        ]
        return cls(knobs, rules_of(module), module=module)

    def __iter__(self) -> Iterator[Knob]:
        return iter(self.knobs.values())

    def __len__(self) -> int:
        return len(self.knobs)

    def __getitem__(self, name: str) -> Knob:
        return self.knobs[name]

    @functools.cached_property
    def fields(self) -> dict[str, list[Knob]]:
        """The lists of `Config`, each with its knobs in order."""
        out: dict[str, list[Knob]] = {}
        for knob in self:
            if knob.field is not None and knob.field != knob.name:
                out.setdefault(knob.field, []).append(knob)
        return out

    @functools.cached_property
    def spellings(self) -> tuple[dict[str, list[Spelling]], dict[str, Spelling]]:
        """How configs spell the values of knobs; see `encoding.spellings`."""
        from helion_ir.autotuner.encoding import spellings

        return spellings(self)

    @functools.cached_property
    def nested(self) -> list[tuple[str, Requirement]]:
        """Block sizes with the bound that a tile around theirs sets, `@inner le …`: configs are clamped to it."""
        from sympy import Symbol

        from helion_ir.index.expr import Le

        return [
            (name, rule)
            for rule in self.requires
            if isinstance(rule.condition, Le)
            and isinstance(bounded := rule.condition.args[0], Symbol)
            and (name := bounded.name.removeprefix("@")) in self.knobs
            and self.knobs[name].field == "block_sizes"
        ]

    def _by_condition(self) -> list[Knob]:
        """The knobs, each after those that its condition reads."""
        order: dict[str, Knob] = {}
        path: list[str] = []

        def visit(knob: Knob) -> None:
            if knob.name in order:
                return
            if knob.name in path:
                raise ValueError(f"the conditions of knobs run in a circle: {' -> '.join([*path, knob.name])}")
            path.append(knob.name)
            for name in sorted(knob.reads):
                if name not in self.knobs:
                    raise ValueError(f"the condition of @{knob.name} reads @{name}, which is not declared")
                visit(self.knobs[name])
            path.pop()
            order[knob.name] = knob

        for knob in self:
            visit(knob)
        return list(order.values())

    def default(self) -> Assignment:
        """The default of every knob. It need not be legal: `legal_default` is."""
        return dict(self._defaults)

    @functools.cached_property
    def _defaults(self) -> Assignment:
        return {k.name: k.default for k in self}

    def legal_default(self) -> Assignment:
        """The default, or what is left of it when the numbers of broken requirements are lowered one step at a time.

        Where no number can be lowered, a fixed walk is taken from there. Raises `exc.InvalidConfig` as `repaired` does.
        """
        values = self.project(self.default())
        while (rule := self.broken(values)) is not None:
            lower = [self.project({**values, n: v}) for n in rule.reads for v in self._below(n, values)]
            if not lower:
                return self.repaired(values, random.Random(0))
            # A step that mends it; else the largest number, which is most of what does not fit.
            mended = [v for v in lower if rule.holds(v)]
            values = mended[0] if mended else max(lower, key=lambda v: self._lowered(values, v))
        return values

    def _below(self, name: str, values: Mapping[str, KnobValue]) -> list[KnobValue]:
        knob, value = self.knobs[name], values[name]
        if knob.domain.kind not in ("pow2", "int"):
            return []
        assert isinstance(value, int)
        return [v for v in steps(knob.domain, value) if isinstance(v, int) and v < value]

    def _lowered(self, before: Assignment, after: Assignment) -> int:
        return max((v for n, v in before.items() if isinstance(v, int) and after[n] != v), default=0)

    def active(self, assignment: Mapping[str, KnobValue]) -> frozenset[str]:
        """Names of the knobs that mean something under an assignment."""
        values = dict(assignment)
        off = self._switch_off(values)
        return frozenset(n for n in self.knobs if n not in off)

    def project(self, assignment: Mapping[str, KnobValue]) -> Assignment:
        """The same configuration with every inactive knob at its default, in the order of declaration."""
        values = {k: assignment[k] for k in self.knobs}
        self._switch_off(values)
        return values

    def _switch_off(self, values: dict[str, KnobValue]) -> set[str]:
        # In the order of conditions: a condition on an inactive knob sees that knob's default.
        off: set[str] = set()
        for knob in self._conditional:
            assert knob.when is not None
            if not knob.when(values):
                values[knob.name] = knob.default
                off.add(knob.name)
        return off

    def broken(self, assignment: Mapping[str, KnobValue]) -> Requirement | None:
        """The first requirement that an assignment breaks."""
        for rule in self.requires:
            if not rule.holds(assignment):
                return rule
        for rule in self._further(dict(assignment), False) if self._further is not None else ():
            if not rule.holds(assignment):
                return rule
        return None

    def requirements_of(self, assignment: Mapping[str, KnobValue]) -> tuple[Requirement, ...]:
        """All requirements of the assignments that have the same structural knobs."""
        return (*self.requires, *(self._further(dict(assignment), True) if self._further is not None else ()))

    def is_legal(self, assignment: Mapping[str, KnobValue]) -> str | None:
        """None when an assignment breaks no requirement, else the reason of the first it breaks, with its values."""
        rule = self.broken(assignment)
        if rule is None:
            return None
        return f"{rule.reason} ({', '.join(f'{n} = {assignment[n]!r}' for n in rule.reads)})"

    def sample(self, rng: random.Random) -> Assignment:
        """A legal assignment, each knob drawn evenly from its domain; needs no more than the domains to be uneven.

        Raises `exc.InvalidConfig` where none is found.
        """
        values: Assignment = {}
        for _ in range(SAMPLE_ATTEMPTS):
            values = self.project({k.name: rng.choice(k.values) for k in self})
            if self.broken(values) is None:
                return values
        return self.repaired(values, rng)

    def repaired(self, assignment: Mapping[str, KnobValue], rng: random.Random) -> Assignment:
        """A legal assignment near a given one: of each broken requirement one knob at a time is drawn again.

        Raises `exc.InvalidConfig`, with the requirement, where the walk finds none.
        """
        values = self.project(assignment)
        for _ in range(REPAIR_STEPS):
            rule = self.broken(values)
            if rule is None:
                return values
            name = rng.choice(rule.reads) if rule.reads else None
            if name is None:
                break
            values = self.project({**values, name: rng.choice(self.knobs[name].values)})
        from helion_ir import exc

        raise exc.InvalidConfig(f"no configuration of this kernel is legal: {self.is_legal(values)}")

    def neighbours(self, assignment: Mapping[str, KnobValue], rng: random.Random | None = None) -> Iterator[Assignment]:
        """The legal assignments one step away, in the order of declaration, or shuffled by `rng`.

        A step moves one active knob: to the next value up or down where values are ordered, to any other value where
        they are not, and by one exchange where the value is a permutation.
        """
        here = self.project(assignment)
        active = self.active(here)
        moves = [(k.name, v) for k in self if k.name in active for v in steps(k.domain, here[k.name])]
        if rng is not None:
            rng.shuffle(moves)
        for name, value in moves:
            there = self.project({**here, name: value})
            if self.broken(there) is None:
                yield there

    def size(self) -> int:
        """How many assignments the declarations allow, requirements not counted; exact."""
        from helion_ir.autotuner.count import count

        return count(self)

    def legal_size(self) -> Bounds:
        """How many assignments are legal: exact where `low` is `high`, and bounded from both sides elsewhere."""
        from helion_ir.autotuner.count import count_legal

        return count_legal(self)

    def explain(self) -> Explanation:
        """Knobs with their domains, what was ruled out and why, with the author's lines; `print` it, or read its rows.

        Raises ValueError for a space that was not read off a module.
        """
        from helion_ir.autotuner.explanation import explain

        return explain(self)

    def encode(self, config: Config | Mapping[str, object]) -> Assignment:
        """The assignment of a config, with defaults for what it leaves out.

        Raises `exc.InvalidConfig`, naming field and entry and what is allowed.
        """
        from helion_ir.autotuner.encoding import encode

        return encode(self, config)

    def decode(self, assignment: Mapping[str, KnobValue]) -> Config:
        """The config of an assignment, in positional form."""
        from helion_ir.autotuner.encoding import decode

        return decode(self, assignment)


def steps(domain: Domain, value: KnobValue) -> list[KnobValue]:
    """The values one step from `value`.

    >>> from helion_ir.dialects.knob import one_of, permutations, pow2
    >>> steps(pow2(16, 128), 32), steps(one_of("a", "b", "c"), "b"), steps(permutations(3), (0, 1, 2))
    ([16, 64], ['a', 'c'], [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
    """
    if domain.kind == "permutation":
        assert isinstance(value, tuple)
        out: list[KnobValue] = []
        for i in range(len(value)):
            for j in range(i + 1, len(value)):
                order = list(value)
                order[i], order[j] = order[j], order[i]
                out.append(tuple(order))
        return out
    values = domain.values
    if domain.kind in ("pow2", "int"):
        at = values.index(value)
        return [values[i] for i in (at - 1, at + 1) if 0 <= i < len(values)]
    return [v for v in values if type(v) is not type(value) or v != value]
