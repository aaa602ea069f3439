"""Dataclasses as arguments of kernels: containers with names, like named tuples, whose methods stay callable."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any


def is_record(value: Any) -> bool:
    """Whether a value is an object of a dataclass."""
    return hasattr(type(value), "__dataclass_fields__")


def fields_of(record: Any) -> dict[str, Any]:
    """The fields of an object of a dataclass, by name."""
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def with_fields(record: Any, change: Callable[[str, Any], Any]) -> Any:
    """A copy of an object of a dataclass with every field changed; its class, hence its methods, stay.

    No constructor runs, since it might not take what the fields become.

    Args:
        record: the object, of a frozen class, too.
        change: what a field becomes, from its name and its value.
    """
    out = copy.copy(record)
    for name, value in fields_of(record).items():
        object.__setattr__(out, name, change(name, value))
    return out
