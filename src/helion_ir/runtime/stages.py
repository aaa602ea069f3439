"""The stages of one traced kernel on one target: module, space, templates, text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from helion_ir.autotuner.space import Assignment, ConfigSpace
from helion_ir.dialects.knob import KnobValue

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.backend_triton.compile import Compiled
    from helion_ir.backend_triton.printer import PrintedModule, TemplatePrinter
    from helion_ir.targets import Target

STRUCTURE = "helion_ir.structure"
"""The module attribute of a template that records which structure it was lowered for."""


class Stages:
    """From the tile module to Triton text, each step done once and kept.

    `tile` is never changed: every target gets a copy of its own.
    """

    def __init__(self, tile: ModuleOp, target: Target):
        self.tile = tile
        self.target = target
        self._templates: dict[Hashable, ModuleOp] = {}
        self._printers: dict[Hashable, TemplatePrinter] = {}

    @functools.cached_property
    def declared(self) -> ModuleOp:
        """The tile module with every knob declared."""
        from helion_ir.passes.pipeline import prepare

        module = self.tile.clone()
        prepare(module, self.target)
        return module

    @functools.cached_property
    def space(self) -> ConfigSpace:
        return ConfigSpace.of(self.declared)

    @functools.cached_property
    def structure_of(self) -> Callable[[Assignment], tuple[object, ...]]:
        """The part of an assignment that decides loops, shapes or launches."""
        from helion_ir.passes.pipeline import structure_key

        return structure_key(self.declared)

    def template(self, assignment: Assignment) -> ModuleOp:
        """The triton module of the assignment's structure, all other knobs open; lowered on first use."""
        key = self._structure(assignment)
        found = self._templates.get(key)
        if found is None:
            found = self._templates[key] = self.lowered(assignment)
        return found

    # Tells True from 1, which are one key of a dict and two values of a knob.
    def _structure(self, assignment: Assignment) -> str:
        return repr(self.structure_of(assignment))

    def lowered(self, assignment: Assignment, callback: Callable[[str, ModuleOp], None] | None = None) -> ModuleOp:
        """A new template, marked with its structure; `callback(pass_name, module)` sees it after each pass."""
        from xdsl.dialects.builtin import StringAttr

        from helion_ir.passes.pipeline import lower

        module = lower(self.declared, assignment, callback)
        module.attributes[STRUCTURE] = StringAttr(self._structure(assignment))
        return module

    def concrete(self, assignment: Assignment) -> ModuleOp:
        """The template with every knob bound."""
        from helion_ir.passes.materialize_config import materialize

        return materialize(self.template(assignment), assignment)

    def printed(self, assignment: Assignment, template: ModuleOp | None = None) -> PrintedModule:
        """The Triton program of an assignment, kernel texts shared by the assignments they serve.

        Raises ValueError where `template` was lowered for another structure than the assignment's.
        """
        key = self._structure(assignment)
        if template is not None:
            from helion_ir.backend_triton.printer import print_module

            if (found := structure_of_template(template)) != key:
                raise ValueError(f"the template has structure {found}, the configuration has structure {key}")
            return print_module(template, assignment)
        printer = self._printers.get(key)
        if printer is None:
            from helion_ir.backend_triton.printer import TemplatePrinter

            printer = self._printers[key] = TemplatePrinter(self.template(assignment))
        return printer(assignment)

    def compiled(self, assignment: Assignment) -> Compiled:
        """What Triton makes of an assignment for this target; no device is needed."""
        from helion_ir.backend_triton.compile import compile_module

        return compile_module(self.template(assignment), assignment, self.target)

    def texts(self, assignment: Assignment) -> list[tuple[str, str]]:
        """(stage, IR text) of every stage of one configuration, in order: tile, declared, each pass, concrete."""
        from helion_ir.dialects.context import module_text

        out = [("tile", module_text(self.tile)), ("declared", module_text(self.declared))]
        template = self.lowered(assignment, lambda name, module: out.append((name, module_text(module))))
        from helion_ir.passes.materialize_config import materialize

        out.append(("template", module_text(template)))
        out.append(("materialize-config", module_text(materialize(template, assignment))))
        return out


def structure_of_template(template: ModuleOp) -> str | None:
    """The structure that a template records; None where it records none."""
    from xdsl.dialects.builtin import StringAttr

    found = template.attributes.get(STRUCTURE)
    return found.data if isinstance(found, StringAttr) else None


def assignment_key(assignment: Mapping[str, KnobValue]) -> tuple[tuple[type, KnobValue], ...]:
    """A dict key for a complete assignment of one space: values in order, True told from 1."""
    return tuple([(type(v), v) for v in assignment.values()])
