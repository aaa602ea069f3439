"""Running a traced kernel without Triton: the tile module in the interpreter, with few large tiles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.space import Assignment, ConfigSpace
from helion_ir.runtime.live_globals import with_live_globals
from helion_ir.runtime.stages import assignment_key

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp


class TileInterpreter:
    """The tile module as a Python function, kept for each assignment asked for."""

    def __init__(self, tile: ModuleOp, names: Mapping[str, Any]):
        self.tile = tile
        self.names = names
        """The globals of the author's module."""
        self._functions: dict[Hashable, Callable[..., Any]] = {}

    def function(self, configured: Assignment | None) -> Callable[..., Any]:
        """The host function; of `configured` it takes what the author can see, else defaults."""
        from helion_ir.interpreter import compile_module

        assignment = self.assignment(configured)
        key = assignment_key(assignment)
        found = self._functions.get(key)
        if found is None:
            found = compile_module(self.tile, assignment, globals=self.names)
            found = self._functions[key] = with_live_globals(found, self.names)
        return found

    def assignment(self, configured: Assignment | None) -> Assignment:
        """Tiles as large as they may be, which interpret fastest; tunables, and what the host reads, as configured."""
        from helion_ir.dialects.host import BindOp
        from helion_ir.index.expr import knobs_of
        from helion_ir.interpreter import largest_assignment

        space = ConfigSpace.of(self.tile)
        chosen = space.default() if configured is None else configured
        visible = {k.name for k in space if k.field is None}
        for op in self.tile.walk():
            if isinstance(op, BindOp):
                visible |= knobs_of(op.value.data)
        fast: Assignment = {**space.default(), **largest_assignment(self.tile)}
        return {name: chosen[name] if name in visible else value for name, value in fast.items()}
