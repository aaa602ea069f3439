"""bind-structure: settle the few decisions that change loops, shapes or launches."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import DomainAttr, KnobValue, ValueAttr, declarations, one_of
from helion_ir.dialects.operation import walk
from helion_ir.passes.base import Pass
from helion_ir.passes.declare_plain import PLAIN

STRUCTURE = "helion_ir.structure"
"""The module attribute that records the bound schedules: [expression, value, expression, value, …]."""

NOT = ValueAttr(0)
"""The value of a decision under which nothing is done."""

Assignment = Mapping[str, KnobValue]


@dataclass(frozen=True)
class BindStructure(Pass):
    """Put the value of every open `schedule` in its place and record the structure on the module.

    ```mlir
    %n = tile.axis "n" 0 to 1021 attributes {schedule = #index.expr<@reduction.n ne none>} : !tile.range<1021>
    // with config '{"reduction.n": 256}' becomes
    %n = tile.axis "n" 0 to 1021 attributes {schedule = #knob.value<1>} : !tile.range<1021>
    ```

    Where the configuration is plain (declare-plain), the knobs that make alternatives keep only their defaults, unless
    `whole` is set. A decision with the value 0 leaves its op: nothing is done. Knobs that `config` (a JSON object)
    leaves out have their defaults. Does not handle: any other knob, all stay open.
    Runs after declare-schedules and before the passes that transform by schedule, which read only bound values.
    """

    name = "bind-structure"

    config: str = "{}"
    whole: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bind(op, complete(op, parse_assignment(self.config)), whole=self.whole)


def parse_assignment(text: str) -> dict[str, KnobValue]:
    """An assignment from a JSON object; lists become the tuples that permutations are. Raises ValueError."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the config is not a JSON object: {error}") from None
    if not isinstance(given, dict):
        raise ValueError("the config must be a JSON object of knob names and values")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


def complete(module: ModuleOp, given: Assignment) -> dict[str, KnobValue]:
    """`given` with the defaults of all knobs it leaves out. Raises ValueError for an unknown knob or illegal value."""
    known = {d.sym_name.data: d for d in declarations(module)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"there is no knob @{name}; the module declares {', '.join('@' + k for k in known)}")
        if value not in known[name].domain.data:
            raise ValueError(f"@{name} cannot be {value!r}: its domain is {known[name].domain.data}")
    return {name: given.get(name, d.default.data) for name, d in known.items()}


def schedules(module: ModuleOp) -> Iterator[ExprAttr]:
    """The open schedules of a module, in program order."""
    return _open(_scheduled(module))


def _scheduled(module: ModuleOp) -> list[Operation]:
    return [op for op in walk(module) if "schedule" in op.properties]


def _open(ops: Sequence[Operation]) -> Iterator[ExprAttr]:
    for op in ops:
        schedule = op.properties["schedule"]
        if isinstance(schedule, DictionaryAttr):
            yield from (s for s in schedule.data.values() if isinstance(s, ExprAttr))
        elif isinstance(schedule, ExprAttr):
            yield schedule


def _decisions(module: ModuleOp, scheduled: Sequence[Operation]) -> tuple[Expr, ...]:
    """What a structure is the values of: the open schedules, each once, and last whether the configuration is plain."""
    plain = module.attributes.get(PLAIN)
    last = plain.data if isinstance(plain, ExprAttr) else Integer(0)
    return (*dict.fromkeys(s.data for s in _open(scheduled)), last)


def bind(module: ModuleOp, assignment: Assignment, *, whole: bool = False) -> frozenset[str]:
    """Bind all schedules in place; with `whole`, alternatives stay open in a plain configuration too.

    A decision bound to 0, that something is not done, is recorded and leaves its op. Returns the names of those that
    stay, which passes have to carry out.
    """
    from helion_ir.index.expr import compiled_together, knobs_of

    scheduled = _scheduled(module)
    decisions = _decisions(module, scheduled)
    found = dict(zip(decisions, compiled_together(decisions)(assignment)))
    record: list[ExprAttr | ValueAttr] = []

    def value(schedule: Attribute) -> Attribute:
        if not isinstance(schedule, ExprAttr):
            return schedule
        bound = ValueAttr(_plain(found[schedule.data]))
        record.extend((schedule, bound))
        return bound

    left: set[str] = set()
    for op in scheduled:
        schedule = op.properties["schedule"]
        if isinstance(schedule, DictionaryAttr):
            entries = {k: v for k, s in schedule.data.items() if (v := value(s)) != NOT}
            names, bound = tuple(entries), DictionaryAttr(entries) if entries else NOT
        else:
            names, bound = (op.name,), value(schedule)
        if bound == NOT:
            del op.properties["schedule"]
        else:
            op.properties["schedule"] = bound
            left.update(names)
    # A template with all alternatives is one for plain configurations too, so that only the other case is recorded.
    plain = module.attributes.pop(PLAIN, None)
    if isinstance(plain, ExprAttr) and not whole and found[plain.data]:
        value(plain)
        names = knobs_of(plain.data)
        for d in declarations(module):
            if d.sym_name.data in names:
                d.properties["domain"] = _only(d.default.data)
    module.attributes[STRUCTURE] = ArrayAttr(record)
    return frozenset(left)


@functools.lru_cache(typed=True)
def _only(value: KnobValue) -> DomainAttr:
    return DomainAttr(one_of(value))


def open_schedule(op: Operation, decision: str, expr: Expr) -> None:
    """Write an open decision on an op that several passes may have something to decide about.

    `schedule = {peel = #index.expr<@loop.k.peel>, split = …}`: one entry a decision.
    """
    known = op.properties.get("schedule")
    entries = dict(known.data) if isinstance(known, DictionaryAttr) else {}
    op.properties["schedule"] = DictionaryAttr({**entries, decision: expr_attr(expr)})


def take_schedule(op: Operation, decision: str, owner: str) -> KnobValue:
    """Remove a bound decision from an op and return its value; 0 where there is none to take.

    Raises ValueError, in the name of the pass `owner`, while the decision is open.
    """
    known = op.properties.get("schedule")
    if not isinstance(known, DictionaryAttr) or decision not in known.data:
        return 0
    rest = {k: v for k, v in known.data.items() if k != decision}
    value = known.data[decision]
    if not isinstance(value, ValueAttr):
        raise ValueError(f"bind-structure must run before {owner}: {decision} of a {op.name} is open")
    if rest:
        op.properties["schedule"] = DictionaryAttr(rest)
    else:
        del op.properties["schedule"]
    return value.data


def structural_knobs(module: ModuleOp) -> frozenset[str]:
    """Names of the knobs that the open schedules of a declared module read."""
    from helion_ir.index.expr import knobs_of

    return frozenset(n for s in schedules(module) for n in knobs_of(s.data))


def structure_key(module: ModuleOp) -> Callable[[Assignment], tuple[KnobValue, ...]]:
    """The structure of an assignment of a declared module, as a function of it (below a microsecond a call).

    Truth values are numbers in it. The last entry is whether it is plain, which none is of a module without alternatives.
    """
    from helion_ir.index.expr import compiled_together

    values = compiled_together(_decisions(module, _scheduled(module)))
    return lambda assignment: tuple([_plain(v) for v in values(assignment)])


def check_structure(module: ModuleOp, assignment: Assignment) -> None:
    """Raise ValueError unless `assignment` has the structure that a template was lowered for."""
    structure_check(module)(assignment)


def structure_check(module: ModuleOp) -> Callable[[Assignment], None]:
    """The same, for many assignments of one template."""
    from helion_ir.index.expr import compiled_together
    from helion_ir.index.text import expr_text

    record = module.attributes.get(STRUCTURE)
    bound: dict[Expr, KnobValue] = {}
    for schedule, value in zip(record.data[::2], record.data[1::2]) if isinstance(record, ArrayAttr) else ():
        assert isinstance(schedule, ExprAttr) and isinstance(value, ValueAttr)
        bound[schedule.data] = value.data
    expected, values = list(bound.values()), compiled_together(tuple(bound))

    def check(assignment: Assignment) -> None:
        found = [_plain(v) for v in values(assignment)]
        if found != expected:
            schedule, value, wanted = next(x for x in zip(bound, expected, found) if x[1] != x[2])
            raise ValueError(
                f"this template was lowered for {expr_text(schedule)} = {value}; the config has {wanted}: lower it anew"
            )

    return check


def _plain(value: KnobValue) -> KnobValue:
    return int(value) if isinstance(value, bool) else value
