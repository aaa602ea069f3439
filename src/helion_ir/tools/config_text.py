"""A configuration as text on a command line: JSON, or `@file` with JSON in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from helion_ir.dialects.knob import KnobValue, declarations, value_text


def defaults(module: ModuleOp) -> dict[str, KnobValue]:
    """The assignment of every declared knob's default."""
    return {d.sym_name.data: d.default.data for d in declarations(module)}


def parse_assignment(module: ModuleOp, text: str) -> dict[str, KnobValue]:
    """A complete assignment for a module: what the text sets, and defaults for the rest.

    Args:
        module: the module that declares the knobs.
        text: a JSON object from knob names (without `@`) to values, a list being a permutation; `@FILE` reads it from
            a file; "" is all defaults.

    Returns:
        A value for every declared knob.

    Raises:
        ValueError: the text is no such object, names a knob that is not declared, or a value outside of its domain.
    """
    out = defaults(module)
    domains = {d.sym_name.data: d.domain.data for d in declarations(module)}
    for name, value in _read(text).items():
        if name not in domains:
            known = ", ".join(domains) or "none"
            raise ValueError(f"the module declares no knob {name!r}; there are: {known}")
        if isinstance(value, list):
            value = tuple(value)
        if value not in domains[name]:
            shown = json.dumps(value) if not isinstance(value, tuple) else value_text(value)
            raise ValueError(f"knob {name}: {shown} is not in {domains[name]}")
        out[name] = value  # pyright: ignore[reportArgumentType] - it is in the domain
    return out


def _read(text: str) -> Mapping[str, object]:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except OSError as error:
            raise ValueError(f"cannot read the configuration: {error}") from None
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the configuration is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("the configuration must be a JSON object from knob names to values")
    return value
