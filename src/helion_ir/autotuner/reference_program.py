"""A kernel as text with tile sizes to interpret it by, so that any process can find out what it should compute."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.store import assignment_from_json, assignment_to_json

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.autotuner.protocol import Assignment


@dataclass(frozen=True)
class ReferenceProgram:
    """What the interpreter needs: the tile module's text, and an assignment that runs in few large tiles."""

    text: str
    assignment: Assignment

    @classmethod
    def of(cls, module: ModuleOp, assignment: Assignment) -> ReferenceProgram:
        """That of a tile module."""
        from helion_ir.dialects.context import module_text

        return cls(module_text(module), dict(assignment))

    @property
    def host_text(self) -> str:
        """The author's statements, to see which names they use."""
        from helion_ir.dialects.context import parse_module
        from helion_ir.dialects.host import PythonOp

        return "\n".join(op.source.data for op in parse_module(self.text).walk() if isinstance(op, PythonOp))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"text": self.text, "assignment": assignment_to_json(self.assignment)}))

    @classmethod
    def load(cls, path: str) -> ReferenceProgram:
        """What `save` wrote."""
        stored = json.loads(Path(path).read_text())
        return cls(stored["text"], assignment_from_json(stored["assignment"]))

    def function(self, names: Mapping[str, Any]) -> Callable[..., Any]:
        """The host function; `names` are the author's module's that it uses."""
        from helion_ir.dialects.context import parse_module
        from helion_ir.interpreter import compile_module

        return compile_module(parse_module(self.text), self.assignment, globals=dict(names))
