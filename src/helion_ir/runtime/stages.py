"""The stages of one traced kernel on one target: module, space, templates, text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from helion_ir.autotuner.space import Assignment, ConfigSpace, Requirement, rules_of
from helion_ir.dialects.editing import copied
from helion_ir.dialects.knob import DomainAttr, KnobValue, declarations, one_of
from helion_ir.runtime.compile_phases import phase

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.backend_triton.compile import Compiled
    from helion_ir.backend_triton.printed import PrintedModule, PrintOptions
    from helion_ir.backend_triton.printer import TemplatePrinter
    from helion_ir.passes.pipeline import StageCallback
    from helion_ir.passes.plan_memory import Plan
    from helion_ir.passes.plan_memory.features import Features
    from helion_ir.targets import Target


Structure = tuple[KnobValue, ...]
"""See `passes.pipeline.structure_key`."""


class Stages:
    """From the tile module to Triton text, each step done once and kept.

    `tile` is never changed: every target gets a copy of its own. Knobs of the fields in `without` keep their
    defaults: settings can take a decision out of the tuner's hands.
    """

    def __init__(
        self,
        tile: ModuleOp,
        target: Target,
        without: frozenset[str] = frozenset(),
        options: PrintOptions | None = None,
    ):
        self.tile = tile
        self.target = target
        self.without = without
        self.options = options
        self._templates: dict[Structure, ModuleOp] = {}
        self._printers: dict[tuple[Structure, PrintOptions | None], TemplatePrinter] = {}
        self._features: dict[Structure, Features] = {}
        self._required: dict[Structure, tuple[Requirement, ...]] = {}
        self._plans: dict[Structure, Plan] = {}
        """Of templates on which they are still to be written."""
        self._fitting: dict[Structure, tuple[Hashable, tuple[Requirement, ...]]] = {}
        """Of a template without its plan: the configuration that fits, and what else is required."""

    @functools.cached_property
    def declared(self) -> ModuleOp:
        """The tile module with every knob declared."""
        return self._prepared()

    def _prepared(self, callback: StageCallback | None = None) -> ModuleOp:
        from helion_ir.passes.pipeline import prepare

        module = copied(self.tile)
        with phase("prepare"):
            prepare(module, self.target, callback)
        for op in declarations(module):
            if op.field is not None and op.field.data in self.without:
                op.properties["domain"] = DomainAttr(one_of(op.default.data))
        return module

    @functools.cached_property
    def space(self) -> ConfigSpace:
        """The knobs, with the requirements of the declared module and those that lowering a structure finds."""
        from helion_ir.passes.bind_structure import structural_knobs

        declared = self.declared_space
        return ConfigSpace(
            list(declared),
            declared.requires,
            self._requirements,
            module=self.declared,
            structural=structural_knobs(self.declared),
        )

    @functools.cached_property
    def declared_space(self) -> ConfigSpace:
        """The space without what only lowering finds; nothing is lowered to ask it."""
        return ConfigSpace.of(self.declared)

    @functools.cached_property
    def structure_of(self) -> Callable[[Assignment], Structure]:
        """The part of an assignment that decides loops, shapes or launches, and last whether it needs no alternatives."""
        from helion_ir.passes.pipeline import structure_key

        return structure_key(self.declared)

    def template(self, assignment: Assignment, *, whole: bool = False) -> ModuleOp:
        """The triton module of the assignment's structure, all other knobs open; lowered on first use.

        With `whole`, the one that configurations share which differ in alternatives, even where this one needs none.
        """
        key = self._structure(assignment, whole)
        found = self._lowered(key, assignment)
        if (plan := self._plans.pop(key, None)) is not None:
            from helion_ir.dialects.triton.control import KernelOp
            from helion_ir.passes.base import kernels
            from helion_ir.passes.plan_memory import PlanMemory

            plan.write(PlanMemory(), kernels(found, KernelOp))
        return found

    def _lowered(self, key: Structure, assignment: Assignment) -> ModuleOp:
        """The template of an assignment's structure, of which the plan may be still to write."""
        found = self._templates.get(key)
        if found is None:
            from helion_ir.passes.collection import uncollected

            with phase("lower"), uncollected():
                if key[-1]:
                    from helion_ir.passes.pipeline import lower_plain

                    found, self._plans[key] = lower_plain(self.declared, assignment)
                else:
                    from helion_ir.passes.pipeline import lower

                    found = lower(self.declared, assignment, whole=True)
            self._templates[key] = found
        return found

    def _structure(self, assignment: Assignment, whole: bool = False) -> Structure:
        found = self.structure_of(assignment)
        return (*found[:-1], 0) if whole else found

    def _requirements(self, assignment: Assignment, whole: bool = False) -> Sequence[Requirement]:
        """What lowering the assignment's structure found to be required, or that it cannot be lowered."""
        key, chosen = self._structure(assignment, whole), assignment_key(assignment)
        if (found := self._required.get(key)) is not None:
            return found
        if (fitting := self._fitting.get(key)) is not None and fitting[0] == chosen:
            return fitting[1]
        from helion_ir import exc

        known = {r.condition for r in self.declared_space.requires}
        try:
            lowered = self._lowered(key, assignment)
            plan = self._plans.get(key)
            if plan is not None and fitting is None and plan.allows(assignment):
                # Of one configuration the plan's requirements hold, and are not written until another is asked about.
                found = rules_of(lowered, known)
                self._fitting[key] = chosen, found
                return found
            found = rules_of(self.template(assignment, whole=whole), known)
        except exc.BackendUnsupported as e:
            # One schedule that cannot be lowered is no loss; where it is the author's own, the error must be seen.
            if self._structure(assignment, True) == self._structure(self.declared_space.default(), True):
                raise
            found = (Requirement(lambda a: False, str(e), "lowering", tuple(sorted(self.declared_space.knobs))),)
        self._required[key] = found
        return found

    def features(self, assignment: Assignment) -> dict[str, float]:
        """What an assignment costs, in numbers; nothing is compiled. `Features` lists them."""
        key = self._structure(assignment)
        found = self._features.get(key)
        if found is None:
            from helion_ir.passes.plan_memory.features import Features

            found = self._features[key] = Features(self.template(assignment))
        return found(assignment)

    def concrete(self, assignment: Assignment, *, whole: bool = False) -> ModuleOp:
        """The template with every knob bound."""
        from helion_ir.passes.materialize_config import materialize

        return materialize(self.template(assignment, whole=whole), assignment)

    def printed(self, assignment: Assignment, options: PrintOptions | None = None) -> PrintedModule:
        """The Triton program of an assignment; kernel texts are shared by the assignments they serve.

        `options` say what the text shows besides the program; by default `self.options`.
        """
        chosen = self.options if options is None else options
        structure = self._structure(assignment)
        key = structure, chosen
        printer = self._printers.get(key)
        if printer is None:
            from helion_ir.backend_triton.printer import TemplatePrinter

            template = self._lowered(structure, assignment)
            made = TemplatePrinter(template) if chosen is None else TemplatePrinter(template, chosen)
            printer = self._printers[key] = made
        with phase("print"):
            return printer(assignment)

    def print_template(self, template: ModuleOp, assignment: Assignment) -> PrintedModule:
        """The Triton program of a given template.

        Raises ValueError where it was lowered for another structure than the assignment's.
        """
        from helion_ir.backend_triton.printer import print_module
        from helion_ir.passes.bind_structure import check_structure

        check_structure(template, assignment)
        return print_module(template, assignment)

    def compiled(self, assignment: Assignment) -> Compiled:
        """What Triton makes of an assignment's first kernel for this target; no device is needed."""
        from helion_ir.backend_triton.compile import compile_text

        return compile_text(self.printed(assignment), self.target)

    def compiled_kernels(self, assignment: Assignment) -> tuple[Compiled, ...]:
        """What Triton makes of every kernel that a call launches."""
        from helion_ir.backend_triton.compile import compile_kernels

        return compile_kernels(self.printed(assignment), self.target)

    @functools.cached_property
    def _texts_of_kernel(self) -> tuple[tuple[str, str], ...]:
        """(stage, IR text) of the stages that all configurations share, "declared" the last."""
        from helion_ir.dialects.context import module_text

        out = [("tile", module_text(self.tile))]
        declared = self._prepared(lambda name, module: out.append((name, module_text(module))))
        return (*out, ("declared", module_text(declared)))

    def texts(self, assignment: Assignment) -> list[tuple[str, str]]:
        """(stage, IR text) of every stage of one configuration, in order.

        "tile"; the passes that run once a kernel; "declared"; the passes that run once a structure; "template";
        "materialize-config".
        """
        from helion_ir.dialects.context import module_text
        from helion_ir.passes.materialize_config import materialize
        from helion_ir.passes.pipeline import lower

        out = list(self._texts_of_kernel)

        def seen(name: str, module: ModuleOp) -> None:
            out.append((name, module_text(module)))

        template = lower(self.declared, assignment, seen)
        out.append(("template", module_text(template)))
        out.append(("materialize-config", module_text(materialize(template, assignment))))
        return out


def assignment_key(assignment: Mapping[str, KnobValue]) -> tuple[tuple[type, KnobValue], ...]:
    """A dict key for a complete assignment of one space: values in order, True told from 1."""
    return tuple([(type(v), v) for v in assignment.values()])
