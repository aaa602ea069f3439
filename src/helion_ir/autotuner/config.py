"""`Config`: one choice of everything a tuner may decide, by position or by name."""

from __future__ import annotations

import functools
import json
import keyword
import operator
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.fields import LIST_FIELDS, SCALAR_FIELDS

if TYPE_CHECKING:
    from helion_ir.autotuner.config_spec import ConfigSpec


class Config(Mapping[str, Any]):
    """A read-only mapping from field to value; entries that are None are dropped.

    Fields are the positional lists and scalars (`block_sizes`, `num_warps`, …), tunables of the kernel's own, and
    knobs by name: `Config(block_sizes=[64, 32], num_warps=8, **{"load.x.indexing": "pointer"})`.
    Values are what JSON can say. Raises TypeError for anything else.
    """

    __slots__ = ("__dict__", "_entries")

    def __init__(self, **entries: Any):
        self._entries = {k: _plain(k, v) for k, v in entries.items() if v is not None}

    def __getitem__(self, key: str) -> Any:
        value = self._entries[key]
        return _copied(value) if isinstance(value, list) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._entries:
            return self[name]
        if name in LIST_FIELDS:
            return []
        if name in SCALAR_FIELDS:
            return SCALAR_FIELDS[name].default
        raise AttributeError(f"this config has no entry {name!r}; it has {', '.join(sorted(self)) or 'none'}")

    @property
    def entries(self) -> Mapping[str, Any]:
        """The entries themselves, not to be changed."""
        return self._entries

    # Text tells True from 1, which Python's own comparison does not.
    @functools.cached_property
    def _content(self) -> str:
        return json.dumps(self._entries, sort_keys=True)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Config):
            return self._content == other._content
        if isinstance(other, Mapping):
            return dict(self) == dict(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        plain = [f"{k}={self._entries[k]!r}" for k in sorted(self._entries) if _is_keyword_argument(k)]
        dotted = {k: self._entries[k] for k in sorted(self._entries) if not _is_keyword_argument(k)}
        return f"helion.Config({', '.join([*plain, f'**{dotted!r}'] if dotted else plain)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Config.from_dict, (dict(self),)

    @property
    def config(self) -> dict[str, Any]:
        """The entries, as a dict of the caller's own."""
        return dict(self)

    def to_json(self) -> str:
        """A flat JSON object, indented by two spaces; `from_json` gives an equal config back."""
        return json.dumps(self._entries, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """The config that `to_json` wrote. Raises ValueError on text that is no JSON object."""
        entries = json.loads(text)
        if not isinstance(entries, dict):
            raise ValueError(f"a config is a JSON object, not {type(entries).__name__}")
        return cls.from_dict(entries)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Config:
        return cls(**mapping(entries))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON form; a reader sees the old file or the new one, never half of it."""
        target = Path(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "w") as f:
                f.write(self.to_json())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        return cls.from_json(Path(path).read_text())

    def minimize(self, config_spec: ConfigSpec) -> Config:
        """This config without the entries that a kernel's default has too; `block_sizes` stays."""
        default = config_spec.default_config()
        missing = object()
        return Config(
            **{k: v for k, v in self.items() if k == "block_sizes" or json_differs(v, default.get(k, missing))}
        )


def json_differs(a: Any, b: Any) -> bool:
    """Whether two config values differ, truth values and numbers told apart.

    >>> json_differs([True], [1]), json_differs([16], [16])
    (True, False)
    """
    return a != b or repr(a) != repr(b)


def _plain(key: str, value: Any) -> Any:
    """`value` as JSON would give it back: tuples become lists, integers of libraries become int."""
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(key, v) for v in value]
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"config[{key!r}]: {type(value).__name__} is no config value: {value!r}") from None


def _copied(value: list[Any]) -> list[Any]:
    return [_copied(v) if isinstance(v, list) else v for v in value]


def _is_keyword_argument(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def mapping(config: Any) -> Mapping[str, Any]:
    """A config given as a dict. Raises InvalidConfig for anything else."""
    if not isinstance(config, Mapping):
        from helion_ir.exc import InvalidConfig

        raise InvalidConfig(f"a config is a helion.Config or a dict of its fields; got {config!r}")
    return config
