"""Config to assignment and back: aliases, lengths, repairs, and what is said about a value that is not allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from helion_ir.autotuner.config import Config, mapping
from helion_ir.autotuner.fields import ALIASES, LIST_FIELDS, SCALAR_FIELDS, ListField, ScalarField, of_another_backend
from helion_ir.dialects.knob import Domain, KnobValue, value_text

if TYPE_CHECKING:
    from helion_ir.autotuner.space import Assignment, ConfigSpace, Knob, Requirement


STRICT = tuple(n for n, f in SCALAR_FIELDS.items() if f.strict)

NONE = "none"
"""How a config says None where None is not the default: entries that are None are dropped."""


def encode(space: ConfigSpace, config: Config | Mapping[str, object]) -> Assignment:
    """See `ConfigSpace.encode`."""
    given = _looked_up(space, config)
    return _checked(space, _read(space, dict(config)) if given is None else given)


def _looked_up(space: ConfigSpace, config: Config | Mapping[str, object]) -> Assignment | None:
    """The knobs that a config sets, where all it says is spelled as `decode` does: a look-up an entry, else None."""
    lists, scalars = space.spellings
    given: Assignment = {}
    for key, value in (config.entries if isinstance(config, Config) else mapping(config)).items():
        if (known := scalars.get(key)) is not None:
            rows, entries = (known,), (value,)
        elif (known := lists.get(key)) is not None and type(value) is list and len(value) == len(known):
            rows, entries = known, value
        else:
            return None
        for values, entry in zip(rows, entries):
            spelled = (type(entry), tuple(entry) if type(entry) is list else entry)
            try:
                given[values.knob.name] = values[spelled]
            except (KeyError, TypeError):
                return None
    return given


class Spelling(dict[tuple[type, object], "KnobValue"]):
    """A knob's values by how `decode` spells them, each entered when it is first asked for."""

    def __init__(self, knob: Knob, field: ListField | None = None):
        self.knob, self.field = knob, field
        """The list of a Config that the knob is in; None where it is an entry of its own."""

    def entry(self, value: KnobValue) -> Any:
        """What a config says for a value of the knob."""
        if self.field is not None:
            return _entry_of_knob(self.field, self.knob, value)
        return NONE if value is None else value

    def __missing__(self, spelled: tuple[type, Any]) -> KnobValue:
        domain, value = self.knob.domain, spelled[1]
        if self.field is not None:
            value = _knob_of_entry(self.field, self.knob, value)
        elif value == NONE and value not in domain:
            value = None
        if value not in domain:
            raise KeyError(spelled)
        entry = self.entry(value)  # of several spellings the one that `decode` chooses
        if spelled != (list if type(entry) is tuple else type(entry), entry):
            raise KeyError(spelled)
        self[spelled] = value
        return value


def spellings(space: ConfigSpace) -> tuple[dict[str, list[Spelling]], dict[str, Spelling]]:
    """How `decode` spells the knobs: those of the lists in order, and the others by name."""
    lists = {
        name: [Spelling(k, LIST_FIELDS.get(name) or ListField(name)) for k in knobs]
        for name, knobs in space.fields.items()
    }
    return lists, {k.name: Spelling(k) for k in space if k.field is None or k.field == k.name}


def _read(space: ConfigSpace, config: dict[str, Any]) -> Assignment:
    """The knobs that a config sets, however it spells them. Raises `exc.InvalidConfig`."""
    entries = _without_aliases(space, config)
    given: Assignment = {}
    unknown: list[str] = []
    for key, value in entries.items():
        if value is None and key not in space.knobs:
            continue
        if key in LIST_FIELDS or key in space.fields:
            for name, entry in _list_entries(space, key, value).items():
                _set(given, name, entry, key)
        elif key in space.knobs:
            _set(given, key, _value(space[key], value, f"config[{key!r}]"), key)
        elif key in SCALAR_FIELDS:
            _without_knob(space, key, value)
        elif of_another_backend(key):
            raise _invalid(f"config[{key!r}]: this field belongs to another backend than Triton")
        else:
            unknown.append(key)
    if unknown:
        raise _invalid(_unknown_text(space, unknown))
    return given


def decode(space: ConfigSpace, assignment: Mapping[str, KnobValue]) -> Config:
    """See `ConfigSpace.decode`."""
    values = space.project(assignment)
    lists, scalars = space.spellings
    entries: dict[str, Any] = {key: [row.entry(values[row.knob.name]) for row in rows] for key, rows in lists.items()}
    for name, row in scalars.items():
        if len(row.knob.values) > 1 and not (values[name] is None and row.knob.default is None):
            entries[name] = row.entry(values[name])
    return Config(**entries)


def _without_aliases(space: ConfigSpace, entries: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in entries.items():
        field = ALIASES.get(key)
        if field is None or key in space.knobs:
            out[key] = value
            continue
        if field.name in entries:
            raise _invalid(f"config[{key!r}] and config[{field.name!r}] are the same field: give one of them")
        copies = len(space.fields.get(field.name, ())) if field.replicate_alias else 1
        out[field.name] = [value] * copies
    return out


def _list_entries(space: ConfigSpace, key: str, value: Any) -> Assignment:
    """The knobs that a list sets."""
    knobs = space.fields.get(key, [])
    field = LIST_FIELDS.get(key, ListField(key))
    if field.scalar_for_all and isinstance(value, str):
        value = [value] * len(knobs)
    if not isinstance(value, (list, tuple)):
        raise _invalid(f"config[{key!r}]: expected a list{_entries_text(knobs)}, got {value!r}")
    entries = _flattened(knobs, value, field)
    surplus = [] if field.hint else [e for e in entries[len(knobs) :] if not _is_one_of(e, field.neutral)]
    if surplus or key == "block_sizes" and len(entries) < len(knobs):
        raise _invalid(f"config[{key!r}]: expected {len(knobs)} entries{_entries_text(knobs)}, got {len(entries)}")
    out: Assignment = {}
    for i, (knob, entry) in enumerate(zip(knobs, entries)):
        spelled = _knob_of_entry(field, knob, entry)
        if spelled not in knob.domain and _is_one_of(entry, field.foreign) and field.neutral[0] in knob.domain:
            spelled = field.neutral[0]
        out[knob.name] = _value(knob, spelled, f"config[{key!r}][{i}]", shown=entry)
    return out


def _knob_of_entry(field: ListField, knob: Knob, entry: Any) -> Any:
    """The knob's value for a list's entry, as the two may be spelled differently."""
    if field.opposite and knob.name.endswith(field.opposite) and isinstance(entry, bool):
        return not entry
    for theirs, ours in field.spelling:
        if type(entry) is type(theirs) and entry == theirs and entry not in knob.domain and ours in knob.domain:
            return ours
    return entry


def _entry_of_knob(field: ListField, knob: Knob, value: KnobValue) -> Any:
    """The inverse of `_knob_of_entry`."""
    if field.opposite and knob.name.endswith(field.opposite) and isinstance(value, bool):
        return not value
    for theirs, ours in field.spelling:
        if type(value) is type(ours) and value == ours and theirs not in knob.domain:
            return theirs
    return value


def _is_one_of(value: Any, values: Iterable[Any]) -> bool:
    return any(type(v) is type(value) and v == value for v in values)


def _entries_text(knobs: Sequence[Knob]) -> str:
    return f" ({', '.join('@' + k.name for k in knobs)})" if knobs else ""


def _flattened(knobs: Sequence[Knob], value: Iterable[Any], field: ListField) -> list[Any]:
    """Nested lists flattened, but for permutations, which are lists themselves."""
    entries = list(value)
    if field.name == "loop_orders" or any(k.domain.kind == "permutation" for k in knobs):
        # One order may stand without the list around it.
        if entries and all(isinstance(v, int) for v in entries):
            return [entries]
        return [list(e) if isinstance(e, tuple) else e for e in entries]
    out: list[Any] = []
    for entry in entries:
        out.extend(_flattened((), entry, field) if isinstance(entry, (list, tuple)) else [entry])
    return out


def _value(knob: Knob, value: Any, place: str, *, shown: Any = None) -> KnobValue:
    """`value` as a member of the knob's domain, repaired where its field allows; `shown` is what the author wrote."""
    domain = knob.domain
    written = value if shown is None else shown
    if domain.kind == "permutation" and isinstance(value, (list, tuple)):
        value = tuple(value)
    if value in domain:
        return value
    if value == NONE and None in domain:
        return None
    field = LIST_FIELDS.get(knob.field or "") or SCALAR_FIELDS.get(knob.name)
    if field is not None and value is None:
        return knob.default
    if isinstance(field, ScalarField):
        for theirs, ours in field.spelling:
            if _is_one_of(value, (theirs,)) and ours in domain:
                return ours
    if isinstance(field, ListField) and field.clamp and _is_pow2(value):
        for nearest in _clamped(domain, value):
            return nearest
    if isinstance(field, ScalarField) and field.clamp and type(value) is int and value > 0:
        numbers = sorted(v for v in domain.values if type(v) is int)
        return max((v for v in numbers if v <= value), default=numbers[0])
    suffix = "" if place == f"config[{knob.name!r}]" else f" (@{knob.name})"
    raise _invalid(f"{place} = {_shown(written)}{suffix}: must be {allowed(domain)}")


def _clamped(domain: Domain, value: int) -> Sequence[KnobValue]:
    """The value that stands for a power of two outside the domain; none for one inside that is not offered.

    Above the largest chunk of a loop comes the whole axis at once, where that is offered (none).
    """
    sizes = [v for v in domain.values if isinstance(v, int) and not isinstance(v, bool)]
    if sizes and value < min(sizes):
        return [min(sizes)]
    if sizes and value > max(sizes):
        return [None if None in domain else max(sizes)]
    return []


def allowed(domain: Domain) -> str:
    """What a domain allows, in words.

    >>> from helion_ir.dialects.knob import one_of, permutations, pow2
    >>> allowed(pow2(16, 64)), allowed(one_of("flat", None)), allowed(permutations(2))
    ('a power of two from 16 to 64', '"flat" or none', 'a permutation of [0, 1]')
    """
    match domain.kind:
        case "pow2":
            return f"a power of two from {domain.parameters[0]} to {domain.parameters[1]}"
        case "int":
            return f"an integer from {domain.parameters[0]} to {domain.parameters[1]}"
        case "bool":
            return "True or False"
        case "permutation":
            return f"a permutation of {list(range(domain.parameters[0]))}"
        case _:
            *rest, last = [value_text(v) for v in domain.parameters]
            return f"{', '.join(rest)} or {last}" if rest else last


def _is_pow2(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0 and value & (value - 1) == 0


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)


def _set(given: Assignment, name: str, value: KnobValue, key: str) -> None:
    if name in given and (type(given[name]) is not type(value) or given[name] != value):
        raise _invalid(
            f"config[{key!r}] sets @{name} to {_shown(value)}, and the config also sets it to {_shown(given[name])}"
        )
    given[name] = value


def _without_knob(space: ConfigSpace, key: str, value: Any) -> None:
    """A scalar field this kernel has no knob for: ignored, unless it asks for what cannot be had."""
    field = SCALAR_FIELDS[key]
    if field.strict and value != field.default:
        raise _invalid(f"config[{key!r}] = {value!r}: this kernel, on this target, only has {field.default!r}")


def _checked(space: ConfigSpace, given: Assignment) -> Assignment:
    full = {**space.default(), **given}
    out = space.project(full)
    for name, rule in space.nested:
        while not rule.holds(out) and (below := [v for v in space[name].values if v < out[name]]):  # pyright: ignore
            out[name] = below[-1]
    for name in STRICT:
        if name in given and out[name] != (value := given[name]):
            raise _invalid(
                f"config[{name!r}] = {value!r}: not used with the rest of this config{_why(space, full, name)}"
            )
    if (rule := space.broken(out)) is not None:
        same = [{**out, name: instead} for name, instead in _same(rule, out)]
        legal = next((a for a in map(space.project, same) if space.broken(a) is None), None)
        if legal is None:
            raise _invalid(space.is_legal(out) or rule.reason)
        return legal
    return out


def _same(rule: Requirement, values: Assignment) -> Iterator[tuple[str, KnobValue]]:
    """A knob that a broken requirement is about alone, and what means the same as its value."""
    field = SCALAR_FIELDS.get(rule.reads[0]) if len(rule.reads) == 1 else None
    if field is not None:
        yield from ((field.name, ours) for theirs, ours in field.instead if values[field.name] == theirs)


def _why(space: ConfigSpace, values: Assignment, name: str) -> str:
    read = [f"{n} = {values[n]!r}" for n in sorted(space[name].reads)]
    return f" ({', '.join(read)})" if read else ""


def _unknown_text(space: ConfigSpace, unknown: Sequence[str]) -> str:
    listed = {k.name for knobs in space.fields.values() for k in knobs}
    fields = [
        *(f"{f} ({len(knobs)})" for f, knobs in space.fields.items()),
        *(n for n in space.knobs if n not in listed),
    ]
    names = [*space.fields, *space.knobs, *LIST_FIELDS, *SCALAR_FIELDS]
    close = [c for u in unknown for c in difflib.get_close_matches(u, names, n=1)]
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return f"unknown config key{'s'[: len(unknown) > 1]} {', '.join(unknown)}; this kernel has {', '.join(fields) or 'none'}{hint}"


def _invalid(text: str) -> Exception:
    from helion_ir import exc

    return exc.InvalidConfig(text)
