"""`ConfigSpec`: a kernel's configuration space in the words of Helion's interface."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from helion_ir.autotuner.config import Config
from helion_ir.autotuner.fields import LIST_FIELDS
from helion_ir.autotuner.space import ConfigSpace, Knob


class ConfigSpec:
    """The fields a kernel's `Config` has: `spec.block_sizes`, `spec.loop_orders`, … are the knobs of each list."""

    def __init__(self, space: ConfigSpace):
        self.space = space

    def __getattr__(self, name: str) -> Sequence[Knob]:
        if name in LIST_FIELDS:
            return tuple(self.space.fields.get(name, ()))
        raise AttributeError(f"ConfigSpec has no attribute {name!r}")

    @property
    def user_defined_tunables(self) -> dict[str, Knob]:
        """The kernel's own tunables, by name."""
        return {k.name: k for k in self.space if k.field is None and k.owner == "frontend"}

    def default_config(self) -> Config:
        """The config of an untuned call."""
        return self.space.decode(self.space.legal_default())

    def normalized(self, config: Config | Mapping[str, Any]) -> Config:
        """The full config that `config` stands for. Raises `exc.InvalidConfig`."""
        return self.space.decode(self.space.encode(config))

    def normalize(self, config: Config | dict[str, Any]) -> Config:
        """As `normalized`; a dict is also updated in place, a Config never is."""
        out = self.normalized(config)
        if isinstance(config, dict):
            config.clear()
            config.update(out)
        return out

    def structural_fingerprint(self) -> str:
        """A digest of the knobs: equal fingerprints take each other's configs."""
        rows = [(k.name, str(k.domain), k.default, k.field) for k in self.space]
        return hashlib.sha256(repr(rows).encode()).hexdigest()
