"""The names of the author's module that a printed host function uses, carried to other processes."""

from __future__ import annotations

import ast
import builtins
import importlib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def free_names(text: str) -> set[str]:
    """Names that a module's text reads and does not define at its top level.

    >>> sorted(free_names("import os\\ndef f(x):\\n    return SCALE * os.getpid() + len(x)"))
    ['SCALE', 'x']
    """
    tree = ast.parse(text)
    defined = set(dir(builtins))
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            defined.update((a.asname or a.name).split(".")[0] for a in statement.names)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            defined.add(statement.name)
        elif isinstance(statement, ast.Assign):
            defined.update(t.id for t in statement.targets if isinstance(t, ast.Name))
    # Parameters and local variables are among them; they shadow whatever the author's module has by that name.
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - defined


@dataclass(frozen=True)
class AuthorNames:
    """Modules by where to import them from, and other values as they are."""

    modules: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def used_by(cls, text: str, namespace: Mapping[str, Any]) -> AuthorNames:
        """Those of `namespace` that `text` uses."""
        used = {n: namespace[n] for n in sorted(free_names(text)) if n in namespace}
        modules = {n: v.__name__ for n, v in used.items() if isinstance(v, types.ModuleType)}
        return cls(modules, {n: v for n, v in used.items() if n not in modules})

    @property
    def namespace(self) -> dict[str, Any]:
        """The names with what they stand for."""
        return {**{n: importlib.import_module(m) for n, m in self.modules.items()}, **self.values}

    def save(self, path: str) -> None:
        """Write them for a process of our own.

        Raises ValueError for what only the author's script defines, which no other process can find, and whatever
        `torch.save` raises for what cannot be written.
        """
        import torch

        self.check()
        torch.save({"modules": dict(self.modules), "values": dict(self.values)}, path)

    def check(self) -> None:
        """Raises ValueError for what only the author's script defines, which no other process can find."""
        for name, value in self.values.items():
            home = getattr(value, "__module__", None) or type(value).__module__
            if home == "__main__":
                raise ValueError(f"{name} is defined in the script itself")

    @classmethod
    def load(cls, path: str) -> AuthorNames:
        import torch

        return cls(**torch.load(path, weights_only=False))
